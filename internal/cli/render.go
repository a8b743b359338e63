package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/ui"
	"github.com/org/pgo-release/internal/version"
)

// printJSON writes a result as indented JSON.
func (a *app) printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return a.print(string(text) + "\n")
}

// VerifySchema names the form of what `verify --json` prints.
const VerifySchema = "https://github.com/org/pgo-release/schema/verify/v1"

// finding is a Finding as `verify --json` prints it.
type finding struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Holds   bool   `json:"holds"`
	Note    bool   `json:"note,omitempty"` // it says what did not count
	Detail  string `json:"detail,omitempty"`
}

func (a *app) printFindings(findings []engine.Finding) error {
	if a.values.Bool("json") {
		out := struct {
			Schema   string    `json:"schema"`
			Holds    bool      `json:"holds"`
			Findings []finding `json:"findings"`
		}{Schema: VerifySchema, Holds: len(engine.Failed(findings)) == 0, Findings: []finding{}}
		for _, f := range findings {
			detail := f.Detail
			if f.Err != nil {
				detail = f.Err.Error()
			}
			out.Findings = append(out.Findings, finding{Rule: f.Rule, Subject: f.Subject, Holds: f.Err == nil, Note: f.Note, Detail: detail})
		}
		return a.printJSON(out)
	}
	var text strings.Builder
	for _, f := range findings {
		switch {
		case f.Err != nil:
			fmt.Fprintf(&text, "FAIL  %-10s  %s: %s\n", f.Rule, f.Subject, f.Err)
		case f.Note:
			fmt.Fprintf(&text, "note  %-10s  %s: does not count: %s\n", f.Rule, f.Subject, f.Detail)
		default:
			fmt.Fprintf(&text, "ok    %-10s  %s: %s\n", f.Rule, f.Subject, f.Detail)
		}
	}
	return a.print(text.String())
}

// conclusion is nil when everything holds.
func conclusion(what string, findings []engine.Finding) error {
	failed := engine.Failed(findings)
	if len(failed) == 0 {
		return nil
	}
	var errs []error
	for _, f := range failed {
		errs = append(errs, fmt.Errorf("%s: %s: %w", f.Rule, f.Subject, f.Err))
	}
	return fmt.Errorf("verifying %s: %d of %d checks do not hold:\n%w", what, len(failed), len(findings), errors.Join(errs...))
}

// howToVerify is the end of the release notes: the commands a user needs, first this
// program's own.
func howToVerify(own string, stock []string) string {
	return fmt.Sprintf(`
## Verify

%[1]ssh
%[2]s
%[1]s

or with stock tools, beside the downloaded files:

%[1]ssh
%[3]s
%[1]s
`, "```", own, strings.Join(stock, "\n"))
}

// outputsOf are the outputs of the action.
func outputsOf(p plan.Plan, r dist.Report, dir string) (map[string]string, error) {
	assets, err := json.Marshal(r.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("setting the output %q: %w", "assets", err)
	}
	images := []byte("[]")
	if len(r.Images) > 0 {
		if images, err = json.Marshal(r.Images); err != nil {
			return nil, fmt.Errorf("setting the output %q: %w", "images", err)
		}
	}
	out := map[string]string{
		"version": r.Version, "tag": r.Tag, "previous-tag": p.Verdict.Previous,
		"prerelease": strconv.FormatBool(p.Verdict.Prerelease), "latest": strconv.FormatBool(p.Verdict.Latest && !r.Release.Draft),
		"release-url": r.Release.URL, "release-id": strconv.FormatInt(r.Release.ID, 10),
		"assets": string(assets), "dist": dir, "checksums": path.Join(dir, release.ChecksumsName), "notes": path.Join(dir, release.NotesName), "image": "", "image-digest": "", "images": string(images),
	}
	if len(r.Images) > 0 {
		first := r.Images[0]
		out["image"], out["image-digest"] = first.Repository+"@"+string(first.Digest), string(first.Digest)
		if exact := first.Repository + ":" + r.Version; slices.Contains(first.Tags, exact) {
			out["image"] = exact
		}
	}
	return out, nil
}

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

// summary is the job's summary in Markdown. Every name in it was checked by the plan.
func summary(p plan.Plan, r dist.Report) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## %s %s\n\n[%s](%s)\n\n", r.Project, r.Version, r.Release.URL, r.Release.URL)
	if r.Release.Draft {
		fmt.Fprintf(&text, "> [!NOTE]\n> **A draft**, made for %s: nobody sees it who may not write here.\n\n", p.Environment)
	}
	if p.Sign == plan.SignNone {
		text.WriteString("> [!WARNING]\n> **Not signed**: nobody is able to check where this release comes from.\n\n")
	}
	text.WriteString("| artifact | platform | size | SHA-256 |\n|---|---|---:|---|\n")
	for _, a := range r.Artifacts {
		platform := ""
		if a.Target != nil {
			platform = a.Target.String()
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | `%s` |\n", a.Name, platform, ui.Size(a.Size), a.SHA256)
	}
	for _, i := range r.Images {
		fmt.Fprintf(&text, "\n`%s@%s`\n", i.Repository, i.Digest)
		for _, tag := range i.Tags {
			fmt.Fprintf(&text, "- `%s`\n", tag)
		}
		if i.Private {
			fmt.Fprintf(&text, "\n> [!IMPORTANT]\n> **The package `%s` is private**: %s\n", i.Repository, visibility(p.Repository, i.Repository))
		}
	}
	return text.String()
}
