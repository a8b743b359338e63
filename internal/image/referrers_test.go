package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	carried "github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/release"
)

const provenance = "https://slsa.dev/provenance/v1"

// bundleOf is what looks like a Sigstore bundle; which one it is, note says.
func bundleOf(note string) []byte {
	return fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"certificate":{}},"dsseEnvelope":{"payload":%q}}`, bundleType, note)
}

// shelf is a carried registry with an image in it, and what happens on the way there.
type shelf struct {
	*testing.T
	access    Access
	image     release.Image
	reference string
	fault     func(*http.Request) *http.Response // answers a request itself, or nil
	inner     http.RoundTripper
}

func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.fault != nil {
		if resp := s.fault(r); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	return s.inner.RoundTrip(r)
}

// newShelf brings up a registry with or without the referrers API.
func newShelf(t *testing.T, referrers bool) *shelf {
	t.Helper()
	begin := carried.StartWithoutReferrers
	if referrers {
		begin = carried.Start
	}
	server, err := begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &shelf{T: t, inner: server.Transport(), image: built(t, spec(t, "linux/amd64"))}
	s.access = Access{Token: "secret", Transport: s}
	if err := Push(t.Context(), s.image, s.access, Access{}); err != nil {
		t.Fatal(err)
	}
	s.reference = s.image.Repository + "@" + string(s.image.Digest)
	return s
}

// both runs a test with the referrers API and without it.
func both(t *testing.T, test func(*shelf)) {
	for name, referrers := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) { test(newShelf(t, referrers)) })
	}
}

func (s *shelf) attach(note string) release.Digest {
	s.Helper()
	digest, err := Attach(s.Context(), s.reference, bundleOf(note), provenance, s.access)
	if err != nil {
		s.Fatal(err)
	}
	return digest
}

// holds checks the bundles of the image, whatever their order.
func (s *shelf) holds(notes ...string) {
	s.Helper()
	found, err := Referrers(s.Context(), s.reference, s.access)
	if err != nil {
		s.Fatal(err)
	}
	var got, want []string
	for _, r := range found {
		if r.Err != nil {
			continue // see reports
		}
		got = append(got, string(r.Bundle))
		if r.PredicateType != provenance {
			s.Errorf("predicate type %q", r.PredicateType)
		}
	}
	for _, note := range notes {
		want = append(want, string(bundleOf(note)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("bundles %q, want %q", got, want)
	}
	if !slices.IsSortedFunc(found, func(a, b Referrer) int { return strings.Compare(string(a.Digest), string(b.Digest)) }) {
		s.Errorf("not sorted: %+v", found)
	}
}

// put writes a manifest around Attach, as it is, and returns its digest.
func (s *shelf) put(m v1.Manifest, layers ...v1.Layer) v1.Hash {
	s.Helper()
	repository, err := name.NewRepository(s.image.Repository)
	if err != nil {
		s.Fatal(err)
	}
	options := []remote.Option{remote.WithTransport(s.inner)}
	for _, l := range layers {
		if err := remote.WriteLayer(repository, l, options...); err != nil {
			s.Fatal(err)
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		s.Fatal(err)
	}
	digest, _, _ := v1.SHA256(strings.NewReader(string(raw)))
	if err := remote.Put(repository.Digest(digest.String()), artifact{raw: raw}, options...); err != nil {
		s.Fatal(err)
	}
	return digest
}

// manifest is that of a bundle of the image, for tests to change.
func (s *shelf) manifest(note string) (v1.Manifest, []v1.Layer) {
	s.Helper()
	layers := []v1.Layer{static.NewLayer([]byte(emptyConfiguration), emptyType), static.NewLayer(bundleOf(note), bundleType)}
	subject := v1.Descriptor{MediaType: types.OCIImageIndex, Digest: hash(s.image.Digest), Size: 2}
	made, err := newArtifact(subject, layers[0], layers[1], map[string]string{predicateNote: provenance})
	if err != nil {
		s.Fatal(err)
	}
	var m v1.Manifest
	if err := json.Unmarshal(made.raw, &m); err != nil {
		s.Fatal(err)
	}
	return m, layers
}

func TestAttach(t *testing.T) {
	digests := map[release.Digest]bool{}
	both(t, func(s *shelf) {
		s.holds()
		first := s.attach("one")
		digests[first] = true
		s.holds("one")
		if again := s.attach("one"); again != first {
			s.Errorf("the same bundle became %s and %s", first, again)
		}
		s.holds("one")
		if s.attach("two") == first {
			s.Error("another bundle has the same digest")
		}
		s.holds("one", "two")
	})
	if len(digests) != 1 {
		t.Errorf("it depends on the registry: %v", digests)
	}
}

// What cosign reads: the manifest's types, its notes, its one layer and its subject.
func TestAttachedManifest(t *testing.T) {
	both(t, func(s *shelf) {
		ref, _ := name.NewDigest(s.image.Repository + "@" + string(s.attach("one")))
		d, err := remote.Get(ref, remote.WithTransport(s.inner))
		if err != nil {
			s.Fatal(err)
		}
		subject, err := remote.Head(ref.Context().Digest(string(s.image.Digest)), remote.WithTransport(s.inner))
		if err != nil {
			s.Fatal(err)
		}
		bundle := bundleOf("one")
		want := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"},`+
			`"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":%d,"digest":%q}],`+
			`"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1"},`+
			`"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","size":%d,"digest":%q},`+
			`"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`,
			len(bundle), digestOf(string(bundle)), subject.Size, s.image.Digest)
		if string(d.Manifest) != want {
			s.Errorf("manifest\n%s\nwant\n%s", d.Manifest, want)
		}
		index, err := remote.Referrers(ref.Context().Digest(string(s.image.Digest)), remote.WithTransport(s.inner))
		if err != nil {
			s.Fatal(err)
		}
		m, err := index.IndexManifest()
		if err != nil || len(m.Manifests) != 1 || m.Manifests[0].ArtifactType != bundleType || m.Manifests[0].Annotations[predicateNote] != provenance {
			s.Errorf("listed as %+v, %v", m, err)
		}
	})
}

// A platform's manifest has referrers too, apart from those of the index.
func TestAttachToAPlatform(t *testing.T) {
	both(t, func(s *shelf) {
		s.attach("index")
		s.reference = s.image.Repository + "@" + string(s.image.Platforms[0].Digest)
		s.holds()
		s.attach("platform")
		s.holds("platform")
	})
}

func TestAttachSignatureOfAMessage(t *testing.T) {
	s := newShelf(t, false)
	bundle := fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"x":1},"messageSignature":{"signature":"eA=="}}`, bundleType)
	if _, err := Attach(t.Context(), s.reference, bundle, "", s.access); err != nil {
		t.Fatal(err)
	}
	found, err := Referrers(t.Context(), s.reference, s.access)
	if err != nil || len(found) != 1 || found[0].PredicateType != "" || string(found[0].Bundle) != string(bundle) {
		t.Errorf("%+v, %v", found, err)
	}
}

// What others attached stays where it is, and is no bundle.
func TestAttachKeepsOtherReferrers(t *testing.T) {
	both(t, func(s *shelf) {
		m, layers := s.manifest("unused")
		m.ArtifactType, m.Config.ArtifactType = "application/spdx+json", ""
		other := s.put(m, layers...)
		s.attach("one")
		s.holds("one")
		ref, _ := s.access.exact(s.reference)
		listed, err := list(ref, s.access.referring(s.Context(), ref.Context()))
		if err != nil || len(listed) != 2 || !slices.ContainsFunc(listed, func(d v1.Descriptor) bool { return d.Digest == other }) {
			s.Errorf("listed %+v, %v", listed, err)
		}
	})
}

// Another client wrote the list under the tag between our reading and our writing it.
func TestAttachIsRepeatedWhereItWasLost(t *testing.T) {
	t.Parallel()
	s := newShelf(t, false)
	lost := 0
	tag := "/manifests/sha256-" + s.image.Digest.Hex()
	s.fault = func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, tag) && lost < 1 {
			lost++
			return answering(http.StatusCreated, "", "")
		}
		return nil
	}
	s.attach("one")
	s.holds("one")
	lost = -5
	_, err := Attach(t.Context(), s.reference, bundleOf("two"), provenance, s.access)
	if err == nil || !strings.Contains(err.Error(), "does not list") || !strings.Contains(release.HintOf(err), "run again") {
		t.Errorf("error %v, hint %q", err, release.HintOf(err))
	}
}

// The way of ghcr.io, and others, to say that there is no referrers API.
func TestWaysToHaveNoReferrersAPI(t *testing.T) {
	for name, answer := range map[string]func() *http.Response{
		"elsewhere": func() *http.Response {
			resp := answering(http.StatusSeeOther, "", "")
			resp.Header.Set("Location", "https://github.com/-/v2/packages/container/package/octo%2Fhello%2Freferrers%2Fsha256")
			return resp
		},
		"page of HTML":   func() *http.Response { return answering(http.StatusOK, "text/html", "<html>") },
		"no type":        func() *http.Response { return answering(http.StatusOK, "", "{}") },
		"bad request":    func() *http.Response { return answering(http.StatusBadRequest, "", "") },
		"not allowed":    func() *http.Response { return answering(http.StatusMethodNotAllowed, "", "") },
		"not acceptable": func() *http.Response { return answering(http.StatusNotAcceptable, "", "") },
		"not there":      func() *http.Response { return answering(http.StatusNotImplemented, "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, false)
			s.fault = func(r *http.Request) *http.Response {
				if r.URL.Host != "ghcr.io" {
					t.Errorf("%s was asked", r.URL.Host)
				}
				if strings.Contains(r.URL.Path, "/referrers/") {
					return answer()
				}
				return nil
			}
			s.attach("one")
			s.attach("two")
			s.holds("one", "two")
		})
	}
}

// Other clients write lists whose artifact types are those of the configurations.
func TestReferrersWithoutTheirArtifactType(t *testing.T) {
	s := newShelf(t, false)
	s.attach("one")
	s.fault = func(r *http.Request) *http.Response {
		if !strings.Contains(r.URL.Path, "/manifests/sha256-") {
			return nil
		}
		resp, err := s.inner.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return answering(http.StatusOK, string(types.OCIImageIndex), strings.Replace(string(text), bundleType, emptyType, 1))
	}
	s.holds("one")
}

func TestExists(t *testing.T) {
	s := newShelf(t, true)
	absent := s.image.Repository + "@" + string(digestOf("absent"))
	for reference, want := range map[string]bool{s.reference: true, absent: false} {
		if got, err := Exists(t.Context(), reference, s.access); got != want || err != nil {
			t.Errorf("%s: %t, %v, want %t", reference, got, err, want)
		}
	}
	var missing *NotFoundError
	if _, err := Attach(t.Context(), absent, bundleOf("one"), provenance, s.access); !errors.As(err, &missing) {
		t.Errorf("attaching to nothing: %v", err)
	}
	if found, err := Referrers(t.Context(), absent, s.access); len(found) != 0 || err != nil {
		t.Errorf("bundles of nothing: %+v, %v", found, err)
	}
	s.fault = func(*http.Request) *http.Response { return answering(http.StatusForbidden, "", "") }
	if got, err := Exists(t.Context(), s.reference, s.access); got || release.ClassOf(err) != release.Authorisation {
		t.Errorf("forbidden: %t, %v", got, err)
	}
}

func TestExactReferences(t *testing.T) {
	digest := string(digestOf("x"))
	hex := strings.TrimPrefix(digest, "sha256:")
	nowhere := Access{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked", r.URL)
		return nil, errors.New("no")
	})}
	for _, reference := range []string{
		"", "@", "@" + digest, "hello@" + digest, "octo/hello@" + digest, "ghcr.io/octo/hello", "ghcr.io/octo/hello:1", "ghcr.io/octo/hello:1@" + digest,
		"ghcr.io/octo/hello@" + hex, "ghcr.io/octo/hello@sha256:" + strings.ToUpper(hex), "ghcr.io/octo/hello@sha512:" + hex + hex, "ghcr.io/octo/hello@sha256:1",
		"ghcr.io/octo/hello@" + digest + "@" + digest, "ghcr.io/Octo/hello@" + digest, "https://ghcr.io/octo/hello@" + digest, " ghcr.io/octo/hello@" + digest,
		"ghcr.io/octo/hello@" + digest + "\n", "ghcr.io/../hello@" + digest, "user@ghcr.io/octo/hello@" + digest,
	} {
		_, exists := Exists(t.Context(), reference, nowhere)
		_, attach := Attach(t.Context(), reference, bundleOf("one"), provenance, nowhere)
		_, referrers := Referrers(t.Context(), reference, nowhere)
		for doing, err := range map[string]error{"Exists": exists, "Attach": attach, "Referrers": referrers} {
			if err == nil || !strings.Contains(err.Error(), "want registry/path@sha256:…") {
				t.Errorf("%s(%q): %v", doing, reference, err)
			}
		}
	}
}

// answering is an answer of a registry.
func answering(status int, contentType, body string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	if contentType != "" {
		resp.Header.Set("Content-Type", contentType)
	}
	return resp
}
