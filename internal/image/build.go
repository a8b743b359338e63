// Package image makes the container image of a release without a container engine,
// pushes it to a registry, and reads it back.
//
// An image is one OCI image index with one manifest for each platform. Every manifest
// has two layers: the base, which is part of the product and the same for all
// releases of one version of it, and the executables of the platform. The same input
// gives the same digest, wherever and whenever it is built.
//
// Specifications: OCI image-spec 1.1, distribution-spec 1.1.
package image

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Binary is what the image holds for one platform.
type Binary struct {
	Target release.Target
	Files  []release.File // the executables: Name is their base name, Path where they lie
}

// Spec says what to build. Binaries has one element for each platform of the plan, in
// any order, with the executable that the plan's entrypoint names.
type Spec struct {
	Plan     plan.ImagePlan
	Time     time.Time // of everything in the image that carries one
	Binaries []Binary
}

// user is who the image runs as: nonroot of the base.
const user = "65532:65532"

// Build writes the image into dir as an OCI layout: oci-layout, index.json, which
// names the image index, and blobs. The directory dir must be absent or empty, its
// parent must exist; on error, dir is as it was. Manifests are in the order of the
// plan's platforms. Every executable must still have the digest that spec gives it.
func Build(ctx context.Context, spec Spec, dir string) (release.Image, error) {
	image, err := build(ctx, spec, dir)
	if err != nil {
		return release.Image{}, fmt.Errorf("building image %q: %w", spec.Plan.Repository, err)
	}
	return image, nil
}

func build(ctx context.Context, spec Spec, dir string) (_ release.Image, err error) {
	spec.Time = spec.Time.UTC().Truncate(time.Second)
	binaries, err := check(spec)
	if err != nil {
		return release.Image{}, err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".image-*")
	if err != nil {
		return release.Image{}, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temporary) // the first error is the one to report
		}
	}()
	s, err := newStore(temporary)
	if err != nil {
		return release.Image{}, err
	}
	manifests, err := manifests(ctx, s, spec, binaries)
	if err != nil {
		return release.Image{}, err
	}
	index, err := s.json(types.OCIImageIndex, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests, Annotations: spec.Plan.Labels,
	})
	if err != nil {
		return release.Image{}, err
	}
	if err := s.finish(index); err != nil {
		return release.Image{}, err
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) == 0 {
		// os.Rename does not replace directories, not even empty ones.
		if err := os.Remove(dir); err != nil {
			return release.Image{}, err
		}
	}
	if err := os.Rename(temporary, dir); err != nil {
		return release.Image{}, err
	}
	out := release.Image{Repository: spec.Plan.Repository, Layout: dir, Digest: release.Digest(index.Digest.String())}
	for i, m := range manifests {
		out.Platforms = append(out.Platforms, release.Platform{
			Target: spec.Plan.Platforms[i], Digest: release.Digest(m.Digest.String()),
		})
	}
	return out, nil
}

// check pairs the platforms of the plan with their binaries, in the plan's order.
func check(spec Spec) ([]Binary, error) {
	var out []Binary
	platforms := map[string]release.Target{}
	for _, t := range spec.Plan.Platforms {
		if t.OS != "linux" {
			return nil, fmt.Errorf("platform %s: an image is for linux", t)
		}
		key := platform(t).String()
		if other, ok := platforms[key]; ok {
			return nil, release.Reject("name one of them", "platforms %s and %s are the same in an image", other, t)
		}
		platforms[key] = t
		i := slices.IndexFunc(spec.Binaries, func(b Binary) bool { return b.Target == t })
		if i < 0 {
			return nil, fmt.Errorf("platform %s: no executables", t)
		}
		b := spec.Binaries[i]
		b.Files = slices.SortedFunc(slices.Values(b.Files), func(a, b release.File) int { return strings.Compare(a.Name, b.Name) })
		for j, f := range b.Files {
			if f.Name == "" || f.Name != path.Base(f.Name) || f.Name == ".." || f.Name == "." {
				return nil, fmt.Errorf("platform %s: file %q: want a base name", t, f.Name)
			}
			if j > 0 && b.Files[j-1].Name == f.Name {
				return nil, fmt.Errorf("platform %s: file %q: given twice", t, f.Name)
			}
		}
		if e := spec.Plan.Entrypoint; len(e) == 0 || !slices.ContainsFunc(b.Files, func(f release.File) bool { return path.Join(plan.BinDir, f.Name) == e[0] }) {
			return nil, release.Reject("give every build the same linux platforms, or make no image: image: {skip: true}",
				"platform %s: no executable for the entrypoint %q", t, e)
		}
		out = append(out, b)
	}
	if len(out) == 0 || len(out) != len(spec.Binaries) {
		return nil, fmt.Errorf("%d platforms and executables for %d", len(out), len(spec.Binaries))
	}
	return out, nil
}

// manifests writes everything below the index and describes the manifests, in the
// order of binaries.
func manifests(ctx context.Context, s store, spec Spec, binaries []Binary) ([]v1.Descriptor, error) {
	base, err := s.layer(ctx, writeBase)
	if err != nil {
		return nil, fmt.Errorf("writing the base: %w", err)
	}
	out := make([]v1.Descriptor, len(binaries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, b := range binaries {
		group.Go(func() error {
			var err error
			if out[i], err = manifest(ctx, s, spec, base, b); err != nil {
				return fmt.Errorf("platform %s: %w", b.Target, err)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// environment is what the image's programs run in.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SSL_CERT_FILE=" + certificates}
}

func manifest(ctx context.Context, s store, spec Spec, base layer, b Binary) (v1.Descriptor, error) {
	own, err := s.layer(ctx, func(t *tree) error { return writeBinaries(ctx, t, b.Files, spec.Time) })
	if err != nil {
		return v1.Descriptor{}, err
	}
	p := platform(b.Target)
	created := v1.Time{Time: spec.Time}
	config, err := s.json(types.OCIConfigJSON, v1.ConfigFile{
		Architecture: p.Architecture, OS: p.OS, Variant: p.Variant, Created: created,
		Config: v1.Config{
			User:       user,
			Env:        environment(),
			Entrypoint: spec.Plan.Entrypoint,
			WorkingDir: home,
			Labels:     maps.Clone(spec.Plan.Labels),
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{base.diffID, own.diffID}},
		History: []v1.History{
			{Created: created, CreatedBy: "pgo-release", Comment: "base"},
			{Created: created, CreatedBy: "pgo-release", Comment: "executables"},
		},
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := s.json(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config,
		Layers: []v1.Descriptor{base.descriptor, own.descriptor}, Annotations: spec.Plan.Labels,
	})
	d.Platform = &p
	return d, err
}

// writeBinaries writes the executables of a platform under plan.BinDir.
func writeBinaries(ctx context.Context, t *tree, files []release.File, modified time.Time) error {
	t.modified = modified
	for dir := range parents(plan.BinDir) {
		t.dir(dir, 0o755, 0)
	}
	for _, f := range files {
		if err := t.copy(ctx, path.Join(plan.BinDir, f.Name), f); err != nil {
			return fmt.Errorf("writing %q: %w", f.Name, err)
		}
	}
	return t.err
}

// json writes a value as a blob of a media type.
func (s store) json(mediaType types.MediaType, value any) (v1.Descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return s.blob(mediaType, content)
}
