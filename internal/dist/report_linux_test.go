package dist_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/release"
)

// A report that is no file is refused and not waited for.
func TestReadOpensFilesOnly(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"link":   func(path string) error { return os.Symlink(os.DevNull, path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		d := dist.Dir(t.TempDir())
		if err := put(d.Join(release.ReportName)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(); err == nil || !strings.Contains(err.Error(), "not a file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
