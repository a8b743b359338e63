package sbom

import (
	"crypto/sha256"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

var update = flag.Bool("update", false, "write the golden files anew")

// repository is the root of this module.
const repository = "../.."

// required are the modules of this repository that the sample program uses.
func required(t testing.TB) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range file.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	return versions
}

const semver = "github.com/Masterminds/semver/v3"

// plain is a program of the standard library alone.
func plain() map[string]string {
	return map[string]string{
		"go.mod":  "module example.com/hello\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() { println(\"hello\") }\n",
	}
}

// dependent is a program with a module of the proxy and one of the same repository.
func dependent(t testing.TB) map[string]string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.26\n\nrequire (\n\t" + semver + " " + required(t)[semver] +
			"\n\texample.com/lib v0.0.0\n)\n\nreplace example.com/lib => ./lib\n",
		"go.sum": string(sums),
		"main.go": "package main\n\nimport (\n\t\"" + semver + "\"\n\t\"example.com/lib\"\n)\n\n" +
			"func main() { println(semver.MustParse(\"1.2.3\").String(), lib.Name) }\n",
		"lib/go.mod": "module example.com/lib\n\ngo 1.26\n",
		"lib/lib.go": "package lib\n\nvar Name = \"lib\"\n",
	}
}

// compile builds a program and returns what a release would say about it.
func compile(t testing.TB, files map[string]string) Subject {
	t.Helper()
	return compileFor(t, files, release.Target{OS: "linux", Arch: "amd64"})
}

func compileFor(t testing.TB, files map[string]string, target release.Target) Subject {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "hello"+target.Exe(), ".")
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	command.Env = append(command.Env, target.Env()...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return Subject{
		Binary:  fileAt(t, filepath.Join(dir, "hello"+target.Exe())),
		Archive: release.File{Name: "hello_1.2.3_" + target.Suffix() + ".tar.gz", Digest: digestOf("the archive"), Size: 11},
		Project: "hello", Version: "1.2.3",
		Module: plan.Module{Path: "example.com/hello", Dir: "."},
		Source: "https://github.com/octo/hello",
		Time:   time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("east", 2*3600)),
	}
}

func fileAt(t testing.TB, path string) release.File {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return release.File{Name: filepath.Base(path), Path: path, Digest: digestOf(string(content)), Size: int64(len(content))}
}

func digestOf(content string) release.Digest {
	h := sha256.New()
	_, _ = io.Copy(h, strings.NewReader(content))
	return release.Sum(h)
}

// moduleCache is where the go command keeps modules.
func moduleCache(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// scanner is shared by all Describers: it is slow to build.
var scanner = newMatcher("").scanner

func describer(t testing.TB, moduleCache, vendor string) *Describer {
	t.Helper()
	d := New(Places{ModuleCache: moduleCache, Vendor: vendor})
	d.licences.matcher.scanner = scanner
	return d
}

// describe returns the content of the document of s, after comparing it with what
// Describe says of the file.
func describe(t *testing.T, d *Describer, s Subject) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), s.Archive.Name+release.SBOMSuffix)
	f, err := d.Describe(t.Context(), s, path)
	if err != nil {
		t.Fatal(err)
	}
	if want := fileAt(t, path); f != want {
		t.Errorf("%+v lies on disk as %+v", f, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v", info.Mode())
	}
	empty(t, filepath.Dir(path), 1)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// empty expects a number of files in a directory.
func empty(t *testing.T, dir string, but int) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != but {
		t.Errorf("%s holds %v", dir, left)
	}
}
