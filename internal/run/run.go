// Package run starts other programs: the go command, git, and what a configuration
// names under prepare. It is the only room that does. Programs see an environment
// that is made here from a list of names, never the caller's whole one: a variable
// that happens to be set (GOFLAGS, GIT_DIR, a token) must not change a release or
// leak into it.
package run

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// passed are the variables that programs may see: where things are and how the
// network is reached; nothing that changes what the go command compiles.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP",
	"XDG_CACHE_HOME", "XDG_CONFIG_HOME",
	"GOPATH", "GOCACHE", "GOMODCACHE", "GOROOT",
	"GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH", "NETRC",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND",
	"SYSTEMROOT", "SystemRoot", "COMSPEC", "ComSpec", "PATHEXT", "APPDATA", "AppData",
	"LOCALAPPDATA", "LocalAppData", "USERPROFILE", "PROGRAMDATA", "ProgramData",
}

// passedPrefixes are families of variables that programs may see: git's
// configuration by environment, which is how a token for private modules reaches it.
var passedPrefixes = []string{"GIT_CONFIG_COUNT=", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"}

// Runner starts programs with one environment. The zero value has an empty one.
type Runner struct {
	env   []string
	grace time.Duration // of cancelling; 0: defaultGrace
	watch func([]Process)
}

// New is a Runner with those variables of environ (NAME=value, as os.Environ gives
// them) that programs may see.
func New(environ []string) Runner {
	r := Runner{env: []string{"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0"}}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		family := slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(e, p) })
		if family || slices.Contains(passed, name) {
			r.env = append(r.env, e)
		}
	}
	return r
}

// With is the Runner with more variables, NAME=value; the last of a name wins.
func (r Runner) With(env ...string) Runner {
	r.env = append(slices.Clip(r.env), env...)
	return r
}

// Environ is the environment that programs see, NAME=value; the last of a name wins.
func (r Runner) Environ() []string { return slices.Clone(r.env) }

// Getenv is the value that programs see under a name.
func (r Runner) Getenv(name string) string {
	for _, e := range slices.Backward(r.env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// ErrNotFound is wrapped by the errors about programs that are not installed.
var ErrNotFound = exec.ErrNotFound

// Error is a program that could not be started or did not end well.
type Error struct {
	Command string // name and arguments, for people
	Output  string // what it printed on stderr (of All: on both)
	Err     error  // *exec.ExitError, what wraps exec.ErrNotFound, or the cause of cancelling
}

func (e *Error) Error() string {
	text := strings.TrimSpace(e.Output)
	if text == "" || errors.Is(e.Err, context.Canceled) {
		return fmt.Sprintf("running %s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("running %s: %v: %s", e.Command, e.Err, text)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Killed tells whether somebody killed the program; cancelling does not count.
func (e *Error) Killed() bool {
	var exit *exec.ExitError
	return errors.As(e.Err, &exit) && exit.ProcessState.String() == "signal: killed"
}

// Output runs a program in dir and returns what it printed on stdout. The error is
// an *Error that holds what it printed on stderr.
func (r Runner) Output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	return r.Feed(ctx, dir, nil, name, args...)
}

// Feed is Output with the given bytes on the program's standard input.
func (r Runner) Feed(ctx context.Context, dir string, input []byte, name string, args ...string) ([]byte, error) {
	var stdout bytes.Buffer // whole: it is what was asked for
	var stderr output
	cmd := r.command(ctx, dir, name, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	err := r.finish(ctx, cmd, &stderr)
	return stdout.Bytes(), err
}

// All runs a program in dir and returns what it printed on stdout and stderr,
// interleaved as they came; of more than two megabytes the beginning and the end. The
// error is an *Error.
func (r Runner) All(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	var both output
	cmd := r.command(ctx, dir, name, args)
	cmd.Stdout, cmd.Stderr = &both, &both
	err := r.finish(ctx, cmd, &both)
	return both.Bytes(), err
}

// defaultGrace is how long a program that was told to end may take.
const defaultGrace = 5 * time.Second

func (r Runner) command(ctx context.Context, dir, name string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, cmp.Or(r.grace, defaultGrace)
	cmd.Env = append([]string{}, r.env...) // nil would be the whole environment of this process
	ownGroup(cmd)
	return cmd
}

// finish runs a program to its end. When it was cancelled or killed, nothing that it
// started goes on: the caller is about to delete what they would write to, or starts it
// again.
func (r Runner) finish(ctx context.Context, cmd *exec.Cmd, printed fmt.Stringer) error {
	err := r.follow(cmd)
	cause := context.Cause(ctx)
	if cause != nil || (&Error{Err: err}).Killed() {
		killGroup(cmd)
	}
	if err == nil {
		return nil
	}
	if cause != nil {
		err = cause
	}
	return &Error{Command: strings.Join(cmd.Args, " "), Output: printed.String(), Err: err}
}
