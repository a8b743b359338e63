package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/apidiff"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/modproxy"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

// source is what only the files of the commit can say.
type source struct {
	api  version.API
	sums version.Sums
}

// readSource compares the exported API with that of base and asks the go command about
// go.sum, each in a temporary clone.
func (s *session) readSource(ctx context.Context, base string) (found source, err error) {
	if version.Mode(s.config.VersionPolicy) == version.Off || s.facts.Module.Path == "" {
		return source{}, nil
	}
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { found.api, err = s.compareAPI(shared, base); return err })
	if !s.facts.Module.Vendored { // the vendor directory is what is built, and go.sum is not asked
		group.Go(func() (err error) { found.sums, err = s.checkSums(shared); return err })
	}
	err = group.Wait()
	return found, err
}

func (s *session) checkSums(ctx context.Context) (found version.Sums, err error) {
	err = task.Track(ctx, s.reporter.Progress, "check", "go.sum", 0, func(stage func(string)) (string, error) {
		stage("go mod tidy")
		checkout, err := s.repo.Checkout(ctx, s.facts.Commit, s.facts.Module.Dir)
		if err != nil {
			return "", err
		}
		sums, err := s.toolchain.CheckSums(ctx, checkout.Module)
		found = version.Sums(sums)
		switch err = errors.Join(err, checkout.Remove()); {
		case found.Unknown != "":
			return "not checked", err
		case found != version.Sums{}:
			return "not as it should be", err
		}
		return "tidy", err
	})
	return found, err
}

// compareAPI compares what the module exports with what it exported at the tag base.
func (s *session) compareAPI(ctx context.Context, base string) (version.API, error) {
	switch {
	case base == "":
		return version.API{}, nil
	case s.config.API == plan.APIIgnore:
		return version.API{State: version.Ignored}, nil
	}
	before, err := s.repo.Base(ctx, base)
	if err != nil {
		return version.API{}, err
	}
	now := s.facts.Module
	switch {
	case !before.Importable && !s.facts.Policy.Importable:
		return version.API{State: version.NoAPI}, nil
	case before.Module.Path == "":
		return version.API{State: version.Unverified, Why: fmt.Sprintf("there was no such module at %s", base)}, nil
	case before.Module.Path != now.Path && plan.BaseName(before.Module.Path) == plan.BaseName(now.Path):
		return version.API{}, nil // the verdict says so: for Go it is another module
	case before.Module.Path != now.Path:
		return version.API{State: version.Unverified, Why: fmt.Sprintf("the module path was %s at %s", before.Module.Path, base)}, nil
	}
	var found version.API
	err = task.Track(ctx, s.reporter.Progress, "check", "API", 0, func(stage func(string)) (string, error) {
		stage("reading " + base)
		d, err := s.differences(ctx, before, base, stage)
		switch {
		case ctx.Err() != nil:
			return "", err
		case err != nil: // never a guess: what cannot be read may have been broken before
			found = version.API{State: version.Unverified, Why: err.Error()}
			return "not compared", nil
		}
		found = version.API{State: version.Compared, Incompatible: d.Incompatible, Compatible: d.Compatible, Values: d.Values}
		return fmt.Sprintf("%d incompatible, %d compatible changes since %s", len(d.Incompatible), len(d.Compatible), base), nil
	})
	return found, err
}

// differences compares the API of the released commit with that of an earlier one. Errors
// name the side that could not be read.
func (s *session) differences(ctx context.Context, before repo.Base, base string, stage func(string)) (apidiff.Difference, error) {
	stage("reading " + base)
	old, err := s.loadAPI(ctx, before.Commit, before.Module)
	if err != nil {
		return apidiff.Difference{}, fmt.Errorf("%s: %w", base, err)
	}
	stage("reading " + s.facts.Commit[:7])
	current, err := s.loadAPI(ctx, s.facts.Commit, s.facts.Module)
	if err != nil {
		return apidiff.Difference{}, fmt.Errorf("%.7s: %w", s.facts.Commit, err)
	}
	return apidiff.Compare(ctx, old, current)
}

// loadAPI reads what the module exports at a commit.
func (s *session) loadAPI(ctx context.Context, commit string, m plan.Module) (_ apidiff.API, err error) {
	checkout, err := s.repo.Checkout(ctx, commit, m.Dir)
	if err != nil {
		return apidiff.API{}, err
	}
	defer func() { err = errors.Join(err, checkout.Remove()) }()
	dir, err := filepath.EvalSymlinks(checkout.Module) // as the go command names files
	if err != nil {
		return apidiff.API{}, fmt.Errorf("reading the API of %s: %w", commit, err)
	}
	return apidiff.Load(ctx, apidiff.Module{Dir: dir, Path: m.Path, Env: s.toolchain.Environ(), Vendored: m.Vendored})
}

// elsewhere is what GitHub already has of a tag, and the release where there is one.
func (s *session) elsewhere(ctx context.Context, client *github.Client, tag string) (page version.Page, found *github.Page, err error) {
	if page.Commit, err = client.TagCommit(ctx, tag); err != nil {
		return page, nil, err
	}
	found, err = client.Find(ctx, tag)
	page.Published = found != nil && !found.Draft
	return page, found, err
}

// served asks the module proxy about a version of a public module. A proxy that does
// not answer says nothing about the version.
func (s *session) served(ctx context.Context, client *github.Client, tag string) (version.Served, error) {
	proxy, ok := modproxy.New(s.toolchain.Proxy)
	if !ok || modproxy.Private(s.toolchain.NoProxy, s.facts.Module.Path) {
		return version.Served{}, nil
	}
	repository, err := client.Repository(ctx)
	if err != nil || repository.Private { // its name is not the proxy's to know
		return version.Served{}, err
	}
	_, number := version.Split(tag)
	commit, known, err := proxy.Commit(ctx, s.facts.Module.Path, number)
	switch {
	case ctx.Err() != nil:
		return version.Served{}, context.Cause(ctx)
	case err != nil:
		s.reporter.Progress(task.Event{Phase: "check", Task: tag, State: task.Note, Text: err.Error()})
		return version.Served{}, nil
	}
	return version.Served{Known: known, Commit: commit}, nil
}

// judged says what stands against a version, and reports what does not but is worth
// knowing.
func (s *session) judged(verdict version.Verdict) error {
	for _, f := range verdict.Warnings() {
		s.reporter.Progress(task.Event{Phase: "check", State: task.Warning, Text: f.String()})
	}
	return reject(verdict)
}

// reject is what stands against a version as the error of the run; nil where nothing does.
func reject(verdict version.Verdict) error {
	rejection := verdict.Rejected()
	if rejection == nil {
		return nil
	}
	return &release.Problem{Class: release.Rejected, Err: rejection, Tip: rejection.Hint()}
}

// compareWith reads what happened to the module after its version base, as far as git
// can tell.
func (s *session) compareWith(ctx context.Context, base string) error {
	if base == "" {
		return nil
	}
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() error {
		changed, err := s.since(shared, base, s.facts.Nested)
		s.facts.Changes = changed.Changes()
		return err
	})
	group.Go(func() error {
		before, err := s.repo.Base(shared, base)
		s.facts.Moved = before.Module.Path
		return err
	})
	return group.Wait()
}

// learn adds to an input what pull requests, the files and the go command say about the
// changes after base, and gives the past since previous for the notes.
func (s *session) learn(ctx context.Context, in *version.Input, previous, base string, client *github.Client) (past, error) {
	var happened past
	var found source
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { happened, err = s.past(shared, previous, base, client); return err })
	group.Go(func() (err error) { found, err = s.readSource(shared, base); return err })
	if base != "" {
		group.Go(func() error {
			before, err := s.repo.Base(shared, base)
			in.Moved = before.Module.Path
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return past{}, err
	}
	in.Changes, in.API, in.Sums = happened.judged.Changes(), found.api, found.sums
	return happened, nil
}

// deepen completes a clone in a job, where it is thrown away afterwards: one that is
// shallow, or that has no tag but the one that is asked for. Elsewhere it is the user's
// to complete, and the version policy says how; and what build makes depends on no other
// version.
func (a *app) deepen(ctx context.Context, r *repo.Repo, inActions bool, tag string) error {
	if !inActions || a.name == "build" {
		return nil
	}
	token := ""
	if a.values.Given("token") {
		token = a.values.String("token")
	}
	if token != "" {
		a.hide(repo.Authorisation(token)) // it may be in what git says
	}
	if !r.Shallow() {
		asked, err := r.CompleteTags(ctx, tag, token)
		if err != nil && asked && ctx.Err() == nil { // a young repository has no other, and needs none
			a.reporter.Progress(task.Event{Phase: "check", State: task.Warning,
				Text: "versions before this one may be unknown: " + err.Error() + "; with fetch-depth: 0, actions/checkout brings all tags"})
			return nil
		}
		return err
	}
	return task.Track(ctx, a.reporter.Progress, "check", "shallow clone", 0, func(stage func(string)) (string, error) {
		stage("fetching commits and tags")
		return "completed", r.Deepen(ctx, token)
	})
}
