package cli

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// started is the tag that started the job, where nobody named one; empty: it was something
// else, or this is no job. A job that a deletion started runs for another commit than the
// one that is gone, usually the default branch's, and must not release that in its place:
// neither by itself, nor where the workflow hands the event's tag on as named.
func (a *app) started(named string) (string, error) {
	actions, inActions := action.Detect(a.getenv, io.Discard)
	if !inActions {
		return "", nil
	}
	gone, deleted, err := actions.Deleted()
	if err != nil {
		return "", err
	}
	if deleted != "" && (named == "" || named == gone) {
		return "", release.Reject("let the workflow run for tags that are pushed (on: push: tags), or name another tag with the input tag",
			"the run was started by the deletion of %s: there is nothing to release", deleted)
	}
	if named != "" {
		return "", nil
	}
	return actions.Tag(), nil
}

// fetched demands that the tag that started the job is among those of the repository:
// one that is not there would be made, and at whichever commit is checked out.
func fetched(started string, facts plan.Facts) error {
	if started == "" || version.IsFloating(facts.Tag) ||
		slices.ContainsFunc(facts.Refs, func(r version.Ref) bool { return r.Tag == facts.Tag }) {
		return nil
	}
	if facts.Tag != started {
		return release.Reject("push a tag with that prefix; or release the module that the tag belongs to, with another input working-directory",
			"the run was started by the tag %q, and versions of the module in %q are tagged %q", started, facts.Module.Dir, facts.Tag)
	}
	return release.Reject("let actions/checkout bring it, with fetch-depth: 0 and without another ref; one that was deleted meanwhile is made again only where the input tag names it",
		"the run was started by the tag %q, and the repository here has no such tag", started)
}

// untagged is err, why there is no plan, with what mends it in a workflow where the commit
// has no version and nobody named one.
func (a *app) untagged(err error) error {
	if _, inActions := action.Detect(a.getenv, io.Discard); !inActions || !errors.Is(err, plan.ErrNoVersion) {
		return err
	}
	return &release.Problem{Class: release.ClassOf(err), Err: err,
		Tip: "let the workflow run for tags that are pushed (on: push: tags), or name the version with the input tag; auto is the one that comes next"}
}

// noDirectory is the error about a directory that is not there.
func (a *app) noDirectory(dir string) error {
	if a.values.Source("directory") != config.FromInput {
		return release.Misuse("name an existing directory with -C", "directory %q: not there", dir)
	}
	return release.Misuse("name a directory of the repository, which a step with actions/checkout has to bring into the workspace before",
		"%s: directory %q: not there", a.values.Place("directory"), dir)
}

// forFork adds to the error about a permission what no permissions of a workflow mend: a
// pull request from a fork gets a token that may only read.
func (a *app) forFork(err error) error {
	actions, inActions := action.Detect(a.getenv, io.Discard)
	if !inActions || release.ClassOf(err) != release.Authorisation || !actions.Forked() {
		return err
	}
	const tip = "a pull request from a fork gets a token that may only read, whatever the permissions are: use mode: rehearse there, which needs none"
	return &release.Problem{Class: release.Authorisation, Err: err, Tip: strings.TrimPrefix(release.HintOf(err)+"\n"+tip, "\n")}
}
