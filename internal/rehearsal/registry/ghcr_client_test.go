package registry_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/pgo-release/internal/rehearsal/registry"
)

// client is go-containerregistry, which talks to ghcr.io.
type client struct {
	*testing.T
	transport http.RoundTripper
}

func (c client) options(password string) []remote.Option {
	options := []remote.Option{remote.WithTransport(c.transport), remote.WithContext(context.WithoutCancel(c.Context()))}
	if password != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: "x", Password: password}))
	}
	return options
}

func (c client) push(reference, password string, image v1.Image) error {
	c.Helper()
	return remote.Write(c.reference(reference), image, c.options(password)...)
}

// pull reads a whole image and gives back its digest.
func (c client) pull(reference, password string) (string, error) {
	c.Helper()
	image, err := remote.Image(c.reference(reference), c.options(password)...)
	if err != nil {
		return "", err
	}
	if err := validate.Image(image); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return digest.String(), err
}

// pulls wants a certain image.
func (c client) pulls(reference, password string, image v1.Image) {
	c.Helper()
	want, err := image.Digest()
	if err != nil {
		c.Fatal(err)
	}
	if got, err := c.pull(reference, password); err != nil || got != want.String() {
		c.Errorf("%s is %s, %v, want %s", reference, got, err, want)
	}
}

func (c client) reference(text string) name.Reference {
	c.Helper()
	ref, err := name.ParseReference(text)
	if err != nil {
		c.Fatal(err)
	}
	return ref
}

// refused wants the registry's own answer; of HEAD there is only the status.
func (c client) refused(err error, status int, code transport.ErrorCode) {
	c.Helper()
	var e *transport.Error
	switch {
	case !errors.As(err, &e) || e.StatusCode != status:
		c.Errorf("got %v, want %d", err, status)
	case e.Request.Method != http.MethodHead && (len(e.Errors) != 1 || e.Errors[0].Code != code):
		c.Errorf("got %v, want %s", err, code)
	}
}

// randomImage makes an image, and says what a push of it uploads.
func randomImage(t *testing.T) (v1.Image, []registry.Upload) {
	t.Helper()
	image, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var blobs []registry.Upload
	for _, blob := range append(manifest.Layers, manifest.Config) {
		blobs = append(blobs, registry.Upload{Digest: blob.Digest.String(), Bytes: blob.Size})
	}
	slices.SortFunc(blobs, func(a, b registry.Upload) int { return strings.Compare(a.Digest, b.Digest) })
	return image, blobs
}

// A real client gets through all of it: what a release to ghcr.io goes through.
func TestGHCRClient(t *testing.T) {
	s := startGHCR(t)
	c := client{t, s.Transport()}
	image, blobs := randomImage(t)
	const reference = "ghcr.io/octo/hello:1"
	c.refused(c.push(reference, "wrong", image), http.StatusForbidden, transport.DeniedErrorCode)
	c.refused(c.push(reference, "", image), http.StatusUnauthorized, transport.UnauthorizedErrorCode)
	if got := s.Received(); len(got) != 0 {
		t.Errorf("received %+v", got)
	}
	for _, tag := range []string{reference, reference, "ghcr.io/octo/hello:2"} {
		if err := c.push(tag, secret, image); err != nil {
			t.Fatal(err)
		}
		if got := s.Received(); !slices.Equal(got, blobs) {
			t.Errorf("received %+v, want %+v", got, blobs)
		}
	}
	c.pulls(reference, secret, image)
	for _, private := range []string{reference, "ghcr.io/octo/absent:1"} {
		_, err := c.pull(private, "")
		c.refused(err, http.StatusUnauthorized, transport.UnauthorizedErrorCode)
	}

	s.Publish("octo/hello")
	c.pulls(reference, "", image)
	_, err := c.pull("ghcr.io/octo/hello:3", "")
	c.refused(err, http.StatusNotFound, transport.ManifestUnknownErrorCode)
	_, err = c.pull(reference, "wrong")
	c.refused(err, http.StatusForbidden, transport.DeniedErrorCode)
	other, _ := randomImage(t)
	c.refused(c.push(reference, "", other), http.StatusForbidden, transport.DeniedErrorCode)
}

// A client that names the loopback address speaks plain HTTP, also to the token's endpoint.
func TestGHCRClientAtAddress(t *testing.T) {
	s := startGHCR(t)
	image, blobs := randomImage(t)
	if err := (client{t, http.DefaultTransport}).push(s.Address()+"/octo/hello:1", secret, image); err != nil {
		t.Fatal(err)
	}
	if got := s.Received(); !slices.Equal(got, blobs) {
		t.Errorf("received %+v, want %+v", got, blobs)
	}
}

// The client mounts what an image in another repository has, for which it fetches a
// second token; nothing is uploaded again.
func TestGHCRClientMounts(t *testing.T) {
	s := startGHCR(t)
	c := client{t, s.Transport()}
	image, blobs := randomImage(t)
	if err := c.push("ghcr.io/octo/base:1", secret, image); err != nil {
		t.Fatal(err)
	}
	base, err := remote.Image(c.reference("ghcr.io/octo/base:1"), c.options(secret)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.push("ghcr.io/octo/hello:1", secret, base); err != nil {
		t.Fatal(err)
	}
	if got := s.Received(); !slices.Equal(got, blobs) {
		t.Errorf("received %+v, want %+v", got, blobs)
	}
	c.pulls("ghcr.io/octo/hello:1", secret, image)
}

// What refers to an image is kept under a tag.
func TestGHCRReferrers(t *testing.T) {
	s := startGHCR(t)
	token := bearer(t, s, secret, "repository:octo/hello:pull")
	got := ask(t, s, call{"GET", "/v2/octo/hello/referrers/sha256:" + strings.Repeat("0", 64), nil, token})
	if got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.text)
	}
}
