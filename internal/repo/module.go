package repo

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// place is where a module lies in a commit.
type place struct {
	dir  string
	file *modfile.File // nil: there is no go.mod
	twin string        // go.mod in the other place that the tag may mean; empty: none
}

func (p place) path() string {
	if p.file == nil {
		return ""
	}
	return p.file.Module.Mod.Path
}

func (p place) prefix() string { return version.Prefix(p.dir, p.path()) }

// here is the module at or above the directory that the user named.
func (r *Repo) here(ctx context.Context, t tree) (place, error) {
	dir, err := t.moduleDir(r.dir)
	if err != nil {
		return place{}, err
	}
	file, err := r.goMod(ctx, t, dir)
	return place{dir: dir, file: file}, err
}

// goMod reads the go.mod of a directory.
func (r *Repo) goMod(ctx context.Context, t tree, dir string) (*modfile.File, error) {
	name := path.Join(dir, "go.mod")
	content, err := r.read(ctx, t, []string{name})
	if err != nil {
		return nil, err
	}
	parsed, err := modfile.ParseLax(name, content[name], nil)
	if err != nil {
		return nil, release.Reject("", "reading %s: %w", name, err)
	}
	if parsed.Module == nil {
		return nil, release.Reject("add a line such as: module github.com/owner/name", "reading %s: no module line", name)
	}
	// ParseLax leaves out what only the main module's go.mod says.
	if strict, err := modfile.Parse(name, content[name], nil); err == nil {
		parsed = strict
	}
	return parsed, nil
}

// locate finds the module that a tag is of. The tag's prefix names its directory,
// except where the user named another module; of a directory and its "vN" the one
// whose module path is for the tag's major version.
func (r *Repo) locate(ctx context.Context, t tree, tag string) (place, error) {
	prefix, rest := version.Split(tag)
	if !semver.IsValid(rest) || prefix == "" && r.dir != "" {
		return r.here(ctx, t)
	}
	if r.dir != "" {
		if named, err := r.here(ctx, t); err == nil && named.dir != "." {
			return named, nil
		}
	}
	at := path.Clean("./" + prefix)
	var found []place
	for _, dir := range []string{at, path.Join(at, semver.Major(rest))} {
		if t.has(path.Join(dir, "go.mod")) {
			file, err := r.goMod(ctx, t, dir)
			if err != nil {
				return place{}, err
			}
			found = append(found, place{dir: dir, file: file})
		}
	}
	fitting := slices.DeleteFunc(slices.Clone(found), func(p place) bool {
		_, suffix, ok := module.SplitPathVersion(p.path())
		return !ok || module.CheckPathMajor(rest, suffix) != nil || p.prefix() != prefix
	})
	switch {
	case len(fitting) == 2 && fitting[0].path() == fitting[1].path():
		fitting[0].twin = path.Join(fitting[1].dir, "go.mod")
		return fitting[0], nil
	case len(fitting) > 0:
		return fitting[0], nil
	case len(found) > 0:
		return found[0], nil
	case prefix == "":
		return r.here(ctx, t) // says what is missing
	}
	return place{dir: at}, nil
}

// rules is what the version policy wants to know about the module.
func (r *Repo) rules(ctx context.Context, t tree, p place, programs bool) (version.Module, error) {
	m := version.Module{Path: p.path(), Dir: p.dir, Twin: p.twin, Programs: programs, Action: t.has("action.yml") || t.has("action.yaml")}
	if p.file == nil {
		return m, nil
	}
	for _, replace := range p.file.Replace {
		text := fmt.Sprintf("%s => %s", strings.TrimSpace(replace.Old.Path+" "+replace.Old.Version), strings.TrimSpace(replace.New.Path+" "+replace.New.Version))
		if replace.New.Version == "" {
			m.Local = append(m.Local, text)
		} else {
			m.Replaced = append(m.Replaced, text)
		}
	}
	for _, exclude := range p.file.Exclude {
		m.Excluded = append(m.Excluded, exclude.Mod.Path+" "+exclude.Mod.Version)
	}
	for _, list := range [][]string{m.Local, m.Replaced, m.Excluded} {
		slices.Sort(list)
	}
	for _, at := range t.nested(p.dir) {
		if major := path.Base(at); path.Dir(at) == p.dir && majorDirectory.MatchString(major) {
			m.Majors = append(m.Majors, major)
		}
	}
	for _, retract := range p.file.Retract {
		m.Retracted = append(m.Retracted, version.Retract{Low: retract.Low, High: retract.High, Rationale: retract.Rationale})
	}
	var err error
	m.Importable, err = r.importable(ctx, t, p.dir)
	return m, err
}

var majorDirectory = regexp.MustCompile(`^v[2-9][0-9]*$|^v1[0-9]+$`)

// importable tells whether the module in dir has a package that others can import: one
// that is neither a program nor internal.
func (r *Repo) importable(ctx context.Context, t tree, dir string) (bool, error) {
	var first, rest []string
	for at, names := range t.packages(dir) {
		first = append(first, path.Join(at, names[0]))
		for _, name := range names[1:] {
			rest = append(rest, path.Join(at, name))
		}
	}
	// One file of a directory mostly tells. Only where all of these are programs, the
	// others are read too: "//go:build ignore" hides programs among the files of a library.
	for _, names := range [][]string{first, rest} {
		if len(names) == 0 {
			continue
		}
		content, err := r.read(ctx, t, names)
		if err != nil {
			return false, err
		}
		for _, text := range content {
			parsed, err := parser.ParseFile(token.NewFileSet(), "", text, parser.PackageClauseOnly)
			if err == nil && parsed.Name.Name != "main" && parsed.Name.Name != "documentation" {
				return true, nil
			}
		}
	}
	return false, nil
}

// hidden are directories that the go command does not look into, or that nobody
// outside of the module can import from.
var hidden = regexp.MustCompile(`(?:^|/)(?:internal|testdata|vendor|[._][^/]*)(?:/|$)`)

// packages are the directories of the module in dir that may hold packages to import,
// with their Go files, tests left out.
func (t tree) packages(dir string) map[string][]string {
	nested := map[string]bool{}
	for _, at := range t.nested(dir) {
		nested[at] = true
	}
	out := map[string][]string{}
	for _, name := range t.names {
		at := path.Dir(name)
		inside, ok := strings.CutPrefix(at+"/", dir+"/")
		if dir == "." {
			inside, ok = at, true
		}
		if !ok || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || at != "." && hidden.MatchString(inside) {
			continue
		}
		if !t.underNested(at, dir, nested) {
			out[at] = append(out[at], path.Base(name))
		}
	}
	return out
}

// nested are the directories of the modules inside of the one in dir, sorted.
func (t tree) nested(dir string) []string {
	var out []string
	for _, name := range t.names {
		at := path.Dir(name)
		if path.Base(name) == "go.mod" && at != dir && (dir == "." || strings.HasPrefix(at, dir+"/")) {
			out = append(out, at)
		}
	}
	return out
}

// underNested tells whether a directory belongs to a module inside of the one in dir.
func (tree) underNested(at, dir string, nested map[string]bool) bool {
	for ; at != dir && at != "."; at = path.Dir(at) {
		if nested[at] {
			return true
		}
	}
	return false
}

// Base is the module at the tag of a version before.
type Base struct {
	Module     plan.Module
	Commit     string
	Importable bool // it has a package that others can import
}

// Base reads the module that a tag is of, at the commit that it names.
func (r *Repo) Base(ctx context.Context, tag string) (Base, error) {
	commit, err := r.gitTop(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	if err != nil {
		return Base{}, fmt.Errorf("reading the module of %q: %w", tag, err)
	}
	b := Base{Commit: strings.TrimSpace(commit)}
	t, err := r.tree(ctx, b.Commit)
	if err != nil {
		return Base{}, err
	}
	at, err := r.locate(ctx, t, tag)
	if release.ClassOf(err) == release.Rejected { // there was no module yet, or a broken one
		return b, nil
	}
	if err != nil || at.file == nil {
		return b, err
	}
	b.Module = planModule(t, at)
	b.Importable, err = r.importable(ctx, t, at.dir)
	return b, err
}

// planModule is the module as the plan names it.
func planModule(t tree, p place) plan.Module {
	return plan.Module{Path: p.path(), Dir: p.dir, Vendored: t.has(path.Join(p.dir, "vendor/modules.txt"))}
}
