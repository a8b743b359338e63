// Package cli is the command line, which is also what the container action runs. It
// reads options, makes the plan, wires the workers to the engine's edges, and turns
// errors into messages and exit codes.
//
// Results go to stdout, everything that is said on the way to stderr; in GitHub
// Actions both go to stdout, because the two streams interleave there.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/ui"
	"github.com/org/pgo-release/internal/version"
)

// World is what a process is given.
type World struct {
	Args     []string // without the program's name
	Environ  []string // NAME=value
	Out, Err io.Writer
	Cache    string // directory for what makes later runs faster; empty: there is none
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejected    = 3 // by the plan or the version policy
	exitRefused     = 4 // a token or permission is missing
	exitInterrupted = 130
)

// Main runs the command line and returns the exit code. It prints the error itself.
func Main(ctx context.Context, w World) int {
	a := &app{World: w}
	root := a.root()
	root.SetArgs(a.arguments())
	defer func() {
		for _, r := range a.redactors {
			r.Flush()
		}
	}()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if a.reporter == nil { // before the options were read
		a.reporter = ui.New(ui.Options{Err: a.Err, Mode: ui.Detect(nil, a.getenv)})
	}
	if ctx.Err() != nil {
		err = a.interrupted(err)
	}
	if release.ClassOf(err) == release.Idle {
		a.reporter.Progress(task.Event{State: task.Note, Text: err.Error()})
		return exitOK
	}
	a.reporter.Error(advise(err))
	var rejection *version.Rejection
	if actions, ok := action.Detect(a.getenv, a.Out); ok && errors.As(err, &rejection) {
		_ = actions.Summary(rejectedSummary(rejection)) // the error was said already
	}
	return exitCode(ctx, err)
}

// cache is a directory for what makes later runs faster, or empty. A job has none: it is
// thrown away, and what root left in its home would stay there.
func (a *app) cache(name string) string {
	if _, job := action.Detect(a.getenv, a.Out); job || a.Cache == "" {
		return ""
	}
	return filepath.Join(a.Cache, name)
}

// arguments are those of the process. The action's mode is the only one, with the blanks
// that a workflow wrote around it, and empty where it passes an empty input on.
func (a *app) arguments() []string {
	if _, inActions := action.Detect(a.getenv, io.Discard); !inActions || len(a.Args) != 1 {
		return a.Args
	}
	return []string{cmp.Or(strings.TrimSpace(a.Args[0]), config.Modes()[0])}
}

// advise adds a hint for what can go wrong anywhere.
func advise(err error) error {
	switch {
	case release.HintOf(err) != "":
		return err
	case errors.Is(err, run.ErrNotFound):
		return &release.Problem{Class: release.ClassOf(err), Err: err, Tip: "pgo-release needs the commands git and go on the PATH"}
	case errors.Is(err, syscall.ENOSPC):
		return &release.Problem{Class: release.ClassOf(err), Err: err, Tip: "free some disk space: the build cache, the clone and dist/ need room"}
	}
	return err
}

func exitCode(ctx context.Context, err error) int {
	switch class := release.ClassOf(err); {
	case ctx.Err() != nil:
		return exitInterrupted
	case class == release.Usage:
		return exitUsage
	case class == release.Rejected:
		return exitRejected
	case class == release.Authorisation:
		return exitRefused
	}
	return exitFailed
}

// app is one run of the command line.
type app struct {
	World
	name      string    // of the command
	commands  io.Writer // where the runner reads what to hide
	redactors []*ui.Redactor
	reporter  *ui.Reporter
	values    config.Values
}

func (a *app) getenv(name string) string {
	for _, e := range a.Environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// dispatched is getenv, with what somebody chose who dispatched the workflow in the place
// of the action's inputs of that name, where the workflow does not pass them on.
func (a *app) dispatched() (func(name string) string, error) {
	actions, inActions := action.Detect(a.getenv, io.Discard)
	if !inActions {
		return a.getenv, nil
	}
	chosen, err := actions.Inputs()
	return func(name string) string {
		value := a.getenv(name)
		if value == "" && (name == "INPUT_ENVIRONMENT" || name == "INPUT_TAG") {
			return chosen[strings.ToLower(strings.TrimPrefix(name, "INPUT_"))]
		}
		return value
	}, err
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "pgo-release",
		Short: "Turn a version tag of a Go project into a signed, verifiable release",
		Long: `pgo-release turns a version tag of a Go project into a release: cross-compiled
archives, checksums, SBOMs, signatures, provenance, notes, a container image.
Without any configuration, and without Docker.`,
		Example: `  pgo-release check                     which version comes next, and why
  pgo-release plan                      what would be made and published
  pgo-release build --single-target     dist/ for this machine
  pgo-release rehearse --tag v1.2.3     the whole release, on this machine alone
  pgo-release verify owner/repo@v1.2.3  check a published release`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs, // an unknown command comes to RunE
	}
	root.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return root.Help()
		}
		hint := "see pgo-release --help"
		if _, inActions := action.Detect(a.getenv, io.Discard); inActions {
			return release.Misuse("", "mode %q: want %s", args[0], strings.Join(config.Modes(), " or "))
		}
		if near := root.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		return release.Misuse(hint, "unknown command %q", args[0])
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return release.Misuse("see "+cmd.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(a.checkCommand(), a.notesCommand(), a.planCommand(), a.buildCommand(), a.rehearseCommand(), a.releaseCommand(), a.verifyCommand(), a.attestCommand(), a.versionCommand())
	return root
}

// command makes a cobra command whose flags come from the option table.
func (a *app) command(c *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	name, _, _ := strings.Cut(c.Use, " ")
	for _, o := range config.Options() {
		if o.Takes(name) {
			if o.Kind == config.KindBool {
				c.Flags().BoolP(o.Name, o.Short, false, o.Help)
			} else {
				c.Flags().StringP(o.Name, o.Short, o.Default, o.Help)
			}
		}
	}
	if c.Args == nil {
		c.Args = cobra.NoArgs
	}
	arguments := c.Args
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := arguments(cmd, args); err != nil {
			return release.Misuse("see "+cmd.CommandPath()+" --help", "%w", err)
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		given := map[string]string{}
		for _, o := range config.Options() {
			if f := cmd.Flags().Lookup(o.Name); f != nil && f.Changed {
				given[o.Name] = f.Value.String()
			}
		}
		a.name = name
		getenv, err := a.dispatched()
		if err != nil {
			return err
		}
		if a.values, err = config.Resolve(name, given, getenv); err != nil {
			return err
		}
		a.reporter = a.newReporter()
		defer a.reporter.Close()
		err = run(cmd.Context(), args)
		if failed := a.tellTimings(); err == nil {
			err = failed
		}
		return err
	}
	return c
}

func (a *app) newReporter() *ui.Reporter {
	file, _ := a.Err.(*os.File)
	a.Out, a.Err = &serial{w: a.Out}, &serial{w: a.Err}
	// In Actions the streams interleave without order: one is enough, unless a program
	// reads the results.
	if _, inActions := action.Detect(a.getenv, io.Discard); inActions && !a.values.Bool("json") {
		a.Err = a.Out
	}
	if a.commands = a.Out; a.values.Bool("json") { // a program reads that
		a.commands = a.Err
	}
	out, err := ui.Redact(a.Out), ui.Redact(a.Err)
	a.redactors = []*ui.Redactor{out, err}
	a.hide(append(a.values.Secrets(), a.getenv("COSIGN_PASSWORD"), a.getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))...)
	a.Out, a.Err = out, err
	o := ui.Options{Err: a.Err, Mode: ui.Detect(file, a.getenv), Terminal: file, Verbose: a.values.Bool("verbose"), NoColor: a.values.Bool("no-color")}
	switch {
	case a.values.Bool("quiet"):
		o.Mode = ui.Quiet
	case a.values.Bool("json"):
		o.Mode = ui.JSON
	}
	return ui.New(o)
}

// serial takes one write at a time: commands to the runner pass by what hides secrets.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// hide keeps secrets out of what is printed from now on, and tells the runner of them.
func (a *app) hide(secrets ...string) {
	actions, inActions := action.Detect(a.getenv, a.commands)
	for _, secret := range secrets {
		if inActions {
			actions.Mask(secret)
		}
	}
	for _, r := range a.redactors {
		r.Add(secrets...)
	}
}

// print writes a result to stdout: names in it may come from anywhere.
func (a *app) print(text string) error {
	a.reporter.Break()
	text = a.reporter.Inert(text)
	if _, err := io.WriteString(a.Out, text); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}
