package gobuild_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// write makes files below a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// command runs a program of the test itself.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var said strings.Builder // the go command warns of a go.mod in /tmp, for one
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return strings.TrimSpace(string(out))
}

// callers is the environment of a caller with settings of their own, in variables and
// by go env -w. No module comes from anywhere.
func callers(t *testing.T, settings string, environ ...string) []string {
	t.Helper()
	home := t.TempDir()
	write(t, home, map[string]string{"go/env": settings})
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home,
		"GOCACHE=" + command(t, home, nil, "go", "env", "GOCACHE"),
		"GOMODCACHE=" + filepath.Join(home, "mod"), "GOPROXY=off",
	}, environ...)
}

func probe(t *testing.T, dir string, environ []string) gobuild.Toolchain {
	t.Helper()
	toolchain, err := gobuild.Probe(t.Context(), run.New(environ), dir)
	if err != nil {
		t.Fatal(err)
	}
	return toolchain
}

// commit makes a git repository of a directory, with one commit and tag v1.2.3.
func commit(t *testing.T, dir string) string {
	t.Helper()
	env := []string{
		"HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "-A"}, {"commit", "--quiet", "-m", "First"}, {"tag", "v1.2.3"}} {
		command(t, dir, env, "git", args...)
	}
	return command(t, dir, env, "git", "rev-parse", "HEAD")
}

const mainGo = `package main

import (
	"fmt"
	"runtime"
)

var version, commit = "none", "none"

func main() {
	_, file, _, _ := runtime.Caller(0)
	fmt.Printf("%s %s %s, %s\n", version, commit, extra, file)
}
`

// module is a program that says how it was compiled.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":            "module example.com/app\n\ngo 1.26\n",
		"go.work":           "go 1.26\n\nuse ./nowhere\n", // a release is of one module
		"cmd/app/main.go":   mainGo,
		"cmd/app/plain.go":  "//go:build !extra && !fromenv\n\npackage main\n\nconst extra = \"plain\"\n",
		"cmd/app/tagged.go": "//go:build extra\n\npackage main\n\nconst extra = \"tagged\"\n",
		"cmd/app/env.go":    "//go:build fromenv\n\npackage main\n\nconst extra = \"from the environment\"\n",
	})
	return dir
}

// unit is the program of module for this machine.
func unit() plan.Unit {
	return plan.Unit{
		Build: "app", Main: "./cmd/app", Target: release.Target{OS: runtime.GOOS, Arch: runtime.GOARCH}, Binary: "app",
		Ldflags: "-s -w -X main.version=1.2.3 -X main.commit=abc",
	}
}

func TestProbe(t *testing.T) {
	toolchain := probe(t, module(t), callers(t, "GOFLAGS=-tags=extra\n"))
	if want := command(t, ".", nil, "go", "env", "GOVERSION"); toolchain.Version != want {
		t.Errorf("version %q, want %q", toolchain.Version, want)
	}
	if filepath.Base(toolchain.ModuleCache) != "mod" {
		t.Errorf("module cache %q", toolchain.ModuleCache)
	}
	for _, port := range []string{"linux/amd64", "linux/arm", "darwin/arm64", "windows/arm64", "js/wasm"} {
		if !slices.Contains(toolchain.Ports, port) {
			t.Errorf("%s is not among %q", port, toolchain.Ports)
		}
	}
}

func TestProbeFails(t *testing.T) {
	dir := module(t)
	write(t, dir, map[string]string{"go.mod": "module example.com/app\n\ngo 99.1\n"})
	_, err := gobuild.Probe(t.Context(), run.New(callers(t, "")), dir)
	if err == nil || !strings.Contains(err.Error(), "asking the go command for its settings") || !strings.Contains(err.Error(), "go99.1") {
		t.Errorf("a toolchain that is not there: %v", err)
	}
	environ := callers(t, "")
	t.Setenv("PATH", t.TempDir())
	if _, err := gobuild.Probe(t.Context(), run.New(environ), dir); !errors.Is(err, run.ErrNotFound) {
		t.Errorf("no go command: %v", err)
	}
}

// What the unit says reaches the binary; what the caller has set does not.
func TestCompile(t *testing.T) {
	dir := module(t)
	revision := commit(t, dir)
	environ := callers(t, "GOFLAGS=-tags=extra\nGOOS=plan9\nGOAMD64=v4\nCGO_ENABLED=1\nGOEXPERIMENT=jsonv2\n",
		"GOFLAGS=-tags=extra -ldflags=-X=main.version=caller", "GOOS=plan9", "GOARCH=386", "CGO_ENABLED=1", "GOWORK=/none", "GOEXPERIMENT=jsonv2",
		"GIT_DIR=/none")
	toolchain := probe(t, dir, environ)
	tagged, environment := unit(), unit()
	tagged.Tags = []string{"other", "extra"}
	environment.Env = map[string]string{"GOFLAGS": "-tags=fromenv"}
	for name, c := range map[string]struct {
		unit plan.Unit
		says string
	}{
		"plain":                      {unit(), "1.2.3 abc plain, example.com/app/cmd/app/main.go"},
		"tags":                       {tagged, "1.2.3 abc tagged, example.com/app/cmd/app/main.go"},
		"the unit's own environment": {environment, "1.2.3 abc from the environment, example.com/app/cmd/app/main.go"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "not there yet", c.unit.Binary)
			if err := toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: c.unit, Stamped: true}, out); err != nil {
				t.Fatal(err)
			}
			if says := command(t, dir, nil, out); says != c.says {
				t.Errorf("it says %q, want %q", says, c.says)
			}
			content, err := os.ReadFile(out)
			if err != nil || strings.Contains(string(content), dir) {
				t.Errorf("it names the directory that it was compiled in (%v)", err)
			}
			settings := command(t, dir, nil, "go", "version", "-m", out)
			for _, want := range []string{"-trimpath=true", "CGO_ENABLED=0", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH, "vcs.revision=" + revision} {
				if !strings.Contains(settings, want) {
					t.Errorf("%s is not among\n%s", want, settings)
				}
			}
			if strings.Contains(settings, "v4") || strings.Contains(settings, "jsonv2") {
				t.Errorf("settings of the caller in\n%s", settings)
			}
			stamp, err := gobuild.ReadStamp(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := stamp.Check(plan.Plan{Version: "1.2.3", Commit: revision, Toolchain: stamp.GoVersion}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Target and variant reach the go command: each file here is broken for one of them.
func TestCompileTarget(t *testing.T) {
	dir := t.TempDir()
	targets := map[string]string{
		"windows/arm64": "windows && arm64", "linux/amd64/v3": "linux && amd64.v3", "linux/arm/v5": "arm.5 && !arm.6",
		"linux/riscv64/rva22u64": "riscv64.rva22u64", "linux/mips/softfloat": "mips.softfloat",
	}
	files := map[string]string{"go.mod": "module example.com/app\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n"}
	for target, constraint := range targets {
		name := strings.NewReplacer("/", "-").Replace(target) + ".go"
		files[name] = "//go:build " + constraint + "\n\npackage main\n\nbroken\n"
	}
	write(t, dir, files)
	toolchain := probe(t, dir, callers(t, ""))
	for text := range targets {
		target, err := release.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		u := plan.Unit{Build: "app", Main: ".", Target: target}
		err = toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: u}, filepath.Join(t.TempDir(), "app"))
		var failure *gobuild.Failure
		if !errors.As(err, &failure) || failure.Unit != "app for "+text {
			t.Fatalf("%s: %v", text, err)
		}
		name := strings.ReplaceAll(text, "/", "-") + ".go:5"
		if strings.Count(failure.Output, ".go:") != 1 || !strings.Contains(failure.Output, name) {
			t.Errorf("%s: want an error in %s alone:\n%s", text, name, failure.Output)
		}
	}
}

// Every variant that a platform may name is one that the toolchain takes.
func TestVariants(t *testing.T) {
	dir := module(t)
	runner := run.New(callers(t, "")).With("GOWORK=off")
	for arch, variants := range map[string]string{
		"386": "sse2 softfloat", "amd64": "v1 v2 v3 v4", "arm": "v5 v6 v7",
		"arm64": "v8.0 v8.1 v8.2 v8.3 v8.4 v8.5 v8.6 v8.7 v8.8 v8.9 v9.0 v9.1 v9.2 v9.3 v9.4 v9.5",
		"mips":  "hardfloat softfloat", "mipsle": "hardfloat softfloat", "mips64": "hardfloat softfloat", "mips64le": "hardfloat softfloat",
		"ppc64": "power8 power9 power10", "ppc64le": "power8 power9 power10", "riscv64": "rva20u64 rva22u64 rva23u64",
	} {
		for _, variant := range strings.Fields(variants) {
			target, err := release.ParseTarget("linux/" + arch + "/" + variant)
			if err != nil {
				t.Error(err)
				continue
			}
			tags, err := runner.With(target.Env()...).Output(t.Context(), dir, "go", "list", "-f", "{{context.ToolTags}}", "./cmd/app")
			tag := arch + "." + variant
			if arch == "arm" {
				tag = arch + "." + strings.TrimPrefix(variant, "v")
			}
			if err != nil || !slices.Contains(strings.Fields(strings.Trim(string(tags), "[]\n")), tag) {
				t.Errorf("%s: %s, %v", target, tags, err)
			}
		}
	}
}

func TestCompileVendored(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":                        "module example.com/app\n\ngo 1.26\n\nrequire example.com/dep v1.4.0\n",
		"main.go":                       "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/dep\"\n)\n\nfunc main() { fmt.Println(dep.Name) }\n",
		"vendor/modules.txt":            "# example.com/dep v1.4.0\n## explicit; go 1.26\nexample.com/dep\n",
		"vendor/example.com/dep/dep.go": "package dep\n\nconst Name = \"vendored\"\n",
	})
	toolchain := probe(t, dir, callers(t, ""))
	u := unit()
	u.Main = "."
	out := filepath.Join(t.TempDir(), "app")
	if err := toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: u, Vendored: true}, out); err != nil {
		t.Fatal(err)
	}
	if says := command(t, dir, nil, out); says != "vendored" {
		t.Errorf("it says %q", says)
	}
	err := toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: u}, out)
	if err == nil || !strings.Contains(err.Error(), "example.com/dep") {
		t.Errorf("without the vendor directory nothing knows the dependency: %v", err)
	}
}

// A failing compile is shown whole.
func TestCompileFails(t *testing.T) {
	dir := module(t)
	var lines []string
	for _, name := range strings.Fields("a b c d e f g h i") { // the compiler tells ten at most
		lines = append(lines, "\tundefined"+name+"()")
	}
	write(t, dir, map[string]string{"cmd/app/main.go": "package main\n\nfunc main() {\n" + strings.Join(lines, "\n") + "\n}\n"})
	err := probe(t, dir, callers(t, "")).Compile(t.Context(), gobuild.Job{Dir: dir, Unit: unit()}, filepath.Join(t.TempDir(), "app"))
	var failure *gobuild.Failure
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	u := unit()
	want := "compiling app for " + u.Target.String() + ": exit status 1\n# example.com/app/cmd/app\n"
	if !strings.HasPrefix(err.Error(), want) || strings.HasSuffix(err.Error(), "\n") {
		t.Errorf("%q, want it to begin with %q", err, want)
	}
	for _, line := range lines {
		if !strings.Contains(err.Error(), strings.Trim(line, "\t()")) {
			t.Errorf("%s is not in\n%s", line, err)
		}
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("the cause is %#v", failure.Err)
	}
	if release.HintOf(err) != "" {
		t.Errorf("hint %q", release.HintOf(err))
	}
	failure.Module = "services/api"
	places := release.PlacesOf(err)
	if first := (release.Place{File: "services/api/cmd/app/main.go", Line: 4, Column: 2, Text: "undefined: undefineda"}); len(places) != len(lines) || places[0] != first {
		t.Errorf("places %+v, want %d and first %+v", places, len(lines), first)
	}
}

// Places are lines of the module's own files.
func TestPlaces(t *testing.T) {
	f := &gobuild.Failure{Module: ".", Output: "# example.com/app\n./main.go:3:1: a: b\nmain.go:4: no column\n../other/x.go:1:2: elsewhere\n" +
		"/root/go/pkg/mod/example.com/x@v1/x.go:1:2: elsewhere\nmain.go:99999999999999999999:1: x\nnot a place\n"}
	want := []release.Place{{File: "main.go", Line: 3, Column: 1, Text: "a: b"}, {File: "main.go", Line: 4, Text: "no column"}}
	if got := f.Places(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCompileHints(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		hint  string
	}{
		"another system": {
			map[string]string{"cmd/app/main.go": "//go:build plan9\n\npackage main\n", "cmd/app/plain.go": "//go:build plan9\n\npackage main\n"},
			"the package does not exist on this platform",
		},
		"a pointer of Git LFS": {
			map[string]string{"cmd/app/data.go": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 1\n"},
			"Git LFS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := module(t)
			write(t, dir, c.files)
			err := probe(t, dir, callers(t, "")).Compile(t.Context(), gobuild.Job{Dir: dir, Unit: unit()}, filepath.Join(t.TempDir(), "app"))
			if err == nil || !strings.Contains(release.HintOf(err), c.hint) {
				t.Errorf("hint %q, want %q, of %v", release.HintOf(err), c.hint, err)
			}
		})
	}
	full := &gobuild.Failure{Output: "write /tmp/x.a: no space left on device"}
	if hint := release.HintOf(full); !strings.Contains(hint, "free some disk space") {
		t.Errorf("hint %q", hint)
	}
}

// A compile that cannot begin, or is interrupted, is a Failure as well.
func TestCompileStopped(t *testing.T) {
	dir := module(t)
	toolchain := probe(t, dir, callers(t, ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failure *gobuild.Failure
	err := toolchain.Compile(ctx, gobuild.Job{Dir: dir, Unit: unit()}, filepath.Join(t.TempDir(), "app"))
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failure) {
		t.Errorf("interrupted: %v", err)
	}
	blocked := filepath.Join(dir, "go.mod", "app") // below a file
	err = toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: unit()}, blocked)
	if !errors.As(err, &failure) || !strings.HasPrefix(err.Error(), "compiling app for ") {
		t.Errorf("no directory to write to: %v", err)
	}
	err = toolchain.Compile(t.Context(), gobuild.Job{Dir: dir, Unit: unit(), Stamped: true}, filepath.Join(t.TempDir(), "app"))
	if err != nil { // outside of a repository there is nothing to stamp
		t.Errorf("stamped, without a repository: %v", err)
	}
}
