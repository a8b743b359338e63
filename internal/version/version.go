// Package version holds the version policy: which tag may become a release, and
// what follows from it (previous tag, prerelease, latest, image tags).
//
// It is pure: no clock, no network, no git. Versions are SemVer 2.0.0 as Go
// modules write them, with a leading "v"; the tag of a module in a subdirectory
// has the directory as prefix ("tools/x/v1.2.3", https://go.dev/ref/mod#vcs-version).
package version

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/mod/module"
)

// Version is a parsed version tag.
type Version struct {
	prefix string // directory of the module with a final slash, or empty
	number *semver.Version
}

// Violation is a tag that the policy turns down.
type Violation struct {
	Code  string // such as "T02"; stable, for machines and for looking up
	Found string // the tag
	Rule  string // what it breaks
	Want  string // what would be accepted; may be empty
}

func (v *Violation) Error() string { return fmt.Sprintf("%s: tag %q: %s", v.Code, v.Found, v.Rule) }

// Hint says what would be accepted instead.
func (v *Violation) Hint() string { return v.Want }

var (
	leadingZero = regexp.MustCompile(`(^|[.-])(0[0-9]+)($|[.-])`)
	core        = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
	floating    = regexp.MustCompile(`^v(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?$`)
)

// maxTag is the longest tag accepted, in bytes: an OCI tag holds 128 characters.
const maxTag = 128

// Parse reads the tag of the module in the directory dir ("" or "." for the root).
// The error is a *Violation.
func Parse(tag, dir string) (Version, error) {
	no := func(code, want, rule string, args ...any) (Version, error) {
		return Version{}, &Violation{Code: code, Found: tag, Rule: fmt.Sprintf(rule, args...), Want: want}
	}
	prefix := Prefix(dir)
	rest, ok := strings.CutPrefix(tag, prefix)
	if !ok {
		return no("G03", "use "+prefix+tag[strings.LastIndex(tag, "/")+1:],
			"the module lies in %s, so its tags begin with %q", dir, prefix)
	}
	if i := strings.LastIndex(rest, "/"); i >= 0 {
		return no("G03", "run in that directory, or tag without the prefix",
			"the prefix %q names another module than this one", rest[:i+1])
	}
	switch {
	case len(rest) > maxTag:
		return no("T07", "", "longer than %d characters", maxTag)
	case floating.MatchString(rest):
		return no("T02", "use "+prefix+rest+strings.Repeat(".0", 2-strings.Count(rest, ".")),
			"a floating tag names no release; a version is exactly MAJOR.MINOR.PATCH")
	case !strings.HasPrefix(rest, "v"):
		return no("T01", "use "+prefix+"v"+strings.TrimPrefix(rest, "V"),
			`Go ignores tags without a lower-case "v"`)
	}
	plain, _, _ := strings.Cut(rest[1:], "+")
	if m := leadingZero.FindStringSubmatch(plain); m != nil {
		return no("T03", "", "leading zero in %q", m[2])
	}
	numbers, _, _ := strings.Cut(plain, "-")
	number, err := semver.StrictNewVersion(rest[1:])
	switch {
	case err != nil && strings.Trim(numbers, "0123456789.x*") == "" && !core.MatchString(numbers):
		return no("T02", "use a tag such as "+prefix+"v1.2.3 or "+prefix+"v1.2.3-rc.1",
			"a version is exactly MAJOR.MINOR.PATCH, then maybe -PRERELEASE")
	case err != nil:
		return no("T07", "", "%s", strings.ToLower(err.Error()))
	case number.Metadata() != "":
		return no("T05", "use "+prefix+"v"+strings.TrimSuffix(number.String(), "+"+number.Metadata()),
			"build metadata is not allowed in image tags, and Go turns it into a pseudo-version")
	case module.IsPseudoVersion(rest):
		return no("T06", "", "a Go pseudo-version is not a tag name")
	}
	return Version{prefix: prefix, number: number}, nil
}

// Prefix is what the tags of the module in the directory dir begin with.
func Prefix(dir string) string {
	if dir == "" || dir == "." {
		return ""
	}
	return dir + "/"
}

// Tag is the version as a git tag, with the module's prefix.
func (v Version) Tag() string { return v.prefix + "v" + v.number.String() }

// Module is the version as Go modules write it: "v1.2.3".
func (v Version) Module() string { return "v" + v.number.String() }

// String is the bare version: "1.2.3".
func (v Version) String() string { return v.number.String() }

// Prerelease tells whether the version comes before a stable one.
func (v Version) Prerelease() bool { return v.number.Prerelease() != "" }

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
