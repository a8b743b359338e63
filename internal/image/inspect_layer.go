package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

func readLayer(ctx context.Context, img v1.Image, d v1.Descriptor, diffID v1.Hash, own bool) (map[string]release.Digest, error) {
	if d.MediaType != types.OCILayer && d.MediaType != types.OCILayerZStd || d.Size < 0 || d.Size > maxLayer || len(d.URLs) > 0 {
		return nil, fmt.Errorf("want one of %s or %s, at most %d bytes, in this registry", types.OCILayer, types.OCILayerZStd, int64(maxLayer))
	}
	l, err := img.LayerByDigest(d.Digest)
	if err != nil {
		return nil, err
	}
	in, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	compressed, plain := sha256.New(), sha256.New()
	bounded := io.TeeReader(io.LimitReader(&reader{ctx, in}, d.Size), compressed)
	expanded, done, err := expand(d.MediaType, bounded)
	if err != nil {
		return nil, err
	}
	defer done()
	content := &capped{r: io.TeeReader(expanded, plain), left: maxLayer}
	files, err := entries(tar.NewReader(content), own)
	if err != nil {
		return nil, err
	}
	// What a tar reader leaves unread belongs to the digests too.
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return nil, err
	}
	if got := hash(release.Sum(compressed)); got != d.Digest {
		return nil, fmt.Errorf("its digest is %s", got)
	}
	if got := hash(release.Sum(plain)); got != diffID {
		return nil, fmt.Errorf("the digest of its content is %s, not %s", got, diffID)
	}
	return files, nil
}

// expand reads what compress wrote; done ends that.
func expand(mediaType types.MediaType, r io.Reader) (expanded io.Reader, done func(), err error) {
	if mediaType == types.OCILayerZStd {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8*window))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	z, err := gzip.NewReader(r)
	return z, func() {}, err
}

// inBase tells whether the base has a file, or a directory, of the name: what lies there
// is no program.
func inBase(at string, h *tar.Header) bool {
	if h.Typeflag == tar.TypeReg {
		return h.Mode&0o111 == 0 && (strings.HasPrefix(at, zones+"/") ||
			slices.Contains([]string{"/etc/group", "/etc/nsswitch.conf", "/etc/passwd", certificates}, at))
	}
	for _, dir := range []string{path.Dir(certificates), home, "/root", "/tmp", plan.BinDir, zones} {
		if at == dir || strings.HasPrefix(dir, at+"/") {
			return true
		}
	}
	return strings.HasPrefix(at, zones+"/")
}

// entries lists the files of a layer with the programs: path → digest of those in
// plan.BinDir that are executable, or an empty one. In it, anything is refused by which
// something else could stand in plan.BinDir: links, also on the way, removals, directories
// below. In the other layer, which is the base, what the base does not have is refused.
func entries(layer *tar.Reader, own bool) (map[string]release.Digest, error) {
	out := map[string]release.Digest{}
	for n := 0; ; n++ {
		h, err := layer.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		at := path.Clean("/" + h.Name)
		regular, directory := h.Typeflag == tar.TypeReg, h.Typeflag == tar.TypeDir
		inside := strings.HasPrefix(at, plan.BinDir+"/")
		above := strings.HasPrefix(plan.BinDir+"/", at+"/")
		switch {
		case n > maxEntries:
			return nil, fmt.Errorf("more than %d entries", maxEntries)
		case !regular && !directory, regular && above, h.Mode&0o6000 != 0, strings.HasPrefix(path.Base(at), ".wh."),
			slices.Contains(strings.Split(h.Name, "/"), ".."), inside && (directory || path.Dir(at) != plan.BinDir), !own && !inBase(at, h):
			return nil, fmt.Errorf("entry %.200q: a release makes none such", h.Name)
		case own && regular:
			out[at] = "" // the last one of a name counts
			if inside && h.Mode&0o111 == 0o111 {
				sum := sha256.New()
				if _, err := io.Copy(sum, layer); err != nil {
					return nil, err
				}
				out[at] = release.Sum(sum)
			}
		}
	}
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

// capped fails once more than left bytes were read.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes after decompression", int64(maxLayer))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
