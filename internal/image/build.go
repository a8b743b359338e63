// Package image makes the container images of a release without a container engine,
// pushes them to a registry, and reads them back.
//
// An image is one OCI image index with one manifest for each platform. The last layer of
// every manifest holds the executables of the platform and the configured files. What lies
// below is the base: one layer that is part of the product and the same for all releases
// of one version of it, or the layers of another image. The same input gives the same
// digest, wherever and whenever it is built.
//
// Specifications: OCI image-spec 1.1, distribution-spec 1.1.
package image

import (
	"cmp"
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
	Root     string // directory that the sources of the plan's files are relative to
}

// Build writes images into dir as one OCI layout: oci-layout, index.json, which names the
// index of each image under the repository of its plan and its version label, and blobs.
// Layers of a base that is another image are not in it; bases is how that is reached. The
// directory dir must be absent or empty, its parent must exist; on error, dir is as it
// was. Images and manifests are in the order of specs and of the plan's platforms. Every
// executable must still have the digest that spec gives it.
func Build(ctx context.Context, specs []Spec, dir string, bases Access) (_ []release.Image, err error) {
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".image-*")
	if err != nil {
		return nil, fmt.Errorf("building images: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temporary) // the first error is the one to report
		}
	}()
	s, err := newStore(temporary)
	if err != nil {
		return nil, fmt.Errorf("building images: %w", err)
	}
	var out []release.Image
	var indexes []v1.Descriptor
	for _, spec := range specs {
		image, index, err := build(ctx, s, spec, bases)
		if err != nil {
			return nil, fmt.Errorf("building image %q: %w", spec.Plan.Repository, err)
		}
		image.Layout = dir
		out, indexes = append(out, image), append(indexes, index)
	}
	if err := s.finish(indexes); err != nil {
		return nil, fmt.Errorf("building images: %w", err)
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) == 0 {
		// os.Rename does not replace directories, not even empty ones.
		if err := os.Remove(dir); err != nil {
			return nil, fmt.Errorf("building images: %w", err)
		}
	}
	if err := os.Rename(temporary, dir); err != nil {
		return nil, fmt.Errorf("building images: %w", err)
	}
	return out, nil
}

// build writes one image, and describes its index for those who look for it in a layout.
func build(ctx context.Context, s store, spec Spec, bases Access) (release.Image, v1.Descriptor, error) {
	spec.Time = spec.Time.UTC().Truncate(time.Second)
	out := release.Image{Repository: spec.Plan.Repository}
	binaries, err := check(spec)
	if err != nil {
		return out, v1.Descriptor{}, err
	}
	grounds := make([]foundation, len(binaries))
	if b := spec.Plan.Base; b != nil {
		grounds, err = foundations(ctx, *b, spec.Plan.Platforms, bases)
		out.Base = b.Reference()
	} else {
		err = builtIn(ctx, s, spec, grounds)
	}
	if err != nil {
		return out, v1.Descriptor{}, err
	}
	manifests, err := manifests(ctx, s, spec, grounds, binaries)
	if err != nil {
		return out, v1.Descriptor{}, err
	}
	index, err := s.json(types.OCIImageIndex, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests, Annotations: spec.Plan.Labels,
	})
	if err != nil {
		return out, v1.Descriptor{}, err
	}
	out.Digest = release.Digest(index.Digest.String())
	for i, m := range manifests {
		out.Platforms = append(out.Platforms, release.Platform{
			Target: spec.Plan.Platforms[i], Digest: release.Digest(m.Digest.String()),
		})
	}
	// containerd, docker and skopeo find an image of a layout by these.
	reference := spec.Plan.Repository + ":" + spec.Plan.Labels[plan.LabelVersion]
	index.Annotations = map[string]string{"org.opencontainers.image.ref.name": reference, nameNote: reference}
	return out, index, nil
}

// nameNote is the name of an image in a layout, in containerd's terms.
const nameNote = "io.containerd.image.name"

// builtIn lets every platform stand on the base of the product.
func builtIn(ctx context.Context, s store, spec Spec, grounds []foundation) error {
	base, err := s.layer(ctx, spec.Plan.Compression, writeBase)
	if err != nil {
		return fmt.Errorf("writing the base: %w", err)
	}
	for i := range grounds {
		grounds[i] = foundation{
			layers: []v1.Descriptor{base.descriptor}, diffIDs: []v1.Hash{base.diffID},
			history: []v1.History{{Created: v1.Time{Time: spec.Time}, CreatedBy: "pgo-release", Comment: "base"}},
			config:  v1.Config{Env: environment()},
		}
	}
	return nil
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
func manifests(ctx context.Context, s store, spec Spec, grounds []foundation, binaries []Binary) ([]v1.Descriptor, error) {
	out := make([]v1.Descriptor, len(binaries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(compressors, runtime.GOMAXPROCS(0)))
	for i, b := range binaries {
		group.Go(func() error {
			var err error
			if out[i], err = manifest(ctx, s, spec, grounds[i], b); err != nil {
				return fmt.Errorf("platform %s: %w", b.Target, err)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// environment is what programs run in on the base of the product.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SSL_CERT_FILE=" + certificates}
}

func manifest(ctx context.Context, s store, spec Spec, ground foundation, b Binary) (v1.Descriptor, error) {
	own, err := s.layer(ctx, spec.Plan.Compression, func(t *tree) error { return writeOwn(ctx, t, spec, b.Files) })
	if err != nil {
		return v1.Descriptor{}, err
	}
	p := platform(b.Target)
	created := v1.Time{Time: spec.Time}
	config, err := s.json(types.OCIConfigJSON, v1.ConfigFile{
		Architecture: p.Architecture, OS: p.OS, Variant: p.Variant, Created: created,
		Config:  configuration(spec.Plan, ground.config),
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: append(slices.Clone(ground.diffIDs), own.diffID)},
		History: append(slices.Clone(ground.history), v1.History{Created: created, CreatedBy: "pgo-release", Comment: "executables"}),
	})
	if err != nil {
		return v1.Descriptor{}, err
	}
	d, err := s.json(types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config,
		Layers: append(slices.Clone(ground.layers), own.descriptor), Annotations: spec.Plan.Labels,
	})
	d.Platform = &p
	return d, err
}

// configuration is what the plan says, on top of what the base does.
func configuration(p plan.ImagePlan, base v1.Config) v1.Config {
	out := base
	out.User, out.Entrypoint, out.Cmd = p.User, p.Entrypoint, p.Cmd
	out.WorkingDir = cmp.Or(p.Workdir, base.WorkingDir)
	out.Labels = maps.Clone(p.Labels)
	out.Env = slices.Clone(base.Env)
	for _, variable := range p.Env {
		name, _, _ := strings.Cut(variable, "=")
		out.Env = slices.DeleteFunc(out.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		out.Env = append(out.Env, variable)
	}
	out.ExposedPorts = maps.Clone(base.ExposedPorts)
	for _, port := range p.Ports {
		if out.ExposedPorts == nil {
			out.ExposedPorts = map[string]struct{}{}
		}
		out.ExposedPorts[port] = struct{}{}
	}
	return out
}

// writeOwn writes the executables of a platform under plan.BinDir, and the configured files.
func writeOwn(ctx context.Context, t *tree, spec Spec, executables []release.File) error {
	t.modified = spec.Time
	made := map[string]bool{}
	within := func(dir string) {
		for dir := range parents(dir) {
			if !made[dir] && !special(dir) {
				t.dir(dir, 0o755, 0)
			}
			made[dir] = true
		}
	}
	within(plan.BinDir)
	for _, f := range executables {
		if err := t.executable(ctx, path.Join(plan.BinDir, f.Name), f); err != nil {
			return fmt.Errorf("writing %q: %w", f.Name, err)
		}
	}
	if len(spec.Plan.Files) == 0 {
		return t.err
	}
	root, err := os.OpenRoot(spec.Root)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only read
	for _, f := range spec.Plan.Files {
		if dir := path.Dir(f.Path); dir != "/" {
			within(dir)
		}
		if err := t.source(ctx, root, f); err != nil {
			return fmt.Errorf("writing %q: %w", f.Path, err)
		}
	}
	return t.err
}

// special tells whether a directory is in every base, and not one that everybody may read
// and root alone write.
func special(dir string) bool {
	return slices.Contains([]string{"/tmp", "/var/tmp", "/root", home}, dir)
}

// json writes a value as a blob of a media type.
func (s store) json(mediaType types.MediaType, value any) (v1.Descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return s.blob(mediaType, content)
}
