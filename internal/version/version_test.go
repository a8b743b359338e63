package version_test

import (
	"errors"
	"flag"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/version"
)

var update = flag.Bool("update", false, "write the golden files anew")

// given is a repository in a few words: "v1.0.0 v1.1.0 -> v1.2.0".
func given(line string) version.Input {
	existing, tag, _ := strings.Cut(line, "->")
	in := version.Input{Tag: strings.TrimSpace(tag), Commit: commit, Module: version.Module{Path: "example.com/a", Dir: ".", Programs: true}}
	for _, tag := range strings.Fields(existing) {
		in.Refs = append(in.Refs, version.Ref{Tag: tag, Commit: strings.Repeat("0", 40)})
	}
	in.API.State = version.NoAPI
	return in
}

const commit = "1111111111111111111111111111111111111111"

// with changes the input.
func with(line string, change func(*version.Input)) version.Input {
	in := given(line)
	change(&in)
	return in
}

func pulls(titles ...string) func(*version.Input) {
	return func(in *version.Input) { in.Changes = changes(titles...) }
}

// changes are pull requests with these titles, numbered from 1; labels follow in
// brackets.
func changes(titles ...string) []history.Change {
	var out []history.Change
	for i, title := range titles {
		title, labels, _ := strings.Cut(strings.TrimSuffix(title, "]"), " [")
		out = append(out, history.Change{Number: i + 1, Title: title, Pull: &history.PullRequest{Labels: strings.Fields(labels)}})
	}
	return out
}

func path(p string) func(*version.Input) { return func(in *version.Input) { in.Module.Path = p } }

func all(changes ...func(*version.Input)) func(*version.Input) {
	return func(in *version.Input) {
		for _, change := range changes {
			change(in)
		}
	}
}

// codes are the findings in short: errors as their code, warnings in brackets.
func codes(v version.Verdict) string {
	var out []string
	for _, f := range v.Findings {
		if f.Level == version.Error {
			out = append(out, f.Code)
		} else {
			out = append(out, "("+f.Code+")")
		}
	}
	return strings.Join(out, " ")
}

// The worked cases: what maintainers do, and what the policy says to it.
func TestWorkedCases(t *testing.T) {
	v2, v3 := path("example.com/a/v2"), path("example.com/a/v3")
	sub := func(in *version.Input) { in.Module.Dir = "sub" }
	for name, c := range map[string]struct {
		in    version.Input
		codes string
		want  version.Verdict // Previous, Prerelease, Latest, ImageTags and Next where they are set
	}{
		"first tag":                      {given("-> v1.2.3"), "", version.Verdict{Latest: true, ImageTags: []string{"1.2.3", "1.2", "1", "latest"}}},
		"first prerelease":               {given("-> v1.0.0-rc.1"), "", version.Verdict{Prerelease: true, ImageTags: []string{"1.0.0-rc.1"}}},
		"calendar":                       {given("-> v2020.01.02"), "T03", version.Verdict{}},
		"minor, nothing breaking":        {with("v2.1.0 -> v2.2.0", all(v2, pulls("feat: x"))), "", version.Verdict{Previous: "v2.1.0", Latest: true}},
		"minor, one breaking":            {with("v2.1.0 -> v2.2.0", all(v2, pulls("fix: y", "feat!: x"))), "B01", version.Verdict{Previous: "v2.1.0", Next: "v3.0.0"}},
		"major, path moved":              {with("v2.1.0 -> v3.0.0", all(v3, pulls("feat!: x"))), "", version.Verdict{Previous: "v2.1.0", Latest: true}},
		"major, path not moved":          {with("v2.1.0 -> v3.0.0", all(v2, pulls("feat!: x"))), "G01", version.Verdict{}},
		"backport":                       {given("v1.9.0 v2.0.0 -> v1.9.1"), "", version.Verdict{Previous: "v1.9.0", ImageTags: []string{"1.9.1", "1.9", "1"}}},
		"below its line":                 {given("v1.9.0 v1.9.2 -> v1.9.1"), "O02", version.Verdict{Previous: "v1.9.0", Next: "v1.9.3"}},
		"candidate after the release":    {with("v2.0.0 -> v2.0.0-rc.4", v2), "O03", version.Verdict{Prerelease: true}},
		"rc.10 after rc.9":               {given("v1.1.0 v1.2.0-rc.9 v1.2.0-rc.2 -> v1.2.0-rc.10"), "", version.Verdict{Previous: "v1.2.0-rc.9", Prerelease: true}},
		"later prereleases do not block": {given("v2.0.0-alpha.1 -> v1.0.0"), "", version.Verdict{Latest: true}},
		"0.x, breaking in a patch":       {with("v0.4.1 -> v0.4.2", pulls("fix(api)!: x")), "B01", version.Verdict{Previous: "v0.4.1", Next: "v0.5.0"}},
		"to 1.0.0 with fixes only":       {with("v0.9.0 -> v1.0.0", pulls("fix: x")), "", version.Verdict{Previous: "v0.9.0", Latest: true}},
		"function removed as a fix": {with("v1.2.3 -> v1.2.4", all(pulls("fix: x"), func(in *version.Input) {
			in.API = version.API{State: version.Compared, Incompatible: []string{"F: removed"}}
		})), "B01", version.Verdict{Previous: "v1.2.3", Next: "v2.0.0"}},
		"prefix without go.mod": {with("-> sub/v1.0.0", all(sub, path(""))), "G03", version.Verdict{}},
		"a module's own line": {with("v9.0.0 -> sub/v0.2.0", all(sub, path("example.com/a/sub"))), "",
			version.Verdict{ImageTags: []string{"0.2.0", "0.2", "latest"}}},
		"candidate and release on one commit": {with("v1.8.0 v2.0.0-rc.3 -> v2.0.0", v2), "", version.Verdict{Previous: "v1.8.0", Latest: true}},
		// Beyond the table.
		"the same tag again":       {with("v1.0.0 v1.1.0 -> v1.1.0", pulls("feat: x")), "", version.Verdict{Previous: "v1.0.0", Latest: true}},
		"minor below the highest":  {given("v1.9.0 v1.10.0 -> v1.8.0"), "O02", version.Verdict{}},
		"major below the highest":  {given("v0.9.0 v1.0.0 v1.1.0 -> v0.10.0"), "", version.Verdict{Previous: "v0.9.0"}},
		"new major below":          {with("v1.0.0 v3.0.0 -> v2.0.0", v2), "O02", version.Verdict{Previous: "v1.0.0"}},
		"candidate below others":   {given("v1.1.0 v1.2.0-rc.3 -> v1.2.0-rc.2"), "O03", version.Verdict{Prerelease: true, Previous: "v1.1.0"}},
		"candidate of an old line": {given("v1.2.0 v1.3.0 -> v1.2.0-beta.1"), "O03", version.Verdict{Prerelease: true}},
		"candidate below its line": {given("v1.0.0 v1.3.0 -> v1.2.0-beta.1"), "O02", version.Verdict{Prerelease: true, Previous: "v1.0.0"}},
		"gap":                      {given("v1.2.3 -> v1.2.5"), "(O05)", version.Verdict{Previous: "v1.2.3", Latest: true}},
		"minor gap":                {given("v1.2.3 -> v1.4.0"), "(O05)", version.Verdict{Previous: "v1.2.3", Latest: true}},
		"no gap to a new minor":    {given("v1.2.3 -> v1.3.0"), "", version.Verdict{Previous: "v1.2.3", Latest: true}},
		"first of a line not .0":   {given("v1.2.3 -> v1.3.1"), "(O05)", version.Verdict{Previous: "v1.2.3", Latest: true}},
		"a larger number is no order of text": {given("v1.9.0 -> v1.10.0"), "",
			version.Verdict{Previous: "v1.9.0", Latest: true, ImageTags: []string{"1.10.0", "1.10", "1", "latest"}}},
		"tags that are none": {given("nightly v1 v1.0 release-2 1.9.9 v1.0.0 -> v1.0.1"), "", version.Verdict{Previous: "v1.0.0", Latest: true}},
		"undotted neighbours": {with("v1.0.0 v1.1.0-rc1 -> v1.1.0-rc2", func(in *version.Input) { in.AnyPrerelease = true }), "",
			version.Verdict{Previous: "v1.1.0-rc1", Prerelease: true}},
		"major directory":   {with("v1.5.0 -> v2.0.0", all(v2, func(in *version.Input) { in.Module.Dir = "v2" })), "", version.Verdict{Previous: "v1.5.0", Latest: true}},
		"nested major":      {with("sub/v1.5.0 -> sub/v2.0.0", all(path("example.com/a/sub/v2"), func(in *version.Input) { in.Module.Dir = "sub/v2" })), "", version.Verdict{Previous: "sub/v1.5.0"}},
		"gopkg.in":          {with("v3.0.0 -> v3.0.1", path("gopkg.in/a.v3")), "", version.Verdict{Previous: "v3.0.0", Latest: true}},
		"gopkg.in, another": {with("-> v2.0.1", path("gopkg.in/a.v3")), "G01", version.Verdict{}},
		"retracts itself": {with("v1.0.0 -> v1.0.1", func(in *version.Input) {
			in.Module.Retracted, in.AllowRetracted = []version.Retract{{Low: "v1.0.0", High: "v1.0.1"}}, true
		}), "", version.Verdict{ImageTags: []string{"1.0.1"}}},
		"after a retracted one": {with("v1.4.0 v1.99.0 v1.99.1 -> v1.5.0", func(in *version.Input) {
			in.Module.Retracted = []version.Retract{{Low: "v1.99.0", High: "v1.99.1"}}
		}), "", version.Verdict{Previous: "v1.4.0", Latest: true}},
		"retracted, and offered again": {with("v1.0.0 v1.1.0 -> v1.1.1", func(in *version.Input) {
			in.Module.Retracted = []version.Retract{{Low: "v1.1.0", High: "v1.1.0"}}
			in.Changes = changes("feat: x")
		}), "", version.Verdict{Previous: "v1.0.0", Latest: true, Next: "v1.1.1"}},
		"candidate of a retracted one": {with("v1.0.0 v1.1.0 -> v1.1.0-rc.1", func(in *version.Input) {
			in.Module.Retracted = []version.Retract{{Low: "v1.1.0", High: "v1.1.0"}}
		}), "O03", version.Verdict{Previous: "v1.0.0", Prerelease: true}},
		"a path that is mended": {with("v2.0.0 v2.0.1 -> v2.0.2", all(v2, pulls("fix: x"), func(in *version.Input) { in.Moved = "example.com/a" })), "",
			version.Verdict{Previous: "v2.0.1", Latest: true, Next: "v2.0.2"}},
		"notes from elsewhere": {with("v1.0.0 v1.1.0 -> v1.2.0", func(in *version.Input) { in.Previous = "v1.0.0" }), "", version.Verdict{Previous: "v1.0.0", Latest: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := version.Judge(c.in)
			if codes(got) != c.codes {
				t.Errorf("findings %q, want %q\n%v", codes(got), c.codes, got.Findings)
			}
			if strings.Contains(c.codes, "T0") || strings.Contains(c.codes, "G0") {
				return
			}
			if got.Previous != c.want.Previous || got.Prerelease != c.want.Prerelease || c.codes == "" && got.Latest != c.want.Latest {
				t.Errorf("previous %q prerelease %v latest %v", got.Previous, got.Prerelease, got.Latest)
			}
			if c.want.ImageTags != nil && !reflect.DeepEqual(got.ImageTags, c.want.ImageTags) {
				t.Errorf("image tags %v, want %v", got.ImageTags, c.want.ImageTags)
			}
			if c.want.Next != "" && got.Next != c.want.Next {
				t.Errorf("next %s, want %s", got.Next, c.want.Next)
			}
		})
	}
}

// Every row of the table of bumps, on both sides of 1.0.0.
func TestBump(t *testing.T) {
	compared := func(incompatible, compatible string) version.API {
		return version.API{State: version.Compared, Incompatible: strings.Fields(incompatible), Compatible: strings.Fields(compatible)}
	}
	same := compared("", "")
	for name, c := range map[string]struct {
		line    string
		api     version.API
		changes []history.Change
		codes   string
		next    string
	}{
		"API broken, major":         {"v1.2.3 -> v2.0.0", compared("F", ""), changes("fix: x"), "", "v2.0.0"},
		"API broken, minor":         {"v1.2.3 -> v1.3.0", compared("F", ""), changes("fix: x"), "B01", "v2.0.0"},
		"API added, minor":          {"v1.2.3 -> v1.3.0", compared("", "F"), changes("fix: x"), "", "v1.3.0"},
		"API added, patch":          {"v1.2.3 -> v1.2.4", compared("", "F"), changes("fix: x"), "B01", "v1.3.0"},
		"feat, minor":               {"v1.2.3 -> v1.3.0", same, changes("feat: x"), "", "v1.3.0"},
		"feat, patch":               {"v1.2.3 -> v1.2.4", same, changes("feat: x"), "(B03)", "v1.3.0"},
		"fix, patch":                {"v1.2.3 -> v1.2.4", same, changes("fix: x", "docs: y", "build(deps): z"), "", "v1.2.4"},
		"fix, minor":                {"v1.2.3 -> v1.3.0", same, changes("fix: x"), "(B02)", "v1.2.4"},
		"fix, major, path moved":    {"v1.2.3 -> v2.0.0", same, changes("fix: x"), "", "v2.0.0"},
		"nobody knows, minor":       {"v1.2.3 -> v1.3.0", same, changes("fix: x", "Improve things"), "", "v1.2.4"},
		"API not read, minor":       {"v1.2.3 -> v1.3.0", version.API{State: version.Unverified, Why: "w"}, changes("fix: x"), "(B04)", "v1.2.4"},
		"0.x API broken, minor":     {"v0.2.3 -> v0.3.0", compared("F", ""), changes("fix: x"), "", "v0.3.0"},
		"0.x API broken, patch":     {"v0.2.3 -> v0.2.4", compared("F", ""), changes("fix: x"), "B01", "v0.3.0"},
		"0.x API added, patch":      {"v0.2.3 -> v0.2.4", compared("", "F"), changes("fix: x"), "(B01)", "v0.2.4"},
		"0.x feat, patch":           {"v0.2.3 -> v0.2.4", same, changes("feat: x"), "", "v0.2.4"},
		"0.x fix, minor":            {"v0.2.3 -> v0.3.0", same, changes("fix: x"), "(B02)", "v0.2.4"},
		"0.x to 1":                  {"v0.2.3 -> v1.0.0", same, changes("fix: x"), "", "v0.2.4"},
		"footer":                    {"v1.2.3 -> v1.2.4", same, []history.Change{{Commit: history.Commit{SHA: commit}, Title: "x", Body: "y\n\nBREAKING-CHANGE: z"}}, "B01", "v2.0.0"},
		"label breaking":            {"v1.2.3 -> v1.2.4", same, changes("x [Breaking-Change]"), "B01", "v2.0.0"},
		"label major":               {"v1.2.3 -> v1.2.4", same, changes("x [semver:major]"), "B01", "v2.0.0"},
		"label patch lowers":        {"v1.2.3 -> v1.2.4", same, changes("feat!: x [semver:patch]"), "", "v1.2.4"},
		"but not the API":           {"v1.2.3 -> v1.2.4", compared("F", ""), changes("feat!: x [semver:patch]"), "B01", "v2.0.0"},
		"a branch's own commits":    {"v1.2.3 -> v1.2.4", same, []history.Change{{Number: 4, Title: "Merge", Branch: []history.Commit{{Subject: "fix!: x"}}}}, "B01", "v2.0.0"},
		"a prerelease counts too":   {"v1.2.3 -> v1.3.0-rc.1", compared("F", ""), nil, "B01", "v2.0.0"},
		"candidates of the release": {"v1.2.3 v2.0.0-rc.1 -> v2.0.0-rc.2", compared("F", ""), nil, "", "v2.0.0"},
		"nothing changed":           {"v1.2.3 -> v1.2.4", same, nil, "", "v1.2.4"},
	} {
		t.Run(name, func(t *testing.T) {
			in := given(c.line)
			if strings.Contains(c.line, "-> v2") {
				in.Moved, in.Module.Path = in.Module.Path, in.Module.Path+"/v2"
			}
			in.API, in.Changes = c.api, c.changes
			got := version.Judge(in)
			if codes(got) != c.codes || got.Next != c.next {
				t.Errorf("%q, next %s; want %q, %s\n%v", codes(got), got.Next, c.codes, c.next, got.Findings)
			}
		})
	}
}

// Retracted and existing versions are never proposed.
func TestProposeFree(t *testing.T) {
	in := given("v1.0.0 v1.1.0 ->")
	in.Module.Retracted, in.Changes = []version.Retract{{Low: "v1.1.0", High: "v1.1.0"}}, changes("feat: x")
	if next, base := version.Propose(in, in.Refs); next != "v1.1.1" || base != "v1.0.0" {
		t.Errorf("%s after %s", next, base)
	}
	in.Module.Retracted = []version.Retract{{Low: "v0.0.0", High: "v1.9.9"}}
	if next, base := version.Propose(in, in.Refs); next != "v1.9.10" || base != "" {
		t.Errorf("%s after %q", next, base)
	}
}

// What asks for a bump is named where the title does not.
func TestReasons(t *testing.T) {
	for _, c := range []struct {
		change history.Change
		want   string
	}{
		{history.Change{Number: 3, Title: "Merge", Branch: []history.Commit{{SHA: commit, Subject: "fix!: x"}}}, "#3 Merge (1111111 fix!: x)"},
		{history.Change{Number: 3, Title: "Merge", Branch: []history.Commit{{SHA: commit, Subject: "x", Body: "BREAKING CHANGE: y"}}}, "#3 Merge (1111111 x footer BREAKING CHANGE)"},
		{history.Change{Commit: history.Commit{SHA: commit}, Title: "x", Body: "BREAKING CHANGE: y"}, "1111111 x (footer BREAKING CHANGE)"},
		{changes("x [Breaking]")[0], "#1 x (label breaking)"},
		{changes("feat!: a\r\tb\x1bc")[0], "#1 feat!: a b c"},
		{changes("feat!: " + strings.Repeat("é", 300))[0], "#1 feat!: " + strings.Repeat("é", 189) + "…"},
	} {
		got := version.Judge(with("v1.0.0 -> v2.0.0", func(in *version.Input) { in.Changes = []history.Change{c.change} })).Reasons
		if len(got) != 1 || got[0].Bump != version.Major || got[0].String() != c.want {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
}

func TestModes(t *testing.T) {
	house := with("v1.0.0 -> v1.1.0-rc1", pulls("fix!: x"))
	large := with("v1.0.0 -> v1.2.0", pulls("fix: x"))
	for mode, want := range map[version.Mode][3]string{
		version.Off:      {"", "", "T02"},
		version.Warn:     {"(T04) (B01)", "(O05) (B02)", "T02"},
		version.Standard: {"T04 B01", "(O05) (B02)", "T02"},
		version.Strict:   {"T04 B01", "O05 B02", "T02"},
		"":               {"T04 B01", "(O05) (B02)", "T02"},
	} {
		for i, in := range []version.Input{house, large, given("-> v1.0.0.0")} {
			in.Mode = mode
			if got := codes(version.Judge(in)); got != want[i] {
				t.Errorf("%s: %s: %q, want %q", mode, in.Tag, got, want[i])
			}
		}
	}
}

func TestPropose(t *testing.T) {
	for name, c := range map[string]struct {
		all, here  string
		path       string
		changes    []history.Change
		next, base string
	}{
		"first":                 {"", "", "example.com/a", nil, "v0.1.0", ""},
		"first of a major":      {"", "", "example.com/a/v3", nil, "v3.0.0", ""},
		"fixes":                 {"v1.2.3", "v1.2.3", "example.com/a", changes("fix: x"), "v1.2.4", "v1.2.3"},
		"a feature":             {"v1.2.3", "v1.2.3", "example.com/a", changes("feat: x"), "v1.3.0", "v1.2.3"},
		"breaking":              {"v1.2.3", "v1.2.3", "example.com/a", changes("feat!: x"), "v2.0.0", "v1.2.3"},
		"0.x breaking":          {"v0.2.3", "v0.2.3", "example.com/a", changes("feat!: x"), "v0.3.0", "v0.2.3"},
		"0.x feature":           {"v0.2.3", "v0.2.3", "example.com/a", changes("feat: x"), "v0.2.4", "v0.2.3"},
		"path already moved":    {"v1.2.3", "v1.2.3", "example.com/a/v2", changes("fix: x"), "v2.0.0", "v1.2.3"},
		"maintenance branch":    {"v1.8.3 v1.9.0 v1.9.1-rc.1 v2.0.0", "v1.8.3", "example.com/a", changes("fix: x"), "v1.8.4", "v1.8.3"},
		"a feature there":       {"v1.8.3 v1.9.0 v2.0.0", "v1.8.3", "example.com/a", changes("feat: x"), "v1.10.0", "v1.8.3"},
		"tagged elsewhere":      {"v1.8.3 v1.8.4", "v1.8.3", "example.com/a", changes("fix: x"), "v1.8.5", "v1.8.3"},
		"a candidate is out":    {"v1.8.3 v1.9.0-rc.2", "v1.8.3 v1.9.0-rc.2", "example.com/a", changes("fix: x"), "v1.9.0", "v1.8.3"},
		"candidates only":       {"v1.0.0-rc.2", "v1.0.0-rc.2", "example.com/a", nil, "v0.1.0", ""},
		"gopkg.in":              {"", "", "gopkg.in/a.v2", nil, "v2.0.0", ""},
		"of another module":     {"sub/v3.0.0", "sub/v3.0.0", "example.com/a", nil, "v0.1.0", ""},
		"what is no version":    {"v1 nightly v1.0.0", "v1 nightly v1.0.0", "example.com/a", changes("x"), "v1.0.1", "v1.0.0"},
		"a directory for v2":    {"v1.0.0 v2.0.0", "v1.0.0 v2.0.0", "example.com/a", changes("fix: x"), "v1.0.1", "v1.0.0"},
		"largest number of all": {"v1.0.18446744073709551615", "v1.0.18446744073709551615", "example.com/a", nil, "v2.0.0", "v1.0.18446744073709551615"},
	} {
		t.Run(name, func(t *testing.T) {
			in := given(c.all + "->")
			in.Module.Path, in.Changes = c.path, c.changes
			if name == "a directory for v2" {
				in.Module.Majors = []string{"v2"}
			}
			if next, base := version.Propose(in, given(c.here+"->").Refs); next != c.next || base != c.base {
				t.Errorf("%s after %q, want %s after %q", next, base, c.next, c.base)
			}
		})
	}
}

func TestFloating(t *testing.T) {
	for tag, want := range map[string]bool{
		"v1": true, "v1.2": true, "v0": true, "sub/v1": true, "sub/v1.2": true, "v1.2.3": false, "v01": false, "1": false, "v": false, "v1.": false, "v1/x": false,
	} {
		if got := version.IsFloating(tag); got != want {
			t.Errorf("%q: %v", tag, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct{ dir, path, want string }{
		{".", "example.com/a", ""}, {"", "example.com/a/v2", ""}, {"v2", "example.com/a/v2", ""}, {"sub", "example.com/a/sub", "sub/"},
		{"sub/v2", "example.com/a/sub/v2", "sub/"}, {"sub", "example.com/a/sub/v2", "sub/"}, {"v2", "example.com/a/v3", "v2/"}, {"sub/v2", "", "sub/v2/"},
	} {
		if got := version.Prefix(c.dir, c.path); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.path, c.dir, got, c.want)
		}
	}
}

// Of two rejections the text names both, and what would do.
func TestRejection(t *testing.T) {
	verdict := version.Judge(with("v1.1.0 -> v1.1.0-rc1", pulls("fix: x")))
	rejection := verdict.Rejected()
	if rejection == nil || strings.Count(rejection.Error(), "\n") != 1 || !strings.Contains(rejection.Hint(), "O03: use v1.1.1") {
		t.Errorf("%v\n%v", rejection, verdict)
	}
	if version.Judge(given("-> v1.0.0")).Rejected() != nil {
		t.Error("v1.0.0 is rejected")
	}
}

// Whatever is accepted is SemVer to the go command too, and is written back as read;
// whatever is not has one code and one line.
func FuzzParse(f *testing.F) {
	for _, tag := range []string{
		"v1.2.3", "v1.0.0-rc.1", "v1", "v1.2.3+x", "a/v1.2.3", "v0.0.0-0", "v1.0.0--", "v1.0.0-rc1", "v1.0.0-01a", "v1.2.3-0.20260101120000-abcdef123456", "V1", "v1.0.0-\n",
	} {
		f.Add(tag)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		in := given("v0.1.0 v1.0.0 v1.0.0-rc.1 -> ")
		in.Tag = tag
		verdict := version.Judge(in)
		for _, found := range verdict.Findings {
			if found.Code == "" || found.Rule == "" || strings.ContainsAny(found.String()+found.Want, "\n\r\x1b") {
				t.Fatalf("%q: %+v", tag, found)
			}
		}
		v, err := version.Parse(tag, "")
		var rejection *version.Rejection
		if err != nil {
			if !errors.As(err, &rejection) || len(rejection.Findings) != 1 {
				t.Fatalf("%q: %v", tag, err)
			}
			return
		}
		if v.Tag() != tag || !semver.IsValid(tag) || semver.Canonical(tag) != tag || semver.Build(tag) != "" {
			t.Fatalf("%q is accepted as %q", tag, v.Tag())
		}
		style := slices.IndexFunc(verdict.Findings, func(f version.Finding) bool { return f.Code == "T04" })
		if style < 0 {
			return
		}
		want, _, _ := strings.Cut(verdict.Findings[style].Want, " ")
		if _, err := version.Parse(want, ""); err != nil && want != "prerelease-style:" {
			t.Fatalf("%q: %q is not better: %v", tag, want, err)
		}
	})
}
