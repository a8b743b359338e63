package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Checkout is a directory to build in.
type Checkout struct {
	Root   string // of the repository
	Module string // of the module
	remove func() error
}

// Remove deletes the checkout if it was made for the build.
func (c Checkout) Remove() error { return c.remove() }

// WorkingTree is the user's own directory as a checkout; Remove leaves it alone.
func (r *Repo) WorkingTree(p plan.Plan) Checkout {
	return Checkout{
		Root: r.top, Module: filepath.Join(r.top, filepath.FromSlash(p.Module.Dir)),
		remove: func() error { return nil },
	}
}

// Clone makes a temporary repository with exactly the plan's commit, checked out, and
// exactly one tag, the plan's. It shares the objects of the user's repository. (The
// go command stamps a binary with the highest version tag of its commit and says
// "modified" for files that git does not know: so there is no other tag, and what
// include and prepare add is known as ignored.)
func (r *Repo) Clone(ctx context.Context, p plan.Plan) (Checkout, error) {
	root, err := os.MkdirTemp("", "pgo-release-clone-")
	if err != nil {
		return Checkout{}, fmt.Errorf("cloning commit %s: %w", p.Commit, err)
	}
	c := Checkout{
		Root: root, Module: filepath.Join(root, filepath.FromSlash(p.Module.Dir)),
		remove: func() error { return removeAll(root) },
	}
	for _, step := range []func() error{
		func() error { return r.share(ctx, root, p.Commit) },
		func() error { return r.complete(ctx, root, p) },
		func() error { return r.include(c, p) },
		func() error { return r.prepare(ctx, c, p) },
	} {
		if err := step(); err != nil {
			return Checkout{}, errors.Join(fmt.Errorf("cloning commit %s: %w", p.Commit, err), c.Remove())
		}
	}
	return c, nil
}

// Checkout makes a temporary repository with the files of a commit, without
// submodules and tags: enough to read its packages. dir is the module's.
func (r *Repo) Checkout(ctx context.Context, commit, dir string) (Checkout, error) {
	root, err := os.MkdirTemp("", "pgo-release-clone-")
	if err != nil {
		return Checkout{}, fmt.Errorf("checking out commit %s: %w", commit, err)
	}
	c := Checkout{
		Root: root, Module: filepath.Join(root, filepath.FromSlash(dir)),
		remove: func() error { return removeAll(root) },
	}
	if err := r.share(ctx, root, commit); err != nil {
		return Checkout{}, errors.Join(fmt.Errorf("checking out commit %s: %w", commit, err), c.Remove())
	}
	return c, nil
}

// share makes the repository on top of the user's object database.
func (r *Repo) share(ctx context.Context, root, commit string) error {
	clean := r.git.With(unconfigured...)
	git := func(args ...string) error {
		_, err := git(ctx, clean, root, args...)
		return err
	}
	if err := git("init", "--quiet", "--template=", "--object-format="+r.format, "."); err != nil {
		return err
	}
	info := filepath.Join(root, ".git", "objects", "info")
	if err := os.MkdirAll(info, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(info, "alternates"), []byte(r.objects+"\n"), 0o644); err != nil {
		return err
	}
	shallow, err := os.ReadFile(r.shallow)
	switch {
	case err == nil:
		if err := os.WriteFile(filepath.Join(root, ".git", "shallow"), shallow, 0o644); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return git("checkout", "--quiet", "--detach", commit)
}

// complete adds what belongs to a release: its tag, and submodules.
func (r *Repo) complete(ctx context.Context, root string, p plan.Plan) error {
	if _, err := git(ctx, r.git.With(unconfigured...), root, "update-ref", "refs/tags/"+p.Tag, p.Commit); err != nil {
		return err
	}
	if err := r.submodules(ctx, root); err != nil {
		return err
	}
	if err := holds(root, p.Module.Dir); err != nil {
		return err
	}
	return confined(root, p.Files)
}

// holds refuses a module's directory that a link leads out of the repository: what
// include and prepare write has to stay in the clone.
func holds(dir, module string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Stat(filepath.Join(filepath.FromSlash(module), "go.mod")); err != nil {
		return release.Reject("name the module's directory with -C", "looking for go.mod in %q: %w", module, err)
	}
	return nil
}

// confined refuses packed files that are links to what lies outside of the
// repository: a file of this machine is none of the release's.
func confined(dir string, names []string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		f, err := root.Open(filepath.FromSlash(name))
		if err != nil {
			return release.Reject("commit the file itself, or name other files: archives: {files: [...]}",
				"packing %q: it is a link that leaves the repository or leads nowhere: %w", name, err)
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// submodules follows submodules where the commit has some; from the user's own
// copies where those exist, so that nothing is fetched twice.
func (r *Repo) submodules(ctx context.Context, root string) error {
	if _, err := os.Stat(filepath.Join(root, ".gitmodules")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A relative URL of a submodule is relative to the repository's own.
	if url, err := r.gitTop(ctx, "remote", "get-url", "origin"); err == nil {
		if _, err := r.gitIn(ctx, root, "config", "remote.origin.url", strings.TrimSpace(url)); err != nil {
			return err
		}
	}
	args := []string{"-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"}
	if _, err := r.gitIn(ctx, root, "submodule", "--quiet", "init"); err != nil {
		return err
	}
	out, err := r.gitIn(ctx, root, "config", "--file", ".gitmodules", "--name-only", "--get-regexp", `^submodule\..*\.path$`)
	if err != nil {
		return err
	}
	for key := range strings.Lines(out) {
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(key), "submodule."), ".path")
		own, err := r.gitTop(ctx, "rev-parse", "--git-path", "modules/"+name)
		if err != nil {
			return err
		}
		kept := strings.TrimSpace(own)
		if !filepath.IsAbs(kept) {
			kept = filepath.Join(r.top, kept)
		}
		if _, err := os.Stat(kept); err == nil {
			args = slices.Insert(args, 0, "-c", "submodule."+name+".url="+kept)
		}
	}
	_, err = r.gitIn(ctx, root, args...)
	return err
}

// include copies what the configuration names from the working tree. Links are
// followed as long as they stay inside the module.
func (r *Repo) include(c Checkout, p plan.Plan) error {
	if len(p.Include) == 0 {
		return nil
	}
	from := r.extra
	if from == "" {
		from = filepath.Join(r.top, filepath.FromSlash(p.Module.Dir))
	}
	source, err := os.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(p.Include[0], from)
	}
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenRoot(c.Module)
	if err != nil {
		return err
	}
	defer target.Close()
	for _, pattern := range p.Include {
		if !fs.ValidPath(pattern) || pattern == "." || pattern == ".git" || strings.HasPrefix(pattern, ".git/") {
			return release.Misuse("such as web/dist", "including %q: want a path inside the module", pattern)
		}
		found, err := fs.Glob(source.FS(), pattern)
		if err != nil {
			return release.Misuse("", "including %q: %w", pattern, err)
		}
		if len(found) == 0 {
			return missing(pattern, from)
		}
		for _, name := range found {
			if err := copyTree(source, target, name); err != nil {
				return fmt.Errorf("including %q: %w", name, err)
			}
		}
	}
	return nil
}

// MissingError is what a plan includes and the working tree does not have.
type MissingError struct {
	Pattern string
	Dir     string // where it was looked for
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("including %q: no such file in %s", e.Pattern, e.Dir)
}

func missing(pattern, dir string) error {
	return release.Reject("generate it first, or make it in the clone with a command under prepare", "%w", &MissingError{pattern, dir})
}

// copyTree copies a file, or a directory with everything in it; what is there already
// is written anew.
func copyTree(from, to *os.Root, name string) error {
	return fs.WalkDir(from.FS(), name, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := from.Stat(name)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			return to.MkdirAll(name, 0o755)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", name)
		}
		content, err := from.ReadFile(name)
		if err != nil {
			return err
		}
		if err := to.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		return to.WriteFile(name, content, info.Mode().Perm())
	})
}

// prepare runs the configured commands and has git ignore what they and include made.
func (r *Repo) prepare(ctx context.Context, c Checkout, p plan.Plan) error {
	if len(p.Include)+len(p.Prepare) == 0 {
		return nil
	}
	for _, line := range p.Prepare {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, err := r.git.All(ctx, c.Module, words[0], words[1:]...); err != nil {
			return fmt.Errorf("preparing with %q: %w", line, err)
		}
	}
	out, err := r.gitIn(ctx, c.Root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
	if err != nil {
		return err
	}
	var changed, ignored []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		switch {
		case strings.HasPrefix(entry, "?? "):
			ignored = append(ignored, "/"+escapePattern(entry[3:]))
		case len(entry) > 3:
			changed = append(changed, entry)
		}
	}
	if len(changed) > 0 {
		return release.Reject("commit what these commands generate, or have them write files that git does not track",
			"include and prepare changed tracked files:\n%s", strings.Join(changed, "\n"))
	}
	exclude := filepath.Join(c.Root, ".git", "info", "exclude")
	if err := os.MkdirAll(filepath.Dir(exclude), 0o755); err != nil {
		return err
	}
	return os.WriteFile(exclude, []byte(strings.Join(ignored, "\n")+"\n"), 0o644)
}

// escapePattern writes a path as a gitignore pattern that matches it alone.
func escapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "!", `\!`, "#", `\#`, " ", `\ `).Replace(name)
}

// removeAll deletes a tree that may hold read-only directories.
func removeAll(root string) error {
	err := os.RemoveAll(root)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(root)
}
