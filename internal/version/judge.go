package version

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/mod/module"
)

// Ref is a tag of the repository and the commit that it names.
type Ref struct {
	Tag    string
	Commit string
}

// Verdict is what follows from a version that is allowed.
type Verdict struct {
	Previous   string   // tag that notes and comparisons start from; empty: the first release
	Prerelease bool     // marked so on the release page
	Latest     bool     // the highest stable version of the root module
	ImageTags  []string // exact version first, then the floating ones that move to it
}

// Of keeps those refs that are versions of the module in dir, in their order.
func Of(refs []Ref, dir string) []Version {
	var out []Version
	for _, r := range refs {
		if v, err := Parse(r.Tag, dir); err == nil {
			out = append(out, v)
		}
	}
	return out
}

// Highest is the highest version by precedence; ok is false for none.
func Highest(versions []Version) (highest Version, ok bool) {
	for _, v := range versions {
		if !ok || v.Compare(highest) > 0 {
			highest, ok = v, true
		}
	}
	return highest, ok
}

// Judge decides whether v may be released from a repository with the given versions
// of the same module, and what follows from it. The error is a *Violation.
func Judge(v Version, existing []Version, modulePath string) (Verdict, error) {
	_, pathMajor, ok := module.SplitPathVersion(modulePath)
	if !ok {
		return Verdict{}, &Violation{Code: "G01", Found: v.Tag(), Rule: fmt.Sprintf("module path %q is not valid", modulePath)}
	}
	if err := module.CheckPathMajor(v.Module(), pathMajor); err != nil {
		return Verdict{}, &Violation{
			Code: "G01", Found: v.Tag(),
			Rule: fmt.Sprintf("go.mod says %q: %s", modulePath, strings.TrimPrefix(err.Error(), v.Module()+": ")),
			Want: fmt.Sprintf("a version that the path allows, or the module path %s", withMajor(modulePath, pathMajor, v)),
		}
	}
	verdict := Verdict{Prerelease: v.Prerelease(), ImageTags: []string{v.String()}}
	if base, ok := Highest(below(v, existing)); ok {
		verdict.Previous = base.Tag()
	}
	if v.Prerelease() {
		return verdict, nil
	}
	highest := func(same func(Version) bool) bool {
		for _, w := range existing {
			if !w.Prerelease() && same(w) && w.Compare(v) > 0 {
				return false
			}
		}
		return true
	}
	major := func(w Version) bool { return w.number.Major() == v.number.Major() }
	minor := func(w Version) bool { return major(w) && w.number.Minor() == v.number.Minor() }
	all := func(Version) bool { return true }
	if highest(minor) {
		verdict.ImageTags = append(verdict.ImageTags, fmt.Sprintf("%d.%d", v.number.Major(), v.number.Minor()))
	}
	if highest(major) && v.number.Major() > 0 {
		verdict.ImageTags = append(verdict.ImageTags, fmt.Sprintf("%d", v.number.Major()))
	}
	if highest(all) {
		verdict.ImageTags = append(verdict.ImageTags, "latest")
		verdict.Latest = v.prefix == ""
	}
	return verdict, nil
}

// below are the versions that may be the base of v: for a stable one the stable
// ones below it; for a prerelease the earlier prereleases of its core, and without
// any the stable ones.
func below(v Version, existing []Version) []Version {
	var stable, core []Version
	for _, w := range existing {
		switch {
		case w.Compare(v) >= 0:
		case !w.Prerelease():
			stable = append(stable, w)
		case v.Prerelease() && sameCore(v, w):
			core = append(core, w)
		}
	}
	if len(core) > 0 {
		return core
	}
	return stable
}

func sameCore(v, w Version) bool {
	return v.number.Major() == w.number.Major() && v.number.Minor() == w.number.Minor() && v.number.Patch() == w.number.Patch()
}

// withMajor is the module path as it would have to be for v.
func withMajor(modulePath, pathMajor string, v Version) string {
	base := strings.TrimSuffix(modulePath, pathMajor)
	if v.number.Major() < 2 {
		return base
	}
	return path.Join(base, fmt.Sprintf("v%d", v.number.Major()))
}
