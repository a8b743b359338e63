package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/ui"
	"github.com/org/pgo-release/internal/version"
)

// summarise shows a result for people on the page of the run, and sets outputs; outside
// of Actions it does nothing.
func (a *app) summarise(title, text string, outputs map[string]string) error {
	actions, inActions := action.Detect(a.getenv, io.Discard)
	if !inActions {
		return nil
	}
	if err := actions.Outputs(outputs); err != nil {
		return err
	}
	return actions.Summary("## " + title + "\n\n" + fenced(a.reporter.Inert(text)) + "\n")
}

// fenced is a text as a block of code, whatever is in it.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence
}

// rejectedSummary is a version that may not be released, in the job's summary.
func rejectedSummary(r *version.Rejection) string {
	var text strings.Builder
	text.WriteString("## Not released\n\n| rule | found | what is wrong | accepted instead |\n|---|---|---|---|\n")
	for _, f := range r.Findings {
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", f.Code, notes.Escape(f.Found), notes.Escape(f.Rule), notes.Escape(f.Want))
	}
	return text.String()
}

// page is what the summary of a run tells.
type page struct {
	plan      plan.Plan
	report    dist.Report
	rehearsed bool             // nothing of it is public
	before    map[string]int64 // sizes of the assets of the previous version, by name
	timeline  []ui.Span
	notes     string // Markdown, with the commands for checking
}

// markdown is the job's summary. Every name in it was checked by the plan, and the notes
// are made to be shown.
func (p page) markdown() string {
	var text strings.Builder
	r := p.report
	fmt.Fprintf(&text, "## %s %s\n\n", r.Project, r.Version)
	switch {
	case p.rehearsed:
		text.WriteString("> [!NOTE]\n> **Rehearsed**: nothing of it is public.\n\n")
	case r.Release.Draft:
		fmt.Fprintf(&text, "[%s](%s)\n\n> [!NOTE]\n> **A draft**, made for %s: nobody sees it who may not write here.\n\n", r.Release.URL, r.Release.URL, p.plan.Environment)
	default:
		fmt.Fprintf(&text, "[%s](%s)\n\n", r.Release.URL, r.Release.URL)
	}
	if p.plan.Sign == plan.SignNone {
		text.WriteString("> [!WARNING]\n> **Not signed**: nobody is able to check where this release comes from.\n\n")
	}
	text.WriteString(p.verdict())
	text.WriteString(p.artifacts())
	for _, i := range r.Images {
		fmt.Fprintf(&text, "\n### Image\n\n```sh\ndocker pull %s\n```\n", cmp.Or(exactTag(i, r.Version), i.Repository+"@"+string(i.Digest)))
		fmt.Fprintf(&text, "\n`%s@%s`\n", i.Repository, i.Digest)
		for _, tag := range i.Tags {
			fmt.Fprintf(&text, "- `%s`\n", tag)
		}
		if i.Private {
			fmt.Fprintf(&text, "\n> [!IMPORTANT]\n> **The package `%s` is private**: %s\n", i.Repository, visibility(p.plan.Repository, i.Repository))
		}
	}
	text.WriteString(p.gantt())
	if p.notes != "" {
		fmt.Fprintf(&text, "\n### Notes\n\n%s\n", p.notes)
	}
	return text.String()
}

// exactTag is the reference of an image with its exact version as tag; empty without.
func exactTag(i dist.Image, version string) string {
	if exact := i.Repository + ":" + version; slices.Contains(i.Tags, exact) {
		return exact
	}
	return ""
}

// verdict is what the version policy said.
func (p page) verdict() string {
	v := p.plan.Verdict
	var parts []string
	if v.Previous != "" {
		parts = append(parts, fmt.Sprintf("%s after `%s`", v.Actual, v.Previous))
	} else {
		parts = append(parts, "the first release")
	}
	switch {
	case v.Prerelease:
		parts = append(parts, "prerelease")
	case v.Latest:
		parts = append(parts, "latest")
	}
	text := fmt.Sprintf("`%s`, commit `%.7s`, %s: %s\n\n", p.report.Tag, p.report.Commit, p.report.Toolchain, strings.Join(parts, ", "))
	for _, f := range v.Warnings() {
		text += fmt.Sprintf("> [!WARNING]\n> %s\n\n", notes.Escape(f.String()))
	}
	return text
}

// artifacts is the table of the files, with how they grew.
func (p page) artifacts() string {
	var text strings.Builder
	compared := len(p.before) > 0
	if compared {
		fmt.Fprintf(&text, "| artifact | platform | size | since %s | SHA-256 |\n|---|---|---:|---:|---|\n", p.plan.Verdict.Previous)
	} else {
		text.WriteString("| artifact | platform | size | SHA-256 |\n|---|---|---:|---|\n")
	}
	for _, a := range p.report.Artifacts {
		platform := ""
		if a.Target != nil {
			platform = a.Target.String()
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s |", a.Name, platform, strings.ReplaceAll(ui.Size(a.Size), " ", "&nbsp;"))
		if compared {
			fmt.Fprintf(&text, " %s |", p.growth(a))
		}
		fmt.Fprintf(&text, " `%s` |\n", a.SHA256)
	}
	return text.String()
}

// growth is how much larger a file is than that of the previous version.
func (p page) growth(a dist.Artifact) string {
	_, previous := version.Split(p.plan.Verdict.Previous)
	name := strings.Replace(a.Name, "_"+p.report.Version+"_", "_"+strings.TrimPrefix(previous, "v")+"_", 1)
	was, ok := p.before[name]
	switch {
	case !ok:
		return "new"
	case was == 0:
		return ""
	}
	return fmt.Sprintf("%+.1f&nbsp;%%", 100*float64(a.Size-was)/float64(was))
}

// maxBars bounds the tasks in the chart: a page can show no more, and Mermaid reads no
// text of more than 50,000 characters.
const maxBars = 60

// gantt is when what went on, as a chart. Of many tasks it shows those that took longest.
func (p page) gantt() string {
	spans := slices.Clone(p.timeline)
	if len(spans) == 0 {
		return ""
	}
	slices.SortStableFunc(spans, func(a, b ui.Span) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	spans = spans[:min(len(spans), maxBars)]
	phases := map[string][]ui.Span{}
	begins := map[string]time.Duration{}
	for _, s := range spans {
		phases[s.Phase] = append(phases[s.Phase], s)
		if first, ok := begins[s.Phase]; !ok || s.Start < first {
			begins[s.Phase] = s.Start
		}
	}
	var text strings.Builder
	text.WriteString("\n<details><summary>Timeline</summary>\n\n```mermaid\ngantt\n  dateFormat x\n  axisFormat %M:%S\n")
	for _, phase := range slices.SortedFunc(maps.Keys(phases), func(a, b string) int { return cmp.Compare(begins[a], begins[b]) }) {
		fmt.Fprintf(&text, "  section %s\n", bar(phase))
		slices.SortStableFunc(phases[phase], func(a, b ui.Span) int { return cmp.Compare(a.Start, b.Start) })
		for _, s := range phases[phase] {
			end := max(s.End, s.Start+time.Millisecond)
			took := ui.Duration(s.End - s.Start)
			if s.Memory > 0 {
				took += " " + ui.Size(s.Memory)
			}
			fmt.Fprintf(&text, "  %s :%d, %d\n", bar(s.Task+" "+took), s.Start.Milliseconds(), end.Milliseconds())
		}
	}
	text.WriteString("```\n\n</details>\n")
	return text.String()
}

// bar is a name in a chart, without what means something there.
func bar(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(":;,#%`\n\r<>\"", r) {
			return ' '
		}
		return r
	}, name)
}

// sizesBefore are the sizes of the assets of the previous version, by name; nil where they
// are not known. They are for looking at: what cannot be asked is no error.
func sizesBefore(ctx context.Context, client *github.Client, tag string) map[string]int64 {
	if tag == "" {
		return nil
	}
	before, err := client.Find(ctx, tag)
	if err != nil || before == nil {
		return nil
	}
	assets, err := client.Assets(ctx, *before)
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for _, a := range assets {
		out[a.Name] = a.Size
	}
	return out
}

// maxNotes bounds the notes on the page of a run, in bytes: it shows no more.
const maxNotes = 1 << 20

// tellRunner sets the outputs of the action and writes the job's summary.
func (s *session) tellRunner(ctx context.Context, o outside, report dist.Report, rehearsed bool) error {
	actions, inActions := action.Detect(s.getenv, s.Out)
	if !inActions {
		return nil
	}
	outputs, err := outputsOf(s.plan, report, filepath.ToSlash(string(s.dist)))
	if err != nil {
		return err
	}
	if err := actions.Outputs(outputs); err != nil {
		return err
	}
	text, err := readLimited(s.dist.Join(release.NotesName), maxNotes)
	if err != nil { // a release that was complete before: its page has them
		text = nil
	}
	p := page{plan: s.plan, report: report, rehearsed: rehearsed, timeline: s.reporter.Timeline(), notes: string(text)}
	if !rehearsed {
		p.before = sizesBefore(ctx, o.github, s.plan.Verdict.Previous)
	}
	return actions.Summary(p.markdown())
}
