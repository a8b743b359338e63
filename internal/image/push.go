package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/org/pgo-release/internal/release"
)

// Push sends an image to its repository under its digest alone: no tag names it
// after that. What the registry has is not sent again, so a call that was cut off can
// be repeated, and layers of the base that it has elsewhere are mounted; the others are
// read from where bases gives access to. Failed requests are repeated a few times where
// that is safe. Each layer is sent in one request, whatever its size: ghcr.io refuses
// larger chunks than 4 MiB.
func Push(ctx context.Context, img release.Image, a, bases Access) error {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	ref, err := a.digest(img.Repository, img.Digest)
	if err != nil {
		return fmt.Errorf("pushing image: %w", err)
	}
	all, err := layout.ImageIndexFromPath(img.Layout)
	if err != nil {
		return fmt.Errorf("pushing image %q: reading layout: %w", ref, err)
	}
	index, err := all.ImageIndex(hash(img.Digest))
	if err != nil {
		return fmt.Errorf("pushing image %q: reading layout: %w", ref, err)
	}
	if img.Base != "" {
		if index, err = onBase(ctx, index, img, bases); err != nil {
			return fmt.Errorf("pushing image %q: %w", ref, err)
		}
	}
	// The registry compares everything that it is sent with the digest that it is sent
	// under, beginning with the index: what changed on disk is refused there.
	return explain("pushing image", ref, remote.WriteIndex(ref, index, a.options(ctx, ref.Context())...))
}

// imageIndex is embedded under a name that none of its methods has.
type imageIndex = v1.ImageIndex

// based is an image index that lies in a layout but for the layers of its base.
type based struct {
	imageIndex
	layer func(digest v1.Hash) (v1.Layer, error) // nil without an error: the layout has it
}

// onBase completes an index with the layers of its base.
func onBase(ctx context.Context, index v1.ImageIndex, img release.Image, bases Access) (based, error) {
	base, err := name.NewDigest(img.Base, bases.naming()...)
	if err != nil {
		return based{}, fmt.Errorf("base image: %w", err)
	}
	puller, err := remote.NewPuller(bases.options(ctx, base.Context())...)
	if err != nil {
		return based{}, fmt.Errorf("base image %q: %w", base, err)
	}
	target, err := name.NewRepository(img.Repository)
	if err != nil {
		return based{}, err
	}
	return based{index, func(digest v1.Hash) (v1.Layer, error) {
		if _, err := os.Stat(store{img.Layout}.path(digest.Hex)); !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		l, err := puller.Layer(ctx, base.Context().Digest(digest.String()))
		if err == nil && target.RegistryStr() == base.RegistryStr() {
			l = &remote.MountableLayer{Layer: l, Reference: base}
		}
		return l, err
	}}, nil
}

// Image gives an image of the index with all of its layers.
func (b based) Image(digest v1.Hash) (v1.Image, error) {
	img, err := b.imageIndex.Image(digest)
	return basedImage{img, b.layer}, err
}

type basedImage struct {
	v1.Image
	layer func(digest v1.Hash) (v1.Layer, error)
}

// Layers are those of the base, and those in the layout.
func (b basedImage) Layers() ([]v1.Layer, error) {
	layers, err := b.Image.Layers()
	if err != nil {
		return nil, err
	}
	for i, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		other, err := b.layer(digest)
		if err != nil {
			return nil, err
		}
		if other != nil {
			layers[i] = other
		}
	}
	return layers, nil
}

// LayerByDigest gives one of Layers, or the configuration.
func (b basedImage) LayerByDigest(digest v1.Hash) (v1.Layer, error) {
	if l, err := b.layer(digest); l != nil || err != nil {
		return l, err
	}
	return b.Image.LayerByDigest(digest)
}

// ConfigLayer is the configuration, which the layout has.
func (b basedImage) ConfigLayer() (v1.Layer, error) { return partial.ConfigLayer(b.Image) }

// Public tells whether everybody can pull an image that was pushed.
func Public(ctx context.Context, reference string, a Access) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ref, err := a.exact(reference)
	if err != nil {
		return false, fmt.Errorf("reading image: %w", err)
	}
	a.anonymous = true
	_, err = remote.Head(ref, a.options(ctx, ref.Context())...)
	var e *transport.Error
	if errors.As(err, &e) && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, e.StatusCode) {
		return false, nil
	}
	return err == nil, err
}
