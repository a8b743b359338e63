package dist_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/release"
)

// write makes files below a directory; a name that ends with a slash is a directory.
func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			t.Fatal(err)
		}
		if parent == path {
			continue
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists what is below a directory, slash-separated; links are not followed.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	names := []string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func equal(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What this tool made is deleted and made again, empty but for what marks it.
func TestRenew(t *testing.T) {
	for name, there := range map[string][]string{
		"missing":           nil,
		"empty":             {"dist/"},
		"ours":              {"dist/.pgo-release", "dist/.gitignore", "dist/app.zip", "dist/image/blobs/sha256/x", "dist/binaries/"},
		"ours, half gone":   {"dist/.pgo-release", "dist/image/"},
		"ours, all but one": {"dist/.pgo-release"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, there...)
			d := dist.Dir(filepath.Join(root, "dist"))
			before := tree(t, root)
			if err := d.Check(); err != nil {
				t.Error(err)
			}
			if equal(t, root, before...); t.Failed() {
				t.Fatal("Check changes something")
			}
			if err := d.Renew(); err != nil {
				t.Fatal(err)
			}
			equal(t, root, "dist", "dist/.gitignore", "dist/.pgo-release")
			if text, err := os.ReadFile(d.Join(".gitignore")); err != nil || string(text) != "*\n" {
				t.Errorf("git would see it: %q, %v", text, err)
			}
			if err := d.Remove(); err != nil {
				t.Error(err)
			}
			equal(t, root)
			if err := d.Remove(); err != nil {
				t.Errorf("removing what is not there: %v", err)
			}
		})
	}
}

// What this tool did not make is refused, and stays as it is.
func TestForeign(t *testing.T) {
	for name, there := range map[string][]string{
		"a file":                {"dist/app.js"},
		"a directory":           {"dist/assets/"},
		"ignored in git":        {"dist/.gitignore"},
		"the marker elsewhere":  {"dist/sub/.pgo-release"},
		"the marker, otherwise": {"dist/.pgo-release/", "dist/app.js"},
		"another name":          {"dist/.pgo-release.yaml"},
		"a file in its place":   {"dist"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, there...)
			refused(t, root, dist.Dir(filepath.Join(root, "dist")))
		})
	}
}

// refused tells that nothing can be done with a directory, and that nothing was.
func refused(t *testing.T, root string, d dist.Dir) {
	t.Helper()
	before := tree(t, root)
	for name, err := range map[string]error{"Check": d.Check(), "Renew": d.Renew(), "Remove": d.Remove()} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("output directory %q: ", string(d))) {
			t.Errorf("%s: %v", name, err)
		}
		if release.ClassOf(err) != release.Rejected || release.HintOf(err) == "" {
			t.Errorf("%s: class %d, hint %q", name, release.ClassOf(err), release.HintOf(err))
		}
	}
	equal(t, root, before...)
}

// A link leads out of the project: what it names is not this tool's, marker or not.
func TestLink(t *testing.T) {
	for name, there := range map[string][]string{
		"to what this tool made": {"other/.pgo-release", "other/app.zip"},
		"to an empty directory":  {"other/"},
		"to a file":              {"other"},
		"to nothing":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, there...)
			link := filepath.Join(root, "dist")
			if err := os.Symlink("other", link); err != nil {
				t.Fatal(err)
			}
			refused(t, root, dist.Dir(link))
		})
	}
	t.Run("inside", func(t *testing.T) {
		root := t.TempDir()
		write(t, root, "other/kept", "dist/.pgo-release")
		if err := os.Symlink(filepath.Join("..", "other"), filepath.Join(root, "dist", "link")); err != nil {
			t.Fatal(err)
		}
		if err := dist.Dir(filepath.Join(root, "dist")).Remove(); err != nil {
			t.Error(err)
		}
		equal(t, root, "other", "other/kept")
	})
	t.Run("as marker", func(t *testing.T) {
		root := t.TempDir()
		write(t, root, "marker", "dist/kept")
		if err := os.Symlink(filepath.Join("..", "marker"), filepath.Join(root, "dist", ".pgo-release")); err != nil {
			t.Fatal(err)
		}
		refused(t, root, dist.Dir(filepath.Join(root, "dist")))
	})
}

// Wherever a deletion is interrupted, the next one takes it up.
func TestRemoveInterrupted(t *testing.T) {
	interrupted := errors.New("interrupted")
	for steps := 0; ; steps++ {
		root := t.TempDir()
		write(t, root, "dist/.pgo-release", "dist/.gitignore", "dist/app.zip", "dist/image/blobs/x", "dist/.a", "dist/z")
		d := dist.Dir(filepath.Join(root, "dist"))
		done := 0
		err := dist.Remove(d, func(path string) error {
			if done == steps {
				return interrupted
			}
			done++
			return os.RemoveAll(path)
		})
		if err == nil {
			equal(t, root)
			if steps < 5 {
				t.Errorf("done in %d steps", steps)
			}
			return
		}
		if want := fmt.Sprintf("deleting output directory %q: interrupted", string(d)); err.Error() != want || !errors.Is(err, interrupted) {
			t.Errorf("%v, want %s", err, want)
		}
		if err := d.Renew(); err != nil {
			t.Errorf("after %d steps: %v", steps, err)
		}
		equal(t, root, "dist", "dist/.gitignore", "dist/.pgo-release")
	}
}

func TestRenewFails(t *testing.T) {
	root := t.TempDir()
	write(t, root, "file")
	d := dist.Dir(filepath.Join(root, "file", "dist"))
	if err := d.Renew(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("output directory %q", string(d))) {
		t.Errorf("below a file: %v", err)
	}
}

func TestJoin(t *testing.T) {
	if got, want := dist.Dir("out").Join(dist.ImageDir, "index.json"), filepath.Join("out", "image", "index.json"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
