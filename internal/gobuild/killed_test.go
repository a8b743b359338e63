//go:build unix

package gobuild_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/release"
)

// A compiler that is killed is told from one that finds something wrong.
func TestKilled(t *testing.T) {
	for output, want := range map[string]bool{
		"# example.com/app\ngo build example.com/app: /usr/local/go/pkg/tool/linux_amd64/link: signal: killed\n": true,
		"runtime: /usr/local/go/pkg/tool/linux_amd64/compile: signal: killed":                                    true,
		"main.go:3:2: undefined: killed\n":                                                                       false,
		"main.go:3:2: \"x: signal: killed\" is not used\n":                                                       false,
	} {
		f := &gobuild.Failure{Output: output}
		if f.Killed() != want || want != strings.Contains(release.HintOf(f), "memory") {
			t.Errorf("%q: %t, %q", output, f.Killed(), release.HintOf(f))
		}
	}
}

// The go command itself may be the one that is killed.
func TestKilledGo(t *testing.T) {
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin, dir := t.TempDir(), module(t)
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n[ \"$1\" != build ] || kill -9 $$\nexec '"+real+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	err = probe(t, dir, callers(t, "")).Compile(t.Context(), gobuild.Job{Dir: dir, Unit: unit()}, filepath.Join(t.TempDir(), "app"))
	var failure *gobuild.Failure
	if !errors.As(err, &failure) || !failure.Killed() {
		t.Errorf("%v", err)
	}
}
