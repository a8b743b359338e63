package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

func (a *app) notesCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "notes [FROM..TO]",
		Short: "Write the release notes",
		Long: `Writes the notes of a release from what was merged since the version before: pull
requests, sorted by their labels and titles or as .github/release.yml says, and commits
that came without one. TO is a version tag, or one that HEAD is to get; without it, the
tag of HEAD, or else the version that comes next. FROM is a tag; without it, the version
before TO.

With a token, GitHub is asked about pull requests; without one, the messages of commits
have to do. Nothing but the file that you name is changed.`,
		Example: `  pgo-release notes
  pgo-release notes v1.2.0..v1.3.0 --format html --output notes.html
  pgo-release notes --update-changelog`,
		Args: cobra.MaximumNArgs(1),
	}, func(ctx context.Context, args []string) error {
		from, to := "", ""
		if len(args) == 1 {
			var ok bool
			if from, to, ok = strings.Cut(args[0], ".."); !ok {
				from, to = "", args[0]
			}
			to = strings.TrimPrefix(to, ".") // of "..."
		}
		if to == "HEAD" {
			to = ""
		}
		s, err := a.read(ctx, to)
		if err != nil {
			return err
		}
		n, err := s.notesOf(ctx, from)
		if err != nil {
			return err
		}
		return s.writeNotes(n)
	})
}

// notesOf are the notes of the tag of the facts, or of the version that comes next.
func (s *session) notesOf(ctx context.Context, from string) (notes.Notes, error) {
	if version.IsFloating(s.facts.Tag) {
		return notes.Notes{}, release.Misuse("name a version, such as v1.2.3", "tag %q: a floating tag has no notes", s.facts.Tag)
	}
	s.config.PreviousTag = from
	if s.facts.Tag == "" {
		reachable, err := s.repo.Reachable(ctx, s.facts.Refs)
		if err != nil {
			return notes.Notes{}, err
		}
		_, base := version.Propose(plan.PolicyInput(s.config, s.facts), reachable)
		if err := s.compareWith(ctx, base); err != nil {
			return notes.Notes{}, err
		}
		s.facts.Tag, _ = version.Propose(plan.PolicyInput(s.config, s.facts), reachable)
	} else if err := s.compareWith(ctx, version.Base(plan.PolicyInput(s.config, s.facts))); err != nil {
		return notes.Notes{}, err
	}
	verdict := version.Judge(plan.PolicyInput(s.config, s.facts))
	for _, f := range verdict.Findings {
		switch {
		case strings.HasPrefix(f.Code, "T") && f.Level == version.Error, f.Code == "G03", f.Code == "O07":
			return notes.Notes{}, release.Misuse(f.Want, "%s: %s", f.Found, f.Rule)
		case f.Code == "O06":
			s.reporter.Progress(task.Event{Phase: "check", State: task.Warning, Text: f.String() + "; " + f.Want})
		}
	}
	client, err := s.reader()
	if err != nil {
		return notes.Notes{}, err
	}
	p, err := s.past(ctx, verdict.Previous, "", client)
	if err != nil {
		return notes.Notes{}, err
	}
	if from != "" && len(p.since.Commits) == 0 {
		return notes.Notes{}, release.Misuse("FROM comes before TO: v1.2.0..v1.3.0", "there is no commit of %s that %s does not have", s.facts.Tag, from)
	}
	if client == nil && p.categories != nil {
		s.reporter.Progress(task.Event{Phase: "check", State: task.Note, Text: "without GitHub no labels are known, which .github/release.yml sorts by"})
	}
	return notes.New(s.notesInput(p, verdict)), nil
}

// notesInput is what notes are made of.
func (s *session) notesInput(p past, verdict version.Verdict) notes.Input {
	return notes.Input{
		Tag: s.facts.Tag, Previous: verdict.Previous, Repository: s.repository(), Time: s.facts.Time,
		Range: p.since, Shipped: p.shipped, MergedBefore: p.mergedBefore, Configuration: s.config.Notes,
		Categories: p.categories, Modules: p.modules, Verdict: verdict,
	}
}

// writeNotes writes the notes in the format and to the place that the options name.
func (s *session) writeNotes(n notes.Notes) error {
	output := s.values.Path("output")
	if s.values.Bool("update-changelog") {
		if output == "" {
			output = filepath.Join(s.dir, "CHANGELOG.md")
		}
		old, err := readChangelog(output)
		if err != nil {
			return err
		}
		text, err := notes.UpdateChangelog(old, n.Tag, n.Changelog())
		if err != nil {
			return release.Reject("", "updating %q: %w", output, err)
		}
		return s.replace(output, []byte(text))
	}
	var text []byte
	var err error
	switch s.values.String("format") {
	case "json":
		text, err = n.JSON()
	case "html":
		text, err = n.HTML()
	case "changelog":
		text = []byte(n.Changelog())
	default:
		text = []byte(n.Whole())
	}
	if err != nil {
		return fmt.Errorf("writing the notes: %w", err)
	}
	if output == "" || s.values.String("output") == "-" {
		return s.print(string(text))
	}
	return s.replace(output, text)
}

// maxChangelog bounds a changelog, in bytes.
const maxChangelog = 64 << 20

// readChangelog reads a changelog; empty where there is none yet.
func readChangelog(name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("updating %q: %w", name, err)
	case !info.Mode().IsRegular() || info.Size() > maxChangelog:
		return "", release.Misuse("name a Markdown file", "updating %q: it is no file, or has more than %d bytes", name, maxChangelog)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("updating %q: %w", name, err)
	}
	return string(text), nil
}

// replace writes a file that the user named: at once and with its mode where there is one
// already, through a link to what that leads to. What is no file, such as a device, is
// written to as it is.
func (s *session) replace(name string, text []byte) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := pack.WriteFile(name, text)
		return err
	case err != nil:
		return fmt.Errorf("writing %q: %w", name, err)
	case info.IsDir():
		return release.Misuse("name a file", "writing %q: it is a directory", name)
	case info.Mode().Perm()&0o200 == 0:
		return release.Reject("make it writable: chmod u+w "+name, "writing %q: it is read-only", name)
	case !info.Mode().IsRegular():
		return os.WriteFile(name, text, 0)
	}
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return fmt.Errorf("writing %q: %w", name, err)
	}
	if _, err := pack.WriteFile(name, text); err != nil {
		return err
	}
	return os.Chmod(name, info.Mode().Perm())
}

// past is what happened since the version that the notes start from, and since the one
// that the policy compares with, which mostly is the same; and what else notes tell.
type past struct {
	since        history.Range // for the notes
	judged       history.Range // for the policy
	shipped      history.Range // what only the line of the notes' version holds
	mergedBefore map[string]bool
	modules      notes.Modules
	categories   *notes.Categories
}

// past reads what happened since the tags previous (for the notes) and base (for the
// policy; empty: there is nothing to compare with); from GitHub what pull requests say,
// or without a client what the messages of commits say.
func (s *session) past(ctx context.Context, previous, base string, client *github.Client) (past, error) {
	var p past
	err := task.Track(ctx, s.reporter.Progress, "check", "history", 0, func(stage func(string)) (string, error) {
		stage("reading commits")
		var err error
		if p, err = s.local(ctx, previous, base); err != nil || client == nil {
			return counted(len(p.since.Commits), "commit"), err
		}
		stage("reading pull requests")
		if err := s.ask(ctx, client, &p); err != nil {
			if release.HintOf(err) == "" {
				err = &release.Problem{Err: err, Tip: "try again; check and notes do without GitHub when there is no token: --token ''"}
			}
			return "", err
		}
		return counted(len(p.since.Commits), "commit") + ", " + counted(len(p.since.Pulls), "pull request"), nil
	})
	return p, err
}

// local is the past as far as git knows it.
func (s *session) local(ctx context.Context, previous, base string) (past, error) {
	all := history.Range{Repository: s.repository().String()}
	p := past{since: all, judged: all, shipped: all}
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { p.since, err = s.since(shared, previous, s.released()); return err })
	// Mostly the two are one range, which is read once.
	apart := base != "" && (base != previous || len(s.facts.Nested) > 0)
	if apart {
		group.Go(func() (err error) { p.judged, err = s.since(shared, base, s.facts.Nested); return err })
	}
	group.Go(func() (err error) {
		p.shipped.Commits, err = s.repo.Beside(shared, previous, s.facts.Commit)
		return err
	})
	group.Go(func() (err error) { p.categories, err = s.categories(shared); return err })
	group.Go(func() (err error) { p.modules, err = s.modules(shared, previous); return err })
	if err := group.Wait(); err != nil {
		return past{}, err
	}
	if base != "" && !apart {
		p.judged = p.since
	}
	return p, nil
}

// since are the commits after a tag, of which those count that touch the module outside
// of the excluded directories.
func (s *session) since(ctx context.Context, tag string, excluded []string) (r history.Range, err error) {
	r.Repository = s.repository().String()
	if r.Commits, err = s.repo.Commits(ctx, tag, s.facts.Commit); err != nil {
		return r, err
	}
	if s.facts.Module.Dir != "." || len(excluded) > 0 {
		r.Within, err = s.repo.Touching(ctx, tag, s.facts.Commit, s.facts.Module.Dir, excluded)
	}
	return r, err
}

// released are the modules inside of this one that have versions, and so notes, of their
// own. Others, such as one for tools, are listed here: there is no other place.
func (s *session) released() []string {
	return slices.DeleteFunc(slices.Clone(s.facts.Nested), func(dir string) bool {
		return !slices.ContainsFunc(s.facts.Refs, func(r version.Ref) bool { return strings.HasPrefix(r.Tag, dir+"/v") })
	})
}

func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// categories reads .github/release.yml of the commit.
func (s *session) categories(ctx context.Context) (*notes.Categories, error) {
	for _, name := range []string{".github/release.yml", ".github/release.yaml"} {
		text, ok, err := s.repo.File(ctx, s.facts.Commit, name)
		if err != nil {
			return nil, err
		}
		if ok {
			return config.Categories(name, text)
		}
	}
	return nil, nil
}

// modules compares go.mod with that of the version before, where there was one.
func (s *session) modules(ctx context.Context, previous string) (notes.Modules, error) {
	if previous == "" || s.facts.Module.Path == "" {
		return notes.Modules{}, nil
	}
	base, err := s.repo.Base(ctx, previous)
	if err != nil || base.Module.Path == "" {
		return notes.Modules{}, err
	}
	before, _, err := s.repo.File(ctx, base.Commit, path.Join(base.Module.Dir, "go.mod"))
	if err != nil {
		return notes.Modules{}, err
	}
	now, _, err := s.repo.File(ctx, s.facts.Commit, path.Join(s.facts.Module.Dir, "go.mod"))
	if err != nil {
		return notes.Modules{}, err
	}
	return notes.DiffModules(before, now)
}

// maxAuthors is how many authors GitHub is asked about, 25 with each request: the others
// are not called new.
const maxAuthors = 150

// ask reads from GitHub the pull requests of both lines: those that messages name, then
// those of the commits that are left; and whose first ones are among them.
func (s *session) ask(ctx context.Context, client *github.Client, p *past) error {
	p.since.Online, p.judged.Online, p.shipped.Online = true, true, true
	numbers := map[int]bool{}
	for _, c := range slices.Concat(p.since.Commits, p.judged.Commits, p.shipped.Commits) {
		for _, n := range history.Numbers(c) {
			numbers[n] = true
		}
	}
	pulls, err := client.Pulls(ctx, slices.Sorted(maps.Keys(numbers)))
	if err != nil {
		return err
	}
	p.since.Pulls, p.judged.Pulls, p.shipped.Pulls = pulls, pulls, pulls
	left := map[string]bool{}
	for _, c := range slices.Concat(p.since.Changes(), p.judged.Changes()) {
		if c.Number == 0 {
			left[c.Commit.SHA] = true
		}
	}
	found, err := client.PullsOf(ctx, slices.Sorted(maps.Keys(left)))
	if err != nil {
		return err
	}
	of := map[string][]int{}
	more := slices.Clone(pulls)
	for _, sha := range slices.Sorted(maps.Keys(found)) {
		for _, pr := range found[sha] {
			of[sha] = append(of[sha], pr.Number)
			if !numbers[pr.Number] {
				numbers[pr.Number] = true
				more = append(more, pr)
			}
		}
	}
	p.since.Pulls, p.judged.Pulls, p.since.Of, p.judged.Of = more, more, of, of
	first := map[string]time.Time{}
	for _, c := range p.since.Changes() {
		if c.Pull == nil || c.Pull.Bot || c.Pull.Author == "" {
			continue
		}
		if at, ok := first[c.Pull.Author]; !ok && len(first) < maxAuthors || ok && c.Pull.MergedAt.Before(at) {
			first[c.Pull.Author] = c.Pull.MergedAt
		}
	}
	if p.mergedBefore, err = client.MergedBefore(ctx, first); err != nil {
		if ctx.Err() != nil {
			return err
		}
		// Nobody is called new who may not be.
		s.reporter.Progress(task.Event{Phase: "check", Task: "history", State: task.Note, Text: err.Error()})
		p.mergedBefore = nil
	}
	return nil
}
