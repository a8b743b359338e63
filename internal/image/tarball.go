package image

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/pgo-release/internal/release"
)

// loadable is an image as `docker load` finds it, beside the OCI layout
// (https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format).
type loadable struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Tarball writes the images of one layout into a tar file that `docker load` takes:
// the whole layout, with the layers of bases, for engines that keep images of several
// platforms, and for others of each image the platform linux/arch, or else the first. The
// file at to is replaced. bases is how the registries of bases are reached.
func Tarball(ctx context.Context, images []release.Image, arch, to string, bases Access) error {
	if err := writeTo(ctx, images, arch, to, bases); err != nil {
		return fmt.Errorf("writing %q: %w", to, err)
	}
	return nil
}

func writeTo(ctx context.Context, images []release.Image, arch, to string, bases Access) (err error) {
	out, err := os.CreateTemp(filepath.Dir(to), ".image-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // the first error is the one to report
		}
	}()
	w := &tree{tar: tar.NewWriter(out), modified: time.Unix(0, 0).UTC()}
	err = writeTarball(ctx, w, images, arch, bases)
	if err = errors.Join(err, w.tar.Close(), out.Chmod(0o644), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

func writeTarball(ctx context.Context, w *tree, images []release.Image, arch string, bases Access) error {
	dir := images[0].Layout
	var list []loadable
	missing := map[v1.Hash]lacking{}
	for _, img := range images {
		one, err := load(img, arch, missing)
		if err != nil {
			return err
		}
		list = append(list, one)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	for _, at := range []string{"oci-layout", "index.json"} {
		if err := w.disk(ctx, at, filepath.Join(dir, at)); err != nil {
			return err
		}
	}
	w.file("manifest.json", text)
	w.dir("blobs", 0o755, 0)
	w.dir("blobs/sha256", 0o755, 0)
	blobs, err := os.ReadDir(store{dir}.path(""))
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := w.disk(ctx, blobPath(b.Name()), store{dir}.path(b.Name())); err != nil {
			return err
		}
	}
	order := func(a, b v1.Hash) int { return cmp.Compare(a.Hex, b.Hex) }
	for _, digest := range slices.SortedFunc(maps.Keys(missing), order) {
		if err := w.fetched(ctx, digest, missing[digest], bases); err != nil {
			return err
		}
	}
	return w.err
}

// blobPath is where a blob lies in a layout, which is the same in the tar file.
func blobPath(hex string) string { return path.Join("blobs", "sha256", hex) }

// lacking is a layer that a layout does not have.
type lacking struct {
	base string // reference that has it
	size int64
}

// load describes an image for `docker load`, and notes the layers that the layout lacks.
func load(img release.Image, arch string, missing map[v1.Hash]lacking) (loadable, error) {
	all, err := layout.ImageIndexFromPath(img.Layout)
	if err != nil {
		return loadable{}, err
	}
	top, err := all.IndexManifest()
	if err != nil {
		return loadable{}, err
	}
	index, err := all.ImageIndex(hash(img.Digest))
	if err != nil {
		return loadable{}, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return loadable{}, err
	}
	var out loadable
	for i, d := range m.Manifests {
		one, err := index.Image(d.Digest)
		if err != nil {
			return loadable{}, err
		}
		manifest, err := one.Manifest()
		if err != nil {
			return loadable{}, err
		}
		var layers []string
		for _, l := range manifest.Layers {
			layers = append(layers, blobPath(l.Digest.Hex))
			if _, err := os.Stat(store{img.Layout}.path(l.Digest.Hex)); errors.Is(err, os.ErrNotExist) {
				missing[l.Digest] = lacking{img.Base, l.Size}
			}
		}
		if i == 0 || d.Platform.Architecture == arch && d.Platform.Variant == platform(release.Target{OS: "linux", Arch: arch}).Variant {
			out = loadable{Config: blobPath(manifest.Config.Digest.Hex), Layers: layers}
		}
	}
	for _, d := range top.Manifests {
		if d.Digest == hash(img.Digest) && strings.HasPrefix(d.Annotations[nameNote], img.Repository+":") {
			out.RepoTags = []string{d.Annotations[nameNote]}
		}
	}
	return out, nil
}

// disk adds a file as it lies on disk.
func (t *tree) disk(ctx context.Context, name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return t.copy(name, 0o644, info.Size(), &reader{ctx, f})
}

// fetched adds a layer from the registry that has it.
func (t *tree) fetched(ctx context.Context, digest v1.Hash, from lacking, bases Access) error {
	ref, err := name.NewDigest(from.base, bases.loosely()...)
	if err != nil {
		return err
	}
	l, err := remote.Layer(ref.Context().Digest(digest.String()), bases.options(ctx, ref.Context())...)
	if err != nil {
		return err
	}
	content, err := l.Compressed() // which compares it with the digest
	if err != nil {
		return explain("reading the base image", ref, err)
	}
	return errors.Join(t.copy(blobPath(digest.Hex), 0o644, from.size, io.LimitReader(content, from.size+1)), content.Close())
}
