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
		if err := s.since(ctx, base); err != nil {
			return notes.Notes{}, err
		}
		s.facts.Tag, _ = version.Propose(plan.PolicyInput(s.config, s.facts), reachable)
	} else if err := s.since(ctx, version.Base(plan.PolicyInput(s.config, s.facts))); err != nil {
		return notes.Notes{}, err
	}
	verdict := version.Judge(plan.PolicyInput(s.config, s.facts))
	for _, f := range verdict.Findings {
		if strings.HasPrefix(f.Code, "T") && f.Level == version.Error || f.Code == "O07" {
			return notes.Notes{}, release.Misuse(f.Want, "%s: %s", f.Found, f.Rule)
		}
	}
	client, err := s.reader()
	if err != nil {
		return notes.Notes{}, err
	}
	p, err := s.past(ctx, verdict.Previous, client)
	if err != nil {
		return notes.Notes{}, err
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
		old, err := os.ReadFile(output)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("updating the changelog: %w", err)
		}
		text, err := notes.UpdateChangelog(string(old), n.Tag, n.Changelog())
		if err != nil {
			return release.Reject("", "updating %q: %w", output, err)
		}
		_, err = pack.WriteFile(output, []byte(text))
		return err
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
	if output == "" {
		return s.print(string(text))
	}
	_, err = pack.WriteFile(output, text)
	return err
}

// past is what happened since a version, and what else the notes tell.
type past struct {
	since        history.Range
	shipped      history.Range // what only the line of that version holds
	mergedBefore map[string]bool
	modules      notes.Modules
	categories   *notes.Categories
}

// past reads what happened since a tag; from GitHub what pull requests say, or without
// a client what the messages of commits say.
func (s *session) past(ctx context.Context, previous string, client *github.Client) (p past, err error) {
	err = task.Track(ctx, s.reporter.Progress, "check", "history", 0, func(stage func(string)) (string, error) {
		stage("reading commits")
		p.since = history.Range{Repository: s.repository().String(), Online: client != nil}
		p.shipped = p.since
		group, shared := errgroup.WithContext(ctx)
		group.Go(func() (err error) {
			p.since.Commits, err = s.repo.Commits(shared, previous, s.facts.Commit)
			return err
		})
		group.Go(func() (err error) {
			p.shipped.Commits, err = s.repo.Beside(shared, previous, s.facts.Commit)
			return err
		})
		group.Go(func() (err error) { p.categories, err = s.categories(shared); return err })
		group.Go(func() (err error) { p.modules, err = s.modules(shared, previous); return err })
		if err := group.Wait(); err != nil || client == nil {
			return counted(len(p.since.Commits), "commit"), err
		}
		stage("reading pull requests")
		if err := s.ask(ctx, client, &p); err != nil {
			return "", err
		}
		return counted(len(p.since.Commits), "commit") + ", " + counted(len(p.since.Pulls), "pull request"), nil
	})
	return p, err
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
	numbers := map[int]bool{}
	for _, c := range slices.Concat(p.since.Commits, p.shipped.Commits) {
		for _, n := range history.Numbers(c) {
			numbers[n] = true
		}
	}
	pulls, err := client.Pulls(ctx, slices.Sorted(maps.Keys(numbers)))
	if err != nil {
		return err
	}
	p.since.Pulls, p.shipped.Pulls = slices.Clone(pulls), pulls
	var left []string
	for _, c := range p.since.Changes() {
		if c.Number == 0 {
			left = append(left, c.Commit.SHA)
		}
	}
	found, err := client.PullsOf(ctx, left)
	if err != nil {
		return err
	}
	p.since.Of = map[string][]int{}
	for _, sha := range left {
		for _, pr := range found[sha] {
			p.since.Of[sha] = append(p.since.Of[sha], pr.Number)
			if !numbers[pr.Number] {
				numbers[pr.Number] = true
				p.since.Pulls = append(p.since.Pulls, pr)
			}
		}
	}
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
