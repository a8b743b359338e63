package version

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Module is what go.mod and the tree say about the module at the commit.
type Module struct {
	Path       string    // empty: there is no go.mod where the tag's prefix points
	Dir        string    // relative to the repository, slash-separated; "." is its root
	Twin       string    // go.mod of the same path in the other place that the tag may mean; empty: none
	Importable bool      // it has a package that others can import
	Programs   bool      // it has a main package
	Local      []string  // modules that a directory replaces, as "path => directory", sorted
	Replaced   []string  // other replacements, as "path => path version", sorted
	Excluded   []string  // as "path version", sorted
	Retracted  []Retract // in the order of go.mod
	Majors     []string  // major versions, such as "v2", that have a directory of their own beside this module
	Action     bool      // the repository's root holds an action.yml
}

// Retract is an interval of versions that go.mod takes back, both ends included, as
// Go modules write them.
type Retract struct {
	Low, High, Rationale string
}

// Prefix is what the module's tags begin with.
func (m Module) Prefix() string { return Prefix(m.Dir, m.Path) }

// retracts tells whether the module's own go.mod takes a version back.
func (m Module) retracts(v Version) (rationale string, ok bool) {
	r, ok := m.retraction(v)
	return r.Rationale, ok
}

func (m Module) retraction(v Version) (Retract, bool) {
	for _, r := range m.Retracted {
		if semver.Compare(r.Low, v.Module()) <= 0 && semver.Compare(v.Module(), r.High) <= 0 {
			return r, true
		}
	}
	return Retract{}, false
}

// judgePlace applies the rules about where the module lies and what it is called; ok
// is false when there is no module to judge.
func (f *findings) judgePlace(v Version, m Module) (ok bool) {
	tag := fmt.Sprintf("tag %q", v.Tag())
	switch {
	case m.Path == "":
		f.add(always, "G03", tag, "a tag of a module that is there, or go mod init in that directory",
			"there is no go.mod in the directory %q", m.Dir)
		return false
	case m.Twin != "":
		f.add(always, "G03", tag, "keep one of them", "two directories claim the module %s: %s and %s", m.Path, path.Join(m.Dir, "go.mod"), m.Twin)
	}
	base, major, ok := module.SplitPathVersion(m.Path)
	if !ok || module.CheckImportPath(m.Path) != nil {
		f.add(always, "G01", fmt.Sprintf("module path %q", m.Path), "", "not a valid module path")
		return false
	}
	if module.CheckPathMajor(v.Module(), major) != nil {
		f.add(always, "G01", tag, fmt.Sprintf("a version of %s, or the module path %s", strings.Replace(majors(major), " and ", " or ", 1), pathFor(base, major, v)),
			"the module path %s is for %s", m.Path, majors(major))
	}
	return true
}

// majors names the versions that a path with this suffix is for.
func majors(suffix string) string {
	switch suffix {
	case "":
		return "v0 and v1"
	case ".v0", ".v1":
		return strings.TrimPrefix(suffix, ".")
	}
	return strings.Trim(suffix, "/.")
}

// pathFor is the module path that goes with v.
func pathFor(base, suffix string, v Version) string {
	switch {
	case strings.HasPrefix(suffix, "."): // gopkg.in
		return fmt.Sprintf("%s.v%d", base, v.Major())
	case v.Major() < 2:
		return base
	}
	return fmt.Sprintf("%s/v%d", base, v.Major())
}

// movedFor says which module path a version needs where it is not the one there is.
func (m Module) movedFor(tag string) string {
	v, err := Parse(tag, m.Prefix())
	base, suffix, ok := module.SplitPathVersion(m.Path)
	if err != nil || !ok || module.CheckPathMajor(v.Module(), suffix) == nil {
		return ""
	}
	return ", with the module path " + pathFor(base, suffix, v)
}

// judgeModule applies the rules about the content of go.mod.
func (f *findings) judgeModule(v Version, m Module, allowRetracted bool) {
	if len(m.Local) > 0 && m.Importable {
		f.add(usual, "G02", "go.mod: replace "+m.Local[0]+others(m.Local), "release the other module and require its version",
			"who imports this module gets the real one instead of the directory: what was tested is not what they build")
	}
	if all := slices.Concat(m.Local, m.Replaced, m.Excluded); m.Programs && len(all) > 0 && !(len(m.Local) > 0 && m.Importable) {
		f.add(notice, "G02", "go.mod: "+all[0]+others(all), "", "go install refuses a module that replaces or excludes others")
	}
	if rationale, ok := m.retracts(v); ok && !allowRetracted {
		if rationale != "" {
			rationale = fmt.Sprintf(" (%q)", rationale)
		}
		f.add(usual, "G04", fmt.Sprintf("tag %q", v.Tag()), "another version; or allow-retracted, for a version that only carries retractions",
			"go.mod retracts this version itself%s", rationale)
	}
}

// others says how many more there are than the first.
func others(list []string) string {
	if len(list) < 2 {
		return ""
	}
	return fmt.Sprintf(" and %d more", len(list)-1)
}

// Sums is what the go command says about go.mod and go.sum at the commit.
type Sums struct {
	Untidy  string // difference that go mod tidy would make, as a unified diff; empty: none
	Surplus bool   // all of it are lines that go.sum does not need
	Broken  string // what go mod verify says against the module cache; empty: nothing
	Unknown string // why it could not tell; empty: it could
}

// judgeSums applies the rule about them.
func (f *findings) judgeSums(s Sums) {
	if s.Untidy != "" {
		w := usual
		if s.Surplus { // nobody is served something else for them
			w = unusual
		}
		f.add(w, "G05", "go.mod and go.sum", "go mod tidy, and commit what it changes", "not tidy:\n%s", s.Untidy)
	}
	if s.Broken != "" {
		f.add(usual, "G05", "go.sum", "go clean -modcache, and build again", "the modules of this machine are not the ones it names:\n%s", s.Broken)
	}
	if s.Unknown != "" {
		f.add(notice, "G05", "go.mod and go.sum", "", "not checked: %s", s.Unknown)
	}
}
