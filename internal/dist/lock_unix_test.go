//go:build unix

package dist_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// What root makes in another user's directory is that user's afterwards, and a link there
// gives nothing else away; what anybody else makes stays as it is.
func TestUnlockGivesAway(t *testing.T) {
	at, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	me, want := uint32(os.Geteuid()), uint32(os.Geteuid())
	if me == 0 {
		want = 1001
		if err := os.Chown(at, 1001, 1001); err != nil {
			t.Fatal(err)
		}
	}
	d := dist.Dir(filepath.Join(at, "dist"))
	unlock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Renew(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, d.Join("link")); err != nil {
		t.Fatal(err)
	}
	unlock()
	for path, want := range map[string]uint32{string(d): want, d.Join(".gitignore"): want, d.Join("link"): want, outside: me} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
}
