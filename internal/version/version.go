// Package version holds the version policy: which tag may become a release, and what
// follows from it (previous tag, prerelease, latest, image tags, the next version).
//
// It is pure: no clock, no network, no git. Versions are SemVer 2.0.0 as Go modules
// write them, with a leading "v"; the tag of a module in a subdirectory has the
// directory as prefix ("tools/x/v1.2.3", https://go.dev/ref/mod#vcs-version).
//
// Every rule has a code: T for the tag's syntax, O for its order among the tags that
// exist, B for the bump against the content, G for what Go demands of a module. The
// order of files follows the codes: syntax.go, order.go, bump.go, module.go.
package version

import (
	"fmt"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/mod/module"
)

// Version is a parsed version tag.
type Version struct {
	prefix string // what the tags of the module begin with: empty, or with a final slash
	number *semver.Version
}

// Ref is a tag of the repository and the commit that it names.
type Ref struct {
	Tag    string
	Commit string
}

// Prefix is what the tags of a module begin with: the directory that it lies in, but
// for a last element that repeats the major version of the module's path ("sub/v2" of
// example.com/a/sub/v2: its tags are sub/v2.x.y).
func Prefix(dir, modulePath string) string {
	if dir == "" {
		dir = "."
	}
	if _, major, ok := module.SplitPathVersion(modulePath); ok && major != "" && path.Base(dir) == strings.TrimPrefix(major, "/") {
		dir = path.Dir(dir)
	}
	if dir == "." {
		return ""
	}
	return dir + "/"
}

// Split cuts a tag into the prefix of its module, with the final slash, and the rest.
func Split(tag string) (prefix, rest string) {
	at := strings.LastIndex(tag, "/") + 1
	return tag[:at], tag[at:]
}

// Tag is the version as a git tag, with the module's prefix.
func (v Version) Tag() string { return v.prefix + "v" + v.number.String() }

// Module is the version as Go modules write it: "v1.2.3".
func (v Version) Module() string { return "v" + v.number.String() }

// String is the bare version: "1.2.3".
func (v Version) String() string { return v.number.String() }

// Prerelease tells whether the version comes before a stable one.
func (v Version) Prerelease() bool { return v.number.Prerelease() != "" }

// Major is the first number.
func (v Version) Major() uint64 { return v.number.Major() }

// Compare orders by SemVer precedence: -1, 0 or 1.
func (v Version) Compare(w Version) int { return v.number.Compare(w.number) }

// Next is the version whose patch number is one higher (the same core, when v is a
// prerelease), with the given prerelease; which must be valid SemVer.
func (v Version) Next(prerelease string) (Version, error) {
	next, err := v.number.IncPatch().SetPrerelease(prerelease)
	if err != nil {
		return Version{}, fmt.Errorf("prerelease %q: %w", prerelease, err)
	}
	return Version{prefix: v.prefix, number: &next}, nil
}

// of is the version with these numbers, of the same module as v.
func (v Version) of(major, minor, patch uint64) Version {
	return Version{prefix: v.prefix, number: semver.New(major, minor, patch, "", "")}
}

// core is the stable version that v is, or prepares.
func (v Version) core() Version {
	return v.of(v.number.Major(), v.number.Minor(), v.number.Patch())
}

func (v Version) sameMajor(w Version) bool { return v.number.Major() == w.number.Major() }

func (v Version) sameMinor(w Version) bool {
	return v.sameMajor(w) && v.number.Minor() == w.number.Minor()
}

// Of keeps those refs that are versions with the prefix, in their order. Syntax that
// the house rules turn down counts all the same: such tags exist.
func Of(refs []Ref, prefix string) []Version {
	var out []Version
	for _, r := range refs {
		if v, findings := parse(r.Tag, prefix, true); len(findings) == 0 {
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

// stable keeps the versions that are no prereleases.
func stable(versions []Version) []Version {
	return filter(versions, func(v Version) bool { return !v.Prerelease() })
}

func filter(versions []Version, keep func(Version) bool) []Version {
	var out []Version
	for _, v := range versions {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}
