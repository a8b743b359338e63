package hub

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/org/pgo-release/internal/release"
)

// content is the bytes of an asset, in memory or in a file.
type content struct {
	bytes []byte
	path  string // empty: they are in memory
}

// open reads the content from its beginning.
func (c content) open() (io.ReadSeekCloser, error) {
	if c.path != "" {
		return os.Open(c.path)
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(c.bytes), io.NopCloser(nil)}, nil
}

// errStore is that the bytes of an asset could not be kept, through no fault of theirs.
var errStore = errors.New("keeping the bytes of an asset")

// keep takes the bytes of the asset with that number, exactly size of them. The error wraps
// errStore where it is not that fewer came.
func (s *Server) keep(id int64, from io.Reader, size int64) (content, release.Digest, error) {
	hash := sha256.New()
	if s.repo.Store == "" {
		var all bytes.Buffer
		_, err := io.CopyN(io.MultiWriter(&all, hash), from, size)
		return content{bytes: all.Bytes()}, release.Sum(hash), err
	}
	s.storing.RLock() // Close waits: whoever closes may delete the directory
	defer s.storing.RUnlock()
	if s.closed {
		return content{}, "", fmt.Errorf("%w: the server is closed", errStore)
	}
	path := filepath.Join(s.repo.Store, strconv.FormatInt(id, 10))
	file, err := os.Create(path)
	if err != nil {
		return content{}, "", fmt.Errorf("%w: %w", errStore, err)
	}
	_, err = io.CopyN(io.MultiWriter(file, hash), from, size)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path) // the asset has no bytes: the first error is the one to tell
	}
	if wrong := new(fs.PathError); errors.As(err, &wrong) {
		err = fmt.Errorf("%w: %w", errStore, err)
	}
	return content{path: path}, release.Sum(hash), err
}
