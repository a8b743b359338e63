package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/pgo-release/internal/release"
)

// How cosign stores a bundle beside an image
// (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md): these names are
// what it looks for.
const (
	bundleType         = "application/vnd.dev.sigstore.bundle.v0.3+json"
	emptyType          = "application/vnd.oci.empty.v1+json"
	contentNote        = "dev.sigstore.bundle.content"
	predicateNote      = "dev.sigstore.bundle.predicateType"
	contentEnvelope    = "dsse-envelope"
	contentSignature   = "message-signature"
	emptyConfiguration = "{}"
)

const (
	maxBundle       = 4 << 20 // bytes of a bundle
	maxAttachments  = 3       // how often a referrer is written until the registry lists it
	attachmentPause = time.Second
)

// Exists tells whether a registry has what a reference of the form
// registry/path@sha256:… names. Any other form is an error.
func Exists(ctx context.Context, reference string, a Access) (bool, error) {
	if _, err := a.exact(reference); err != nil {
		return false, fmt.Errorf("reading image: %w", err)
	}
	var missing *NotFoundError
	if _, err := Digest(ctx, reference, a); errors.As(err, &missing) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// Attach stores a Sigstore bundle beside the manifest or index that a reference of the
// form registry/path@sha256:… names, as an OCI 1.1 referrer that cosign finds, and
// returns the digest of the referrer's manifest, which depends on the arguments alone.
// Attaching a bundle again changes nothing. predicateType may be empty where the bundle
// holds no DSSE envelope.
//
// A registry without the referrers API, such as ghcr.io, gets the list of referrers
// under the tag sha256-<digits>, in which others stay. Such a list can only be read and
// written back: calls for one image must not run side by side. The error is a
// *NotFoundError where the registry has nothing under the reference.
func Attach(ctx context.Context, reference string, bundle []byte, predicateType string, a Access) (release.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const doing = "attaching bundle to"
	ref, err := a.exact(reference)
	if err != nil {
		return "", fmt.Errorf("%s image: %w", doing, err)
	}
	notes, err := notesOf(bundle, predicateType)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", doing, ref, err)
	}
	options := a.referring(ctx, ref.Context())
	subject, err := remote.Get(ref, options...)
	if err != nil {
		return "", explain(doing, ref, err)
	}
	if !subject.MediaType.IsIndex() && !subject.MediaType.IsImage() {
		return "", fmt.Errorf("%s %q: media type %.200q: want an image or an index", doing, ref, subject.MediaType)
	}
	layers := []v1.Layer{static.NewLayer([]byte(emptyConfiguration), emptyType), static.NewLayer(bundle, bundleType)}
	m, err := newArtifact(subject.Descriptor, layers[0], layers[1], notes)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", doing, ref, err)
	}
	if err := m.attach(ctx, ref, layers, options); err != nil {
		return "", explain(doing, ref, err)
	}
	return m.digest, nil
}

// repositoryForm is a registry and a name of the distribution specification.
var repositoryForm = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+$`)

// exact reads a reference of the form registry/path@sha256:….
func (a Access) exact(reference string) (name.Digest, error) {
	repository, digits, _ := strings.Cut(reference, "@")
	digest, err := release.ParseDigest(digits)
	// The library would take a tag before the digest, and drop it; dots may lead to
	// another repository.
	if err != nil || string(digest) != digits || !repositoryForm.MatchString(repository) {
		return name.Digest{}, fmt.Errorf("reference %q: want registry/path@sha256:…", reference)
	}
	if _, err := name.NewRepository(repository, a.naming()...); err != nil {
		return name.Digest{}, fmt.Errorf("reference %q: want registry/path@sha256:…: %w", reference, err)
	}
	return a.digest(repository, digest)
}

// notesOf checks that text is a Sigstore bundle and describes it as cosign does.
func notesOf(text []byte, predicateType string) (map[string]string, error) {
	var b struct {
		MediaType            string
		VerificationMaterial map[string]json.RawMessage
		DSSEEnvelope         map[string]json.RawMessage
		MessageSignature     map[string]json.RawMessage
	}
	if len(text) > maxBundle {
		return nil, fmt.Errorf("reading Sigstore bundle: %d bytes; %d are taken at most", len(text), maxBundle)
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("reading Sigstore bundle: %w", err)
	}
	envelope, signature := len(b.DSSEEnvelope) > 0, len(b.MessageSignature) > 0
	switch {
	case b.MediaType != bundleType && b.MediaType != "application/vnd.dev.sigstore.bundle+json;version=0.3":
		return nil, fmt.Errorf("reading Sigstore bundle: media type %.200q: want %s", b.MediaType, bundleType)
	case len(b.VerificationMaterial) == 0:
		return nil, fmt.Errorf("reading Sigstore bundle: it has no verification material")
	case envelope == signature:
		return nil, fmt.Errorf("reading Sigstore bundle: want either a DSSE envelope or a signature of a message in it")
	case envelope && predicateType == "":
		return nil, fmt.Errorf("reading Sigstore bundle: the type of its predicate was not given")
	}
	notes := map[string]string{contentNote: contentSignature}
	if envelope {
		notes[contentNote] = contentEnvelope
	}
	if predicateType != "" {
		notes[predicateNote] = predicateType
	}
	return notes, nil
}

// artifact is the manifest of a bundle.
type artifact struct {
	raw    []byte
	digest release.Digest
}

// RawManifest implements remote.Taggable.
func (m artifact) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType tells the registry what RawManifest is.
func (m artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func newArtifact(subject v1.Descriptor, config, bundle v1.Layer, notes map[string]string) (artifact, error) {
	describe := func(l v1.Layer, mediaType types.MediaType) (v1.Descriptor, error) {
		digest, err := l.Digest()
		if err != nil {
			return v1.Descriptor{}, err
		}
		size, err := l.Size()
		return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
	}
	empty, err := describe(config, emptyType)
	if err != nil {
		return artifact{}, err
	}
	empty.ArtifactType = bundleType // cosign writes it here too
	layer, err := describe(bundle, bundleType)
	if err != nil {
		return artifact{}, err
	}
	raw, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: bundleType,
		Config: empty, Layers: []v1.Descriptor{layer}, Annotations: notes,
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	})
	if err != nil {
		return artifact{}, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	return artifact{raw, release.Digest(digest.String())}, err
}

// attach writes the artifact until the registry lists it among the referrers: where the
// list is a tag, others may write it at the same time and lose what was added.
func (m artifact) attach(ctx context.Context, subject name.Digest, layers []v1.Layer, options []remote.Option) error {
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := pusher.Upload(ctx, subject.Context(), l); err != nil {
			return err
		}
	}
	for try := 1; ; try++ {
		if err := pusher.Put(ctx, subject.Context().Digest(string(m.digest)), m); err != nil {
			return err
		}
		listed, err := list(subject, options)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(listed, func(d v1.Descriptor) bool { return d.Digest == hash(m.digest) }) {
			return nil
		}
		if try == maxAttachments {
			return &release.Problem{
				Err: fmt.Errorf("the registry does not list %s among the referrers", m.digest),
				Tip: "run again; is something else attaching to the same image?",
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(try) * attachmentPause):
		}
	}
}

// list reads what refers to an image, whatever it is.
func list(subject name.Digest, options []remote.Option) ([]v1.Descriptor, error) {
	index, err := remote.Referrers(subject, options...)
	if err != nil {
		return nil, err
	}
	raw, err := index.RawManifest()
	if err != nil {
		return nil, err
	}
	var m v1.IndexManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("reading the list of referrers: %w", err)
	}
	if m.MediaType != types.OCIImageIndex || m.SchemaVersion != 2 {
		return nil, fmt.Errorf("reading the list of referrers: media type %.200q: want %s", m.MediaType, types.OCIImageIndex)
	}
	return m.Manifests, nil
}
