package version

import (
	"strconv"
	"strings"

	"golang.org/x/mod/module"
)

// lineage knows which versions can still be had.
type lineage struct {
	module   Module
	existing []Version       // that count when versions are compared
	taken    map[string]bool // tags that are there
}

func (in Input) lineage() lineage {
	l := lineage{module: in.Module, existing: in.existing(), taken: map[string]bool{}}
	for _, v := range in.others() {
		l.taken[v.Tag()] = true
	}
	return l
}

// next is the lowest version that a bump from base leads to, above what exists in its
// line and with a major version that the module path allows. A prerelease in prepared
// of a higher version says that this one is being prepared.
func (l lineage) next(base Version, based bool, prepared []Version, need Bump) Version {
	v := base.after(need)
	if !based {
		v = Version{prefix: l.module.Prefix()}.of(0, 1, 0)
	}
	if _, suffix, ok := module.SplitPathVersion(l.module.Path); ok && suffix != "" && module.CheckPathMajor(v.Module(), suffix) != nil && need != Major {
		if first, err := Parse(v.prefix+module.PathMajorPrefix(suffix)+".0.0", v.prefix); err == nil {
			v = first
		}
	}
	prepared = filter(prepared, func(w Version) bool { return v.sameMajor(w) && w.core().Compare(v) > 0 })
	if top, ok := Highest(prepared); ok {
		v = top.core()
	}
	return l.above(v)
}

// above is the lowest version from v on that is above the stable ones of its line and
// can be had.
func (l lineage) above(v Version) Version {
	for range l.existing { // each step leaves at least one of them behind
		top, ok := Highest(filter(stable(l.existing), v.inLine))
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
	return l.free(v)
}

// free is v, or the next patch that is neither there nor retracted before it is made.
func (l lineage) free(v Version) Version {
	for range len(l.taken) + len(l.module.Retracted) {
		interval, retracted := l.module.retraction(v)
		switch {
		case retracted:
			high, err := Parse(v.prefix+interval.High, v.prefix)
			if err != nil {
				return v
			}
			v = high.after(Patch)
		case l.taken[v.Tag()]:
			v = v.after(Patch)
		default:
			return v
		}
	}
	return v
}

// successor is the version to take when v itself cannot be had any more: the next of
// a numbered prerelease, else the next patch.
func (l lineage) successor(v Version) Version {
	for range len(l.taken) + 1 {
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
		if !l.taken[v.Tag()] {
			return v
		}
	}
	return l.above(v.core().after(Patch))
}

// without is the version that follows base where v leaves some out that could be had;
// empty where it leaves none out.
func (l lineage) without(v, base Version) string {
	expected := l.free(base.after(actual(base, v)))
	if v.core().Compare(expected) <= 0 {
		return ""
	}
	return expected.Tag()
}
