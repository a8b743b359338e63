// Package gobuild compiles: one main package for one target, by the go command, with
// every flag that shapes the binary set here and nothing inherited.
package gobuild

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// Toolchain is the go command as releases use it.
type Toolchain struct {
	Version     string   // such as "go1.26.8"
	Ports       []string // os/arch that it compiles for
	ModuleCache string   // GOMODCACHE
	Proxy       string   // GOPROXY
	NoProxy     string   // GONOPROXY: patterns of modules that no proxy is asked for

	run run.Runner
}

// Probe asks the go command in dir, a module's directory, for what a release needs to
// know. The user's settings (go env -w) are kept where they say how modules are
// found, and left out where they would shape a binary.
func Probe(ctx context.Context, base run.Runner, dir string) (Toolchain, error) {
	return probe(ctx, base, dir, "auto")
}

// probe is Probe with a choice of the toolchain (https://go.dev/doc/toolchain#select).
func probe(ctx context.Context, base run.Runner, dir, choice string) (Toolchain, error) {
	base = base.With("GOTOOLCHAIN="+choice, "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	out, err := base.Output(ctx, dir, "go", "env", "-json",
		"GOVERSION", "GOMODCACHE", "GOCACHE", "GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOAUTH")
	if err != nil {
		return Toolchain{}, fmt.Errorf("asking the go command for its settings: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(out, &settings); err != nil {
		return Toolchain{}, fmt.Errorf("asking the go command for its settings: %w", err)
	}
	t := Toolchain{Version: settings["GOVERSION"], ModuleCache: settings["GOMODCACHE"], Proxy: settings["GOPROXY"], NoProxy: settings["GONOPROXY"]}
	delete(settings, "GOVERSION")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		base = base.With(name + "=" + settings[name])
	}
	t.run = base.With("GOENV=off")
	ports, err := t.run.Output(ctx, dir, "go", "tool", "dist", "list")
	if err != nil {
		return Toolchain{}, fmt.Errorf("asking the go command for its ports: %w", err)
	}
	t.Ports = strings.Fields(string(ports))
	return t, nil
}

// ProbeFor is Probe for a module that is not checked out: lines are those of its
// go.mod that choose a toolchain.
func ProbeFor(ctx context.Context, base run.Runner, lines string) (t Toolchain, err error) {
	return probeApart(ctx, base, lines, "auto")
}

// probeApart is probe in a module of its own, which has nothing but the lines.
func probeApart(ctx context.Context, base run.Runner, lines, choice string) (t Toolchain, err error) {
	dir, err := os.MkdirTemp("", "pgo-release-toolchain-")
	if err != nil {
		return Toolchain{}, fmt.Errorf("asking the go command for its settings: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module toolchain\n"+lines), 0o644); err != nil {
		return Toolchain{}, fmt.Errorf("asking the go command for its settings: %w", err)
	}
	return probe(ctx, base, dir, choice)
}

// Environ is the environment that the go command runs with, NAME=value.
func (t Toolchain) Environ() []string { return t.run.Environ() }

// Failure is a compile that failed.
type Failure struct {
	Unit   string // "hello for linux/amd64"
	Output string // what the go command printed, whole
	Module string // directory of the module, relative to the repository
	Err    error
	killed bool // the go command itself was
}

func (f *Failure) Error() string {
	return strings.TrimRight(fmt.Sprintf("compiling %s: %v\n%s", f.Unit, f.Err, f.Output), "\n")
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// killedTool is how the go command says that one of its programs was killed.
var killedTool = regexp.MustCompile(`(?m): signal: killed$`)

// Killed tells whether the go command or a compiler was killed, as the kernel does when
// memory runs out.
func (f *Failure) Killed() bool { return f.killed || killedTool.MatchString(f.Output) }

// compilerLine is how the compiler and the linker write what is wrong in a file.
var compilerLine = regexp.MustCompile(`(?m)^(?:\./)?([^\s:][^:\n]*\.go):([0-9]+):(?:([0-9]+):)? (.+)$`)

// Places are the lines of the module's files that the compiler complains of, relative to
// the repository.
func (f *Failure) Places() []release.Place {
	var out []release.Place
	for _, m := range compilerLine.FindAllStringSubmatch(f.Output, -1) {
		line, err := strconv.Atoi(m[2])
		if err != nil || !filepath.IsLocal(m[1]) { // a file of another module is not the user's
			continue
		}
		column, _ := strconv.Atoi(m[3])
		out = append(out, release.Place{File: path.Join(f.Module, m[1]), Line: line, Column: column, Text: m[4]})
	}
	return out
}

// Hint is for the failures whose output does not say what to do.
func (f *Failure) Hint() string {
	switch {
	case f.Killed():
		return "it was killed although nothing else was compiling, so memory is too short for it: take a larger runner, or give the container more"
	case strings.Contains(f.Output, "build constraints exclude all Go files"):
		return "the package does not exist on this platform (or needs cgo, which is off): name the platforms it is for, with --platforms or in .pgo-release.yaml"
	case strings.Contains(f.Output, "no matching files found"):
		return "the commit does not hold what is embedded: commit it, name it under include, or make it with a command under prepare"
	case strings.Contains(f.Output, "no space left on device"):
		return "free some disk space: the build cache, the clone and dist/ need room"
	case strings.Contains(f.Output, "expected 'package', found version"): // the first word of a pointer
		return "the file is a Git LFS pointer; name the real one under include in .pgo-release.yaml"
	}
	return ""
}

// Job is a main package to compile, and how.
type Job struct {
	Dir      string // of the module
	Unit     plan.Unit
	Vendored bool
	Stamped  bool // with the version control stamp that a release has
	Width    int  // how many compilers run at once; 0: as many as there are processors
	// Load, where it is not nil, is told again and again how much memory all compilers
	// together take, in bytes, and whether only the linker is left; on Linux only.
	Load func(memory int64, linking bool)
}

// Compile builds the job's main package into the file out. The error is a *Failure that
// wraps the cause.
func (t Toolchain) Compile(ctx context.Context, j Job, out string) error {
	u := j.Unit
	args := []string{"build", "-trimpath", "-mod=readonly", "-buildvcs=true"}
	if j.Vendored {
		args[2] = "-mod=vendor"
	}
	if !j.Stamped {
		args[3] = "-buildvcs=false" // the version says what it is; git may not even trust the tree
	}
	if j.Width > 0 {
		args = append(args, "-p="+strconv.Itoa(j.Width))
	}
	if len(u.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(u.Tags, ","))
	}
	args = append(args, "-ldflags="+u.Ldflags, "-o", out, u.Main)
	env := t.run.With(u.Target.Env()...)
	if j.Width == 1 { // or the go command lets the one compiler work on as much at once as it can
		env = env.With("GOMAXPROCS=1")
	}
	if j.Load != nil {
		env = env.Watched(func(all []run.Process) { j.Load(load(all)) })
	}
	for _, name := range slices.Sorted(maps.Keys(u.Env)) {
		env = env.With(name + "=" + u.Env[name])
	}
	failure := &Failure{Unit: fmt.Sprintf("%s for %s", u.Build, u.Target)}
	if failure.Err = os.MkdirAll(filepath.Dir(out), 0o755); failure.Err != nil {
		return failure
	}
	output, err := env.All(ctx, j.Dir, "go", args...)
	if err == nil {
		return nil
	}
	failure.Output, failure.Err = string(output), err
	var failed *run.Error
	if errors.As(err, &failed) {
		failure.Err, failure.killed = failed.Err, failed.Killed()
	}
	return failure
}

// load sums up the processes of a build. The linker comes last, when no compiler is left.
func load(all []run.Process) (memory int64, linking bool) {
	compiling := false
	for _, p := range all {
		memory += p.Memory
		linking = linking || p.Name == "link"
		compiling = compiling || p.Name == "compile" || p.Name == "asm"
	}
	return memory, linking && !compiling
}

// Stamp is what the go command wrote into a binary about its origin.
type Stamp struct {
	Module, Version, Commit string
	Modified                bool
	GoVersion               string
	Modules                 []Module // every dependency, as linked
}

// Module is a dependency with the checksum of its content (go.sum's h1). One that is
// replaced by a directory has the path of that, and neither version nor checksum.
type Module struct{ Path, Version, Sum string }

// ReadStamp reads the build information of a binary.
func ReadStamp(binary string) (Stamp, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return Stamp{}, fmt.Errorf("reading the build information of %q: %w", filepath.Base(binary), err)
	}
	s := Stamp{Module: info.Main.Path, Version: info.Main.Version, GoVersion: info.GoVersion}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		m := Module{Path: d.Path, Version: d.Version, Sum: d.Sum}
		if m.Version == "(devel)" {
			m.Version = ""
		}
		s.Modules = append(s.Modules, m)
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			s.Commit = setting.Value
		case "vcs.modified":
			s.Modified = setting.Value == "true"
		}
	}
	return s, nil
}

// Check compares a stamp with the plan: a binary that does not say what it is
// released as must not be released.
func (s Stamp) Check(p plan.Plan) error {
	want := "v" + p.Version
	switch {
	case s.Commit != p.Commit:
		return release.Reject("", "the binary says commit %q, the plan %q", s.Commit, p.Commit)
	case s.Modified:
		return release.Reject("", "the binary says that the clone of commit %.7s was modified", p.Commit)
	case s.Version != want:
		return release.Reject("", "the binary says version %q of %s, the plan %q", s.Version, s.Module, want)
	}
	if compiler, _, _ := strings.Cut(s.GoVersion, " "); compiler != p.Toolchain { // experiments follow a blank
		return release.Reject("the commit asks for another version of Go than what is checked out; check the commit out and run again",
			"the binary was compiled by %s, the plan says %s", compiler, p.Toolchain)
	}
	return nil
}
