package pack

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/org/pgo-release/internal/release"
)

// fileMode is what every output gets, whatever the umask is.
const fileMode fs.FileMode = 0o644

// WriteFile writes content to path and returns the file with the digest of the
// bytes that went out. The file appears under its name complete or not at all; one
// that was there is replaced.
func WriteFile(path string, content []byte) (release.File, error) {
	return Copy(path, bytes.NewReader(content))
}

// Copy writes what r holds to path, under the same promises as WriteFile.
func Copy(path string, r io.Reader) (release.File, error) {
	file, err := create(path, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	if err != nil {
		return release.File{}, fmt.Errorf("writing %q: %w", filepath.Base(path), err)
	}
	return file, nil
}

// create lets write fill a file beside path and renames it to path; when anything
// fails, nothing is left. The caller names the file in the error.
func create(path string, write func(io.Writer) error) (_ release.File, err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, ".pack-*")
	if err != nil {
		return release.File{}, fmt.Errorf("creating a file in %q: %w", dir, bare(err))
	}
	defer func() {
		if err != nil {
			// The first error is the one to report; closing twice does no harm.
			_ = temporary.Close()
			_ = os.Remove(temporary.Name())
			err = bare(err)
		}
	}()
	out := &counter{w: temporary}
	hash := sha256.New()
	buffer := bufio.NewWriterSize(io.MultiWriter(out, hash), 64<<10)
	if err := write(buffer); err != nil {
		return release.File{}, err
	}
	if err := buffer.Flush(); err != nil {
		return release.File{}, err
	}
	if err := temporary.Chmod(fileMode); err != nil {
		return release.File{}, err
	}
	if err := temporary.Close(); err != nil {
		return release.File{}, err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return release.File{}, err
	}
	return release.File{
		Name: filepath.Base(path), Path: path, Digest: release.Sum(hash), Size: out.n,
	}, nil
}

// counter counts what was written, and reports errors without the temporary name:
// it means nothing to a reader, and the caller names the file.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, bare(err)
}

// bare is the cause inside an error about a path or a rename, where err is one.
func bare(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}
