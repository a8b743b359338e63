package image

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func TestRefusedAccess(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		r := newRegistry(t)
		img := r.image(t, "linux/amd64")
		r.handle = func(w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/v2/" {
				return false
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}`)
			return true
		}
		_, tag := Tag(t.Context(), img, "1.2.3", []string{"1"}, Access{Token: "secret"})
		_, digest := Digest(t.Context(), img.Repository+":1", Access{Token: "secret"})
		_, inspect := Inspect(t.Context(), img.Repository+":1", Access{Token: "secret"})
		for doing, err := range map[string]error{
			"pushing image": Push(t.Context(), img, Access{Token: "secret"}, Access{}), "tagging image": tag, "reading image": errors.Join(digest, inspect),
		} {
			if err == nil || release.ClassOf(err) != release.Authorisation || !strings.HasPrefix(err.Error(), doing+` "`+r.host) ||
				!strings.Contains(release.HintOf(err), "permissions: packages: write") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%d: %s: error %v, hint %q", status, doing, err, release.HintOf(err))
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	r := newRegistry(t)
	img := r.image(t, "linux/amd64")
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		user, password, ok := req.BasicAuth()
		if ok && password == "secret" && (user == "octocat" || user == "x-access-token") {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	for _, a := range []Access{{}, {Token: "wrong"}, {Token: "secret", User: "nobody"}} {
		if err := Push(t.Context(), img, a, Access{}); release.ClassOf(err) != release.Authorisation {
			t.Errorf("%+v: error %v", a, err)
		}
	}
	for _, a := range []Access{{Token: "secret"}, {Token: "secret", User: "octocat"}} {
		if err := Push(t.Context(), img, a, Access{}); err != nil {
			t.Errorf("%+v: error %v", a, err)
		}
	}
}

// ghcr.io gives a token for a token, and says no as late as the first upload.
func TestBearerToken(t *testing.T) {
	r := newRegistry(t)
	img := r.image(t, "linux/amd64")
	scopes := map[string]bool{}
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path == "/token" {
			_, password, _ := req.BasicAuth()
			if password == "unknown" {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			r.mu.Lock()
			scopes[req.URL.Query().Get("scope")] = true
			r.mu.Unlock()
			_, _ = io.WriteString(w, `{"token":"bearer of `+password+`"}`)
			return true
		}
		switch req.Header.Get("Authorization") {
		case "Bearer bearer of writer":
			return false
		case "Bearer bearer of reader":
			if req.Method == http.MethodGet || req.Method == http.MethodHead {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}`)
			return true
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.host+`/token",service="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	for _, token := range []string{"unknown", "reader"} {
		if err := Push(t.Context(), img, Access{Token: token}, Access{}); release.ClassOf(err) != release.Authorisation {
			t.Errorf("%s: error %v", token, err)
		}
	}
	if err := Push(t.Context(), img, Access{Token: "writer"}, Access{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Tag(t.Context(), img, "1.2.3", []string{"1"}, Access{Token: "writer"}); err != nil {
		t.Error(err)
	}
	if _, err := Tag(t.Context(), img, "1.2.3", []string{"2"}, Access{Token: "reader"}); release.ClassOf(err) != release.Authorisation ||
		!strings.Contains(err.Error(), "permission_denied: write_package") {
		t.Errorf("tagging as a reader: %v", err)
	}
	if got, err := Inspect(t.Context(), img.Repository+":1", Access{Token: "reader"}); err != nil || got.Digest != img.Digest {
		t.Errorf("reading as a reader: %s, %v", got.Digest, err)
	}
	if !scopes["repository:octo/hello:push,pull"] || !scopes["repository:octo/hello:pull"] {
		t.Errorf("scopes %v", scopes)
	}
}

// recorder answers every request as a registry that wants a password, and remembers
// what it was sent.
type recorder struct {
	mu   sync.Mutex
	sent []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, password, _ := req.BasicAuth()
	r.sent = append(r.sent, req.URL.Scheme+" "+req.URL.Host+" "+password)
	w := httptest.NewRecorder()
	w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
	w.WriteHeader(http.StatusUnauthorized)
	response := w.Result()
	response.Request = req
	return response, nil
}

func TestTokenGoesToGitHubAlone(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for host, want := range map[string]bool{"ghcr.io": true, "registry.example": false, "ghcr.io.example": false, "ghcr.io:444": false} {
		r := &recorder{}
		_, err := Digest(t.Context(), host+"/octo/hello:1", Access{Token: "secret", Transport: r})
		if release.ClassOf(err) != release.Authorisation {
			t.Errorf("%s: error %v", host, err)
		}
		if got := slices.Contains(r.sent, "https "+host+" secret"); got != want {
			t.Errorf("%s was sent %q", host, r.sent)
		}
		if hint := release.HintOf(err); strings.Contains(hint, "packages: write") != want {
			t.Errorf("%s: hint %q", host, hint)
		}
	}
}

// A registry says itself where tokens are given out, and a base may be anybody's.
func TestTokenIsNotShownElsewhere(t *testing.T) {
	r := newRegistry(t)
	sent := &recorder{}
	r.handle = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://auth.evil.example/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	inner := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == r.host {
			return http.DefaultTransport.RoundTrip(req)
		}
		return sent.RoundTrip(req)
	})
	_, err := Digest(t.Context(), r.host+"/octo/hello:1", Access{Token: "secret", Transport: inner})
	if err == nil || slices.ContainsFunc(sent.sent, func(s string) bool { return strings.Contains(s, "secret") }) {
		t.Errorf("error %v after %q", err, sent.sent)
	}
	// Whatever is asked for, ghcr.io is reached by TLS.
	plain := &recorder{}
	failing := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Scheme == "https" {
			return nil, errors.New("no TLS here")
		}
		return plain.RoundTrip(req)
	})
	if _, err := Digest(t.Context(), "ghcr.io/octo/hello:1", Access{Token: "secret", Insecure: true, Transport: failing}); err == nil || len(plain.sent) > 0 {
		t.Errorf("error %v after %q", err, plain.sent)
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for _, host := range []string{"10.0.0.1:5000", "172.16.0.1", "192.168.1.1"} {
		r := &recorder{}
		failing := roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.URL.Scheme == "https" {
				return nil, errors.New("no TLS here")
			}
			return r.RoundTrip(req)
		})
		_, err := Digest(t.Context(), host+"/octo/hello:1", Access{Token: "secret", Transport: failing})
		if err == nil || len(r.sent) > 0 || !strings.Contains(err.Error(), `refusing plain HTTP to "`+host+`"`) {
			t.Errorf("%s: error %v after %q", host, err, r.sent)
		}
		if _, err := Digest(t.Context(), host+"/octo/hello:1", Access{Insecure: true, Transport: failing}); err == nil || len(r.sent) == 0 {
			t.Errorf("%s: asked for, but error %v after %q", host, err, r.sent)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:1": true, "127.1.2.3": true, "[::1]:5000": true, "[::1]": true, "::1": true,
		"10.0.0.1": false, "localhost.example": false, "example:5000": false, "": false,
	} {
		if loopback(host) != want {
			t.Errorf("loopback(%q) = %t", host, !want)
		}
	}
}
