package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// Has tells whether the repository holds a commit, without asking anybody else for it.
// commit is a full hash.
func (r *Repo) Has(ctx context.Context, commit string) (bool, error) {
	_, err := git(ctx, r.git.With("GIT_NO_LAZY_FETCH=1"), r.top, "cat-file", "-e", commit+"^{commit}")
	if err != nil && ctx.Err() != nil {
		return false, err
	}
	return err == nil, nil
}

// Including is the repository with another place to take from what plans include: the
// module's directory dir instead of that of the working tree.
func (r *Repo) Including(dir string) *Repo {
	other := *r
	other.extra = dir
	return &other
}

// Remote is where a commit can be fetched.
type Remote struct {
	URL    string // of the repository
	Server string // that the token is for, such as https://github.com; shown to no other
	Token  string // may be empty
}

// Fetch makes a temporary repository with one commit, without its history, and gives a
// function that deletes it. commit is a full hash. The token is shown where git's own
// configuration does not open the repository.
func Fetch(ctx context.Context, base run.Runner, from Remote, commit string) (*Repo, func() error, error) {
	dir, err := os.MkdirTemp("", "pgo-release-fetch-")
	if err != nil {
		return nil, nil, fmt.Errorf("fetching commit %s: %w", commit, err)
	}
	remove := func() error { return removeAll(dir) }
	if err = fetch(ctx, base, from, commit, dir); err == nil {
		var r *Repo
		if r, err = Open(ctx, base, dir, false); err == nil {
			return r, remove, nil
		}
	}
	problem := &release.Problem{
		Err: fmt.Errorf("fetching commit %s from %q: %w", commit, from.URL, err),
		Tip: "name a clone that holds the commit with -C; for a private repository, give a token",
	}
	return nil, nil, errors.Join(problem, remove())
}

// fetch fills an empty directory.
func fetch(ctx context.Context, base run.Runner, from Remote, commit, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	format := "sha1"
	if len(commit) == 64 {
		format = "sha256"
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--template=", "--object-format=" + format, "."},
		{"remote", "add", "origin", from.URL}, // which relative addresses of submodules are relative to
	} {
		if _, err := git(ctx, base, dir, args...); err != nil {
			return err
		}
	}
	args := []string{"fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "origin", commit}
	_, err := git(ctx, base, dir, args...)
	if err != nil && from.Token != "" && strings.HasPrefix(from.Server, "https://") && ctx.Err() == nil {
		_, err = git(ctx, base.With(Authorise(base, from.Server, from.Token)...), dir, args...)
	}
	if err != nil {
		return err
	}
	_, err = git(ctx, base, dir, "update-ref", "HEAD", commit)
	return err
}
