//go:build unix

package dist_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/release"
)

// Two runs do not work on one directory at the same time; two directories are apart.
func TestLock(t *testing.T) {
	at := t.TempDir()
	one, other := dist.Dir(filepath.Join(at, "dist")), dist.Dir(filepath.Join(t.TempDir(), "dist"))
	unlock, err := one.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Lock(); err == nil || !strings.Contains(err.Error(), "another run") || release.HintOf(err) == "" {
		t.Errorf("locked twice: %v", err)
	}
	elsewhere, err := other.Lock()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere()
	unlock()
	again, err := one.Lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
	if _, err := dist.Dir(filepath.Join(at, "gone", "dist")).Lock(); err == nil {
		t.Error("locked what is not there")
	}
}
