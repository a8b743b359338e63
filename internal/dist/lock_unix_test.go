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

// What root makes in another user's directory is that user's afterwards; a directory that
// this tool did not make stays as it is.
func TestUnlockGivesAway(t *testing.T) {
	me, at := uint32(os.Geteuid()), t.TempDir()
	want := me
	if me == 0 {
		want = 1001
		if err := os.Chown(at, 1001, 1001); err != nil {
			t.Fatal(err)
		}
	}
	d := dist.Dir(filepath.Join(at, "dist"))
	belongs := func(path string, want uint32) {
		t.Helper()
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
	during := func(change func() error) {
		t.Helper()
		unlock, err := d.Lock()
		if err == nil {
			err = change()
		}
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
	during(func() error { return os.Mkdir(string(d), 0o755) })
	during(func() error { return os.WriteFile(d.Join("app.js"), nil, 0o600) })
	belongs(d.Join("app.js"), me)
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	during(d.Renew)
	belongs(string(d), want)
	belongs(d.Join(".gitignore"), want)
}
