package image

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"

	"github.com/org/pgo-release/internal/release"
)

// registry is a registry in memory, on loopback, that remembers its requests.
type registry struct {
	host   string
	handle func(http.ResponseWriter, *http.Request) bool // answers a request itself, or not

	mu       sync.Mutex
	requests []*http.Request
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	store := olareg.New(config.Config{Storage: config.ConfigStorage{StoreType: config.StoreMem}})
	r := &registry{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req)
		r.mu.Unlock()
		if r.handle == nil || !r.handle(w, req) {
			store.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(func() {
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // nobody's credentials
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// since returns what was requested since the last call, without the handshake:
// "METHOD path", sorted.
func (r *registry) since() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, req := range r.requests {
		if req.URL.Path != "/v2/" {
			out = append(out, req.Method+" "+req.URL.Path)
		}
	}
	r.requests = nil
	slices.Sort(out)
	return out
}

func writes(requests []string) []string {
	return slices.DeleteFunc(requests, func(r string) bool { return strings.HasPrefix(r, "GET ") || strings.HasPrefix(r, "HEAD ") })
}

// image builds an image for this registry.
func (r *registry) image(t *testing.T, platforms ...string) release.Image {
	t.Helper()
	s := spec(t, platforms...)
	s.Plan.Repository = r.host + "/octo/hello"
	return built(t, s)
}

func TestPushTagInspect(t *testing.T) {
	r := newRegistry(t)
	img := r.image(t, "linux/amd64", "linux/arm64", "linux/arm/v6")
	byDigest := img.Repository + "@" + string(img.Digest)
	var missing *NotFoundError
	if _, err := Digest(t.Context(), byDigest, Access{}); !errors.As(err, &missing) || missing.Reference != byDigest {
		t.Errorf("before the push: %v", err)
	}
	if _, err := Inspect(t.Context(), img.Repository+":1.2.3", Access{}); !errors.As(err, &missing) {
		t.Errorf("before the push: %v", err)
	}
	if _, err := Tag(t.Context(), img, "1.2.3", []string{"1.2.3"}, Access{}); !errors.As(err, &missing) {
		t.Errorf("tagging before the push: %v", err)
	}
	r.since()

	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	// The base, three layers and configurations; three manifests and the index.
	if w := writes(r.since()); len(w) != 3*7+4 {
		t.Errorf("%d writes: %q", len(w), w)
	}
	if got, err := Digest(t.Context(), byDigest, Access{}); err != nil || got != img.Digest {
		t.Errorf("after the push: %s, %v", got, err)
	}
	if _, err := Digest(t.Context(), img.Repository+":1.2.3", Access{}); !errors.As(err, &missing) {
		t.Errorf("the push set a tag: %v", err)
	}
	r.since()
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	if got := r.since(); !slices.Equal(got, []string{"HEAD /v2/octo/hello/manifests/" + string(img.Digest)}) {
		t.Errorf("pushing again: %q", got)
	}

	refs, err := Tag(t.Context(), img, "1.2.3", []string{"1.2.3", "1.2", "latest", "1"}, Access{})
	if want := []Tagged{{img.Repository + ":1", ""}, {img.Repository + ":1.2", ""}, {img.Repository + ":1.2.3", ""}, {img.Repository + ":latest", ""}}; err != nil || !slices.Equal(refs, want) {
		t.Errorf("tags %q, %v, want %q", refs, err, want)
	}
	if w := writes(r.since()); len(w) != 4 {
		t.Errorf("tagging: %q", w)
	}
	if _, err := Tag(t.Context(), img, "1.2.3", []string{"1", "new"}, Access{}); err != nil {
		t.Error(err)
	}
	if w := writes(r.since()); !slices.Equal(w, []string{"PUT /v2/octo/hello/manifests/new"}) {
		t.Errorf("tagging again: %q", w)
	}

	local, err := InspectLayout(t.Context(), img.Layout, img.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{byDigest, img.Repository + ":1.2"} {
		content, err := Inspect(t.Context(), ref, Access{})
		if err != nil {
			t.Fatal(err)
		}
		if !same(content, local) {
			t.Errorf("%s holds %+v, the layout %+v", ref, content, local)
		}
	}
}

func TestNextReleaseSendsTheBaseNoMore(t *testing.T) {
	r := newRegistry(t)
	if err := Push(t.Context(), r.image(t, "linux/amd64"), Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	r.since()
	s := spec(t, "linux/amd64")
	s.Plan.Repository = r.host + "/octo/hello"
	s.Time = s.Time.AddDate(0, 1, 0)
	if err := Push(t.Context(), built(t, s), Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	// A layer and a configuration in three requests each; manifest and index.
	if w := writes(r.since()); len(w) != 2*3+2 {
		t.Errorf("writes %q", w)
	}
}

func TestTagMoves(t *testing.T) {
	r := newRegistry(t)
	first, second := r.image(t, "linux/amd64"), r.image(t, "linux/arm64")
	for _, img := range []release.Image{first, second} {
		if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Tag(t.Context(), img, "1.2.3", []string{"latest"}, Access{}); err != nil {
			t.Fatal(err)
		}
		if got, err := Digest(t.Context(), img.Repository+":latest", Access{}); err != nil || got != img.Digest {
			t.Errorf("latest is %s, %v", got, err)
		}
	}
}

func TestDigestWithoutHeader(t *testing.T) {
	r := newRegistry(t)
	img := r.image(t, "linux/amd64")
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodHead {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Content-Length", "1")
			return true
		}
		return false
	}
	if got, err := Digest(t.Context(), img.Repository+"@"+string(img.Digest), Access{}); err != nil || got != img.Digest {
		t.Errorf("%s, %v", got, err)
	}
}

func TestReferencesAreNeverGuessed(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	for _, ref := range []string{"", "hello", "ghcr.io/octo/hello", "ghcr.io/octo/Hello:1", "ghcr.io/octo/hello:a b", "ghcr.io/octo/hello@sha256:1"} {
		if _, err := Digest(t.Context(), ref, Access{}); err == nil {
			t.Errorf("Digest(%q) has no error", ref)
		}
		if _, err := Inspect(t.Context(), ref, Access{}); err == nil {
			t.Errorf("Inspect(%q) has no error", ref)
		}
		bad := img
		bad.Repository = ref + "?"
		if err := Push(t.Context(), bad, Access{}, Access{}); err == nil {
			t.Errorf("Push to %q has no error", bad.Repository)
		}
		if _, err := Tag(t.Context(), bad, "1.2.3", []string{"1"}, Access{}); err == nil {
			t.Errorf("Tag of %q has no error", bad.Repository)
		}
	}
	for _, tag := range []string{"", "a b", "a/b", "a@b", strings.Repeat("x", 129)} {
		if refs, err := Tag(t.Context(), img, "1.2.3", []string{tag}, Access{Transport: &recorder{}}); err == nil || release.ClassOf(err) == release.Authorisation {
			t.Errorf("tag %q: %q, %v", tag, refs, err)
		}
	}
}

func TestPushWithoutItsLayout(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	img.Layout = filepath.Join(img.Layout, "absent")
	if err := Push(t.Context(), img, Access{Transport: &recorder{}}, Access{}); err == nil || !strings.Contains(err.Error(), "reading layout") {
		t.Errorf("error %v", err)
	}
	other := built(t, spec(t, "linux/amd64"))
	other.Digest = digestOf("another index")
	if err := Push(t.Context(), other, Access{Transport: &recorder{}}, Access{}); err == nil || !strings.Contains(err.Error(), "reading layout") {
		t.Errorf("error %v", err)
	}
}

func TestInspectWantsAnIndex(t *testing.T) {
	r := newRegistry(t)
	ref, err := name.NewTag(r.host + "/octo/hello:1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), ref.String(), Access{}); err == nil || !strings.Contains(err.Error(), "want application/vnd.oci.image.index.v1+json") {
		t.Errorf("error %v", err)
	}
}
