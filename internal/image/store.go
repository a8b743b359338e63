package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// store is an OCI layout that is being written. Blobs may be written side by side.
type store struct{ dir string }

// level is the gzip level of layers: the same bytes lie in the archives, so an image
// need not be smaller than those.
const level = 6

func newStore(dir string) (store, error) {
	s := store{dir}
	if err := os.Chmod(dir, 0o755); err != nil {
		return store{}, err
	}
	return s, os.MkdirAll(s.path(""), 0o755)
}

func (s store) path(hex string) string { return filepath.Join(s.dir, "blobs", "sha256", hex) }

// blob writes content as a blob.
func (s store) blob(mediaType types.MediaType, content []byte) (v1.Descriptor, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}
	return d, writeFile(s.path(digest.Hex), content)
}

// finish writes what makes a directory of blobs a layout of the indexes.
func (s store) finish(indexes []v1.Descriptor) error {
	top, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: indexes,
	})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(s.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	return writeFile(filepath.Join(s.dir, "index.json"), top)
}

func writeFile(name string, content []byte) error {
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return err
	}
	return os.Chmod(name, 0o644) // whatever the umask is
}

// layer is a layer that lies in a store.
type layer struct {
	descriptor v1.Descriptor
	diffID     v1.Hash // of the tar file inside
}

// layer writes what fill puts into the tree as a blob, hashed on the way.
func (s store) layer(ctx context.Context, compression string, fill func(*tree) error) (_ layer, err error) {
	file, err := os.CreateTemp(s.dir, "layer-*")
	if err != nil {
		return layer{}, err
	}
	defer file.Close() //nolint:errcheck // closed below; the store is removed on error
	compressed, plain := sha256.New(), sha256.New()
	size := &counter{}
	compressor, mediaType, err := compress(compression, io.MultiWriter(file, compressed, size))
	if err != nil {
		return layer{}, err
	}
	t := &tree{tar: tar.NewWriter(io.MultiWriter(compressor, plain))}
	if err := fill(t); err != nil {
		return layer{}, err
	}
	for _, close := range []func() error{t.tar.Close, compressor.Close, func() error { return file.Chmod(0o644) }, file.Close} {
		if err := close(); err != nil {
			return layer{}, err
		}
	}
	out := layer{diffID: hash(release.Sum(plain)), descriptor: v1.Descriptor{
		MediaType: mediaType, Digest: hash(release.Sum(compressed)), Size: size.n,
	}}
	return out, errorOf(ctx, os.Rename(file.Name(), s.path(out.descriptor.Digest.Hex)))
}

// compressors is how many layers are compressed at once: each takes some megabytes.
const compressors = 4

// compress writes to w what it is given, the same bytes for the same content.
func compress(compression string, w io.Writer) (io.WriteCloser, types.MediaType, error) {
	if compression == plan.CompressionZstd {
		// One goroutine each, and the smaller window: the others would take ten times the memory.
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
		return z, types.OCILayerZStd, err
	}
	z, err := gzip.NewWriterLevel(w, level)
	if err == nil {
		// The zero time.Time would be written as a time in 2042; this one is "no time".
		z.ModTime = time.Unix(0, 0)
	}
	return z, types.OCILayer, err
}

// window is how far back zstd looks, in bytes.
const window = 2 << 20

// errorOf is err or, without one, why the context ended.
func errorOf(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return context.Cause(ctx)
}

// hash is a digest in the library's terms.
func hash(d release.Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// tree is the content of a layer that is being written: files of user and group 0
// without names, in the order of the calls. After a first error, which err keeps, the
// other calls do nothing.
type tree struct {
	tar      *tar.Writer
	modified time.Time
	err      error
}

func (t *tree) header(h tar.Header) {
	if t.err != nil {
		return
	}
	h.Name = strings.TrimPrefix(h.Name, "/") // layers hold relative names
	h.ModTime = t.modified
	t.err = t.tar.WriteHeader(&h)
}

// dir adds a directory of a user and the group of the same number.
func (t *tree) dir(name string, mode int64, owner int) {
	t.header(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner})
}

// file adds a file of mode 0644.
func (t *tree) file(name string, content []byte) {
	t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))})
	if t.err == nil {
		_, t.err = t.tar.Write(content)
	}
}

// executable adds a program, and fails where it is not the file that was hashed.
func (t *tree) executable(ctx context.Context, name string, f release.File) error {
	info, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return fmt.Errorf("it is not the regular file of %d bytes that was built", f.Size)
	}
	in, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	h := sha256.New()
	if err := t.copy(name, 0o755, f.Size, io.TeeReader(&reader{ctx, in}, h)); err != nil {
		return err
	}
	if got := release.Sum(h); got != f.Digest {
		return fmt.Errorf("its digest is %s, not %s", got, f.Digest)
	}
	return nil
}

// source adds a file of the repository, readable by everybody, and executable where it is
// that there.
func (t *tree) source(ctx context.Context, root *os.Root, f plan.ImageFile) error {
	info, err := root.Lstat(f.Source)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no file", f.Source)
	}
	if err != nil {
		return err
	}
	in, err := root.Open(f.Source)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return t.copy(f.Path, mode, info.Size(), &reader{ctx, in})
}

// copy adds a file of size bytes.
func (t *tree) copy(name string, mode, size int64, content io.Reader) error {
	t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size})
	if t.err != nil {
		return t.err
	}
	_, err := io.Copy(t.tar, content)
	return err
}

// parents are a directory and those above it but for the root, outermost first.
func parents(dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		at := ""
		for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
			at = path.Join(at, part)
			if !yield("/" + at) {
				return
			}
		}
	}
}
