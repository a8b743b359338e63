package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// What is read of an image at most; all of it is far beyond what Build makes.
const (
	maxPlatforms = 64
	maxLayers    = 16
	maxDocument  = 4 << 20 // bytes of a manifest or a configuration
	maxLayer     = 4 << 30 // bytes of a layer, compressed or not
	maxEntries   = 100_000 // of a layer
)

// Content is what an image holds, as far as a release promises it.
type Content struct {
	Digest    release.Digest    // of the index
	Labels    map[string]string // the same in every configuration and, as annotations, in every manifest and the index
	Platforms []PlatformContent // in the order of the index
}

// PlatformContent is what one manifest of an image holds.
type PlatformContent struct {
	Target     release.Target // in the form of Canonical
	Digest     release.Digest // of the manifest
	Entrypoint []string
	User       string
	Files      map[string]release.Digest // path → digest of every executable under plan.BinDir
}

// Inspect reads an image from its registry by a reference with a tag or a digest. All
// of it is read and compared with its digests, and bounded: the registry may be
// anybody's. What a release never makes is an error, such as a link where executables
// lie, a file that neither the base nor a release has, another user or environment, an
// entrypoint that is none of the executables, or labels that differ between platforms. The
// content of the base's files, which are data, is left open. The error is a *NotFoundError where
// the registry has nothing under the reference.
func Inspect(ctx context.Context, ref string, a Access) (Content, error) {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	parsed, err := name.ParseReference(ref, a.naming()...)
	if err != nil {
		return Content{}, fmt.Errorf("reading image: %w", err)
	}
	d, err := remote.Get(parsed, a.options(ctx, parsed.Context())...)
	if err != nil {
		return Content{}, explain("reading image", parsed, err)
	}
	if d.MediaType != types.OCIImageIndex {
		return Content{}, fmt.Errorf("reading image %q: media type %.200q: want %s", ref, d.MediaType, types.OCIImageIndex)
	}
	index, err := d.ImageIndex()
	if err != nil {
		return Content{}, explain("reading image", parsed, err)
	}
	content, err := inspect(ctx, index, d.Digest)
	return content, explain("reading image", parsed, err)
}

// InspectLayout reads the image that Build wrote into dir, with the same care.
func InspectLayout(ctx context.Context, dir string) (Content, error) {
	content, err := inspectLayout(ctx, dir)
	if err != nil {
		return Content{}, fmt.Errorf("reading layout %q: %w", dir, err)
	}
	return content, nil
}

func inspectLayout(ctx context.Context, dir string) (Content, error) {
	if err := onlyFiles(dir); err != nil {
		return Content{}, err
	}
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return Content{}, err
	}
	top, err := all.IndexManifest()
	if err != nil {
		return Content{}, err
	}
	if len(top.Manifests) != 1 || top.Manifests[0].MediaType != types.OCIImageIndex {
		return Content{}, errors.New("want one image index")
	}
	digest := top.Manifests[0].Digest
	index, err := all.ImageIndex(digest)
	if err != nil {
		return Content{}, err
	}
	return inspect(ctx, index, digest)
}

// onlyFiles refuses links and what would be waited for, before anything is opened.
func onlyFiles(dir string) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !d.Type().IsRegular() {
			err = fmt.Errorf("%q: neither a file nor a directory", at)
		}
		return err
	})
}

func inspect(ctx context.Context, index v1.ImageIndex, digest v1.Hash) (Content, error) {
	raw, err := index.RawManifest()
	if err != nil {
		return Content{}, err
	}
	var top v1.IndexManifest
	if err := document(raw, digest, &top); err != nil {
		return Content{}, err
	}
	if n := len(top.Manifests); n == 0 || n > maxPlatforms {
		return Content{}, fmt.Errorf("%d manifests: want 1 to %d", n, maxPlatforms)
	}
	images := make([]opened, len(top.Manifests))
	for i, d := range top.Manifests {
		if images[i], err = open(index, d, top.Annotations); err != nil {
			return Content{}, fmt.Errorf("manifest %s: %w", d.Digest, err)
		}
	}
	files, err := layers(ctx, images)
	if err != nil {
		return Content{}, err
	}
	out := Content{Digest: release.Digest(digest.String()), Labels: top.Annotations}
	for _, img := range images {
		if slices.ContainsFunc(out.Platforms, func(p PlatformContent) bool { return p.Target == img.target }) {
			return Content{}, fmt.Errorf("platform %s is there twice", img.target)
		}
		p := PlatformContent{
			Target: img.target, Digest: release.Digest(img.digest.String()), Files: map[string]release.Digest{},
			Entrypoint: img.config.Config.Entrypoint, User: img.config.Config.User,
		}
		for _, l := range img.manifest.Layers {
			maps.Copy(p.Files, files[l.Digest])
		}
		maps.DeleteFunc(p.Files, func(_ string, d release.Digest) bool { return d == "" })
		if e := p.Entrypoint; len(e) != 1 || p.Files[e[0]] == "" {
			return Content{}, fmt.Errorf("manifest %s: entrypoint %.200q: want one of its programs", img.digest, e)
		}
		out.Platforms = append(out.Platforms, p)
	}
	return out, nil
}

// document reads JSON that has a digest.
func document(raw []byte, digest v1.Hash, into any) error {
	if len(raw) > maxDocument {
		return fmt.Errorf("%d bytes; %d are read at most", len(raw), maxDocument)
	}
	if got, _, err := v1.SHA256(bytes.NewReader(raw)); err != nil || got != digest {
		return fmt.Errorf("%s has the digest %s", digest, got)
	}
	return json.Unmarshal(raw, into)
}

// opened is an image whose manifest and configuration were read and judged.
type opened struct {
	image    v1.Image
	digest   v1.Hash
	target   release.Target
	manifest v1.Manifest
	config   v1.ConfigFile
}

func open(index v1.ImageIndex, d v1.Descriptor, labels map[string]string) (opened, error) {
	out := opened{digest: d.Digest}
	if d.MediaType != types.OCIManifestSchema1 || d.Platform == nil || d.Size > maxDocument {
		return out, fmt.Errorf("want one of %s, at most %d bytes, with a platform", types.OCIManifestSchema1, maxDocument)
	}
	var err error
	if out.target, err = target(*d.Platform); err != nil {
		return out, err
	}
	if out.image, err = index.Image(d.Digest); err != nil {
		return out, err
	}
	raw, err := out.image.RawManifest()
	if err != nil {
		return out, err
	}
	if err := document(raw, d.Digest, &out.manifest); err != nil {
		return out, err
	}
	if m := out.manifest; m.Config.Size < 0 || m.Config.Size > maxDocument || len(m.Layers) > maxLayers {
		return out, fmt.Errorf("configuration of %d bytes and %d layers", m.Config.Size, len(m.Layers))
	}
	if raw, err = out.image.RawConfigFile(); err != nil {
		return out, err
	}
	if err := document(raw, out.manifest.Config.Digest, &out.config); err != nil {
		return out, err
	}
	if got := (v1.Platform{OS: out.config.OS, Architecture: out.config.Architecture, Variant: out.config.Variant}); !got.Equals(*d.Platform) {
		return out, fmt.Errorf("configuration for %.200q, index for %.200q", got, d.Platform)
	}
	if !maps.Equal(out.config.Config.Labels, labels) || !maps.Equal(out.manifest.Annotations, labels) {
		return out, errors.New("its labels and annotations are not those of the index")
	}
	known := v1.Config{User: user, Env: environment(), WorkingDir: home, Entrypoint: out.config.Config.Entrypoint, Labels: out.config.Config.Labels}
	if !reflect.DeepEqual(out.config.Config, known) {
		return out, errors.New("its configuration is none that a release makes")
	}
	if len(out.config.RootFS.DiffIDs) != len(out.manifest.Layers) {
		return out, fmt.Errorf("%d layers and %d digests of their content", len(out.manifest.Layers), len(out.config.RootFS.DiffIDs))
	}
	return out, nil
}

// layers reads every layer of the images once, a few at a time, and returns what
// binaries says of each.
func layers(ctx context.Context, images []opened) (map[v1.Hash]map[string]release.Digest, error) {
	type job struct {
		image  v1.Image
		d      v1.Descriptor
		diffID v1.Hash
		files  map[string]release.Digest
	}
	var work []*job
	seen := map[v1.Hash]v1.Hash{}
	for _, img := range images {
		for i, d := range img.manifest.Layers {
			diffID := img.config.RootFS.DiffIDs[i]
			if other, ok := seen[d.Digest]; !ok {
				work = append(work, &job{image: img.image, d: d, diffID: diffID})
			} else if other != diffID {
				return nil, fmt.Errorf("layer %s: two digests of its content", d.Digest)
			}
			seen[d.Digest] = diffID
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, j := range work {
		group.Go(func() (err error) {
			if j.files, err = readLayer(ctx, j.image, j.d, j.diffID); err != nil {
				return fmt.Errorf("layer %s: %w", j.d.Digest, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := map[v1.Hash]map[string]release.Digest{}
	for _, j := range work {
		out[j.d.Digest] = j.files
	}
	return out, nil
}

func readLayer(ctx context.Context, img v1.Image, d v1.Descriptor, diffID v1.Hash) (map[string]release.Digest, error) {
	if d.MediaType != types.OCILayer || d.Size < 0 || d.Size > maxLayer || len(d.URLs) > 0 {
		return nil, fmt.Errorf("want one of %s, at most %d bytes, in this registry", types.OCILayer, int64(maxLayer))
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
	expanded, err := gzip.NewReader(bounded)
	if err != nil {
		return nil, err
	}
	content := &capped{r: io.TeeReader(expanded, plain), left: maxLayer}
	files, err := binaries(tar.NewReader(content))
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

// binaries hashes the files in plan.BinDir: path → digest, or an empty one for what is
// not executable. A layer with anything by which it could put something else there is
// refused: links, also on the way, removals, directories below; and so is one with what
// the base does not have either.
func binaries(layer *tar.Reader) (map[string]release.Digest, error) {
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
			slices.Contains(strings.Split(h.Name, "/"), ".."), inside && (directory || path.Dir(at) != plan.BinDir), !inside && !inBase(at, h):
			return nil, fmt.Errorf("entry %.200q: a release makes none such", h.Name)
		case inside:
			sum := sha256.New()
			if _, err := io.Copy(sum, layer); err != nil {
				return nil, err
			}
			out[at] = "" // the last one of a name counts
			if h.Mode&0o111 == 0o111 {
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
