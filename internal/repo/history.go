package repo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/history"
)

// Commits are the commits that are reachable from commit and not from the tag
// previous, newest first; the whole history when previous is empty or unknown here.
func (r *Repo) Commits(ctx context.Context, previous, commit string) ([]history.Commit, error) {
	if previous == "" || !r.hasTag(ctx, previous) {
		return r.log(ctx, previous, commit)
	}
	return r.log(ctx, previous, commit, "^refs/tags/"+previous)
}

// Touching are the hashes of those commits since the tag previous (of the whole history
// when that is empty) that change a file of the directory dir and not only of the excluded
// directories inside of it.
func (r *Repo) Touching(ctx context.Context, previous, commit, dir string, excluded []string) (map[string]bool, error) {
	args := []string{"log", "--format=%H", "--full-history", "--no-show-signature", commit}
	if previous != "" && r.hasTag(ctx, previous) {
		args = append(args, "^refs/tags/"+previous)
	}
	if dir == "." {
		dir = "" // the root is no name
	}
	args = append(args, "--", ":(top,literal)"+dir)
	for _, e := range excluded {
		args = append(args, ":(top,exclude,literal)"+e)
	}
	out, err := r.gitTop(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the commits of %q since %q: %w", dir, previous, err)
	}
	found := map[string]bool{}
	for line := range strings.Lines(out) {
		found[strings.TrimSpace(line)] = true
	}
	return found, nil
}

// Beside are the commits that only the tag previous has, and not commit, newest first:
// those of another line of development.
func (r *Repo) Beside(ctx context.Context, previous, commit string) ([]history.Commit, error) {
	if previous == "" || !r.hasTag(ctx, previous) {
		return nil, nil
	}
	return r.log(ctx, previous, "refs/tags/"+previous, "^"+commit)
}

func (r *Repo) hasTag(ctx context.Context, tag string) bool {
	_, err := r.gitTop(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	return err == nil
}

// File is a file of a commit, its name relative to the repository; ok is false where
// the commit has none of that name.
func (r *Repo) File(ctx context.Context, commit, name string) (content []byte, ok bool, err error) {
	out, err := r.gitTop(ctx, "ls-tree", "--format=%(objecttype)", commit, "--", name)
	if err != nil || strings.TrimSpace(out) != "blob" {
		return nil, false, err
	}
	text, err := r.gitTop(ctx, "cat-file", "blob", commit+":"+name)
	if err != nil {
		return nil, false, fmt.Errorf("reading %q of commit %s: %w", name, commit, err)
	}
	return []byte(text), true, nil
}

// log lists the commits of the revisions; previous is for errors.
func (r *Repo) log(ctx context.Context, previous string, revisions ...string) ([]history.Commit, error) {
	args := append([]string{"log", "-z", "--no-show-signature", "--format=%H%x00%ct%x00%an%x00%ae%x00%P%x00%s%x00%b"}, revisions...)
	out, err := r.gitTop(ctx, append(args, "--")...)
	if err != nil {
		return nil, fmt.Errorf("reading the commits since %q: %w", previous, err)
	}
	const width = 7
	if out == "" {
		return nil, nil
	}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if len(fields)%width != 0 {
		return nil, fmt.Errorf("reading the commits since %q: %d fields are no multiple of %d", previous, len(fields), width)
	}
	var commits []history.Commit
	for i := 0; i < len(fields); i += width {
		f := fields[i : i+width]
		seconds, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading commit %s: %w", f[0], err)
		}
		commits = append(commits, history.Commit{
			SHA: f[0], Time: time.Unix(seconds, 0).UTC(), Author: f[2], Email: f[3],
			Parents: strings.Fields(f[4]), Subject: f[5], Body: f[6],
		})
	}
	return commits, nil
}
