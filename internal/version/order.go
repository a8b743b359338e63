package version

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Page is what GitHub says about the release of a tag.
type Page struct {
	Published bool   // there is a release for the tag that is not a draft
	Commit    string // that the tag names on GitHub; empty: it has no such tag
}

// Served is what the public module proxy says about a version.
type Served struct {
	Known  bool   // it serves the version
	Commit string // that it was made from; empty: it does not say
}

// judgeOrder applies the rules about the other versions of the module. existing does
// not hold v itself.
func (f *findings) judgeOrder(v Version, existing []Version) {
	tag := fmt.Sprintf("tag %q", v.Tag())
	released := stable(existing)
	for _, w := range released {
		if v.Prerelease() && w.Compare(v.core()) == 0 {
			f.add(usual, "O03", tag, v.core().after(Patch).above(existing).Tag(), "a prerelease of %s, which is already released", w.Tag())
			return
		}
	}
	line := filter(released, v.inLine)
	if top, ok := Highest(line); ok && top.Compare(v.core()) >= 0 {
		f.add(usual, "O02", tag, v.instead(existing), "not above %s, %s", top.Tag(), v.lineName())
		return
	}
	if v.Prerelease() {
		same := filter(existing, func(w Version) bool { return w.Prerelease() && w.core().Compare(v.core()) == 0 })
		if top, ok := Highest(same); ok && top.Compare(v) > 0 {
			f.add(usual, "O03", tag, top.successor(existing).Tag(), "a prerelease below the earlier prerelease %s", top.Tag())
		}
	}
	if base, ok := baseOf(v, existing); ok {
		if expected := v.without(base); expected != "" {
			f.add(unusual, "O05", tag, expected, "a gap after %s", base.Tag())
		}
	}
}

// inLine tells whether w is of the versions that v has to be above: of its minor
// version for a patch, of its major version for a new minor one, all for a new major one.
func (v Version) inLine(w Version) bool {
	switch {
	case v.number.Patch() > 0:
		return v.sameMinor(w)
	case v.number.Minor() > 0:
		return v.sameMajor(w)
	}
	return true
}

// instead is what can be had in v's line; nothing for a new major version below
// another one: the module path would have to be another too.
func (v Version) instead(existing []Version) string {
	if v.number.Patch() == 0 && v.number.Minor() == 0 {
		return ""
	}
	return v.core().above(existing).Tag()
}

func (v Version) lineName() string {
	switch {
	case v.number.Patch() > 0:
		return fmt.Sprintf("the highest version of v%d.%d", v.number.Major(), v.number.Minor())
	case v.number.Minor() > 0:
		return fmt.Sprintf("the highest version of v%d", v.number.Major())
	}
	return "the highest version"
}

// without is the version that follows base where v leaves some out; empty where it
// leaves none out.
func (v Version) without(base Version) string {
	expected := base.after(actual(base, v))
	if v.core().Compare(expected) == 0 {
		return ""
	}
	return expected.Tag()
}

// baseOf is the highest stable version below v: what its content is compared with.
func baseOf(v Version, existing []Version) (Version, bool) {
	return Highest(filter(stable(existing), func(w Version) bool { return w.Compare(v) < 0 }))
}

// previousOf is where the notes of v begin: for a prerelease the one before it of the
// same core, where there is one; else the highest stable version below.
func previousOf(v Version, existing []Version) (Version, bool) {
	if v.Prerelease() {
		before, ok := Highest(filter(existing, func(w Version) bool {
			return w.Prerelease() && w.core().Compare(v.core()) == 0 && w.Compare(v) < 0
		}))
		if ok {
			return before, true
		}
	}
	return baseOf(v, existing)
}

// judgeElsewhere applies the rules about what others already have of this version.
func (f *findings) judgeElsewhere(v Version, in Input, next Version) {
	tag := fmt.Sprintf("tag %q", v.Tag())
	if page := in.Page; page.Published && page.Commit != "" && page.Commit != in.Commit {
		f.add(always, "O01", tag, next.Tag(), "it is already released, from commit %.7s, and this is commit %.7s", page.Commit, in.Commit)
	}
	if served := in.Served; served.Known && served.Commit != "" && served.Commit != in.Commit {
		f.add(usual, "O04", tag, next.Tag(),
			"the module proxy serves %s from commit %.7s, and this is commit %.7s: whoever has its checksum could not build", v.Module(), served.Commit, in.Commit)
	}
}

// above is the lowest version from v on that is above the stable ones of its line.
func (v Version) above(existing []Version) Version {
	for range existing { // each step leaves at least one of them behind
		top, ok := Highest(filter(stable(existing), v.inLine))
		if !ok || top.Compare(v) < 0 {
			break
		}
		switch {
		case v.number.Patch() > 0:
			v = top.after(Patch)
		case v.number.Minor() > 0:
			v = top.after(Minor)
		default:
			v = top.after(Major)
		}
	}
	return v
}

// successor is the version to take when v itself cannot be had any more: the next of
// a numbered prerelease, else the next patch.
func (v Version) successor(existing []Version) Version {
	for range len(existing) + 1 {
		words := strings.Split(v.number.Prerelease(), ".")
		number, err := strconv.ParseUint(words[len(words)-1], 10, 32)
		if err != nil {
			break
		}
		words[len(words)-1] = strconv.FormatUint(number+1, 10)
		next, err := v.number.SetPrerelease(strings.Join(words, "."))
		if err != nil {
			break
		}
		v.number = &next
		if !slices.ContainsFunc(existing, func(w Version) bool { return w.Compare(v) == 0 }) {
			return v
		}
	}
	return v.core().after(Patch).above(existing)
}
