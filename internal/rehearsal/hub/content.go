package hub

import (
	"bytes"
	"crypto/sha256"
	"io"
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

// keep takes the bytes of the asset with that number, exactly size of them.
func (s *Server) keep(id int64, from io.Reader, size int64) (content, release.Digest, error) {
	hash := sha256.New()
	if s.repo.Store == "" {
		var all bytes.Buffer
		_, err := io.CopyN(io.MultiWriter(&all, hash), from, size)
		return content{bytes: all.Bytes()}, release.Sum(hash), err
	}
	path := filepath.Join(s.repo.Store, strconv.FormatInt(id, 10))
	file, err := os.Create(path)
	if err != nil {
		return content{}, "", err
	}
	_, err = io.CopyN(io.MultiWriter(file, hash), from, size)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path) // the asset has no bytes: the first error is the one to tell
	}
	return content{path: path}, release.Sum(hash), err
}
