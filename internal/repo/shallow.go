package repo

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/owner"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/version"
)

// Shallow tells whether the clone lacks a part of the history, and with it maybe tags.
func (r *Repo) Shallow() bool {
	info, err := os.Stat(r.shallow)
	return err == nil && info.Size() > 0
}

// maxFetch is how long completing a clone may take.
const maxFetch = 15 * time.Minute

// Deepen fetches from origin what a shallow clone lacks: the commits, and all tags as
// they are there; one that lies differently here is replaced (a checkout in a job leaves
// an annotated tag as a plain one). token, where it is not empty, is shown to github.com
// when git's own configuration does not open the repository.
func (r *Repo) Deepen(ctx context.Context, token string) error {
	if err := r.fetchTags(ctx, token, r.head, "--unshallow"); err != nil {
		return release.Reject("give the job the whole history: actions/checkout with fetch-depth: 0; or git fetch --unshallow --tags",
			"deepening the shallow clone %q: %w", r.top, err)
	}
	return nil
}

// CompleteTags fetches the tags from origin where the clone has none but the one that is
// known: as actions/checkout leaves it whose depth happens to reach every commit, which
// is no shallow clone and lacks the versions before all the same. It tells whether it
// asked: a clone that has other tags, or no origin, stays as it is. The token is as for
// Deepen.
func (r *Repo) CompleteTags(ctx context.Context, known, token string) (asked bool, err error) {
	refs, err := r.tags(ctx)
	if err != nil || slices.ContainsFunc(refs, func(ref version.Ref) bool { return ref.Tag != known }) {
		return false, err
	}
	if _, err := r.gitTop(ctx, "remote", "get-url", "origin"); err != nil {
		return false, ctx.Err()
	}
	if err := r.fetchTags(ctx, token); err != nil {
		return true, fmt.Errorf("fetching the tags of %q: %w", r.top, err)
	}
	return true, nil
}

// fetchTags fetches all tags from origin, and what more arguments name. What it writes
// belongs to the owner of the repository.
func (r *Repo) fetchTags(ctx context.Context, token string, more ...string) error {
	args := append([]string{"fetch", "--quiet", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules", "origin", "+refs/tags/*:refs/tags/*"}, more...)
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	private := filepath.Join(r.top, ".git")
	defer owner.Give(private, private)
	_, err := r.gitTop(ctx, args...)
	if err != nil && token != "" && ctx.Err() == nil && r.plain(ctx) {
		// Not before: a second header beside the one that a checkout left is refused.
		_, err = git(ctx, r.git.With(Authorise(r.git, "https://github.com", token)...), r.top, args...)
	}
	return err
}

// harmless are the settings of a repository that do not change how servers are reached,
// among those that may, such as a proxy, a helper for credentials or another address.
var harmless = regexp.MustCompile(`^(?:remote\.[^.]+\.(?:url|fetch|tagopt|promisor|partialclonefilter)|http\.https://github\.com/\.extraheader)$`)

// plain tells whether a token may be shown to origin: it is on github.com, and nothing in
// the repository itself, which other steps of a job may have written, changes the way
// there.
func (r *Repo) plain(ctx context.Context) bool {
	url, err := r.gitTop(ctx, "remote", "get-url", "origin")
	if err != nil || !strings.HasPrefix(url, "https://github.com/") {
		return false
	}
	out, err := r.gitTop(ctx, "config", "--show-scope", "--name-only", "--list", "--includes")
	if err != nil {
		return false
	}
	for line := range strings.Lines(out) {
		scope, name, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), "\t")
		own := scope == "local" || scope == "worktree"
		if own && transport.MatchString(name) && !harmless.MatchString(name) {
			return false
		}
	}
	return true
}

// transport are the settings by which git reaches servers.
var transport = regexp.MustCompile(`^(?:http|url|credential|remote|protocol)\.|^core\.(?:sshcommand|gitproxy|askpass|alternaterefscommand)$`)

// Authorise are the variables that make git show a token to a server, such as
// https://github.com, beside what git's environment configures otherwise. The token is on
// no disk and in no address then.
func Authorise(git run.Runner, server, token string) []string {
	n := configured(git)
	header := "AUTHORIZATION: basic " + Authorisation(token)
	return []string{
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", n+1),
		fmt.Sprintf("GIT_CONFIG_KEY_%d=http.%s/.extraheader", n, server), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, header),
	}
}

// Authorisation is the form that a token has when git shows it to a server.
func Authorisation(token string) string {
	return base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
}

// Reachable are those of the tags whose commits the history of HEAD holds.
func (r *Repo) Reachable(ctx context.Context, refs []version.Ref) ([]version.Ref, error) {
	out, err := r.gitTop(ctx, "for-each-ref", "--format=%(refname:strip=2)", "--merged=HEAD", "refs/tags")
	if err != nil {
		return nil, fmt.Errorf("reading the tags of HEAD's history: %w", err)
	}
	inside := map[string]bool{}
	for line := range strings.Lines(out) {
		inside[strings.TrimSuffix(line, "\n")] = true
	}
	var reachable []version.Ref
	for _, ref := range refs {
		if inside[ref.Tag] {
			reachable = append(reachable, ref)
		}
	}
	return reachable, nil
}
