package registry_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/registry"
)

func start(t *testing.T) *registry.Server {
	t.Helper()
	s, err := registry.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Whichever registry a reference names, this one is asked, and the answer looks as if
// the named one had given it.
func TestTransport(t *testing.T) {
	s := start(t)
	content := "a layer"
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
	const blobs = "https://ghcr.io/v2/octo/hello/blobs/"
	for _, step := range []struct {
		method, url, body string
		status            int
	}{
		{http.MethodGet, "https://ghcr.io/v2/", "", http.StatusOK},
		{http.MethodGet, "http://registry.example:5000/v2/", "", http.StatusOK},
		{http.MethodGet, blobs + digest, "", http.StatusNotFound},
		{http.MethodPost, blobs + "uploads/?digest=" + digest, content, http.StatusCreated},
		{http.MethodGet, blobs + digest, "", http.StatusOK},
		{http.MethodGet, "https://quay.io/v2/octo/hello/blobs/" + digest, "", http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), step.method, step.url, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/octet-stream")
		response, err := s.Transport().RoundTrip(request)
		if err != nil {
			t.Fatalf("%s %s: %v", step.method, step.url, err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil || response.Body.Close() != nil || response.StatusCode != step.status {
			t.Errorf("%s %s: %s %q, %v", step.method, step.url, response.Status, text, err)
		}
		if response.StatusCode == http.StatusOK && strings.HasSuffix(step.url, digest) && string(text) != content {
			t.Errorf("%s %s: %q", step.method, step.url, text)
		}
		if response.Request != request || request.URL.String() != step.url {
			t.Errorf("%s %s: the answer is to %v", step.method, step.url, response.Request.URL)
		}
	}
}

// A registry has the referrers API, or says in the way of the specification that it has not.
func TestReferrersAPI(t *testing.T) {
	for status, begin := range map[int]func() (*registry.Server, error){
		http.StatusOK: registry.Start, http.StatusNotFound: registry.StartWithoutReferrers,
	} {
		s, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"https://ghcr.io/v2/octo/hello/referrers/sha256:"+strings.Repeat("0", 64), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.Transport().RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(response.Body.Close(), s.Close()); err != nil || response.StatusCode != status {
			t.Errorf("%s, %v, want %d", response.Status, err, status)
		}
	}
}

func TestTransportAfterClose(t *testing.T) {
	s := start(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ghcr.io/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Transport().RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("a closed registry answers %s", response.Status)
	}
}

// Close waits until nothing listens any more, also when the server has not begun to.
func TestClose(t *testing.T) {
	for range 50 {
		s, err := registry.Start()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := net.Dial("tcp", s.Address()); err == nil {
			_ = c.Close()
			t.Fatalf("something still listens at %s", s.Address())
		}
	}
}

// A client that is still pushing when the registry is closed gets an error; the store
// is not taken away from under a request.
func TestCloseWhilePushing(t *testing.T) {
	s := start(t)
	content, feed := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://ghcr.io/v2/octo/hello/blobs/uploads/?digest=sha256:"+strings.Repeat("0", 64), content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	var pushing sync.WaitGroup
	pushing.Go(func() {
		if response, err := s.Transport().RoundTrip(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusCreated {
				t.Errorf("the push ended with %s", response.Status)
			}
		}
	})
	if _, err := feed.Write(make([]byte, 1<<20)); err != nil { // the request is under way
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_ = feed.CloseWithError(io.ErrUnexpectedEOF)
	pushing.Wait()
}
