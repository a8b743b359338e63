// Package dist keeps the output directory: it makes it, knows it again by a marker,
// and deletes no directory without one. The directory ignores itself in git.
package dist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/org/pgo-release/internal/release"
)

// marker is the file by which the directory is known as this tool's.
const marker = ".pgo-release"

const markerText = "Made by pgo-release, which deletes this directory when it builds again.\n"

// The places inside the directory.
const (
	ImageDir     = "image"     // OCI layout
	TarballName  = "image.tar" // what `docker load` takes
	BinariesDir  = "binaries"  // one directory a unit, with the executable
	RehearsalDir = "rehearsal" // what a rehearsal leaves for verifying by hand
)

// Dir is an output directory.
type Dir string

// Join is a path inside the directory.
func (d Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// Check refuses a directory that this tool did not make, and a link: it leads to what
// is not the project's. A missing or empty directory is fine. It changes nothing.
func (d Dir) Check() error {
	info, err := os.Lstat(string(d))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return d.failure("opening", err)
	case !info.IsDir():
		return release.Reject("move it away; pgo-release makes a directory in its place",
			"output directory %q: it is not a directory", string(d))
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return d.failure("opening", err)
	}
	if len(entries) == 0 {
		return nil
	}
	if info, err := os.Lstat(d.Join(marker)); err != nil || !info.Mode().IsRegular() {
		return release.Reject("move it away; pgo-release deletes only what it made",
			"output directory %q: it is not empty and pgo-release did not make it", string(d))
	}
	return nil
}

func (d Dir) failure(doing string, err error) error {
	return fmt.Errorf("%s output directory %q: %w", doing, string(d), err)
}

// Renew checks the directory, deletes what an earlier run left in it and makes it
// anew, empty but for its marker.
func (d Dir) Renew() error {
	if err := d.Remove(); err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return d.failure("making", err)
	}
	// The marker comes first: a directory that is not finished is known again.
	for _, file := range []struct{ name, text string }{{marker, markerText}, {".gitignore", "*\n"}} {
		if err := os.WriteFile(d.Join(file.name), []byte(file.text), 0o644); err != nil {
			return d.failure("making", err)
		}
	}
	return nil
}

// Remove deletes the directory with everything in it, if it is this tool's.
func (d Dir) Remove() error { return d.remove(os.RemoveAll) }

func (d Dir) remove(removeAll func(string) error) error {
	if err := d.Check(); err != nil {
		return err
	}
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// The marker goes last: a deletion that is interrupted can be taken up again.
	for _, e := range entries {
		if err == nil && e.Name() != marker {
			err = removeAll(d.Join(e.Name()))
		}
	}
	if err == nil {
		err = removeAll(string(d))
	}
	if err != nil {
		return d.failure("deleting", err)
	}
	return nil
}
