package pack

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/pgo-release/internal/plan"
)

// What Entries reads of an archive at most; both are far beyond what a release has.
const (
	maxExpanded = 8 << 30 // bytes after decompression
	maxEntries  = 10_000
	maxWindow   = 128 << 20 // memory of the Zstandard decoder, in bytes
)

// Entries reads an archive from its beginning to its end and gives take the name and
// the content of every file in it, in the archive's order. The archive may come from
// anybody: nothing is written to disk, and it is refused when it holds anything but
// regular files and directories, a name that leaves the directory it is unpacked in
// or is not in its plain form, two names that some systems would unpack to one file,
// or a file of more than limit bytes. What take got is good only when the error is
// nil. An error of take ends the reading and is returned.
func Entries(archive, format string, limit int64, take func(name string, content io.Reader) error) error {
	var err error
	w := walk{limit: limit, take: take, seen: map[string]bool{}}
	switch format {
	case plan.FormatTarGz, plan.FormatTarZst:
		err = w.tar(archive, format)
	case plan.FormatZip:
		err = w.zip(archive)
	default:
		err = fmt.Errorf("format %q: want %s, %s or %s", format, plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip)
	}
	if err != nil {
		return fmt.Errorf("reading archive %q: %w", filepath.Base(archive), err)
	}
	return nil
}

// walk looks at the entries of an archive, one by one.
type walk struct {
	limit int64
	take  func(name string, content io.Reader) error
	count int
	seen  map[string]bool // names as a system sees them that does not know case
}

// judge refuses an entry, or tells whether it is a file.
func (w *walk) judge(entry string, regular, directory bool) (bool, error) {
	if w.count++; w.count > maxEntries {
		return false, fmt.Errorf("more than %d entries", maxEntries)
	}
	if directory {
		entry = strings.TrimSuffix(entry, "/")
	}
	clean := path.Clean(entry)
	folded := strings.ToLower(clean)
	switch {
	case !localName(clean):
		return false, fmt.Errorf("entry %.200q leaves the directory that the archive is unpacked in", entry)
	case directory:
		return false, nil
	case !regular:
		return false, fmt.Errorf("entry %.200q is neither a regular file nor a directory", entry)
	case w.seen[folded]:
		return false, fmt.Errorf("entry %.200q would be unpacked to the same file as another", entry)
	case clean != entry:
		return false, fmt.Errorf("entry %.200q would be unpacked to %.200q", entry, clean)
	}
	w.seen[folded] = true
	return true, nil
}

// give hands one file over and reads it to its end: that is where a checksum of the
// format is compared.
func (w *walk) give(name string, r io.Reader) error {
	content := &io.LimitedReader{R: r, N: w.limit}
	if err := w.take(name, content); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return err
	}
	if more, err := io.CopyN(io.Discard, r, 1); more > 0 {
		return fmt.Errorf("entry %.200q has more than %d bytes", name, w.limit)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (w *walk) tar(archive, format string) error {
	file, err := os.Open(archive)
	if err != nil {
		return bare(err)
	}
	defer file.Close() //nolint:errcheck // only read
	expanded, err := decompress(file, format)
	if err != nil {
		return err
	}
	defer expanded.Close() //nolint:errcheck // the reader's errors were seen
	limited := &capped{r: expanded, left: maxExpanded}
	for t := tar.NewReader(limited); ; {
		header, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		file, err := w.judge(header.Name, header.Typeflag == tar.TypeReg, header.Typeflag == tar.TypeDir)
		if err != nil {
			return err
		}
		if file {
			if err := w.give(header.Name, t); err != nil {
				return err
			}
		}
	}
	// Reading on to the end lets the decompressor compare its checksum, and leaves no
	// room for a second archive behind the first.
	return zeros(limited)
}

func decompress(r io.Reader, format string) (io.ReadCloser, error) {
	if format == plan.FormatTarGz {
		return gzip.NewReader(r)
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// capped fails once more than left bytes were read.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes after decompression", int64(maxExpanded))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// zeros reads to the end and refuses anything but the padding of a tar file.
func zeros(r io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Read(buffer)
		for _, b := range buffer[:n] {
			if b != 0 {
				return errors.New("data after the end of the archive")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (w *walk) zip(archive string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return bare(err)
	}
	defer z.Close() //nolint:errcheck // only read
	for _, f := range z.File {
		mode := f.Mode()
		file, err := w.judge(f.Name, mode.IsRegular(), mode.IsDir())
		if err != nil {
			return err
		}
		if !file {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		if err := errors.Join(w.give(f.Name, r), r.Close()); err != nil {
			return err
		}
	}
	return nil
}
