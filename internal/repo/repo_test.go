package repo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
)

// fixture is a git repository made for one test.
type fixture struct {
	*testing.T
	dir string
	env []string
}

func newFixture(t *testing.T) fixture {
	home := t.TempDir()
	f := fixture{T: t, dir: t.TempDir(), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.file.allow", "GIT_CONFIG_VALUE_0=always",
	}}
	f.git("init", "--quiet", "-b", "main")
	f.git("config", "user.name", "Test")
	f.git("config", "user.email", "test@example.com")
	return f
}

func (f fixture) git(args ...string) string {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), "git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(f.env, "GIT_COMMITTER_DATE=2026-03-01T12:00:00+01:00", "GIT_AUTHOR_DATE=2026-03-01T12:00:00+01:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f fixture) write(files map[string]string) {
	f.Helper()
	for name, text := range files {
		path := filepath.Join(f.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
}

func (f fixture) commit(message string, files map[string]string) string {
	f.Helper()
	f.write(files)
	f.git("add", "-A")
	f.git("commit", "--quiet", "--allow-empty", "-m", message)
	return f.git("rev-parse", "HEAD")
}

func (f fixture) open(sub string) *repo.Repo {
	f.Helper()
	r, err := repo.Open(f.Context(), run.New(f.env), filepath.Join(f.dir, sub), false)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

var program = map[string]string{
	"go.mod": "module github.com/octo/app/v2\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n",
	"gen.go":           "//go:build ignore\n\npackage main\n",
	"cmd/ctl/main.go":  "package main\n\nfunc main() {}\n",
	"cmd/lib/lib.go":   "package lib\n",
	"cmd/win/main.go":  "//go:build windows\n\npackage main\n\nfunc main() {}\n",
	"cmd/_old/main.go": "package main\n\nfunc main() {}\n",
	"cmd/own/go.mod":   "module example.com/own\n",
	"cmd/own/main.go":  "package main\n",
	"tools/x/go.mod":   "module github.com/octo/app/tools/x\n\ngo 1.26\n",
	"tools/x/main.go":  "package main\n\nfunc main() {}\n",
	"tools/x/in/in.go": "package in\n",
}

func TestFacts(t *testing.T) {
	f := newFixture(t)
	first := f.commit("first", program)
	f.git("tag", "v2.0.0-rc.1")
	f.git("tag", "-a", "-m", "two", "v2.0.0")
	f.git("tag", "tools/x/v0.1.0")
	f.git("remote", "add", "origin", "git@github.com:Octo/App.git")
	second := f.commit("second", map[string]string{"README.md": "x"})

	facts, err := f.open("").Facts(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if facts.Tag != "" || facts.Commit != second || facts.Head != second {
		t.Errorf("without a tag: %q at %s", facts.Tag, facts.Commit)
	}
	all := []string{"darwin", "linux", "windows"}
	mains := []plan.Main{{Dir: ".", Name: "app", Systems: all}, {Dir: "./cmd/ctl", Name: "ctl", Systems: all}, {Dir: "./cmd/win", Name: "win", Systems: all[2:]}}
	if !reflect.DeepEqual(facts.Mains, mains) {
		t.Errorf("mains %v", facts.Mains)
	}
	if facts.Repository != (plan.Repository{Owner: "Octo", Name: "App"}) || len(facts.Refs) != 3 || facts.Dirty != "" {
		t.Errorf("facts %+v", facts)
	}
	if got := facts.Time.Format("2006-01-02T15:04:05Z07:00"); got != "2026-03-01T11:00:00Z" {
		t.Errorf("time %s", got)
	}
	for _, c := range []struct{ dir, asked, tag, commit string }{
		{"", "v2.0.0", "v2.0.0", first},                   // exists: its commit, though HEAD is elsewhere
		{"", "v2.1.0", "v2.1.0", second},                  // does not exist yet: HEAD
		{"tools/x/in", "v0.1.0", "tools/x/v0.1.0", first}, // the prefix of the module above
		{"tools/x", "tools/x/v0.2.0", "tools/x/v0.2.0", second},
	} {
		facts, err := f.open(c.dir).Facts(t.Context(), c.asked)
		if err != nil || facts.Tag != c.tag || facts.Commit != c.commit {
			t.Errorf("%s in %q: %q at %s, %v", c.asked, c.dir, facts.Tag, facts.Commit, err)
		}
	}
	f.git("checkout", "--quiet", "--detach", first)
	if facts, err = f.open("").Facts(t.Context(), ""); err != nil || facts.Tag != "v2.0.0" {
		t.Errorf("two tags on a commit: %q, %v", facts.Tag, err)
	}
	f.write(map[string]string{"main.go": "package main\n", "untracked": ""})
	if facts, err = f.open("").Facts(t.Context(), ""); err != nil || facts.Dirty != " M main.go\n" {
		t.Errorf("dirty: %q, %v", facts.Dirty, err)
	}
}

func TestNoRepository(t *testing.T) {
	f := newFixture(t)
	open := func(dir string) error {
		_, err := repo.Open(t.Context(), run.New(f.env), dir, false)
		return err
	}
	for name, err := range map[string]error{"not in a git repository": open(t.TempDir()), "no commit": open(f.dir)} {
		if err == nil || !strings.Contains(err.Error(), name) || release.HintOf(err) == "" {
			t.Errorf("want %q: %v", name, err)
		}
	}
	f.commit("first", map[string]string{"README.md": "x"})
	if _, err := f.open("").Facts(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "not a Go module") {
		t.Errorf("without go.mod: %v", err)
	}
	f.commit("second", map[string]string{"go.mod": "modul x\n"})
	if _, err := f.open("").Facts(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("broken go.mod: %v", err)
	}
}

// The clone holds one commit and one tag; the user's repository stays as it was.
func TestClone(t *testing.T) {
	f := newFixture(t)
	commit := f.commit("first", program)
	f.git("tag", "v2.0.0-rc.1")
	f.commit("second", map[string]string{"later.txt": "x"})
	f.write(map[string]string{"assets/logo.svg": "<svg/>", "untracked.txt": "x"})
	state := func() string {
		return f.git("for-each-ref") + f.git("status", "--porcelain") + f.git("config", "--list", "--local")
	}
	before := state()
	r := f.open("")
	c, err := r.Clone(t.Context(), plan.Plan{
		Commit: commit, Tag: "v2.0.0", Module: plan.Module{Dir: "."}, Include: []string{"assets"}, Prepare: []string{"cp go.mod made.txt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := fixture{T: t, dir: c.Root, env: f.env}
	if got := in.git("rev-parse", "HEAD") + " " + in.git("tag", "--list"); got != commit+" v2.0.0" {
		t.Errorf("the clone is at %s", got)
	}
	if got := in.git("status", "--porcelain"); got != "" {
		t.Errorf("the clone is dirty: %s", got)
	}
	for name, want := range map[string]bool{"assets/logo.svg": true, "made.txt": true, "untracked.txt": false, "later.txt": false} {
		if _, err := os.Stat(filepath.Join(c.Root, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Root); !os.IsNotExist(err) {
		t.Errorf("the clone is left behind: %v", err)
	}
	if after := state(); after != before {
		t.Errorf("the repository changed from\n%s\nto\n%s", before, after)
	}
}

// What a user configures for git does not change the files; a folder that is included
// may hold files that are committed; links are followed inside the repository only.
func TestCloneIsTheCommit(t *testing.T) {
	f := newFixture(t)
	f.write(map[string]string{".gitattributes": "* text=auto\n", "web/.gitkeep": "", "LICENSE.txt": "one\ntwo\n"})
	f.git("add", "-A")
	for link, to := range map[string]string{"LICENSE": "LICENSE.txt", "SECRET": "/etc/hostname", "NOWHERE": "none"} {
		if err := os.Symlink(to, filepath.Join(f.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	commit := f.commit("first", program)
	home := t.TempDir()
	for name, text := range map[string]string{
		".gitconfig": "[core]\n\teol = crlf\n\tattributesFile = " + home + "/attributes\n[filter \"x\"]\n\tsmudge = sed s/one/evil/\n",
		"attributes": "* filter=x\n",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.env = append(f.env, "HOME="+home)
	f.write(map[string]string{"web/page.txt": "made", "web/[x]/y.txt": "made"})
	p := plan.Plan{Commit: commit, Tag: "v2.0.0", Module: plan.Module{Dir: "."}, Include: []string{"web"}, Files: []string{"LICENSE"}}
	c, err := f.open("").Clone(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Remove() }()
	for name, want := range map[string]string{"LICENSE": "one\ntwo\n", "web/page.txt": "made", "web/[x]/y.txt": "made", "web/.gitkeep": ""} {
		if text, err := os.ReadFile(filepath.Join(c.Root, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"SECRET", "NOWHERE"} {
		p.Files = []string{name}
		if c, err := f.open("").Clone(t.Context(), p); err == nil || !strings.Contains(err.Error(), "leaves the repository") {
			t.Errorf("%s is packed: %v %v", name, c, err)
		}
	}
}

func TestCloneRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	f := newFixture(t)
	commit := f.commit("first", program)
	for name, p := range map[string]plan.Plan{
		"changed tracked files:\n M main.go": {Prepare: []string{"cp go.mod main.go"}},
		"no such file in":                    {Include: []string{"none/*"}},
		"want a path inside the module":      {Include: []string{"../x"}},
		`preparing with "false"`:             {Prepare: []string{"false"}},
	} {
		p.Commit, p.Tag, p.Module.Dir = commit, "v2.0.0", "."
		_, err := f.open("").Clone(t.Context(), p)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q: %v", name, err)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A clone of a shallow repository, and of one with a submodule.
func TestCloneOfShallow(t *testing.T) {
	f := newFixture(t)
	f.commit("first", program)
	f.commit("second", map[string]string{"a": "b"})
	sub := newFixture(t)
	sub.commit("inner", map[string]string{"data.txt": "inner"})
	f.git("submodule", "--quiet", "add", sub.dir, "vendored")
	commit := f.commit("third", nil)

	shallow := fixture{T: t, dir: t.TempDir(), env: f.env}
	shallow.git("clone", "--quiet", "--depth=1", "file://"+f.dir, ".")
	r := shallow.open("")
	c, err := r.Clone(t.Context(), plan.Plan{Commit: commit, Tag: "v2.0.0", Module: plan.Module{Dir: "."}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Remove() }()
	in := fixture{T: t, dir: c.Root, env: f.env}
	if got := in.git("log", "--format=%s"); got != "third" {
		t.Errorf("history %q", got)
	}
	if text, err := os.ReadFile(filepath.Join(c.Root, "vendored", "data.txt")); err != nil || string(text) != "inner" {
		t.Errorf("submodule: %q, %v", text, err)
	}
}

func TestCommits(t *testing.T) {
	f := newFixture(t)
	f.commit("first", program)
	f.git("tag", "v1.0.0")
	f.commit("feat: second (#2)\n\nbody\nwith lines", nil)
	f.commit("third", nil)
	r := f.open("")
	commits, err := r.Commits(t.Context(), "v1.0.0", "HEAD")
	if err != nil || len(commits) != 2 {
		t.Fatalf("%v, %v", commits, err)
	}
	if c := commits[1]; c.Subject != "feat: second (#2)" || c.Body != "body\nwith lines\n" || c.Author != "Test" || c.Email != "test@example.com" {
		t.Errorf("%+v", c)
	}
	if commits, err = r.Commits(t.Context(), "", "HEAD"); err != nil || len(commits) != 3 {
		t.Errorf("whole history: %v, %v", commits, err)
	}
	if commits, err = r.Commits(t.Context(), "v1.0.0", "v1.0.0"); err != nil || len(commits) != 0 {
		t.Errorf("nothing: %v, %v", commits, err)
	}
}

// What only the line of an older version has, and files of a commit.
func TestBesideAndFile(t *testing.T) {
	f := newFixture(t)
	first := f.commit("first", program)
	f.git("checkout", "--quiet", "-b", "old")
	f.commit("fix", nil)
	f.git("tag", "v2.0.1")
	f.git("checkout", "--quiet", "main")
	second := f.commit("second", map[string]string{"a b/é.txt": "text\n"})
	r := f.open("")
	beside, err := r.Beside(t.Context(), "v2.0.1", second)
	if err != nil || len(beside) != 1 || beside[0].Subject != "fix" {
		t.Errorf("%v, %v", beside, err)
	}
	for _, tag := range []string{"", "v9.9.9"} {
		if beside, err := r.Beside(t.Context(), tag, second); err != nil || beside != nil {
			t.Errorf("%q: %v, %v", tag, beside, err)
		}
	}
	if text, ok, err := r.File(t.Context(), second, "a b/é.txt"); err != nil || !ok || string(text) != "text\n" {
		t.Errorf("%q, %v, %v", text, ok, err)
	}
	for _, name := range []string{"a b", "none", "a b/é.txt"} {
		if _, ok, err := r.File(t.Context(), first, name); err != nil || ok {
			t.Errorf("%q is a file of the first commit: %v, %v", name, ok, err)
		}
	}
}
