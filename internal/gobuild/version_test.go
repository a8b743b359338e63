package gobuild_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// The installed version is found without fetching, and compiles whatever go.mod asks
// for; any other is fetched or said to be missing.
func TestProbeVersion(t *testing.T) {
	installed := command(t, ".", nil, "go", "env", "GOVERSION")
	base := run.New(callers(t, ""))
	for _, local := range []bool{false, true} {
		toolchain, err := gobuild.ProbeVersion(t.Context(), base, installed, local)
		if err != nil || toolchain.Version != installed || len(toolchain.Ports) == 0 {
			t.Fatalf("local %v: %q, %v", local, toolchain.Version, err)
		}
		out := filepath.Join(t.TempDir(), "app")
		u := unit()
		if err := toolchain.Compile(t.Context(), gobuild.Job{Dir: module(t), Unit: u}, out); err != nil {
			t.Errorf("local %v, on %s: %v", local, runtime.GOOS, err)
		}
	}
	for name, c := range map[string]struct {
		version string
		local   bool
		want    string
		hint    string
	}{
		"one that no proxy has":   {"go1.99.3", false, "finding go1.99.3: ", "GOPROXY"},
		"another, as user says":   {"go1.25.1", true, "finding go1.25.1: " + installed + " is installed, and GOTOOLCHAIN allows no other", "unset GOTOOLCHAIN"},
		"one that nobody fetches": {"devel go1.27-0123456789", false, "finding devel go1.27-0123456789: " + installed + " is installed", "install that version"},
		"a word of GOTOOLCHAIN":   {"path", false, "finding path: " + installed + " is installed", "install that version"},
		"a program on the PATH":   {"go1.26.8-evil", false, "finding go1.26.8-evil: ", "install that version"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gobuild.ProbeVersion(t.Context(), base, c.version, c.local)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(release.HintOf(err), c.hint) {
				t.Errorf("%v, hint %q", err, release.HintOf(err))
			}
			if release.ClassOf(err) != 0 {
				t.Errorf("class %v", release.ClassOf(err))
			}
		})
	}
}

func TestProbeVersionInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := gobuild.ProbeVersion(ctx, run.New(callers(t, "")), "go1.26.8", false)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
