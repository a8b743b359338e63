package gobuild_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

func TestReadStamp(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod": "module example.com/app\n\ngo 1.26\n\nrequire (\n\texample.com/dep v1.4.0\n\texample.com/unused v1.0.0\n)\n\n" +
			"replace example.com/dep => ./dep\n\nreplace example.com/unused => ./unused\n",
		"main.go":       "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Name) }\n",
		"dep/go.mod":    "module example.com/dep\n\ngo 1.26\n",
		"dep/dep.go":    "package dep\n\nconst Name = \"replaced\"\n",
		"unused/go.mod": "module example.com/unused\n\ngo 1.26\n",
	})
	revision := commit(t, dir)
	toolchain := probe(t, dir, callers(t, ""))
	u := unit()
	u.Main = "."
	out := filepath.Join(t.TempDir(), "app")
	read := func() gobuild.Stamp {
		t.Helper()
		if err := toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: u, Stamped: true}, out); err != nil {
			t.Fatal(err)
		}
		stamp, err := gobuild.ReadStamp(out)
		if err != nil {
			t.Fatal(err)
		}
		return stamp
	}
	want := gobuild.Stamp{
		Module: "example.com/app", Version: "v1.2.3", Commit: revision, GoVersion: toolchain.Version,
		Modules: []gobuild.Module{{Path: "./dep"}},
	}
	if stamp := read(); !reflect.DeepEqual(stamp, want) {
		t.Errorf("%+v, want %+v", stamp, want)
	}
	write(t, dir, map[string]string{"stray.txt": "not in git\n"})
	if stamp := read(); !stamp.Modified || stamp.Commit != revision {
		t.Errorf("in a modified tree: %+v", stamp)
	}
}

func TestReadStampRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"README.md": "# app\n", "empty": ""})
	for _, name := range []string{"README.md", "empty"} {
		if _, err := gobuild.ReadStamp(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), `build information of "`+name+`"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gobuild.ReadStamp(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestCheck(t *testing.T) {
	p := plan.Plan{Version: "1.2.3", Commit: strings.Repeat("a", 40), Toolchain: "go1.26.8"}
	good := gobuild.Stamp{Module: "example.com/app", Version: "v1.2.3", Commit: p.Commit, GoVersion: "go1.26.8 X:jsonv2"}
	if err := good.Check(p); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*gobuild.Stamp){
		`the binary says commit "", the plan "` + p.Commit + `"`:        func(s *gobuild.Stamp) { s.Commit = "" },
		`the binary says commit "aaaaaaa", the plan "` + p.Commit + `"`: func(s *gobuild.Stamp) { s.Commit = p.Commit[:7] },
		"the clone of commit aaaaaaa was modified":                      func(s *gobuild.Stamp) { s.Modified = true },
		`version "(devel)" of example.com/app, the plan "v1.2.3"`:       func(s *gobuild.Stamp) { s.Version = "(devel)" },
		`version "1.2.3" of example.com/app, the plan "v1.2.3"`:         func(s *gobuild.Stamp) { s.Version = "1.2.3" },
		`compiled by go1.27.0, the plan says go1.26.8`:                  func(s *gobuild.Stamp) { s.GoVersion = "go1.27.0" },
		`version "v1.2.4" of example.com/app, the plan "v1.2.3"`:        func(s *gobuild.Stamp) { s.Version = "v1.2.4" },
	} {
		stamp := good
		change(&stamp)
		if err := stamp.Check(p); err == nil || !strings.Contains(err.Error(), want) || release.ClassOf(err) != release.Rejected {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
