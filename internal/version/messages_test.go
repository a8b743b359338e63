package version_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/version"
)

// What every rule says, word for word.
func TestMessages(t *testing.T) {
	long := "v1.0.0-" + strings.Repeat("a", 122)
	inputs := []version.Input{
		given("-> 1.2.3"), given("-> V1.2.3-rc.1"), given("-> v1.2.3.4"), given("-> v1.2.x"), given("-> v1.2-rc.1"), given("-> v1..3"), given("-> v1.2"),
		given("-> v1.02.3"), given("-> v1.0.0-rc.01"),
		given("-> v1.0.0-rc1"), given("-> v1.0.0-RC.1"), given("-> v1.0.0-Beta-02"), given("-> v1.0.0+build.5"),
		given("-> v1.0.0-20260101120000-abcdef123456"), given("-> v1.2.4-0.20260101120000-abcdef123456"), given("-> v1.0.0-1-gabcdef0"),
		given("-> v1.0.0-"), given("-> v1.2.3-α"), given("-> v1.2.3-a_b"), given("-> vv1.2.3"), given("-> v1.18446744073709551616.0"), given("-> " + long), given("-> nightly"),
		given("-> 1.2.3.4"), given("-> 1.2"), given("-> v1.2.3rc1"), given("-> v1.0.6/"), given("-> /v1.0.6"),
		with("-> v1.0.0", func(in *version.Input) { in.Page = version.Page{Published: true, Commit: strings.Repeat("2", 40)} }),
		given("v1.9.0 v1.9.2 -> v1.9.1"), given("v1.2.0 v1.3.0 -> v1.1.0"), with("v1.0.0 v3.0.0 -> v2.0.0", path("example.com/a/v2")),
		given("v1.1.0 -> v1.1.0-rc.4"), given("v1.1.0-rc.4 -> v1.1.0-rc.3"),
		with("v1.0.0 -> v1.0.1", func(in *version.Input) { in.Served = version.Served{Known: true, Commit: strings.Repeat("2", 40)} }),
		given("v1.2.3 -> v1.2.5"), with("-> v1.0.0", func(in *version.Input) { in.Shallow = true }),
		with("-> v1.0.0", func(in *version.Input) { in.Previous = "v0.9.0" }),
		with("v1.2.3 -> v1.3.0", pulls("feat!: drop old flags")),
		with("v1.2.3 -> v1.2.4", func(in *version.Input) {
			in.API = version.API{State: version.Compared, Compatible: []string{"A: added", "B: added", "C: added", "D: added"}}
		}),
		with("v0.4.1 -> v0.4.2", func(in *version.Input) {
			in.API = version.API{State: version.Compared, Incompatible: []string{"F: removed"}}
		}),
		with("v0.4.1 -> v0.4.2", func(in *version.Input) {
			in.API = version.API{State: version.Compared, Compatible: []string{"F: added"}}
		}),
		with("v1.2.3 -> v1.3.0", pulls("fix: a typo")), with("v1.2.3 -> v1.2.4", pulls("feat: sing")),
		with("v1.2.3 -> v1.2.4", func(in *version.Input) {
			in.API = version.API{State: version.Unverified, Why: "v1.2.3: a.go:3:1: undefined: x"}
		}),
		with("-> v3.0.0", path("example.com/a/v2")), with("-> v2.0.0", path("example.com/a")), with("-> v1.0.0", path("gopkg.in/a.v2")), with("-> v1.0.0", path("Not a path")),
		with("-> v1.0.0", func(in *version.Input) {
			in.Module.Importable, in.Module.Local = true, []string{"example.com/b => ../b"}
		}),
		with("-> v1.0.0", func(in *version.Input) {
			in.Module.Replaced, in.Module.Excluded = []string{"example.com/b => example.com/c v1.0.0"}, []string{"example.com/d v1.0.0"}
		}),
		with("-> sub/v1.0.0", func(in *version.Input) { in.Module = version.Module{Dir: "sub"} }),
		with("-> other/v1.0.0", func(in *version.Input) { in.Module.Dir = "sub" }), given("-> sub/v1.0.0"), with("-> v1.0.0", func(in *version.Input) { in.Module.Dir = "sub" }),
		with("-> sub/v2.1.0", func(in *version.Input) {
			in.Module = version.Module{Dir: "sub", Path: "example.com/a/sub/v2", Twin: "sub/v2/go.mod"}
		}),
		with("-> v1.0.1", func(in *version.Input) {
			in.Module.Retracted = []version.Retract{{Low: "v1.0.0", High: "v1.0.1", Rationale: "published too early"}}
		}),
		with("-> v1.0.0", func(in *version.Input) {
			in.Sums = version.Sums{Untidy: "-require example.com/b v1.0.0", Broken: "example.com/c v1.0.0: dir has been modified"}
		}),
		with("-> v1.0.0", func(in *version.Input) { in.Sums = version.Sums{Unknown: "the modules cannot be fetched"} }),
	}
	var text strings.Builder
	seen := map[string]bool{}
	for _, in := range inputs {
		fmt.Fprintf(&text, "# %s\n", in.Tag)
		for _, f := range version.Judge(in).Findings {
			seen[f.Code] = true
			fmt.Fprintf(&text, "%s %s\n", f.Level, f)
			if f.Want != "" {
				fmt.Fprintf(&text, "  accepted: %s\n", f.Want)
			}
		}
	}
	for _, code := range strings.Fields("T01 T02 T03 T04 T05 T06 T07 O01 O02 O03 O04 O05 O06 O07 B01 B02 B03 B04 G01 G02 G03 G04 G05") {
		if !seen[code] {
			t.Errorf("%s is not among the messages", code)
		}
	}
	golden(t, "messages.txt", text.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; go test ./internal/version -update writes it anew. Got\n%s", name, got)
	}
}
