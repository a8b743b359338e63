// Package pack writes the files of a release: archives whose bytes depend on their
// input alone, and checksums. Every file is hashed while it is written, appears
// under its name only when it is complete, and has mode 0644.
//
// An archive does not know where and when it was made: entries are sorted by name,
// carry one time in whole seconds of UTC, belong to user and group 0 without names,
// and have mode 0755 or 0644. The same entries give the same bytes on another path,
// under another umask and on another day, for one version of the compressor.
//
// Formats: POSIX.1-2001 tar (ustar headers; pax only for what ustar cannot express)
// inside gzip (RFC 1952) or Zstandard (RFC 8878); and PKWARE's zip with Deflate.
package pack

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// level is the gzip and Deflate level: on executables the higher ones cost up to
// seven times the time for 3% of the size.
const level = 6

// Entry is one file of an archive.
type Entry struct {
	Name string      // path inside the archive: slash-separated, relative, without "." and ".."
	Path string      // the file on disk
	Mode fs.FileMode // 0o755 or 0o644
}

// Archive packs entries into a file at path, in one of the formats of package plan.
// The order of entries does not matter. Each must be a regular file on disk (links
// are followed), and no two names may differ by case alone: macOS and Windows would
// unpack them to one file. packed are the entries as they went in, in the order
// given: Name is that of the file on disk, Digest and Size are of the bytes in the
// archive. On error nothing is left at path that was not there before; an error about
// one entry names it.
func Archive(ctx context.Context, format, path string, entries []Entry, modified time.Time) (file release.File, packed []release.File, err error) {
	if file, packed, err = archive(ctx, format, path, entries, modified); err != nil {
		return release.File{}, nil, fmt.Errorf("packing %q: %w", filepath.Base(path), err)
	}
	return file, packed, nil
}

func archive(ctx context.Context, format, path string, entries []Entry, modified time.Time) (file release.File, packed []release.File, err error) {
	if err := checkEntries(entries); err != nil {
		return release.File{}, nil, err
	}
	file, err = create(path, func(w io.Writer) (err error) {
		packed, err = write(ctx, format, w, entries, modified.UTC().Truncate(time.Second))
		return err
	})
	return file, packed, err
}

// write gives the entries as they went in, in the order given.
func write(ctx context.Context, format string, w io.Writer, entries []Entry, modified time.Time) ([]release.File, error) {
	container, err := newContainer(format, w, modified)
	if err != nil {
		return nil, err
	}
	packed := make([]release.File, len(entries))
	for _, i := range byName(entries) {
		if packed[i], err = add(ctx, container, entries[i]); err != nil {
			return nil, fmt.Errorf("writing %q: %w", entries[i].Name, err)
		}
	}
	return packed, container.close()
}

// byName are the indexes of the entries in the order of their names.
func byName(entries []Entry) []int {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(entries[a].Name, entries[b].Name) })
	return order
}

func checkEntries(entries []Entry) error {
	if len(entries) == 0 {
		return fmt.Errorf("no entries")
	}
	names := map[string]string{}
	for _, i := range byName(entries) { // the order given decides about no error either
		e := entries[i]
		if !localName(e.Name) {
			return fmt.Errorf("entry %q: want a relative, slash-separated path", e.Name)
		}
		if e.Mode != 0o755 && e.Mode != 0o644 {
			return fmt.Errorf("entry %q: mode %#o: want 0755 or 0644", e.Name, e.Mode)
		}
		folded := strings.ToLower(e.Name)
		if other, ok := names[folded]; ok {
			return fmt.Errorf("entry %q: would be the same file as %q", e.Name, other)
		}
		names[folded] = e.Name
	}
	return nil
}

// localName tells whether a name stays inside the directory that it is unpacked in,
// on every system, and is spelled in the one canonical way.
func localName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.ContainsAny(name, "\\:\x00")
}

// add copies one file into the container, and takes its digest on the way.
func add(ctx context.Context, to container, e Entry) (release.File, error) {
	// Opening a named pipe would wait for its writer, so the kind is looked at first.
	info, err := os.Stat(e.Path)
	if err != nil {
		return release.File{}, err
	}
	if !info.Mode().IsRegular() {
		return release.File{}, fmt.Errorf("%s is not a regular file", e.Path)
	}
	file, err := os.Open(e.Path)
	if err != nil {
		return release.File{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	w, err := to.next(e, info.Size())
	if err != nil {
		return release.File{}, err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), &reader{ctx: ctx, r: file})
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != info.Size() {
		err = fmt.Errorf("%s changed while it was read", e.Path)
	}
	return release.File{Name: filepath.Base(e.Path), Path: e.Path, Digest: release.Sum(hash), Size: n}, err
}

// reader stops when the context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// container is an archive that is being written.
type container interface {
	next(e Entry, size int64) (io.Writer, error) // begins an entry of size bytes
	close() error
}

func newContainer(format string, w io.Writer, modified time.Time) (container, error) {
	switch format {
	case plan.FormatTarGz:
		compressor, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			return nil, err
		}
		// The zero time.Time would be written as a time in 2042; this one is "no time".
		compressor.ModTime = time.Unix(0, 0)
		return &tarball{tar.NewWriter(compressor), compressor, modified}, nil
	case plan.FormatTarZst:
		// One goroutine: how a stream is cut must not depend on the machine.
		compressor, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
		if err != nil {
			return nil, err
		}
		return &tarball{tar.NewWriter(compressor), compressor, modified}, nil
	case plan.FormatZip:
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
			return flate.NewWriter(w, level)
		})
		return &zipfile{z, dosTime(modified)}, nil
	}
	return nil, fmt.Errorf("format %q: want %s, %s or %s", format, plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip)
}

type tarball struct {
	tar        *tar.Writer
	compressor io.WriteCloser
	modified   time.Time
}

func (t *tarball) next(e Entry, size int64) (io.Writer, error) {
	return t.tar, t.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: e.Name, Size: size, Mode: int64(e.Mode), ModTime: t.modified,
	})
}

func (t *tarball) close() error {
	if err := t.tar.Close(); err != nil {
		return err
	}
	return t.compressor.Close()
}

type zipfile struct {
	zip      *zip.Writer
	modified time.Time
}

func (z *zipfile) next(e Entry, _ int64) (io.Writer, error) {
	header := &zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: z.modified}
	header.SetMode(e.Mode)
	return z.zip.CreateHeader(header)
}

func (z *zipfile) close() error { return z.zip.Close() }

// dosTime is t or, where zip's date field cannot hold it, the first time that it can.
func dosTime(t time.Time) time.Time {
	if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		return first
	}
	return t
}
