package run_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/run"
)

// always are the variables that every program has.
var always = []string{"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}

// environment is what a program sees, sorted.
func environment(t *testing.T, r run.Runner) []string {
	t.Helper()
	out, err := r.Output(t.Context(), t.TempDir(), "env")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines
}

// Programs see what is on the list, and nothing else.
func TestEnvironment(t *testing.T) {
	for _, secret := range []string{"GITHUB_TOKEN", "GOFLAGS", "GIT_DIR"} { // the process has them as well
		t.Setenv(secret, "from the process")
	}
	kept := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/home/u", "TMPDIR=/tmp/x", "GOCACHE=/cache", "GOMODCACHE=/mod", "GOPATH=/go",
		"GOPROXY=off", "GOPRIVATE=example.com", "GONOSUMDB=", "HTTPS_PROXY=http://localhost:1", "no_proxy=*", "SSL_CERT_FILE=/x",
		"SSH_AUTH_SOCK=/s", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.x.insteadOf", "GIT_CONFIG_VALUE_0=a=b",
	}
	left := []string{
		"GITHUB_TOKEN=secret", "GH_TOKEN=secret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret", "ACTIONS_RUNTIME_TOKEN=secret", "AWS_SECRET_ACCESS_KEY=secret",
		"GOFLAGS=-tags=x", "GOOS=plan9", "GOARCH=386", "GOAMD64=v4", "GOARM=5", "GOEXPERIMENT=x", "GODEBUG=x=1", "GOENV=/x", "GOWORK=/x",
		"GOTOOLCHAIN=go1.1", "GOFIPS140=latest", "GOTMPDIR=/x", "CGO_ENABLED=1", "CGO_CFLAGS=-O0", "CC=cc", "LD_PRELOAD=/x", "LD_LIBRARY_PATH=/x",
		"GIT_DIR=/x", "GIT_WORK_TREE=/x", "GIT_INDEX_FILE=/x", "GIT_OBJECT_DIRECTORY=/x", "GIT_CONFIG=/x", "GIT_CONFIG_GLOBAL=/x", "GIT_CONFIG_PARAMETERS='x'",
		"GIT_CONFIG_COUNTER=1", "GIT_EXEC_PATH=/x", "GIT_TRACE=1", "GIT_TERMINAL_PROMPT=1", "GIT_AUTHOR_DATE=0",
		"LC_ALL=de_DE", "LANG=de_DE", "SOURCE_DATE_EPOCH=0", "PATHS=/x", "path=/x", "XPATH=/x", "=PATH=/x", "NOVALUE", "",
	}
	got := environment(t, run.New(slices.Concat(left, kept, left)))
	want := slices.Sorted(slices.Values(slices.Concat(kept, always)))
	if !slices.Equal(got, want) {
		t.Errorf("programs see\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEmptyEnvironment(t *testing.T) {
	t.Setenv("GITHUB_TOKEN", "from the process")
	if got := environment(t, run.Runner{}); !slices.Equal(got, []string{""}) {
		t.Errorf("the zero Runner shows %q", got)
	}
	if got := environment(t, run.New(nil)); !slices.Equal(got, always) {
		t.Errorf("without a caller: %q", got)
	}
}

// The last value of a name holds, and a Runner that was made of another one leaves
// that as it is.
func TestWith(t *testing.T) {
	base := run.New([]string{"HOME=/a", "HOME=/b", "GOPROXY=off", "GOPATH=/go"})
	one, two := base.With("HOME=/c", "GOOS=plan9"), base.With("HOME=/d", "LC_ALL=x")
	for name, c := range map[string]struct {
		runner run.Runner
		want   []string
		home   string
	}{
		"base": {base, append([]string{"HOME=/b", "GOPROXY=off", "GOPATH=/go"}, always...), "/b"},
		"one":  {one, append([]string{"HOME=/c", "GOOS=plan9", "GOPROXY=off", "GOPATH=/go"}, always...), "/c"},
		"two":  {two, []string{"HOME=/d", "GOPROXY=off", "GOPATH=/go", "LC_ALL=x", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"}, "/d"},
		"both": {two.With("HOME=", "HOME=/e"), []string{"HOME=/e", "GOPROXY=off", "GOPATH=/go", "LC_ALL=x", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"}, "/e"},
	} {
		slices.Sort(c.want)
		if got := environment(t, c.runner); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := c.runner.Getenv("HOME"); got != c.home {
			t.Errorf("%s: Getenv says %q, want %q", name, got, c.home)
		}
	}
	if got := base.Getenv("HOM") + base.Getenv("GOOS") + (run.Runner{}).Getenv("HOME"); got != "" {
		t.Errorf("a variable that is not there is %q", got)
	}
}

// shell runs a script with nothing in its environment but where programs are.
func shell() run.Runner { return run.New([]string{"PATH=" + os.Getenv("PATH")}) }

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	const script = "echo one; echo two >&2; echo three"
	if out, err := shell().Output(t.Context(), dir, "sh", "-c", script); err != nil || string(out) != "one\nthree\n" {
		t.Errorf("Output: %q, %v", out, err)
	}
	if out, err := shell().All(t.Context(), dir, "sh", "-c", script); err != nil || string(out) != "one\ntwo\nthree\n" {
		t.Errorf("All: %q, %v", out, err)
	}
	input := strings.Repeat("line\n", 50_000) // more than a pipe takes
	if out, err := shell().Feed(t.Context(), dir, []byte(input), "cat"); err != nil || string(out) != input {
		t.Errorf("Feed: %d bytes, %v", len(out), err)
	}
	if out, err := shell().Output(t.Context(), dir, "cat"); err != nil || len(out) != 0 {
		t.Errorf("no input: %q, %v", out, err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := shell().Output(t.Context(), dir, "pwd", "-P"); err != nil || strings.TrimSpace(string(out)) != real {
		t.Errorf("in %s: %q, %v", real, out, err)
	}
}

func TestError(t *testing.T) {
	const script = "echo result; echo reason >&2; echo more >&2; exit 3"
	out, err := shell().Output(t.Context(), t.TempDir(), "sh", "-c", script)
	check(t, err, "reason\nmore\n", "running sh -c "+script+": exit status 3: reason\nmore")
	if string(out) != "result\n" {
		t.Errorf("what came before is lost: %q", out)
	}
	_, err = shell().All(t.Context(), t.TempDir(), "sh", "-c", script)
	check(t, err, "result\nreason\nmore\n", "running sh -c "+script+": exit status 3: result\nreason\nmore")
	_, err = shell().Output(t.Context(), t.TempDir(), "sh", "-c", "exit 3")
	check(t, err, "", "running sh -c exit 3: exit status 3")
}

func check(t *testing.T, err error, output, text string) {
	t.Helper()
	var failed *run.Error
	if !errors.As(err, &failed) || failed.Output != output || err.Error() != text {
		t.Fatalf("%#v\n%v", err, err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("cause %#v", failed.Err)
	}
}

func TestNotStarted(t *testing.T) {
	_, err := shell().Output(t.Context(), t.TempDir(), "pgo-release-no-such-program", "--help")
	var failed *run.Error
	if !errors.Is(err, run.ErrNotFound) || !errors.As(err, &failed) || failed.Command != "pgo-release-no-such-program --help" {
		t.Errorf("%#v", err)
	}
	_, err = shell().All(t.Context(), filepath.Join(t.TempDir(), "none"), "env")
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, run.ErrNotFound) || !errors.As(err, &failed) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

func TestCancelledBefore(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.Canceled)
	_, err := shell().Output(ctx, t.TempDir(), "touch", made)
	var failed *run.Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
		t.Errorf("%#v", err)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("the program ran")
	}
}
