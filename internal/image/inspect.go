package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// What is read of an image at most; all of it is far beyond what Build makes.
const (
	maxPlatforms = 64
	maxLayers    = 127     // of an image; Docker runs no more
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
	Others     []string                  // paths of the files elsewhere, beside those of the base; sorted
}

// Inspect reads an image from its registry by a reference with a tag or a digest. All
// of it is read and compared with its digests, and bounded: the registry may be
// anybody's. What a release never makes is an error, such as a link where executables
// lie, a file in the product's base that it does not have, an entrypoint that is none of
// the executables, or labels that differ between platforms. The content of the base's
// files, which are data, is left open, and so are the layers of a base that is another
// image, by the labels: who trusts an image trusts its base. The error is a *NotFoundError
// where the registry has nothing under the reference.
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

// Layout lists the digests of the images in a directory that Build wrote, in order.
func Layout(dir string) ([]release.Digest, error) {
	_, indexes, err := openLayout(dir)
	if err != nil {
		return nil, fmt.Errorf("reading layout %q: %w", dir, err)
	}
	var out []release.Digest
	for _, d := range indexes {
		out = append(out, release.Digest(d.Digest.String()))
	}
	return out, nil
}

// InspectLayout reads an image that Build wrote into dir, by its digest, with the same care.
func InspectLayout(ctx context.Context, dir string, digest release.Digest) (Content, error) {
	content, err := inspectLayout(ctx, dir, digest)
	if err != nil {
		return Content{}, fmt.Errorf("reading layout %q: %w", dir, err)
	}
	return content, nil
}

func inspectLayout(ctx context.Context, dir string, digest release.Digest) (Content, error) {
	all, indexes, err := openLayout(dir)
	if err != nil {
		return Content{}, err
	}
	for _, d := range indexes {
		if d.Digest == hash(digest) {
			if err := small(store{dir}.path(d.Digest.Hex)); err != nil {
				return Content{}, err
			}
			index, err := all.ImageIndex(d.Digest)
			if err != nil {
				return Content{}, err
			}
			return inspect(ctx, index, d.Digest)
		}
	}
	return Content{}, fmt.Errorf("it has no image %q", digest)
}

// maxImages is how many images a layout may have.
const maxImages = 256

// openLayout reads the index of a layout, which has images alone.
func openLayout(dir string) (v1.ImageIndex, []v1.Descriptor, error) {
	if err := onlyFiles(dir); err != nil {
		return nil, nil, err
	}
	if err := small(filepath.Join(dir, "index.json")); err != nil {
		return nil, nil, err
	}
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, nil, err
	}
	top, err := all.IndexManifest()
	if err != nil {
		return nil, nil, err
	}
	other := func(d v1.Descriptor) bool { return d.MediaType != types.OCIImageIndex }
	if n := len(top.Manifests); n == 0 || n > maxImages || slices.ContainsFunc(top.Manifests, other) {
		return nil, nil, errors.New("want image indexes")
	}
	return all, top.Manifests, nil
}

// small demands of a file that is read whole that it may be.
func small(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxDocument {
		err = fmt.Errorf("%q: %d bytes; %d are read at most", path, info.Size(), maxDocument)
	}
	return err
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
		for at, d := range files[img.own()] {
			switch {
			case !strings.HasPrefix(at, plan.BinDir+"/"):
				p.Others = append(p.Others, at)
			case d != "":
				p.Files[at] = d
			}
		}
		slices.Sort(p.Others)
		if e := p.Entrypoint; len(e) == 0 || p.Files[e[0]] == "" {
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
	based    bool // on another image
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
	if len(out.config.RootFS.DiffIDs) != len(out.manifest.Layers) {
		return out, fmt.Errorf("%d layers and %d digests of their content", len(out.manifest.Layers), len(out.config.RootFS.DiffIDs))
	}
	out.based = labels[plan.LabelBaseDigest] != ""
	if n := len(out.manifest.Layers); n < 2 || n > 2 && !out.based {
		return out, fmt.Errorf("%d layers: want a base and the programs", n)
	}
	return out, out.configured()
}

// configured demands that the configuration has no more than a release gives it.
func (o opened) configured() error {
	c := o.config.Config
	known := v1.Config{
		User: c.User, Env: c.Env, WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint, Cmd: c.Cmd, Labels: c.Labels, ExposedPorts: c.ExposedPorts,
	}
	if o.based {
		known.Volumes, known.StopSignal = c.Volumes, c.StopSignal
	}
	if !reflect.DeepEqual(c, known) {
		return errors.New("its configuration is none that a release makes")
	}
	if env := environment(); !o.based && (c.WorkingDir == "" || c.User == "" || !setAll(c.Env, env)) {
		return errors.New("its configuration is none that a release makes: user, directory and environment are not set")
	}
	return nil
}

// setAll tells whether an environment sets every variable of another, to whatever.
func setAll(env, other []string) bool {
	for _, e := range other {
		name, _, _ := strings.Cut(e, "=")
		if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") }) {
			return false
		}
	}
	return true
}

// own is the layer with the programs.
func (o opened) own() v1.Hash { return o.manifest.Layers[len(o.manifest.Layers)-1].Digest }

// layers reads every layer of the images once, a few at a time, but for those of other
// images' bases, and returns what the one with the programs holds.
func layers(ctx context.Context, images []opened) (map[v1.Hash]map[string]release.Digest, error) {
	type job struct {
		image  v1.Image
		d      v1.Descriptor
		diffID v1.Hash
		own    bool
		files  map[string]release.Digest
	}
	var work []*job
	seen := map[v1.Hash]*job{}
	for _, img := range images {
		for i, d := range img.manifest.Layers {
			j := &job{image: img.image, d: d, diffID: img.config.RootFS.DiffIDs[i], own: i == len(img.manifest.Layers)-1}
			if !j.own && img.based {
				continue
			}
			if other := seen[d.Digest]; other == nil {
				work = append(work, j)
				seen[d.Digest] = j
			} else if other.diffID != j.diffID || other.own != j.own {
				return nil, fmt.Errorf("layer %s: it is another one in another place", d.Digest)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, j := range work {
		group.Go(func() (err error) {
			if j.files, err = readLayer(ctx, j.image, j.d, j.diffID, j.own); err != nil {
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
