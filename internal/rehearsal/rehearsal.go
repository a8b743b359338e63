// Package rehearsal is the world that the binary carries for trying a release out: a
// GitHub (hub), an OCI registry (registry) and a Sigstore (sigstore), on loopback. They
// speak the real protocols, so that everything above is the code of a release with other
// addresses. The files of a release lie in a temporary directory, everything else in memory.
package rehearsal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/version"
)

// Stage is a running rehearsal.
type Stage struct {
	Hub      *hub.Server
	Registry *registry.Server
	Sigstore *sigstore.Stack
	store    string // directory for files
}

// The files that a Stage's Sigstore writes: what verifies its bundles, and where its
// services listen.
const (
	TrustedRootName   = sigstore.TrustedRootName
	SigningConfigName = sigstore.SigningConfigName
)

// workflow is the file that a rehearsal signs as; a release has its own.
const workflow = ".github/workflows/release.yml"

// run is the workflow run that a rehearsal of the plan signs as.
func run(p plan.Plan) sigstore.Workflow {
	return sigstore.Workflow{
		Repository: p.Repository.String(), RepositoryID: "1", OwnerID: "1", Visibility: "public",
		Ref: "refs/tags/" + p.Tag, SHA: p.Commit, Name: "release", Path: workflow, Event: "push",
		RunID: "1", RunAttempt: "1",
	}
}

// Start brings the stage up for a plan: the GitHub knows the repository's tags and the
// plan's, and the pull requests that the history names. Close ends it.
func Start(p plan.Plan, refs []version.Ref, commits []history.Commit) (_ *Stage, err error) {
	s := &Stage{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the rehearsal: %w", err), s.Close())
		}
	}()
	if s.store, err = os.MkdirTemp("", "pgo-release-rehearsal-"); err != nil {
		return nil, err
	}
	tags := map[string]string{p.Tag: p.Commit}
	for _, r := range refs {
		if r.Tag != p.Tag {
			tags[r.Tag] = r.Commit
		}
	}
	if s.Hub, err = hub.Start(hub.Repo{
		Repository: p.Repository, ID: 1, OwnerID: 1, DefaultBranch: "main",
		Store: s.store, Tags: tags, PullRequests: pullRequests(p.Repository, commits), History: commits,
	}); err != nil {
		return nil, err
	}
	if s.Registry, err = registry.StartGHCR(s.Hub.Token()); err != nil {
		return nil, err
	}
	for _, i := range p.Images { // that new packages are private is nothing to rehearse
		_, name, _ := strings.Cut(i.Repository, "/")
		s.Registry.Publish(name)
	}
	if s.Sigstore, err = sigstore.Start(run(p)); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends whatever runs. Closing again does nothing.
func (s *Stage) Close() error {
	var errs []error
	if s.Hub != nil {
		errs = append(errs, s.Hub.Close())
	}
	if s.Registry != nil {
		errs = append(errs, s.Registry.Close())
	}
	if s.Sigstore != nil {
		errs = append(errs, s.Sigstore.Close())
	}
	if s.store != "" {
		errs = append(errs, os.RemoveAll(s.store))
	}
	return errors.Join(errs...)
}

// Getenv is the environment with what a runner sets in a job that may ask for tokens.
func (s *Stage) Getenv(outer func(string) string) func(string) string {
	env := s.Sigstore.Env()
	return func(name string) string {
		if value, ok := env[name]; ok {
			return value
		}
		return outer(name)
	}
}

// loginAddress is the address that GitHub gives those who hide theirs; it holds the login.
// Those of bots end in "[bot]".
var loginAddress = regexp.MustCompile(`^(?:[0-9]+\+)?([A-Za-z0-9-]+)(\[bot\])?@users\.noreply\.github\.com$`)

// pullRequests are the pull requests that the commits' messages tell of, as far as
// messages tell: without labels, and without an author where git does not know the login.
func pullRequests(r plan.Repository, commits []history.Commit) []history.PullRequest {
	var out []history.PullRequest
	seen := map[int]bool{}
	for _, c := range commits {
		for _, number := range history.Numbers(c) {
			if seen[number] {
				continue
			}
			seen[number] = true
			out = append(out, pullRequest(r, number, c))
		}
	}
	return out
}

// pullRequest is what a commit's message tells of the pull request that it names.
func pullRequest(r plan.Repository, number int, c history.Commit) history.PullRequest {
	id := strconv.Itoa(number)
	out := history.PullRequest{
		Number: number, URL: r.URL() + "/pull/" + id, MergeCommit: c.SHA, Base: r.String(), MergedAt: c.Time,
	}
	subject := strings.TrimSpace(c.Subject)
	if strings.HasPrefix(subject, "Merge pull request #"+id+" from ") {
		// Whoever merged is the author of the commit, and the title is the body's.
		title, _, _ := strings.Cut(strings.TrimSpace(c.Body), "\n")
		out.Title = cmp.Or(strings.TrimSpace(title), subject)
		return out
	}
	out.Title = cmp.Or(strings.TrimSpace(strings.TrimSuffix(subject, "(#"+id+")")), subject)
	if m := loginAddress.FindStringSubmatch(c.Email); m != nil {
		out.Author, out.Bot = m[1]+m[2], m[2] != ""
	}
	return out
}
