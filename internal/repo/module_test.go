package repo_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

const emptyMain = "package main\n\nfunc main() {}\n"

// Where the module of a tag lies: the prefix names a directory, and of that and its
// "vN" the one whose module path fits.
func TestModuleOfTag(t *testing.T) {
	f := newFixture(t)
	f.commit("first", map[string]string{
		"go.mod": "module example.com/a\n", "main.go": emptyMain,
		"v2/go.mod": "module example.com/a/v2\n", "v2/main.go": emptyMain,
		"sub/go.mod": "module example.com/a/sub\n", "sub/v3/go.mod": "module example.com/a/sub/v3\n",
		"both/go.mod": "module example.com/a/both/v2\n", "both/v2/go.mod": "module example.com/a/both/v2\n",
		"four/go.mod": "module example.com/a/four\n", "four/v4/go.mod": "module example.com/elsewhere/v4\n",
		"deep/er/x/go.mod": "module example.com/a/deep/er/x\n", "deep/er/x/in/x.go": "package in\n",
	})
	for _, c := range []struct{ dir, asked, tag, moduleDir, path, twin string }{
		{"", "v1.0.0", "v1.0.0", ".", "example.com/a", ""},
		{"", "v2.0.0", "v2.0.0", "v2", "example.com/a/v2", ""},
		{"v2", "v2.1.0", "v2.1.0", "v2", "example.com/a/v2", ""},
		{"", "v9.0.0", "v9.0.0", ".", "example.com/a", ""},
		{"", "sub/v1.0.0", "sub/v1.0.0", "sub", "example.com/a/sub", ""},
		{"", "sub/v3.1.0", "sub/v3.1.0", "sub/v3", "example.com/a/sub/v3", ""},
		{"sub", "v1.0.0", "sub/v1.0.0", "sub", "example.com/a/sub", ""},
		{"sub/v3", "v3.0.0", "sub/v3.0.0", "sub/v3", "example.com/a/sub/v3", ""},
		{"", "both/v2.0.0", "both/v2.0.0", "both", "example.com/a/both/v2", "both/v2/go.mod"},
		{"", "four/v4.0.0", "four/v4.0.0", "four/v4", "example.com/elsewhere/v4", ""},
		{"", "none/v1.0.0", "none/v1.0.0", "none", "", ""},
		{"deep/er/x/in", "v0.1.0", "deep/er/x/v0.1.0", "deep/er/x", "example.com/a/deep/er/x", ""},
		{"sub", "deep/er/x/v0.1.0", "deep/er/x/v0.1.0", "sub", "example.com/a/sub", ""}, // named by the user: the policy says what is wrong
		{"", "not a version", "not a version", ".", "example.com/a", ""},
	} {
		facts, err := f.open(c.dir).Facts(t.Context(), c.asked)
		if err != nil {
			t.Errorf("%s in %q: %v", c.asked, c.dir, err)
			continue
		}
		if facts.Tag != c.tag || facts.Module.Dir != c.moduleDir || facts.Module.Path != c.path || facts.Policy.Twin != c.twin {
			t.Errorf("%s in %q: tag %s of %s in %q, twin %q", c.asked, c.dir, facts.Tag, facts.Module.Path, facts.Module.Dir, facts.Policy.Twin)
		}
	}
	// A repository without a module at its root has those of its directories.
	f.git("rm", "--quiet", "go.mod", "main.go")
	f.commit("no root", nil)
	if facts, err := f.open("").Facts(t.Context(), "sub/v1.0.0"); err != nil || facts.Module.Dir != "sub" {
		t.Errorf("%+v, %v", facts.Module, err)
	}
	if _, err := f.open("").Facts(t.Context(), "v1.0.0"); release.ClassOf(err) != release.Rejected {
		t.Errorf("no module: %v", err)
	}
}

// What go.mod and the tree say to the version policy.
func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  version.Module
	}{
		"a program": {map[string]string{"go.mod": "module example.com/a\n", "main.go": emptyMain, "internal/x/x.go": "package x\n"}, version.Module{Programs: true}},
		"a library": {map[string]string{"go.mod": "module example.com/a\n", "a.go": "package a\n"}, version.Module{Importable: true}},
		"a generator among a library's files": {map[string]string{
			"go.mod": "module example.com/a\n", "lib/a_gen.go": "//go:build ignore\n\npackage main\n", "lib/b.go": "package lib\n"}, version.Module{Importable: true}},
		"nothing to import": {map[string]string{
			"go.mod": "module example.com/a\n", "main.go": emptyMain, "testdata/x.go": "package x\n", "_old/x.go": "package x\n", ".x/x.go": "package x\n",
			"vendor/example.com/b/b.go": "package b\n", "a_test.go": "package a\n", "sub/internal/x.go": "package x\n", "nested/go.mod": "module example.com/a/nested\n",
			"nested/deep/x.go": "package deep\n"}, version.Module{Programs: true}},
		"go.mod": {map[string]string{"action.yml": "name: a\n", "main.go": emptyMain, "go.mod": `module example.com/a

go 1.26

exclude example.com/z v1.0.0

replace (
	example.com/c => ../c
	example.com/b v1.0.0 => ./b
	example.com/d => example.com/e v1.2.3
)

retract (
	v1.0.1
	[v0.1.0, v0.2.0] // never worked
)
`}, version.Module{
			Programs: true, Action: true, Local: []string{"example.com/b v1.0.0 => ./b", "example.com/c => ../c"},
			Replaced: []string{"example.com/d => example.com/e v1.2.3"}, Excluded: []string{"example.com/z v1.0.0"},
			Retracted: []version.Retract{{Low: "v1.0.1", High: "v1.0.1"}, {Low: "v0.1.0", High: "v0.2.0", Rationale: "never worked"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.commit("first", c.files)
			facts, err := f.open("").Facts(t.Context(), "v1.0.0")
			if err != nil {
				t.Fatal(err)
			}
			c.want.Path, c.want.Dir = "example.com/a", "."
			if !reflect.DeepEqual(facts.Policy, c.want) {
				t.Errorf("got %+v\nwant %+v", facts.Policy, c.want)
			}
		})
	}
}

func TestBase(t *testing.T) {
	f := newFixture(t)
	f.commit("nothing yet", nil)
	f.git("tag", "v0.0.1")
	first := f.commit("first", map[string]string{"go.mod": "module example.com/old\n", "a.go": "package a\n"})
	f.git("tag", "-a", "-m", "x", "v0.1.0")
	f.commit("broken", map[string]string{"go.mod": "module\n"})
	f.git("tag", "v0.2.0")
	f.commit("second", map[string]string{"go.mod": "module example.com/new\n"})
	r := f.open("")
	base, err := r.Base(t.Context(), "v0.1.0")
	if err != nil || base.Commit != first || base.Module.Path != "example.com/old" || !base.Importable {
		t.Errorf("%+v, %v", base, err)
	}
	for _, tag := range []string{"v0.0.1", "v0.2.0"} {
		if base, err := r.Base(t.Context(), tag); err != nil || base.Module.Path != "" || base.Commit == "" {
			t.Errorf("%s: %+v, %v", tag, base, err)
		}
	}
	if _, err := r.Base(t.Context(), "v9.9.9"); err == nil {
		t.Error("a tag that is not there has a base")
	}
}

func TestReachable(t *testing.T) {
	f := newFixture(t)
	f.commit("first", program)
	f.git("tag", "v2.0.0")
	f.git("checkout", "--quiet", "-b", "side")
	f.commit("side", nil)
	f.git("tag", "v2.1.0")
	f.git("checkout", "--quiet", "main")
	f.commit("second", nil)
	r := f.open("")
	facts, err := r.Facts(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	reachable, err := r.Reachable(t.Context(), facts.Refs)
	if err != nil || len(reachable) != 1 || reachable[0].Tag != "v2.0.0" {
		t.Errorf("%v, %v", reachable, err)
	}
}

// A shallow clone is completed with what origin has, tags as they are there.
func TestDeepen(t *testing.T) {
	f := newFixture(t)
	f.commit("first", program)
	f.git("tag", "v2.0.0")
	f.commit("second", nil)
	f.git("tag", "-a", "-m", "x", "v2.1.0")
	job := fixture{T: t, dir: t.TempDir(), env: f.env}
	job.git("clone", "--quiet", "--depth=1", "file://"+f.dir, ".")
	job.git("tag", "--force", "v2.1.0", "HEAD") // as a checkout in a job leaves it
	r := job.open("")
	if !r.Shallow() {
		t.Fatal("not shallow")
	}
	if err := r.Deepen(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := job.git("log", "--format=%s"); r.Shallow() || got != "second\nfirst" {
		t.Errorf("shallow %v, history %q", r.Shallow(), got)
	}
	if got := job.git("cat-file", "-t", "v2.1.0"); got != "tag" || job.git("tag", "--list", "v2.0.0") == "" {
		t.Errorf("v2.1.0 is a %s", got)
	}
	clone := fixture{T: t, dir: t.TempDir(), env: f.env}
	clone.git("clone", "--quiet", "--depth=1", "file://"+f.dir, ".")
	clone.git("remote", "set-url", "origin", "file://"+f.dir+"/none")
	err := clone.open("").Deepen(t.Context(), "ghs_secret")
	if release.ClassOf(err) != release.Rejected || !strings.Contains(release.HintOf(err), "fetch-depth: 0") || strings.Contains(err.Error(), "ghs_secret") {
		t.Errorf("nobody to ask: %v", err)
	}
	if f.open("").Shallow() {
		t.Error("a whole repository is shallow")
	}
}

// A checkout has the files of its commit and nothing else.
func TestCheckout(t *testing.T) {
	f := newFixture(t)
	first := f.commit("first", program)
	f.commit("second", map[string]string{"more.go": "package main\n"})
	t.Setenv("TMPDIR", t.TempDir())
	c, err := f.open("").Checkout(t.Context(), first, "tools/x")
	if err != nil {
		t.Fatal(err)
	}
	in := fixture{T: t, dir: c.Root, env: f.env}
	if got := in.git("log", "--format=%s"); got != "first" || in.git("tag") != "" || !strings.HasSuffix(c.Module, "/tools/x") {
		t.Errorf("%q in %s", got, c.Module)
	}
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := f.open("").Checkout(t.Context(), strings.Repeat("0", 40), "."); err == nil {
		t.Error("a commit that is not there is checked out")
	}
}
