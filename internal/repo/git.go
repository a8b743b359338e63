// Package repo reads a git repository: the facts of a release, the commits of its
// notes, and the clone that it is built in. It changes nothing in the user's
// repository: no ref, no index, no configuration; except that Deepen and CompleteTags
// complete a clone.
package repo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// Repo is a git repository on this machine.
type Repo struct {
	git     run.Runner
	top     string // root of the working tree, absolute
	dir     string // directory that the user named, relative to top, slash-separated
	head    string // commit that is checked out
	objects string // directory of the object database, absolute
	shallow string // file that lists the commits without parents in a shallow clone
	format  string // object format: "sha1" or "sha256"
	extra   string // module's directory to take from what plans include; empty: the working tree's
}

// hardened are settings for every git call: nothing that the repository's own
// configuration names may run, and files are checked out as they were committed.
var hardened = []string{
	"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
	"-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.attributesFile=/dev/null",
	"-c", "core.quotePath=false", "-c", "advice.detachedHead=false",
}

// unconfigured leaves out what a user or a machine configures for git: a filter or an
// attribute of theirs must not change the files of a release.
var unconfigured = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}

// Open finds the repository that holds dir. With trusted, a working tree that
// belongs to another user is accepted, as a container action meets it.
func Open(ctx context.Context, git run.Runner, dir string, trusted bool) (*Repo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", dir, err)
	}
	if trusted {
		git = git.With(trust(git)...)
	}
	r := &Repo{git: git.With("GIT_LFS_SKIP_SMUDGE=1")}
	out, err := r.gitIn(ctx, dir, "rev-parse", "--show-toplevel", "--show-prefix", "--show-object-format")
	if err != nil {
		return nil, opening(dir, trusted, err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 3 {
		return nil, release.Reject("move the repository", "opening %q: its path has a line break", dir)
	}
	r.top, r.dir, r.format = filepath.FromSlash(lines[0]), strings.TrimSuffix(lines[1], "/"), lines[2]
	head, err := r.gitIn(ctx, r.top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return nil, release.Reject("commit something first", "opening %q: the repository has no commit", r.top)
	}
	r.head = strings.TrimSpace(head)
	for _, p := range []struct {
		name string
		path *string
	}{{"objects", &r.objects}, {"shallow", &r.shallow}} {
		out, err := r.gitIn(ctx, r.top, "rev-parse", "--git-path", p.name)
		if err != nil {
			return nil, fmt.Errorf("opening %q: %w", r.top, err)
		}
		*p.path = filepath.FromSlash(strings.TrimSuffix(out, "\n"))
		if !filepath.IsAbs(*p.path) {
			*p.path = filepath.Join(r.top, *p.path)
		}
	}
	return r, nil
}

// opening explains why git does not open a directory. One that is trusted is a job's.
func opening(dir string, trusted bool, err error) error {
	start := "run git init and commit, or name another directory with -C"
	if trusted {
		start = "add a step with actions/checkout and fetch-depth: 0 before this one"
	}
	for _, known := range []struct{ said, problem, hint string }{
		{"not a git repository", "not in a git repository", start},
		{"must be run in a work tree", "no working tree", "a bare repository has no files to work on; clone it"},
		{"dubious ownership", "the repository belongs to another user", "run as its owner, or tell git to trust it: git config --global --add safe.directory DIRECTORY"},
	} {
		if strings.Contains(err.Error(), known.said) {
			return release.Reject(known.hint, "opening %q: %s", dir, known.problem)
		}
	}
	return fmt.Errorf("opening %q: %w", dir, err)
}

// trust are the variables that make git accept a foreign owner for every directory
// of this run, beside the settings that the environment already holds.
func trust(git run.Runner) []string {
	n := configured(git)
	return []string{
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", n+1),
		fmt.Sprintf("GIT_CONFIG_KEY_%d=safe.directory", n), fmt.Sprintf("GIT_CONFIG_VALUE_%d=*", n),
	}
}

// Top is the root of the working tree.
func (r *Repo) Top() string { return r.top }

// configured is how many settings the environment already holds.
func configured(git run.Runner) int {
	n := 0
	for git.Getenv(fmt.Sprintf("GIT_CONFIG_KEY_%d", n)) != "" {
		n++
	}
	return n
}

func (r *Repo) gitIn(ctx context.Context, dir string, args ...string) (string, error) {
	return git(ctx, r.git, dir, args...)
}

// git runs a git command; errors name it without the settings that every call has.
func git(ctx context.Context, runner run.Runner, dir string, args ...string) (string, error) {
	out, err := runner.Output(ctx, dir, "git", append(slices.Clone(hardened), args...)...)
	var failed *run.Error
	if errors.As(err, &failed) {
		failed.Command = "git " + strings.Join(args, " ")
	}
	return string(out), err
}

func (r *Repo) gitTop(ctx context.Context, args ...string) (string, error) {
	return r.gitIn(ctx, r.top, args...)
}
