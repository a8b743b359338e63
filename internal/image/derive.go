package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Resolve finds what a registry has under the name of a base image, as REGISTRY/PATH or
// what docker takes for one, with a tag, a digest, or both, of which the digest counts.
// Platforms are those of targets that it has an image for, in their order.
func Resolve(ctx context.Context, base string, targets []release.Target, a Access) (plan.BaseFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	facts, err := resolve(ctx, base, targets, a)
	if err != nil {
		return plan.BaseFacts{}, fmt.Errorf("reading the base image %q: %w", base, err)
	}
	return facts, nil
}

func resolve(ctx context.Context, base string, targets []release.Target, a Access) (plan.BaseFacts, error) {
	named, digest, pinned := strings.Cut(base, "@")
	var ref name.Reference
	parsed, err := name.ParseReference(named, a.loosely()...)
	if err == nil && !pinned && !strings.HasSuffix(named, ":"+parsed.Identifier()) {
		return plan.BaseFacts{}, release.Misuse("write "+base+":TAG, or better "+base+"@sha256:HEX", "it has neither tag nor digest")
	}
	if ref = parsed; err == nil && pinned {
		ref, err = name.NewDigest(parsed.Context().Name()+"@"+digest, a.loosely()...)
	}
	if err != nil {
		return plan.BaseFacts{}, release.Misuse("such as gcr.io/distroless/static@sha256:HEX", "%w", err)
	}
	d, err := remote.Get(ref, a.options(ctx, ref.Context())...)
	if err != nil {
		return plan.BaseFacts{}, reaching(ref, err)
	}
	there, err := release.ParseDigest(d.Digest.String())
	if err != nil {
		return plan.BaseFacts{}, err
	}
	out := plan.BaseFacts{Base: plan.Base{Moving: !pinned, Name: plainly(parsed.Context()), Digest: there}}
	if tag := parsed.Identifier(); strings.HasSuffix(named, ":"+tag) {
		out.Name += ":" + tag
	}
	all, err := platformsOf(d)
	if err != nil {
		return plan.BaseFacts{}, reaching(ref, err)
	}
	for _, t := range targets {
		if _, ok := serving(all, t); ok {
			out.Platforms = append(out.Platforms, t)
		}
	}
	return out, nil
}

// plainly is a repository as people write it: Docker Hub's registry has another name.
func plainly(r name.Repository) string {
	if rest, ok := strings.CutPrefix(r.Name(), name.DefaultRegistry+"/"); ok {
		return "docker.io/" + rest
	}
	return r.Name()
}

// reaching is explain for what is only read, by whoever may pull it.
func reaching(ref name.Reference, err error) error {
	err = explain("reading", ref, err)
	if release.ClassOf(err) == release.Authorisation {
		return release.Refuse("the base image must be public, or readable by who is logged in (docker login; docker/login-action in a workflow)", "%w", errors.Unwrap(err))
	}
	return err
}

// loosely completes names as the docker command does.
func (a Access) loosely() []name.Option {
	if a.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

// platformsOf are the images that a descriptor leads to, with their platforms, which an
// index may leave to their configurations; an index in an index counts, one in that does not.
func platformsOf(d *remote.Descriptor) ([]v1.Descriptor, error) {
	if d.MediaType.IsIndex() {
		index, err := d.ImageIndex()
		if err != nil {
			return nil, err
		}
		return within(index, true)
	}
	if !d.MediaType.IsImage() {
		return nil, fmt.Errorf("media type %.200q: want an image or an index", d.MediaType)
	}
	img, err := d.Image()
	if err != nil {
		return nil, err
	}
	one := v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	if one.Platform, err = platformSaid(img); err == nil && one.Platform == nil {
		err = errors.New("it does not say for which platform it is")
	}
	return []v1.Descriptor{one}, err
}

// within are the images of an index that say their platform.
func within(index v1.ImageIndex, deeper bool) ([]v1.Descriptor, error) {
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) > maxPlatforms {
		return nil, fmt.Errorf("%d manifests; %d are read at most", len(m.Manifests), maxPlatforms)
	}
	var out []v1.Descriptor
	for _, d := range m.Manifests {
		switch {
		case d.MediaType.IsIndex() && deeper:
			inner, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			more, err := within(inner, false)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		case !d.MediaType.IsImage():
			continue
		case d.Platform == nil:
			img, err := index.Image(d.Digest)
			if err != nil {
				return nil, err
			}
			if d.Platform, err = platformSaid(img); err != nil {
				return nil, err
			}
		}
		if d.Platform != nil {
			out = append(out, d)
		}
	}
	return out, nil
}

// platformSaid is what the configuration of an image says; nil where it says nothing.
func platformSaid(img v1.Image) (*v1.Platform, error) {
	config, err := configOf(img)
	if err != nil || config.OS == "" || config.Architecture == "" {
		return nil, err
	}
	return config.Platform(), nil
}

// serving finds the image that runs where one for the target does: of the same variant,
// or of the nearest one that asks for less.
func serving(all []v1.Descriptor, t release.Target) (v1.Descriptor, bool) {
	want := platform(t)
	for _, variant := range variants(want) {
		for _, d := range all {
			if d.Platform.OS == want.OS && d.Platform.Architecture == want.Architecture && d.Platform.Variant == variant {
				return d, true
			}
		}
	}
	return v1.Descriptor{}, false
}

// variants are those that a machine of the platform can run, best first. The empty one is
// what nobody cared to name.
func variants(p v1.Platform) []string {
	order := map[string][]string{
		"amd64": {"v4", "v3", "v2", "v1"},
		"arm":   {"v7", "v6", "v5"},
		"arm64": {"v9", "v8"},
	}[p.Architecture]
	variant := p.Variant
	if p.Architecture == "arm64" { // v8.2 runs on whatever v8 does
		variant, _, _ = strings.Cut(variant, ".")
	}
	if i := slices.Index(order, variant); i >= 0 {
		return append(slices.Clone(order[i:]), "")
	}
	if p.Architecture == "amd64" && variant == "" {
		return []string{"", "v1"}
	}
	return slices.Compact([]string{p.Variant, ""})
}

// foundation is what an image is built on, for one platform.
type foundation struct {
	layers  []v1.Descriptor
	diffIDs []v1.Hash
	history []v1.History
	config  v1.Config
}

// foundations read the base of an image for each of its platforms.
func foundations(ctx context.Context, base plan.Base, targets []release.Target, a Access) ([]foundation, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ref, err := name.NewDigest(base.Reference(), a.loosely()...)
	if err != nil {
		return nil, err
	}
	d, err := remote.Get(ref, a.options(ctx, ref.Context())...)
	if err != nil {
		return nil, reaching(ref, err)
	}
	all, err := platformsOf(d)
	if err != nil {
		return nil, reaching(ref, err)
	}
	out := make([]foundation, len(targets))
	for i, t := range targets {
		one, ok := serving(all, t)
		if !ok {
			return nil, release.Reject("name another base, or fewer platforms", "image base %s: it has nothing for %s", ref, t)
		}
		img, err := remote.Image(ref.Context().Digest(one.Digest.String()), a.options(ctx, ref.Context())...)
		if err == nil {
			out[i], err = foundationOf(img)
		}
		if err != nil {
			return nil, reaching(ref, err)
		}
	}
	return out, nil
}

// foundationOf takes of an image what another keeps of it: layers, and what programs run
// in; not what it says of itself and how it starts.
func foundationOf(img v1.Image) (foundation, error) {
	m, err := img.Manifest()
	if err != nil {
		return foundation{}, err
	}
	config, err := configOf(img)
	if err != nil {
		return foundation{}, err
	}
	switch {
	case len(m.Layers) >= maxLayers: // one comes on top
		return foundation{}, release.Reject("name a base with fewer layers", "it has %d layers; container engines run at most %d", len(m.Layers), maxLayers)
	case len(m.Layers) != len(config.RootFS.DiffIDs):
		return foundation{}, fmt.Errorf("%d layers and %d digests of their content", len(m.Layers), len(config.RootFS.DiffIDs))
	}
	out := foundation{diffIDs: config.RootFS.DiffIDs, history: config.History}
	for _, l := range m.Layers {
		as, ok := map[types.MediaType]types.MediaType{
			types.DockerLayer: types.OCILayer, types.OCILayer: types.OCILayer, types.OCILayerZStd: types.OCILayerZStd,
			types.DockerUncompressedLayer: types.OCIUncompressedLayer, types.OCIUncompressedLayer: types.OCIUncompressedLayer,
		}[l.MediaType]
		if !ok || len(l.URLs) > 0 {
			return foundation{}, fmt.Errorf("layer %s: media type %.200q: not one that every registry takes", l.Digest, l.MediaType)
		}
		out.layers = append(out.layers, v1.Descriptor{MediaType: as, Digest: l.Digest, Size: l.Size})
	}
	if len(out.layers) == 0 {
		return foundation{}, errors.New("it has no layers")
	}
	out.config = v1.Config{
		Env: config.Config.Env, WorkingDir: config.Config.WorkingDir, ExposedPorts: config.Config.ExposedPorts,
		Volumes: config.Config.Volumes, StopSignal: config.Config.StopSignal,
	}
	return out, nil
}
