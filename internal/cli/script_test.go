package cli_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/inconshreveable/mousetrap" // testdata/hello links it on Windows: testing fetches it, scripts do not
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/pgo-release/internal/cli"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
)

var update = flag.Bool("update", false, "write the expected output of the scripts anew")

// TestMain lets the scripts run this process as pgo-release.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pgo-release": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, cli.World{Args: os.Args[1:], Environ: os.Environ(), Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

// TestScripts runs testdata/script: each on an empty directory, with the caller's Go
// caches and no module proxy. The commands beside testscript's own are explained below.
func TestScripts(t *testing.T) {
	caches := goEnv(t, "GOCACHE", "GOMODCACHE", "GOROOT")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Values[onStage{}] = new(onStage)
			env.Vars = append(env.Vars, caches...)
			env.Vars = append(env.Vars,
				"GOPROXY=off", "GOENV=off", "GOTOOLCHAIN=local",
				"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
				"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_AUTHOR_DATE=2026-03-01T12:00:00Z",
				"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.com", "GIT_COMMITTER_DATE=2026-03-01T12:00:00Z",
			)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"repository": repository, "hello": hello, "exits": exits, "appears": appears, "stage": stage, "flip": flip, "same": same,
			"commit": commit, "github": gitHub, "modproxy": modProxy, "digest": digest, "keypair": keyPair, "strip": strip, "stranger": stranger,
			"runner": runner, "event": event, "permissions": permissions, "unpublished": unpublished, "published": published, "outputs": outputs, "repeat": repeat, "byhand": byHand, "atmost": atMost,
		},
	})
}

func goEnv(t *testing.T, names ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		env = append(env, names[i]+"="+value)
	}
	return env
}

// repository makes the current directory a git repository with one commit of
// everything in it, and the tags that are named.
func repository(ts *testscript.TestScript, _ bool, tags []string) {
	git := func(args ...string) { ts.Check(ts.Exec("git", args...)) }
	git("init", "--quiet", "-b", "main")
	git("add", "-A", "--", ".", ":!.tmp")
	git("commit", "--quiet", "--allow-empty", "-m", "first")
	for _, tag := range tags {
		git("tag", tag)
	}
}

// commit commits everything in the current directory with a message, and makes the tags
// that are named. A line break in the message is written as "\n".
func commit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: commit MESSAGE [TAG...]")
	}
	ts.Check(ts.Exec("git", "add", "-A", "--", ".", ":!.tmp"))
	ts.Check(ts.Exec("git", "commit", "--quiet", "--allow-empty", "-m", strings.ReplaceAll(args[0], `\n`, "\n")))
	for _, tag := range args[1:] {
		ts.Check(ts.Exec("git", "tag", tag))
	}
}

// hello copies the program of testdata/hello into a directory.
func hello(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: hello DIR")
	}
	from := os.DirFS(filepath.Join("..", "..", "testdata", "hello"))
	ts.Check(fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == "dist":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(ts.MkAbs(args[0]), name), 0o755)
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(ts.MkAbs(args[0]), name), content, 0o644)
	}))
}

// exits runs a command that must end with the exit code that comes first.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// appears waits for a file.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	for range 3000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not appear", args[0])
}

// flip changes one byte in the middle of the first file that a pattern matches.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s matches nothing", args[0])
	}
	path := found[0]
	content, err := os.ReadFile(path)
	ts.Check(err)
	content[len(content)/2] ^= 1
	ts.Check(os.WriteFile(path, content, 0o644))
}

// same demands that two directories hold the same files with the same bytes.
func same(ts *testscript.TestScript, _ bool, args []string) {
	read := func(dir string) map[string]string {
		files := map[string]string{}
		ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			files[name] = string(content)
			return err
		}))
		return files
	}
	a, b := read(ts.MkAbs(args[0])), read(ts.MkAbs(args[1]))
	for name := range a {
		if a[name] != b[name] {
			ts.Fatalf("%s differs", name)
		}
		delete(b, name)
	}
	if len(a) == 0 || len(b) > 0 {
		ts.Fatalf("%d files in %s; not there: %v", len(a), args[0], b)
	}
}

// stage starts a GitHub, a registry and a Sigstore for the repository octo/hello with
// its tag at HEAD, and sets the environment that a runner sets for a job of a tag push.
// The repository may be private.
func stage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 || len(args) == 2 && args[1] != "private" {
		ts.Fatalf("usage: stage TAG [private]")
	}
	cmd := exec.Command("git", "rev-parse", "HEAD")
	cmd.Dir = ts.MkAbs(".")
	head, err := cmd.Output()
	ts.Check(err)
	commit := strings.TrimSpace(string(head))
	s, err := rehearsal.Start(plan.Plan{Repository: plan.Repository{Owner: "octo", Name: "hello"}, Tag: args[0], Commit: commit}, nil, nil)
	ts.Check(err)
	ts.Defer(func() { ts.Check(s.Close()) })
	if len(args) == 2 {
		private(ts, s, args[0], commit)
	}
	ts.Value(onStage{}).(*onStage).Stage = s
	trust := ts.MkAbs(".tmp")
	ts.Check(os.MkdirAll(trust, 0o755))
	ts.Check(s.Sigstore.WriteFiles(trust))
	for name, value := range s.Sigstore.Env() {
		ts.Setenv(name, value)
	}
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": strings.TrimSuffix(s.Hub.URL(), "/"), "GITHUB_REPOSITORY": "octo/hello", "GITHUB_UPLOAD_URL": s.Hub.UploadURL(),
		"GITHUB_REF": "refs/tags/" + args[0], "GITHUB_WORKFLOW_REF": "octo/hello/.github/workflows/release.yml@refs/tags/" + args[0],
		"GITHUB_SHA": commit, "GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY_ID": "1", "GITHUB_REPOSITORY_OWNER_ID": "1", "RUNNER_ENVIRONMENT": "github-hosted",
		"GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_OUTPUT": filepath.Join(trust, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(trust, "summary"),
		"INPUT_TOKEN": s.Hub.Token(), "INPUT_IMAGE": s.Registry.Address() + "/octo/hello",
		"INPUT_TRUSTED-ROOT": filepath.Join(trust, "trusted_root.json"), "INPUT_SIGNING-CONFIG": filepath.Join(trust, "signing_config.json"),
	} {
		ts.Setenv(name, value)
	}
	ts.Defer(func() {
		for _, call := range s.Hub.Calls() {
			if call.Method != "GET" {
				ts.Logf("%s", fmt.Sprint(call))
			}
		}
	})
}
