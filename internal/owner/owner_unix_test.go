//go:build unix

package owner_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/org/pgo-release/internal/owner"
)

// somebody is a user that is neither root nor who runs the test.
const somebody, other = 1001, 1002

// As root, what root made changes hands, and nothing else; anybody else changes nothing.
func TestGive(t *testing.T) {
	me, at := uint32(os.Geteuid()), t.TempDir()
	want := uint32(somebody)
	if me != 0 {
		want = me
	}
	path := func(name string) string { return filepath.Join(at, filepath.FromSlash(name)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(path("work/dist/sub"), 0o755))
	for _, name := range []string{"outside", "shared", "work/dist/file", "work/dist/sub/file", "work/dist/others"} {
		must(os.WriteFile(path(name), nil, 0o600))
	}
	must(os.Symlink(path("outside"), path("work/dist/link")))
	must(os.Link(path("shared"), path("work/dist/hard")))
	must(os.Symlink(path("work/dist"), path("work/alias")))
	others := me
	if me == 0 {
		must(os.Chown(path("work"), somebody, somebody))
		must(os.Chown(path("work/dist/others"), other, other))
		others = other
	}
	belongs := func(want map[string]uint32) {
		t.Helper()
		for name, uid := range want {
			info, err := os.Lstat(path(name))
			must(err)
			if got := info.Sys().(*syscall.Stat_t).Uid; got != uid {
				t.Errorf("%s belongs to %d, want %d", name, got, uid)
			}
		}
	}
	owner.Give(path("work/dist"), at) // of me
	owner.Give(path("work/alias"), path("work"))
	owner.Give(path("work/none"), path("work"))
	owner.Give(path("work/dist"), path("none"))
	belongs(map[string]uint32{"work/dist": me, "work/dist/file": me})
	owner.Give(path("work/dist"), path("work"))
	belongs(map[string]uint32{
		"work/dist": want, "work/dist/file": want, "work/dist/sub": want, "work/dist/sub/file": want, "work/dist/link": want,
		"work/dist/others": others, "work/dist/hard": me, "shared": me, "outside": me,
	})
}
