package repo_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
)

// A commit is fetched alone, and is a release's source like any other.
func TestFetch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	sub := newFixture(t)
	sub.commit("inner", map[string]string{"data.txt": "inner"})
	f := newFixture(t)
	f.commit("first", program)
	f.git("submodule", "--quiet", "add", sub.dir, "vendored")
	commit := f.commit("second", map[string]string{"a.txt": "a"})
	f.commit("third", map[string]string{"later.txt": "x"})

	r, remove, err := repo.Fetch(t.Context(), run.New(f.env), repo.Remote{URL: "file://" + f.dir, Server: "file://", Token: "secret"}, commit)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := r.Has(t.Context(), commit); err != nil || !ok {
		t.Errorf("has it: %v, %v", ok, err)
	}
	if at, err := r.CommitTime(t.Context(), commit); err != nil || at.Format("2006-01-02T15:04:05Z07:00") != "2026-03-01T11:00:00Z" {
		t.Errorf("time %s, %v", at, err)
	}
	extra := t.TempDir()
	if err := os.WriteFile(filepath.Join(extra, "page.txt"), []byte("made"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{Commit: commit, Tag: "v2.0.0", Module: plan.Module{Dir: "."}, Include: []string{"page.txt"}}
	c, err := r.Including(extra).Clone(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.txt": "a", "page.txt": "made", "vendored/data.txt": "inner"} {
		if text, err := os.ReadFile(filepath.Join(c.Root, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	in := fixture{T: t, dir: c.Root, env: f.env}
	if got := in.git("rev-parse", "HEAD") + " " + in.git("tag", "--list") + in.git("status", "--porcelain"); got != commit+" v2.0.0" {
		t.Errorf("the clone is at %s", got)
	}
	if err := errors.Join(c.Remove(), remove()); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}

// nothingLeft demands that nothing temporary is there.
func nothingLeft(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFetchFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := newFixture(t)
	f.commit("first", program)
	nowhere := strings.Repeat("1", 40)
	for name, url := range map[string]string{"no repository": "file://" + f.dir + "/none", "no such commit": "file://" + f.dir} {
		_, _, err := repo.Fetch(t.Context(), run.New(f.env), repo.Remote{URL: url}, nowhere)
		if err == nil || !strings.Contains(err.Error(), "fetching commit "+nowhere+` from "`+url+`"`) || release.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ok, err := f.open("").Has(t.Context(), nowhere); ok || err != nil {
		t.Errorf("has it: %v, %v", ok, err)
	}
	nothingLeft(t)
}

// What is included has to be where it was looked for.
func TestIncludingMissing(t *testing.T) {
	f := newFixture(t)
	commit := f.commit("first", program)
	f.write(map[string]string{"page.txt": "here"})
	p := plan.Plan{Commit: commit, Tag: "v2.0.0", Module: plan.Module{Dir: "."}, Include: []string{"page.txt"}}
	for _, dir := range []string{t.TempDir(), filepath.Join(f.dir, "none")} {
		_, err := f.open("").Including(dir).Clone(t.Context(), p)
		var missing *repo.MissingError
		if !errors.As(err, &missing) || missing.Pattern != "page.txt" || missing.Dir != dir || release.ClassOf(err) != release.Rejected {
			t.Errorf("%v", err)
		}
	}
	c, err := f.open("").Clone(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
}

// A link does not lead what is included out of the clone.
func TestCloneModuleBehindLink(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := newFixture(t)
	outside := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module x\n", "page.txt": "theirs"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(f.dir, "mod")); err != nil {
		t.Fatal(err)
	}
	commit := f.commit("first", program)
	extra := t.TempDir()
	if err := os.WriteFile(filepath.Join(extra, "page.txt"), []byte("evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"mod", "none"} {
		p := plan.Plan{Commit: commit, Tag: "mod/v2.0.0", Module: plan.Module{Dir: dir}, Include: []string{"page.txt"}}
		if _, err := f.open("").Including(extra).Clone(t.Context(), p); err == nil || !strings.Contains(err.Error(), "looking for go.mod in") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(outside, "page.txt")); err != nil || string(text) != "theirs" {
		t.Errorf("%q, %v", text, err)
	}
	nothingLeft(t)
}
