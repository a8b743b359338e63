package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

func (a *app) checkCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "check [TAG]",
		Short: "Say whether a version may be released, or which one comes next",
		Long: `Says whether a version may be released, and why not: its syntax, its order among the
tags that exist, whether the changes since the previous version and the exported Go API
allow it, and what Go demands of the module. Without TAG it judges the tag of the
commit; where there is none, it proposes the next version and explains it.

It needs nothing but the repository. With a token it asks GitHub too: for the labels of
pull requests, and whether the version is already released from another commit.
Nothing is changed. The exit code is 3 when the version may not be released.`,
		Example: `  pgo-release check
  pgo-release check v1.3.0
  pgo-release check v1.3.0 --json | jq .requiredBump`,
		Args: cobra.MaximumNArgs(1),
	}, func(ctx context.Context, args []string) error {
		tag := a.values.String("tag")
		if len(args) == 1 {
			tag = args[0]
		}
		s, err := a.read(ctx, tag)
		if err != nil {
			return err
		}
		if err := plan.CheckPolicy(s.config); err != nil {
			return err
		}
		c, err := s.check(ctx)
		if err != nil {
			return err
		}
		if a.values.Bool("json") {
			err = a.printJSON(c)
		} else {
			err = a.print(c.text())
		}
		if err == nil && c.Rejected() == nil { // else the rejection is the summary
			err = a.summarise("Check", c.text(), map[string]string{"tag": c.Tag, "previous-tag": c.Previous})
		}
		if err != nil {
			return err
		}
		return a.concludeCheck(c)
	})
}

// CheckSchema names the form of what `check --json` prints.
const CheckSchema = "https://github.com/org/pgo-release/schema/check/v1"

// checked is the result of check, and its JSON.
type checked struct {
	Schema   string `json:"schema"`
	Tag      string `json:"tag"`
	Module   string `json:"module"`
	Commit   string `json:"commit"`
	Outcome  string `json:"verdict"`     // "allowed", "rejected", "floating" or "nothing"
	Proposed bool   `json:"proposed"`    // nobody named the tag: it is the one that comes next
	Ignored  int    `json:"ignoredTags"` // tags that are no versions of the module
	version.Verdict
}

// The outcomes of a check.
const (
	allowed  = "allowed"
	rejected = "rejected"
	floating = "floating" // there is nothing to release for such a tag
	nothing  = "nothing"  // there is no change since the last version
)

// check judges the tag of the facts, or proposes one.
func (s *session) check(ctx context.Context) (checked, error) {
	in := plan.PolicyInput(s.config, s.facts)
	c := checked{
		Schema: CheckSchema, Tag: s.facts.Tag, Module: s.facts.Module.Path, Commit: s.facts.Commit,
		Ignored: len(s.facts.Refs) - len(version.Of(s.facts.Refs, s.facts.Prefix())),
	}
	if s.values.Bool("verbose") {
		s.reporter.Progress(task.Event{Phase: "check", State: task.Note, Text: fmt.Sprintf("%d of %d tags are no versions of this module", c.Ignored, len(s.facts.Refs))})
	}
	c.Findings = []version.Finding{}
	if version.IsFloating(c.Tag) {
		c.Outcome = floating
		return c, nil
	}
	if s.facts.Dirty != "" {
		s.reporter.Progress(task.Event{Phase: "check", State: task.Note, Text: "changes that are not committed are not judged"})
	}
	if _, err := version.Parse(c.Tag, s.facts.Prefix()); c.Tag != "" && err != nil { // nothing else can be said
		c.Verdict, c.Outcome = version.Judge(in), rejected
		return c, nil
	}
	client, err := s.reader()
	if err != nil {
		return checked{}, err
	}
	if c.Tag == "" {
		if c.Tag, c.Base, err = s.propose(ctx, &in, client); err != nil {
			return checked{}, err
		}
		if c.Tag == "" {
			c.Outcome = nothing
			return c, nil
		}
		in.Tag, c.Proposed = c.Tag, true
	} else {
		base := version.Base(in)
		if _, err := s.learn(ctx, &in, base, base, client); err != nil {
			return checked{}, err
		}
	}
	if client != nil {
		if in.Page, _, err = s.elsewhere(ctx, client, c.Tag); err != nil {
			return checked{}, err
		}
		if in.Served, err = s.served(ctx, client, c.Tag); err != nil {
			return checked{}, err
		}
	}
	c.Verdict = version.Judge(in)
	c.Outcome = allowed
	if c.Rejected() != nil {
		c.Outcome = rejected
	}
	return c, nil
}

// propose is the tag that comes next; empty when nothing changed since base. What is
// learned on the way is put into in. The client may be nil.
func (s *session) propose(ctx context.Context, in *version.Input, client *github.Client) (tag, base string, err error) {
	reachable, err := s.repo.Reachable(ctx, s.facts.Refs)
	if err != nil {
		return "", "", err
	}
	_, base = version.Propose(*in, reachable)
	if _, err := s.learn(ctx, in, base, base, client); err != nil {
		return "", "", err
	}
	if base != "" && len(in.Changes) == 0 && in.API.Incompatible == nil && in.API.Compatible == nil {
		return "", base, nil
	}
	tag, _ = version.Propose(*in, reachable)
	return tag, base, nil
}

// reader is a client of GitHub where there is a token for one; nil where there is none.
func (s *session) reader() (*github.Client, error) {
	if s.values.String("token") == "" || s.repository().Owner == "" {
		return nil, nil
	}
	return s.gitHub(s.repository())
}

// repository is the one on GitHub: as the user says, or git does.
func (s *session) repository() plan.Repository {
	if owner, name, ok := strings.Cut(s.config.Repository, "/"); ok {
		return plan.Repository{Owner: owner, Name: name}
	}
	return s.facts.Repository
}

// concludeCheck turns a rejection into the error of the run. In Actions the annotation
// is read apart from the log, so there it says everything.
func (a *app) concludeCheck(c checked) error {
	rejection := c.Rejected()
	if rejection == nil {
		return nil
	}
	if _, inActions := action.Detect(a.getenv, a.Out); inActions {
		return reject(c.Verdict)
	}
	return release.Reject("", "%s may not be released: %s", c.Tag, rejection.Title())
}

// text is the result for people.
func (c checked) text() string {
	var out strings.Builder
	switch {
	case c.Outcome == floating:
		return fmt.Sprintf("%s is a floating tag, nothing to release\n", c.Tag)
	case c.Outcome == nothing:
		return fmt.Sprintf("nothing changed since %s\n", c.Base)
	case c.Proposed && c.Outcome == rejected:
		fmt.Fprintf(&out, "%s comes next, and may not be released yet\n", c.Tag)
	case c.Proposed:
		fmt.Fprintf(&out, "%s comes next\n", c.Tag)
	case c.Outcome == allowed:
		fmt.Fprintf(&out, "%s may be released\n", c.Tag)
	default:
		fmt.Fprintf(&out, "%s may not be released\n", c.Tag)
	}
	for _, f := range c.Findings {
		fmt.Fprintf(&out, "\n%s %s: %s\n  %s\n", f.Level, f.Code, f.Found, strings.ReplaceAll(f.Rule, "\n", "\n  "))
		if f.Want != "" {
			fmt.Fprintf(&out, "  accepted: %s\n", f.Want)
		}
	}
	if rows := c.consequences(); rows != "" {
		out.WriteString("\n" + rows)
	}
	if c.Base != "" {
		fmt.Fprintf(&out, "\nchanges since %s\n", c.Base)
		for _, r := range c.Reasons[:min(len(c.Reasons), shownReasons)] {
			fmt.Fprintf(&out, "  %-5s  %s\n", r.Bump, r)
		}
		if more := c.More + len(c.Reasons) - shownReasons; more > 0 {
			fmt.Fprintf(&out, "  and %d more\n", more)
		}
		if len(c.Reasons) == 0 {
			out.WriteString("  none\n")
		}
	}
	return out.String()
}

// shownReasons is how many reasons the text lists; the JSON has more.
const shownReasons = 40

// consequences is what follows from the version.
func (c checked) consequences() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(table, "  %s\t%s\n", name, value) }
	if c.Base != "" {
		row("bump", fmt.Sprintf("%s after %s; the changes ask for %s", c.Actual, c.Base, c.Required))
	}
	switch c.API.State {
	case version.Ignored:
		row("API", "not compared: api: ignore")
	case version.NoAPI:
		row("API", "none: the module has only programs and internal packages")
	case version.Unverified:
		row("API", "not compared: one side could not be read")
	case version.Compared:
		row("API", fmt.Sprintf("%d incompatible, %d compatible changes", len(c.API.Incompatible), len(c.API.Compatible)))
	}
	if c.Outcome != rejected {
		c.standing(row)
	}
	if c.Next != c.Tag && c.Base != "" {
		row("proposed", c.Next)
	}
	_ = table.Flush() // a Builder does not fail
	return out.String()
}

// standing is how a version that may be released is presented.
func (c checked) standing(row func(name, value string)) {
	if c.Previous != "" {
		row("previous", c.Previous)
	} else {
		row("previous", "none: the first release")
	}
	switch {
	case c.Prerelease:
		row("release", "prerelease")
	case c.Latest:
		row("release", "latest")
	default:
		row("release", "stable, not latest")
	}
	row("image tags", strings.Join(c.ImageTags, " "))
	if len(c.GitTags) > 0 {
		row("git tags", strings.Join(c.GitTags, " ")+", which may move to it")
	}
}
