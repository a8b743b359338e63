package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/pgo-release/internal/release"
)

func TestWhatIsNoBundle(t *testing.T) {
	material, envelope := `"verificationMaterial":{"x":1}`, `"dsseEnvelope":{"payload":"x"}`
	of := func(parts ...string) string {
		return "{" + strings.Join(append(parts, fmt.Sprintf("%q:%q", "mediaType", bundleType)), ",") + "}"
	}
	nowhere := Access{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked", r.URL)
		return nil, errors.New("no")
	})}
	reference := "ghcr.io/octo/hello@" + string(digestOf("x"))
	for name, test := range map[string]struct{ bundle, predicate string }{
		"nothing":           {"", provenance},
		"no object":         {`[]`, provenance},
		"cut off":           {`{"mediaType":`, provenance},
		"more after it":     {of(material, envelope) + "{}", provenance},
		"other type":        {strings.Replace(of(material, envelope), "v0.3", "v0.1", 1), provenance},
		"no material":       {of(envelope), provenance},
		"no content":        {of(material), provenance},
		"two contents":      {of(material, envelope, `"messageSignature":{"x":1}`), provenance},
		"no predicate type": {of(material, envelope), ""},
		"envelope of text":  {of(material, `"dsseEnvelope":"x"`), provenance},
		"too large":         {of(material, envelope, `"x":"`+strings.Repeat("x", maxBundle)+`"`), provenance},
	} {
		if _, err := Attach(t.Context(), reference, []byte(test.bundle), test.predicate, nowhere); err == nil || !strings.Contains(err.Error(), "Sigstore bundle") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a registry holds that no client of ours wrote.
func TestForgedReferrers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1.Manifest)
		wrong  string // empty: it is left out
	}{
		"another artifact":    {func(m *v1.Manifest) { m.ArtifactType = "application/spdx+json" }, ""},
		"no artifact type":    {func(m *v1.Manifest) { m.ArtifactType = "" }, ""},
		"no layer":            {func(m *v1.Manifest) { m.Layers = []v1.Descriptor{} }, "want one layer"},
		"two layers":          {func(m *v1.Manifest) { m.Layers = append(m.Layers, m.Layers[0]) }, "want one layer"},
		"layer of other type": {func(m *v1.Manifest) { m.Layers[0].MediaType = "text/plain" }, "want one layer"},
		"layer too large":     {func(m *v1.Manifest) { m.Layers[0].Size = maxBundle + 1 }, "are read at most"},
		"layer shorter":       {func(m *v1.Manifest) { m.Layers[0].Size-- }, "want 1"},
		"layer longer":        {func(m *v1.Manifest) { m.Layers[0].Size++ }, "want 1"},
		"no bundle":           {func(m *v1.Manifest) { m.Layers[0].Digest, m.Layers[0].Size = m.Config.Digest, 2 }, "Sigstore bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(s *shelf) {
				s.attach("one")
				m, layers := s.manifest("two")
				test.change(&m)
				digest := s.put(m, layers...)
				s.holds("one")
				s.reports(release.Digest(digest.String()), test.wrong)
			})
		})
	}
}

// reports demands that what is wrong with a referrer is said beside the others; nothing is
// wrong with one that is left out.
func (s *shelf) reports(digest release.Digest, wrong string) {
	s.Helper()
	found, err := Referrers(s.Context(), s.reference, s.access)
	if err != nil {
		s.Fatal(err)
	}
	for _, r := range found {
		if r.Digest == digest && wrong != "" {
			if r.Err == nil || !strings.Contains(r.Err.Error(), wrong) || r.Bundle != nil {
				s.Errorf("%+v, want %q", r, wrong)
			}
			return
		}
		if r.Err != nil {
			s.Errorf("%s: %v", r.Digest, r.Err)
		}
	}
	if wrong != "" {
		s.Errorf("%+v, want %s: %q", found, digest, wrong)
	}
}

// index is a list of referrers that lie in the registry.
func index(mediaType types.MediaType, digests ...v1.Hash) string {
	m := v1.IndexManifest{SchemaVersion: 2, MediaType: mediaType, Manifests: []v1.Descriptor{}}
	for _, d := range digests {
		m.Manifests = append(m.Manifests, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: d, Size: 2, ArtifactType: bundleType})
	}
	text, _ := json.Marshal(m)
	return string(text)
}

// What a registry that lies can answer, at the address that ends so, or in place of a
// list of referrers.
func TestHostileAnswers(t *testing.T) {
	other := static.NewLayer(bundleOf("other"), bundleType)
	otherDigest, _ := other.Digest()
	endless := `{"mediaType":"` + strings.Repeat("x", maxDocument+1)
	for name, test := range map[string]struct {
		at, contentType, body, wrong string
		one                          bool // referrer is wrong, and not the whole list
	}{
		"other index":      {"list", "", index(types.DockerManifestList), "want " + string(types.OCIImageIndex), false},
		"no index":         {"list", "", `[]`, "reading the list of referrers", false},
		"garbage":          {"list", "", `<html>`, "reading the list of referrers", false},
		"list too long":    {"list", "", endless, "read at most", false},
		"nothing there":    {"list", "", index(types.OCIImageIndex, otherDigest), "it is listed and not there", true},
		"other algorithm":  {"list", "", index(types.OCIImageIndex, v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0", 128)}), "want 64", true},
		"no digest":        {"list", "", strings.Replace(index(types.OCIImageIndex, otherDigest), otherDigest.String(), "sha256:../..", 1), "reading the list", false},
		"other manifest":   {"manifest", string(types.OCIManifestSchema1), `{}`, "does not match", true},
		"manifest too big": {"manifest", string(types.OCIManifestSchema1), endless, "read at most", true},
		"other layer":      {"blob", "", strings.Replace(string(bundleOf("one")), "one", "two", 1), "error verifying sha256", true},
		"longer layer":     {"blob", "", string(bundleOf("longer")), "want", true},
		"shorter layer":    {"blob", "", string(bundleOf("")), "want", true},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(s *shelf) {
				referrer := s.attach("one")
				at := map[string]string{
					"list": "sha256-" + s.image.Digest.Hex(), "manifest": "/manifests/" + string(referrer), "blob": "/blobs/" + string(digestOf(string(bundleOf("one")))),
				}[test.at]
				s.fault = func(r *http.Request) *http.Response {
					if test.at == "list" && strings.Contains(r.URL.Path, "/referrers/") && strings.HasSuffix(s.Name(), "/API") {
						return answering(http.StatusOK, string(types.OCIImageIndex)+"; charset=utf-8", test.body)
					}
					if strings.HasSuffix(r.URL.Path, at) {
						return answering(http.StatusOK, test.contentType, test.body)
					}
					return nil
				}
				found, err := Referrers(s.Context(), s.reference, s.access)
				if test.one && err == nil && len(found) == 1 && found[0].Bundle == nil {
					err = found[0].Err
				} else if test.one {
					s.Errorf("%+v, %v, want one that is wrong", found, err)
				}
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					s.Errorf("%+v, %v, want %q", found, err, test.wrong)
				}
				var missing *NotFoundError
				if errors.As(err, &missing) {
					s.Errorf("%v is a NotFoundError", err)
				}
			})
		})
	}
}

// Whoever may push beside an image can leave any number of things there: what is read of
// them has a bound, and what lies within it counts.
func TestTooManyReferrers(t *testing.T) {
	for _, extra := range []int{0, 1} {
		s := newShelf(t, true)
		one := hash(s.attach("one"))
		// Those that are absent stand after the one that is there, and before it.
		many := []v1.Hash{one}
		for i := 0; len(many) < maxReferrers+extra; i++ {
			if h := hash(digestOf(fmt.Sprint(i))); h.Hex > one.Hex {
				many = append(many, h)
			}
		}
		s.fault = func(r *http.Request) *http.Response {
			if strings.Contains(r.URL.Path, "/referrers/") {
				return answering(http.StatusOK, string(types.OCIImageIndex), index(types.OCIImageIndex, many...))
			}
			return nil
		}
		found, err := Referrers(t.Context(), s.reference, s.access)
		if err != nil || len(found) != maxReferrers+extra || string(found[0].Bundle) != string(bundleOf("one")) {
			t.Fatalf("%d more: %d found, %v", extra, len(found), err)
		}
		if last := found[len(found)-1]; extra > 0 && (last.Bundle != nil || last.Err == nil || !strings.Contains(last.Err.Error(), "129 referrers that may be bundles; 128 are read")) {
			t.Errorf("the last is %+v", last)
		}
	}
}

// A manifest that belongs to another image, under this image's tag.
func TestReferrerOfAnotherImage(t *testing.T) {
	s := newShelf(t, true)
	mine := s.reference
	s.reference = s.image.Repository + "@" + string(s.image.Platforms[0].Digest)
	digest := s.attach("one")
	s.fault = func(r *http.Request) *http.Response {
		if strings.Contains(r.URL.Path, "/referrers/") {
			return answering(http.StatusOK, string(types.OCIImageIndex), index(types.OCIImageIndex, hash(digest)))
		}
		return nil
	}
	s.reference = mine
	s.reports(digest, "another image")
}

// Long lists come in pages.
func TestPagesOfReferrers(t *testing.T) {
	s := newShelf(t, true)
	one, two := hash(s.attach("one")), hash(s.attach("two"))
	var link func(page string) string
	s.fault = func(r *http.Request) *http.Response {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return nil
		}
		page := r.URL.Query().Get("page")
		digest := map[string]v1.Hash{"": one, "2": two}[page]
		if digest.Hex == "" {
			digest = one
		}
		resp := answering(http.StatusOK, string(types.OCIImageIndex), index(types.OCIImageIndex, digest))
		if to := link(page); to != "" {
			resp.Header.Set("Link", "<"+to+`>; rel="next"`)
		}
		return resp
	}
	link = func(page string) string {
		if page == "" {
			return "?page=2"
		}
		return ""
	}
	s.holds("one", "two")
	s.attach("two")
	for want, to := range map[string]string{"more than 32 pages": "?page=3", "want one on ghcr.io": "https://elsewhere.example/?page=2"} {
		link = func(string) string { return to }
		if found, err := Referrers(t.Context(), s.reference, s.access); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v, %v, want %q", found, err, want)
		}
	}
}

func TestReferrersAfterFailures(t *testing.T) {
	for _, test := range []struct {
		status, times int
		class         release.Class
		fails         bool
	}{
		{http.StatusUnauthorized, 1000, release.Authorisation, true},
		{http.StatusForbidden, 1000, release.Authorisation, true},
		{http.StatusTooManyRequests, 1, 0, false},
		{http.StatusServiceUnavailable, 1, 0, false},
		{http.StatusBadGateway, 1000, 0, true},
	} {
		for _, at := range []string{"/referrers/", "/blobs/"} {
			t.Run(fmt.Sprint(test.status, at), func(t *testing.T) {
				t.Parallel() // they wait
				s := newShelf(t, at == "/referrers/")
				s.attach("one")
				left := test.times
				s.fault = func(r *http.Request) *http.Response {
					if left == 0 || !strings.Contains(r.URL.Path, at) {
						return nil
					}
					left--
					if test.status > http.StatusForbidden {
						return answering(test.status, "text/html", "busy")
					}
					return answering(test.status, "application/json", `{"errors":[{"code":"DENIED","message":"no"}]}`)
				}
				_, err := Referrers(t.Context(), s.reference, s.access)
				if (err != nil) != test.fails || release.ClassOf(err) != test.class {
					t.Errorf("Referrers: %v", err)
				}
				if test.status == http.StatusBadGateway {
					return // Attach asks more often, and waits longer
				}
				left = test.times
				_, err = Attach(t.Context(), s.reference, bundleOf("two"), provenance, s.access)
				if (err != nil) != test.fails || release.ClassOf(err) != test.class || err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("Attach: %v", err)
				}
			})
		}
	}
}
