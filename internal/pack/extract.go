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

// What Extract reads of an archive at most; both are far beyond what a release has.
const (
	maxExpanded = 8 << 30 // bytes after decompression
	maxEntries  = 10_000
	maxWindow   = 128 << 20 // memory of the Zstandard decoder, in bytes
)

// Extract writes the one entry called name of an archive to w, and stops with an
// error after limit bytes of it. The archive may come from anybody: nothing is
// written to disk, and an archive is refused whole when it holds anything but regular
// files and directories, a name that leaves the directory it is unpacked in, or the
// entry under two spellings (some systems would unpack the other one). What w got is
// good only when the error is nil.
func Extract(archive, format, name string, w io.Writer, limit int64) error {
	var err error
	switch format {
	case plan.FormatTarGz, plan.FormatTarZst:
		err = extractTar(archive, format, &search{name: name, w: w, limit: limit})
	case plan.FormatZip:
		err = extractZip(archive, &search{name: name, w: w, limit: limit})
	default:
		err = fmt.Errorf("format %q: want %s, %s or %s", format, plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip)
	}
	if err != nil {
		return fmt.Errorf("extracting %q from %q: %w", name, filepath.Base(archive), err)
	}
	return nil
}

// search looks at the entries of an archive, one by one, and takes the one it is for.
type search struct {
	name  string
	w     io.Writer
	limit int64
	seen  int // entries
	found bool
}

// wants judges an entry and tells whether its content is to be taken.
func (s *search) wants(entry string, regular, directory bool) (bool, error) {
	if s.seen++; s.seen > maxEntries {
		return false, fmt.Errorf("more than %d entries", maxEntries)
	}
	if directory {
		entry = strings.TrimSuffix(entry, "/")
	}
	clean := path.Clean(entry)
	if !localName(clean) {
		return false, fmt.Errorf("entry %.200q leaves the directory that the archive is unpacked in", entry)
	}
	if directory {
		return false, nil
	}
	if !regular {
		return false, fmt.Errorf("entry %.200q is neither a regular file nor a directory", entry)
	}
	if !strings.EqualFold(clean, s.name) {
		return false, nil
	}
	if s.found || entry != s.name {
		return false, fmt.Errorf("entry %.200q would be unpacked to the same file", entry)
	}
	s.found = true
	return true, nil
}

func (s *search) take(r io.Reader) error {
	n, err := io.Copy(s.w, io.LimitReader(r, s.limit))
	if err != nil {
		return err
	}
	// The end must be seen: that is where a checksum of the format is compared.
	if more, err := io.CopyN(io.Discard, r, 1); more > 0 {
		return fmt.Errorf("more than %d bytes", n)
	} else if err != io.EOF {
		return err
	}
	return nil
}

func (s *search) result() error {
	if !s.found {
		return errors.New("no such entry")
	}
	return nil
}

func extractTar(archive, format string, s *search) error {
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
		wanted, err := s.wants(header.Name, header.Typeflag == tar.TypeReg, header.Typeflag == tar.TypeDir)
		if err != nil {
			return err
		}
		if wanted {
			if err := s.take(t); err != nil {
				return err
			}
		}
	}
	// Reading on to the end lets the decompressor compare its checksum, and leaves no
	// room for a second archive behind the first.
	if err := zeros(limited); err != nil {
		return err
	}
	return s.result()
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

func extractZip(archive string, s *search) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return bare(err)
	}
	defer z.Close() //nolint:errcheck // only read
	for _, f := range z.File {
		mode := f.Mode()
		wanted, err := s.wants(f.Name, mode.IsRegular(), mode.IsDir())
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		if err := errors.Join(s.take(r), r.Close()); err != nil {
			return err
		}
	}
	return s.result()
}
