package version

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/org/pgo-release/internal/history"
)

// Input is everything that a verdict depends on. What is not known stays zero, and the
// rules about it say nothing.
type Input struct {
	Tag            string // that is to be released
	Commit         string // that it names, or will name
	Module         Module
	Refs           []Ref  // all tags of the repository
	Mode           Mode   // empty: Standard
	AnyPrerelease  bool   // leave out the house rule about prereleases
	AllowRetracted bool   // the version only carries retractions
	Previous       string // tag that the notes are to start from; empty: decided here
	Shallow        bool   // the clone lacks a part of the history, and maybe tags

	Changes []history.Change // since the previous stable version, newest first
	API     API              // against the previous stable version
	Moved   string           // module path of the previous stable version, which may be the same; empty: not known
	Sums    Sums
	Page    Page
	Served  Served
}

// Verdict is what the policy says about a version.
type Verdict struct {
	Findings   []Finding `json:"findings"`
	Base       string    `json:"base,omitempty"`        // the previous stable version's tag: what the content is compared with
	Previous   string    `json:"previousTag,omitempty"` // that notes start from; empty: the first release
	Prerelease bool      `json:"prerelease"`            // marked so on the release page
	Latest     bool      `json:"latest"`                // the highest stable version of the root module
	ImageTags  []string  `json:"imageTags,omitempty"`   // exact version first, then the floating ones that move to it
	GitTags    []string  `json:"floatingTags,omitempty"`
	Required   Bump      `json:"requiredBump"`
	Actual     Bump      `json:"actualBump"`            // from Base
	Reasons    []Reason  `json:"reasons,omitempty"`     // the largest bump first; at most 200
	More       int       `json:"moreReasons,omitempty"` // how many there are beside them
	API        API       `json:"api,omitzero"`
	Next       string    `json:"next,omitempty"` // the version that the content asks for after Base
}

// maxReasons is how many reasons a verdict lists.
const maxReasons = 200

// Rejected is what stands against the version; nil when it may be released.
func (v Verdict) Rejected() *Rejection {
	return v.rejected(func(Finding) bool { return true })
}

// RejectedForGood is the part of Rejected that nothing GitHub knows can change: all but
// the rules about the bump, because a label of a pull request may lower it.
func (v Verdict) RejectedForGood() *Rejection {
	return v.rejected(func(f Finding) bool { return !strings.HasPrefix(f.Code, "B") })
}

func (v Verdict) rejected(counts func(Finding) bool) *Rejection {
	var errors []Finding
	for _, f := range v.Findings {
		if f.Level == Error && counts(f) {
			errors = append(errors, f)
		}
	}
	if len(errors) == 0 {
		return nil
	}
	return &Rejection{errors}
}

// Warnings are the findings that do not stand against the version.
func (v Verdict) Warnings() []Finding {
	var out []Finding
	for _, f := range v.Findings {
		if f.Level == Warning {
			out = append(out, f)
		}
	}
	return out
}

// others are the other versions of the module: none of them can be made again.
func (in Input) others() []Version {
	return filter(Of(in.Refs, in.Module.Prefix()), func(w Version) bool { return w.Tag() != in.Tag })
}

// existing are the others that count when versions are compared. What go.mod retracts
// does not: a version that was taken back must not stand in the way of the next ones.
func (in Input) existing() []Version {
	return filter(in.others(), func(w Version) bool {
		_, retracted := in.Module.retracts(w)
		return !retracted
	})
}

// Base is the tag of the stable version that the content of in.Tag is compared with;
// empty when there is none, or the tag is no version.
func Base(in Input) string {
	v, err := Parse(in.Tag, in.Module.Prefix())
	if err != nil {
		return ""
	}
	base, ok := baseOf(v, in.existing())
	if !ok {
		return ""
	}
	return base.Tag()
}

// Judge applies the policy. With a finding about the syntax of the tag there is
// nothing else in the verdict.
func Judge(in Input) Verdict {
	f := findings{mode: in.Mode}
	if f.mode == "" {
		f.mode = Standard
	}
	prefix := in.Module.Prefix()
	v, syntax := parse(in.Tag, prefix, true)
	if len(syntax) > 0 {
		return Verdict{Findings: syntax}
	}
	if _, style := parse(in.Tag, prefix, in.AnyPrerelease); len(style) > 0 {
		f.add(usual, style[0].Code, style[0].Found, style[0].Want, "%s", style[0].Rule)
	}
	if !f.judgePlace(v, in.Module) {
		return Verdict{Findings: f.list}
	}
	existing, line := in.existing(), in.lineage()
	verdict := Verdict{Prerelease: v.Prerelease(), API: in.API}
	base, based := baseOf(v, existing)
	reasons := in.reasons(base, based)
	verdict.Reasons = reasons[:min(len(reasons), maxReasons)]
	verdict.More = len(reasons) - len(verdict.Reasons)
	if based {
		verdict.Base, verdict.Required, verdict.Actual = base.Tag(), required(base, reasons), actual(base, v)
	}
	verdict.Next = line.next(base, based, nil, verdict.Required).Tag()
	f.judgeElsewhere(v, in, line)
	f.judgeOrder(v, existing, line)
	if based {
		f.judgeBump(v, base, reasons, in.API, verdict.Next+in.Module.movedFor(verdict.Next))
	}
	f.judgeModule(v, in.Module, in.AllowRetracted)
	f.judgeSums(in.Sums)
	if in.Shallow {
		f.add(unusual, "O06", "this shallow clone", "git fetch --unshallow --tags; in actions/checkout: fetch-depth: 0",
			"tags and commits may be missing, so the order, the previous version and latest may be wrong")
	}
	verdict.previous(&f, v, existing, in)
	verdict.follow(v, existing, in.Module)
	verdict.Findings = append([]Finding{}, f.list...)
	return verdict
}

// reasons explains which bump each change asks for. A module path that changed is one
// of them: a new major version where the suffix is not that of base any more, and worth
// knowing otherwise.
func (in Input) reasons(base Version, based bool) []Reason {
	reasons := reasonsOf(in.Changes, in.API)
	if in.Moved == "" || in.Moved == in.Module.Path {
		return reasons
	}
	moved := Reason{Source: "module", known: true, Text: fmt.Sprintf("path changed from %s to %s: for Go that is another module", in.Moved, in.Module.Path)}
	before, _, _ := module.SplitPathVersion(in.Moved)
	now, suffix, _ := module.SplitPathVersion(in.Module.Path)
	if now == before && based && module.CheckPathMajor(base.Module(), suffix) != nil {
		moved.Bump = Major
		return slices.Insert(reasons, 0, moved)
	}
	return append(reasons, moved)
}

// previous decides where the notes start.
func (verdict *Verdict) previous(f *findings, v Version, existing []Version, in Input) {
	if before, ok := previousOf(v, existing); ok {
		verdict.Previous = before.Tag()
	}
	if in.Previous == "" {
		return
	}
	if !slices.ContainsFunc(in.Refs, func(r Ref) bool { return r.Tag == in.Previous }) {
		f.add(always, "O07", fmt.Sprintf("previous tag %q", in.Previous), "a tag of this repository", "there is no such tag")
		return
	}
	verdict.Previous = in.Previous
}

// follow sets what moves to the version.
func (verdict *Verdict) follow(v Version, existing []Version, m Module) {
	verdict.ImageTags = []string{v.String()}
	if _, retracted := m.retracts(v); v.Prerelease() || retracted {
		return
	}
	highest := func(same func(Version) bool) bool {
		return !slices.ContainsFunc(stable(existing), func(w Version) bool { return same(w) && w.Compare(v) > 0 })
	}
	move := func(number string, gitTag bool) {
		verdict.ImageTags = append(verdict.ImageTags, number)
		if gitTag && m.Action && v.prefix == "" {
			verdict.GitTags = append(verdict.GitTags, "v"+number)
		}
	}
	if highest(v.sameMinor) {
		move(fmt.Sprintf("%d.%d", v.number.Major(), v.number.Minor()), true)
	}
	if highest(v.sameMajor) && v.Major() > 0 {
		move(fmt.Sprintf("%d", v.Major()), true)
	}
	if highest(func(Version) bool { return true }) {
		move("latest", false)
		verdict.Latest = v.prefix == ""
	}
}

// Propose is the version that comes next after what HEAD has, and the tag that its
// content is compared with; empty for a first version. reachable are the tags whose
// commits HEAD's history holds. in.Tag is not read.
func Propose(in Input, reachable []Ref) (tag, base string) {
	in.Tag = ""
	here := filter(Input{Refs: reachable, Module: in.Module}.existing(), func(w Version) bool {
		return !slices.Contains(in.Module.Majors, semver.Major(w.Module()))
	})
	from, based := Highest(stable(here))
	need := None
	if based {
		base, need = from.Tag(), required(from, in.reasons(from, based))
	}
	prepared := filter(here, func(w Version) bool { return w.Prerelease() })
	return in.lineage().next(from, based, prepared, need).Tag(), base
}
