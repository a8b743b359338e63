// Package rehearsal is the world that the binary carries for trying a release out: a
// GitHub (hub), an OCI registry (registry) and a Sigstore (sigstore), on loopback and
// in memory. They speak the real protocols, so that everything above is the code of a
// release with other addresses.
package rehearsal

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/notes"
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
}

// The files that a Stage's Sigstore writes: what verifies its bundles, and where its
// services listen.
const (
	TrustedRootName   = sigstore.TrustedRootName
	SigningConfigName = sigstore.SigningConfigName
)

// workflow is the file that a rehearsal signs as; a release has its own.
const workflow = ".github/workflows/release.yml"

// Identity is what a rehearsal's certificates name for a plan: the workflow, at the tag.
func Identity(p plan.Plan) string { return run(p).SAN() }

func run(p plan.Plan) sigstore.Workflow {
	return sigstore.Workflow{
		Repository: p.Repository.String(), RepositoryID: "1", OwnerID: "1", Visibility: "public",
		Ref: "refs/tags/" + p.Tag, SHA: p.Commit, Name: "release", Path: workflow, Event: "push",
		RunID: "1", RunAttempt: "1",
	}
}

// Start brings the stage up for a plan: the GitHub knows the repository's tags and the
// plan's, and the pull requests that the history names. Close ends it.
func Start(p plan.Plan, refs []version.Ref, history []notes.Commit) (_ *Stage, err error) {
	s := &Stage{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the rehearsal: %w", err), s.Close())
		}
	}()
	tags := map[string]string{p.Tag: p.Commit}
	for _, r := range refs {
		if r.Tag != p.Tag {
			tags[r.Tag] = r.Commit
		}
	}
	if s.Hub, err = hub.Start(hub.Repo{
		Repository: p.Repository, ID: 1, OwnerID: 1, DefaultBranch: "main",
		Tags: tags, PullRequests: pullRequests(p.Repository, history),
	}); err != nil {
		return nil, err
	}
	if s.Registry, err = registry.Start(); err != nil {
		return nil, err
	}
	s.Sigstore, err = sigstore.Start(run(p))
	return s, err
}

// Close ends whatever runs.
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
var loginAddress = regexp.MustCompile(`^(?:[0-9]+\+)?([A-Za-z0-9-]+)@users\.noreply\.github\.com$`)

// pullRequests are the pull requests that the commits' messages tell of, as far as
// messages tell: without labels, and without an author where git does not know the login.
func pullRequests(r plan.Repository, history []notes.Commit) []notes.PullRequest {
	var out []notes.PullRequest
	seen := map[int]bool{}
	for _, c := range history {
		for _, number := range notes.Numbers(c) {
			if seen[number] {
				continue
			}
			seen[number] = true
			pr := notes.PullRequest{
				Number: number, Title: strings.TrimSpace(strings.TrimSuffix(c.Subject, "(#"+strconv.Itoa(number)+")")),
				URL:         r.URL() + "/pull/" + strconv.Itoa(number),
				MergeCommit: c.SHA, Base: r.String(), MergedAt: c.Time,
			}
			if strings.HasPrefix(c.Subject, "Merge pull request #") {
				if title, _, _ := strings.Cut(c.Body, "\n"); strings.TrimSpace(title) != "" {
					pr.Title = strings.TrimSpace(title)
				}
			}
			if m := loginAddress.FindStringSubmatch(c.Email); m != nil {
				pr.Author = m[1]
			}
			out = append(out, pr)
		}
	}
	return out
}
