package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

// preflightPhase is what preflight reports as.
const preflightPhase = "preflight"

// preflight finds out, before anything is made, whether the release can be signed and
// published, and what GitHub has of it: page and found. All that stands against it is
// one error, each part with what mends it. It makes o.notary.
func (s *session) preflight(ctx context.Context, o *outside) (page version.Page, found *github.Page, err error) {
	errs := make([]error, 3)
	var group sync.WaitGroup
	if o.enlist == nil {
		errs[0] = s.checkEnvironment("")
	} else {
		group.Go(func() {
			errs[0] = s.looked(ctx, "signing", func() (string, error) {
				var environment string
				var err error
				if o.notary, environment, err = o.enlist(ctx); err != nil {
					return "", err
				}
				return "", s.checkEnvironment(environment)
			})
		})
	}
	group.Go(func() {
		errs[1] = s.looked(ctx, "GitHub", func() (text string, err error) {
			page, found, text, err = s.there(ctx, o.github)
			return text, err
		})
		if len(s.plan.Images) > 0 && !page.Published {
			errs[2] = s.looked(ctx, "registry", func() (string, error) { return "", s.pushable(ctx, o.registry) })
		}
	})
	group.Wait()
	if ctx.Err() != nil {
		return page, nil, context.Cause(ctx)
	}
	return page, found, together(errs)
}

// looked reports one look at the outside as a task.
func (s *session) looked(ctx context.Context, name string, look func() (string, error)) error {
	return task.Track(ctx, s.reporter.Progress, preflightPhase, name, 0, func(stage func(string)) (string, error) {
		stage("asking")
		return look()
	})
}

// pushable demands of the registries that they take the images, and that no exact version
// of them was made of another commit.
func (s *session) pushable(ctx context.Context, access image.Access) error {
	errs := make([]error, len(s.plan.Images))
	for i, p := range s.plan.Images {
		errs[i] = image.CheckPush(ctx, p.Repository, access)
		for _, tag := range p.Tags {
			if errs[i] == nil && version.IsExact(tag) {
				errs[i] = image.CheckTag(ctx, p.Repository, tag, s.plan.Commit, access)
			}
		}
	}
	return together(errs)
}

// there is what GitHub has of the release, and whether the token may write it.
func (s *session) there(ctx context.Context, client *github.Client) (page version.Page, found *github.Page, text string, err error) {
	page, found, err = s.elsewhere(ctx, client, s.plan.Tag)
	if release.ClassOf(err) != 0 { // else nothing more can be asked
		err = together([]error{err, client.CheckWrite(ctx, s.plan.Tag, s.plan.Verdict.Previous)})
	}
	if err != nil {
		return page, found, "", err
	}
	if page.Published {
		return page, found, found.URL + " is published; what is missing will be added", s.unchanged(page, *found)
	}
	text = "nothing there yet"
	errs := []error{s.taggable(ctx, client, page)}
	if found != nil {
		text = found.URL + " is a draft; it will be finished"
		errs = append(errs, s.finishable(ctx, client, *found))
	}
	return page, found, text, together(append(errs, client.CheckWrite(ctx, s.plan.Tag, s.plan.Verdict.Previous)))
}

// unchanged demands of what is public that it is this release.
func (s *session) unchanged(page version.Page, found github.Page) error {
	var errs []error
	if page.Commit != "" && page.Commit != s.plan.Commit {
		errs = append(errs, release.Reject("what is public is not changed; the way on is the next version",
			"%s is published, and its tag names commit %s, not %s", found.URL, page.Commit, s.plan.Commit))
	}
	if found.Prerelease != s.plan.Verdict.Prerelease {
		errs = append(errs, release.Reject(`set or clear "pre-release" on the page, or release the next version`,
			"%s is published, prerelease: %t, and is to be prerelease: %t", found.URL, found.Prerelease, s.plan.Verdict.Prerelease))
	}
	return together(errs)
}

// taggable demands that the tag is at the commit, or can be made there.
func (s *session) taggable(ctx context.Context, client *github.Client, page version.Page) error {
	switch page.Commit {
	case s.plan.Commit:
		return nil
	case "":
		there, err := client.HasCommit(ctx, s.plan.Commit)
		if err != nil || there {
			return err
		}
		return release.Reject("push it, with git push", "commit %s, which the tag %q is to name, is not on GitHub", s.plan.Commit, s.plan.Tag)
	}
	return release.Reject("fetch the tags again (git fetch --tags --force), or release the next version",
		"tag %q names commit %s on GitHub and %s here", s.plan.Tag, page.Commit, s.plan.Commit)
}

// finishable demands of a draft that it holds nothing that is not of this release.
func (s *session) finishable(ctx context.Context, client *github.Client, found github.Page) error {
	var errs []error
	commit, edited := notes.Marked(found.Body)
	rebuild := s.values.Bool("rebuild")
	switch {
	case commit == "" || commit == s.plan.Commit:
	case !rebuild:
		errs = append(errs, foreign(found, fmt.Errorf("it was made of commit %s, want %s", commit, s.plan.Commit)))
	case edited:
		s.reporter.Progress(task.Event{Phase: preflightPhase, State: task.Warning,
			Text: fmt.Sprintf("the text of %s was made of commit %s and edited since: it stays", found.URL, commit)})
	}
	held, err := client.Assets(ctx, found)
	if surplus := engine.Surplus(s.plan, held, github.Final); len(surplus) > 0 {
		errs = append(errs, release.Reject("delete it there, or publish it elsewhere", "the draft %s holds what is not of this release: %s", found.URL, strings.Join(surplus, ", ")))
	}
	return together(append(errs, err))
}

// checkEnvironment compares the environment of GitHub that the job runs in, whose
// protection rules it has passed, with the one that is released to.
func (s *session) checkEnvironment(claimed string) error {
	if actions, inActions := action.Detect(s.getenv, s.Out); inActions && claimed == "" {
		claimed = actions.Environment()
	}
	if claimed == "" || strings.EqualFold(claimed, s.plan.Environment) {
		return nil
	}
	err := release.Reject(fmt.Sprintf("protection rules hang on the job's environment: give the job `environment: %s`, or release with environment: %s",
		s.plan.Environment, claimed), "the job runs in the environment %q of GitHub and releases to %q", claimed, s.plan.Environment)
	if s.config.VersionPolicy == string(version.Strict) {
		return err
	}
	s.reporter.Progress(task.Event{Phase: preflightPhase, State: task.Warning, Text: err.Error() + "; " + release.HintOf(err)})
	return nil
}

// together makes one error of several: each on its lines, with what mends it. nil where
// there is none.
func together(errs []error) error {
	var all []error
	for _, err := range errs {
		var several *obstacles
		switch {
		case err == nil:
		case asObstacles(err, &several):
			all = append(all, several.each...)
		default:
			all = append(all, err)
		}
	}
	if len(all) < 2 {
		return first(all)
	}
	class := release.Class(0)
	for _, err := range all {
		if class == 0 {
			class = release.ClassOf(err)
		}
	}
	return &release.Problem{Class: class, Err: &obstacles{all}}
}

func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

// obstacles are several things that stand against a release. What mends them is in the
// text.
type obstacles struct{ each []error }

func (o *obstacles) Error() string {
	lines := []string{fmt.Sprintf("%d things stand against this release:", len(o.each))}
	for i, err := range o.each {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, indent(err.Error())))
		if hint := release.HintOf(err); hint != "" {
			lines = append(lines, "   to mend it: "+indent(hint))
		}
	}
	return strings.Join(lines, "\n")
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n   ") }

// asObstacles finds those that were put together before.
func asObstacles(err error, into **obstacles) bool {
	problem, ok := err.(*release.Problem)
	if ok {
		*into, ok = problem.Err.(*obstacles)
	}
	return ok
}
