package version

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/org/pgo-release/internal/history"
)

// Bump is how far a version lies above another one.
type Bump int

// The bumps, in their order.
const (
	None Bump = iota
	Patch
	Minor
	Major
)

func (b Bump) String() string { return [...]string{"none", "patch", "minor", "major"}[b] }

// MarshalText writes the bump as its name.
func (b Bump) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Reason is one change and the bump that it asks for.
type Reason struct {
	Bump      Bump   `json:"bump"`
	Source    string `json:"source"`              // "api", "pull request", "commit" or "module"
	Reference string `json:"reference,omitempty"` // "#12", or the first digits of a commit
	Text      string `json:"text"`                // as written by its author: not escaped
	By        string `json:"by,omitempty"`        // what asks for the bump where it is not the text: a label, a footer, a commit
	known     bool   // its form says what it is: a label or a Conventional Commit
}

// State says what is known about the exported API.
type State string

// The states.
const (
	NotCompared State = ""           // nobody asked
	Compared    State = "compared"   //
	NoAPI       State = "none"       // the module has no package that others can import
	Ignored     State = "ignored"    // the packages are not meant for others
	Unverified  State = "unverified" // one side could not be read
)

// API is how the exported API differs from the previous stable version's.
type API struct {
	State        State    `json:"state,omitempty"`
	Why          string   `json:"why,omitempty"` // it is unverified
	Incompatible []string `json:"incompatible,omitempty"`
	Compatible   []string `json:"compatible,omitempty"`
	Values       []string `json:"values,omitempty"` // constants that have another value
}

// actual is the bump from base to v; a prerelease counts as the version it prepares.
func actual(base, v Version) Bump {
	switch {
	case !v.sameMajor(base):
		return Major
	case !v.sameMinor(base):
		return Minor
	case v.core().Compare(base) == 0:
		return None
	}
	return Patch
}

// reasonsOf explains which bump each change asks for, the largest first; of one bump
// the API comes before the changes, and those in their order.
func reasonsOf(changes []history.Change, api API) []Reason {
	var out []Reason
	for _, list := range []struct {
		bump  Bump
		texts []string
	}{{Major, api.Incompatible}, {Minor, api.Compatible}, {Patch, api.Values}} {
		for _, text := range list.texts {
			out = append(out, Reason{Bump: list.bump, Source: "api", Text: text, known: true})
		}
	}
	for _, c := range changes {
		out = append(out, reasonOf(c))
	}
	slices.SortStableFunc(out, func(a, b Reason) int { return int(b.Bump) - int(a.Bump) })
	return out
}

// reasonOf reads a change's own words: its labels, then its title and footers and
// those of the commits that it brought in.
func reasonOf(c history.Change) Reason {
	r := Reason{Source: "commit", Reference: c.Reference(), Text: c.Title}
	if c.Number > 0 {
		r.Source = "pull request"
	}
	r.Bump, r.By, r.known = said(c.Title, c.Body)
	if len(c.Branch) > 0 && !r.known { // a merge says as little as its title does
		r.known = true
	}
	for _, b := range c.Branch {
		bump, by, known := said(b.Subject, b.Body)
		if bump > r.Bump {
			r.Bump, r.By = bump, strings.TrimSpace(fmt.Sprintf("%.7s %s %s", b.SHA, b.Subject, by))
		}
		r.known = r.known && (known || len(b.Parents) > 1)
	}
	for _, label := range []struct {
		bump  Bump
		names []string
	}{
		{Major, history.BreakingLabels()},
		{Minor, []string{"semver-minor", "semver:minor"}},
		{Patch, []string{"semver-patch", "semver:patch"}},
	} {
		at := slices.IndexFunc(label.names, func(name string) bool { return history.HasLabel(c.Labels(), name) })
		if at >= 0 {
			r.Bump, r.By, r.known = label.bump, "label "+label.names[at], true
			break
		}
	}
	return r
}

// said is what a title and a body ask for, and where they do when it is not the title.
// known is false for a title of no known form.
func said(title, body string) (bump Bump, by string, known bool) {
	t, ok := history.ParseTitle(title)
	switch {
	case t.Breaking:
		return Major, "", true
	case history.BreakingFooter(body):
		return Major, "footer BREAKING CHANGE", true
	case ok && t.Kind == "feat":
		return Minor, "", true
	}
	return Patch, "", ok
}

// required is the bump that the reasons ask for after base. Before 1.0.0 a breaking
// change asks for a minor version, and nothing else does.
func required(base Version, reasons []Reason) Bump {
	if len(reasons) == 0 {
		return None
	}
	top := reasons[0].Bump
	if base.Major() > 0 {
		return top
	}
	switch {
	case top == Major && reasons[0].Source != "module":
		return Minor
	case top == Minor:
		return Patch
	}
	return top
}

// after is the version that a bump leads to; a patch for none.
func (v Version) after(b Bump) Version {
	switch {
	case v.number == nil:
		return v
	case b == Major:
		return v.of(v.Major()+1, 0, 0)
	case b == Minor:
		return v.of(v.Major(), v.number.Minor()+1, 0)
	}
	return v.of(v.Major(), v.number.Minor(), v.number.Patch()+1)
}

// judgeBump applies the rules about the bump from base to v.
func (f *findings) judgeBump(v, base Version, reasons []Reason, api API, next string) {
	tag := fmt.Sprintf("%s after %s", v.Tag(), base.Tag())
	have, need := actual(base, v), required(base, reasons)
	top := ofBump(reasons, Major)
	if base.Major() > 0 && len(top) == 0 {
		top = ofBump(reasons, Minor)
	}
	asked := len(top) > 0 && have < need
	if asked && !slices.ContainsFunc(top, func(r Reason) bool { return r.Source != "api" }) {
		next += "; or api: ignore, where the packages are not meant for others"
	}
	switch firm := slices.ContainsFunc(top, func(r Reason) bool { return r.Bump == Major || r.Source == "api" }); {
	case asked && top[0].Bump == Major:
		f.add(usual, "B01", tag, next, "a breaking change needs a new %s version: %s", need, list(top))
	case asked && firm:
		f.add(usual, "B01", tag, next, "an addition to the API needs a new minor version: %s", list(top))
	case asked:
		f.add(unusual, "B03", tag, next, "a feature asks for a new minor version: %s", list(top))
	}
	if added := apiOf(ofBump(reasons, Minor)); base.Major() == 0 && have == Patch && need == Patch && len(added) > 0 {
		f.add(notice, "B01", tag, "", "an addition to the API in a patch version: %s", list(added))
	}
	toOne := base.Major() == 0 && v.Major() == 1
	if have > max(need, Patch) && !toOne && everythingKnown(reasons, api) {
		f.add(unusual, "B02", tag, next, "a new %s version, and no change asks for more than a %s one", have, max(need, Patch))
	}
	if api.State == Unverified {
		f.add(notice, "B04", tag, "", "the API was not compared: %s", api.Why)
	}
}

// everythingKnown tells whether nothing can hide a larger change: every change says
// what it is, and the API was read.
func everythingKnown(reasons []Reason, api API) bool {
	return len(reasons) > 0 && api.State != NotCompared && api.State != Unverified &&
		!slices.ContainsFunc(reasons, func(r Reason) bool { return !r.known })
}

func ofBump(reasons []Reason, b Bump) []Reason {
	var out []Reason
	for _, r := range reasons {
		if r.Bump == b {
			out = append(out, r)
		}
	}
	return out
}

func apiOf(reasons []Reason) []Reason {
	var out []Reason
	for _, r := range reasons {
		if r.Source == "api" {
			out = append(out, r)
		}
	}
	return out
}

// list names the first reasons.
func list(reasons []Reason) string {
	const shown = 3
	var words []string
	for i, r := range reasons {
		if i == shown {
			words = append(words, fmt.Sprintf("and %d more", len(reasons)-shown))
			break
		}
		words = append(words, r.String())
	}
	return strings.Join(words, "; ")
}

// String is the reason in one line of at most 200 characters, without its bump.
func (r Reason) String() string {
	text := r.Text
	switch r.Source {
	case "api":
	case "module":
		text = "module " + text
	default:
		text = r.Reference + " " + text
	}
	if r.By != "" {
		text += " (" + r.By + ")"
	}
	const most = 200
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
