package version

import "fmt"

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
func (f *findings) judgeOrder(v Version, existing []Version, l lineage) {
	tag := fmt.Sprintf("tag %q", v.Tag())
	if core := v.core(); v.Prerelease() && l.taken[core.Tag()] {
		f.add(usual, "O03", tag, l.above(core.after(Patch)).Tag(), "a prerelease of %s, which is already released", core.Tag())
		return
	}
	line := filter(stable(existing), v.inLine)
	if top, ok := Highest(line); ok && top.Compare(v.core()) >= 0 {
		f.add(usual, "O02", tag, v.instead(l), "not above %s, %s", top.Tag(), v.lineName())
		return
	}
	if v.Prerelease() {
		same := filter(existing, func(w Version) bool { return w.Prerelease() && w.core().Compare(v.core()) == 0 })
		if top, ok := Highest(same); ok && top.Compare(v) > 0 {
			f.add(usual, "O03", tag, l.successor(top).Tag(), "a prerelease below the earlier prerelease %s", top.Tag())
		}
	}
	if base, ok := baseOf(v, existing); ok {
		if expected := l.without(v, base); expected != "" {
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
func (v Version) instead(l lineage) string {
	if v.number.Patch() == 0 && v.number.Minor() == 0 {
		return ""
	}
	return l.above(v.core()).Tag()
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
func (f *findings) judgeElsewhere(v Version, in Input, l lineage) {
	tag := fmt.Sprintf("tag %q", v.Tag())
	if page := in.Page; page.Published && page.Commit != "" && page.Commit != in.Commit {
		f.add(always, "O01", tag, l.successor(v).Tag(), "it is already released, from commit %.7s, and this is commit %.7s", page.Commit, in.Commit)
	}
	if served := in.Served; served.Known && served.Commit != "" && served.Commit != in.Commit {
		f.add(usual, "O04", tag, l.successor(v).Tag(),
			"the module proxy serves %s from commit %.7s, and this is commit %.7s: whoever has its checksum could not build", v.Module(), served.Commit, in.Commit)
	}
}
