package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
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
	if o.enlist != nil {
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
		if s.plan.Image != nil && !page.Published {
			errs[2] = s.looked(ctx, "registry", func() (string, error) {
				return "", image.CheckPush(ctx, s.plan.Image.Repository, o.registry)
			})
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

// there is what GitHub has of the release, and whether the token may write it.
func (s *session) there(ctx context.Context, client *github.Client) (page version.Page, found *github.Page, text string, err error) {
	page, found, err = s.elsewhere(ctx, client, s.plan.Tag)
	errs := []error{err}
	if page.Commit != "" && page.Commit != s.plan.Commit && !page.Published { // else it is for the policy to say
		errs = append(errs, release.Reject("fetch the tags again (git fetch --tags --force), or release the next version",
			"tag %q names commit %s on GitHub and %s here", s.plan.Tag, page.Commit, s.plan.Commit))
	}
	switch {
	case page.Published:
		return page, found, found.URL + " is published; what is missing will be added", together(errs)
	case found != nil:
		text = found.URL + " is a draft; it will be finished"
	default:
		text = "nothing there yet"
	}
	return page, found, text, together(append(errs, client.CheckWrite(ctx, s.plan.Tag, s.plan.Verdict.Previous)))
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
