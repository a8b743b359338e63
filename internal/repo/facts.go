package repo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// Facts reads what the repository is. tag is what to release; empty: the highest
// version of the module among the tags of HEAD. A tag that exists names the commit;
// any other is to be made, at HEAD. A bare version for a module in a subdirectory
// gets the module's prefix. Toolchain and Ports are not git's to know and stay empty.
func (r *Repo) Facts(ctx context.Context, tag string) (plan.Facts, error) {
	f := plan.Facts{Head: r.head}
	var err error
	if f.Refs, err = r.tags(ctx); err != nil {
		return f, err
	}
	// The module decides the prefix, the prefix the tag, and the tag the commit, in which
	// the module may lie elsewhere: what is checked out is where to look.
	tree, err := r.tree(ctx, r.head)
	if err != nil {
		return f, err
	}
	prefix := ""
	at, missing := r.here(ctx, tree)
	if missing == nil {
		prefix = at.prefix()
	}
	if f.Tag, f.Commit = choose(tag, prefix, r.head, f.Refs); f.Tag == "" && missing != nil {
		return f, missing
	}
	if f.Commit == "" {
		return f, release.Reject("tag a commit", "tag %q: it names no commit", f.Tag)
	}
	if f.Commit != r.head {
		if tree, err = r.tree(ctx, f.Commit); err != nil {
			return f, err
		}
	}
	if at, err = r.locate(ctx, tree, f.Tag); err != nil {
		return f, err
	}
	f.Files, f.Module, f.Nested, f.Shallow = tree.names, planModule(tree, at), tree.nested(at.dir), r.Shallow()
	if at.file != nil {
		f.Go = goLines(at.file)
	}
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { f.Time, err = r.CommitTime(shared, f.Commit); return err })
	group.Go(func() (err error) { f.Dirty, err = r.dirty(shared); return err })
	group.Go(func() (err error) {
		if f.Mains, err = r.mainPackages(shared, tree, at); err == nil {
			f.Policy, err = r.rules(shared, tree, at, len(f.Mains) > 0)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return f, err
	}
	f.Repository = r.repository(ctx, f.Module.Path)
	return f, nil
}

// goLines are the lines of go.mod that choose a toolchain.
func goLines(file *modfile.File) string {
	var out strings.Builder
	if file.Go != nil {
		fmt.Fprintf(&out, "go %s\n", file.Go.Version)
	}
	if file.Toolchain != nil {
		fmt.Fprintf(&out, "toolchain %s\n", file.Toolchain.Name)
	}
	return out.String()
}

// tags reads all tags with the commits that they name, in one call; and in one more those
// that are tags of tags, which some versions of git peel once only. A tag of something
// else has no commit.
func (r *Repo) tags(ctx context.Context) ([]version.Ref, error) {
	out, err := r.gitTop(ctx, "for-each-ref", "--format=%(refname:strip=2)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)", "refs/tags")
	if err != nil {
		return nil, fmt.Errorf("reading tags: %w", err)
	}
	var refs []version.Ref
	var nested []int
	var questions strings.Builder
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		if len(f) != 5 {
			continue
		}
		ref := version.Ref{Tag: f[0]}
		switch {
		case f[1] == "commit":
			ref.Commit = f[2]
		case f[3] == "commit":
			ref.Commit = f[4]
		case f[3] == "tag":
			nested = append(nested, len(refs))
			fmt.Fprintf(&questions, "%s^{commit}\n", f[2])
		}
		refs = append(refs, ref)
	}
	if len(nested) == 0 {
		return refs, nil
	}
	answers, err := r.git.Feed(ctx, r.top, []byte(questions.String()), "git", append(slices.Clone(hardened), "cat-file", "--batch-check=%(objectname) %(objecttype)")...)
	if err != nil {
		return nil, fmt.Errorf("reading tags of tags: %w", err)
	}
	for i, answer := range strings.Split(strings.TrimSuffix(string(answers), "\n"), "\n") {
		if sha, kind, _ := strings.Cut(answer, " "); kind == "commit" && i < len(nested) {
			refs[nested[i]].Commit = sha
		}
	}
	return refs, nil
}

// choose decides which tag is released and which commit that is.
func choose(asked, prefix, head string, refs []version.Ref) (tag, commit string) {
	if asked == "" {
		var here []version.Ref
		for _, ref := range refs {
			if ref.Commit == head {
				here = append(here, ref)
			}
		}
		if highest, ok := version.Highest(version.Of(here, prefix)); ok {
			return highest.Tag(), head
		}
		return "", head
	}
	if !strings.Contains(asked, "/") {
		asked = prefix + asked
	}
	for _, ref := range refs {
		if ref.Tag == asked {
			return asked, ref.Commit
		}
	}
	return asked, head
}

// CommitTime is the committer time of a commit, in UTC.
func (r *Repo) CommitTime(ctx context.Context, commit string) (time.Time, error) {
	out, err := r.gitTop(ctx, "show", "-s", "--format=%ct", commit)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading commit %s: %w", commit, err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time of commit %s: %w", commit, err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// dirty describes how tracked files differ from HEAD; empty when they do not.
func (r *Repo) dirty(ctx context.Context) (string, error) {
	out, err := r.gitTop(ctx, "status", "--porcelain=v1", "--untracked-files=no")
	if err != nil {
		return "", fmt.Errorf("comparing the working tree with HEAD: %w", err)
	}
	return out, nil
}

// mainPackages finds the main packages of a module.
func (r *Repo) mainPackages(ctx context.Context, t tree, p place) ([]plan.Main, error) {
	names := mainCandidates(t, p.dir)
	if p.file == nil || len(names) == 0 {
		return nil, nil
	}
	content, err := r.read(ctx, t, names)
	if err != nil {
		return nil, err
	}
	return mains(content, p.dir, p.path()), nil
}

var githubURL = regexp.MustCompile(`^(?:https?://(?:[^@/]+@)?|ssh://(?:[^@/]+@)?|(?:[^@/]+@)?)github\.com(?::\d+)?[/:]([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+?)(?:\.git)?/?$`)

// repository is the remote "origin" where it is on GitHub, else what the module's
// path says; zero for neither.
func (r *Repo) repository(ctx context.Context, modulePath string) plan.Repository {
	if out, err := r.gitTop(ctx, "remote", "get-url", "origin"); err == nil {
		if m := githubURL.FindStringSubmatch(strings.TrimSpace(out)); m != nil {
			return plan.Repository{Owner: m[1], Name: m[2]}
		}
	}
	if parts := strings.Split(modulePath, "/"); len(parts) >= 3 && parts[0] == "github.com" {
		return plan.Repository{Owner: parts[1], Name: parts[2]}
	}
	return plan.Repository{}
}
