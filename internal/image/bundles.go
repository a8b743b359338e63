package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/org/pgo-release/internal/release"
)

// What is read of the referrers of an image at most.
const (
	maxReferrers = 128      // that may be bundles
	maxBundles   = 32 << 20 // bytes of all
)

// Referrer is a Sigstore bundle that a registry keeps beside an image. Nothing of it is
// proven before the bundle is verified.
type Referrer struct {
	Digest        release.Digest // of its manifest; empty: it stands for all that were not read
	PredicateType string         // as its manifest says; empty where it does not
	Bundle        []byte         // JSON; nil with Err
	Err           error          // why it could not be read as a bundle
}

// Referrers reads the Sigstore bundles that a registry keeps beside the manifest or
// index that a reference of the form registry/path@sha256:… names, sorted by digest;
// none where the registry does not have that either. Other referrers are left out. All
// of it is compared with its digests, and bounded. Whoever may push can leave anything
// there: what contradicts itself comes with the reason, in the place of its bundle, and
// so does, as the last one, what is more than is read. The error is for what the registry
// itself did not give.
func Referrers(ctx context.Context, reference string, a Access) ([]Referrer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const doing = "reading the bundles of"
	ref, err := a.exact(reference)
	if err != nil {
		return nil, fmt.Errorf("%s image: %w", doing, err)
	}
	options := a.referring(ctx, ref.Context())
	listed, err := list(ref, options)
	if err != nil {
		return nil, explain(doing, ref, err)
	}
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", doing, ref, err)
	}
	digests := candidates(listed)
	var out []Referrer
	total := 0
	for i, digest := range digests {
		if i == maxReferrers {
			return append(out, Referrer{Err: fmt.Errorf("%d referrers that may be bundles; %d are read at most", len(digests), maxReferrers)}), nil
		}
		r, err := fetch(ctx, puller, ref, digest)
		switch {
		case err != nil && !contradictory(ctx, err):
			return nil, explain(doing, ref, fmt.Errorf("referrer %s: %w", digest, err))
		case err != nil:
			r = &Referrer{Digest: release.Digest(digest.String()), Err: err}
		case r == nil:
			continue
		}
		if total += len(r.Bundle); total > maxBundles {
			return append(out, Referrer{Err: fmt.Errorf("bundles of more than %d bytes; no more are read", maxBundles)}), nil
		}
		out = append(out, *r)
	}
	return out, nil
}

// contradictory tells whether a referrer could not be read because of what it is, and not
// because the registry refused to give it, or could not.
func contradictory(ctx context.Context, err error) bool {
	var refused *transport.Error
	var cut net.Error
	switch {
	case ctx.Err() != nil, errors.As(err, &cut):
		return false
	case errors.As(err, &refused):
		return refused.StatusCode == http.StatusNotFound
	}
	return true
}

// candidates are the referrers that may be bundles, sorted. Clients that write the list
// themselves often give the type of the configuration instead of the artifact's.
func candidates(listed []v1.Descriptor) []v1.Hash {
	var out []v1.Hash
	for _, d := range listed {
		if d.ArtifactType == bundleType || d.ArtifactType == emptyType || d.ArtifactType == "" {
			out = append(out, d.Digest)
		}
	}
	slices.SortFunc(out, func(a, b v1.Hash) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// fetch reads one referrer; nil when it is no Sigstore bundle.
func fetch(ctx context.Context, puller *remote.Puller, subject name.Digest, digest v1.Hash) (*Referrer, error) {
	id, err := release.ParseDigest(digest.String())
	if err != nil {
		return nil, err
	}
	d, err := puller.Get(ctx, subject.Context().Digest(string(id)))
	if missing := (*transport.Error)(nil); errors.As(err, &missing) && missing.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("it is listed and not there: %w", err)
	}
	if err != nil {
		return nil, err
	}
	var m v1.Manifest
	if err := document(d.Manifest, hash(id), &m); err != nil {
		return nil, fmt.Errorf("reading its manifest: %w", err)
	}
	switch {
	case m.ArtifactType != bundleType:
		return nil, nil
	case m.Subject == nil || m.Subject.Digest.String() != subject.DigestStr():
		return nil, fmt.Errorf("it belongs to another image")
	case len(m.Layers) != 1 || m.Layers[0].MediaType != bundleType:
		return nil, fmt.Errorf("want one layer in it, of type %s", bundleType)
	case m.Layers[0].Size < 0 || m.Layers[0].Size > maxBundle:
		return nil, fmt.Errorf("its bundle has %d bytes; %d are read at most", m.Layers[0].Size, maxBundle)
	}
	bundle, err := blob(ctx, puller, subject.Context(), m.Layers[0])
	if err != nil {
		return nil, fmt.Errorf("reading its bundle: %w", err)
	}
	predicateType := m.Annotations[predicateNote]
	if _, err := notesOf(bundle, cmp.Or(predicateType, "unknown")); err != nil {
		return nil, err
	}
	return &Referrer{Digest: id, PredicateType: predicateType, Bundle: bundle}, nil
}

// blob reads a blob from its repository, not from the addresses that a descriptor may
// name, and compares it with its descriptor.
func blob(ctx context.Context, puller *remote.Puller, repository name.Repository, d v1.Descriptor) ([]byte, error) {
	layer, err := puller.Layer(ctx, repository.Digest(d.Digest.String()))
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(content, d.Size+1))
	if err != nil {
		return nil, err
	}
	got, _, err := v1.SHA256(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) != d.Size || got != d.Digest {
		return nil, fmt.Errorf("want %d bytes of digest %s; it has other ones", d.Size, d.Digest)
	}
	return text, nil
}
