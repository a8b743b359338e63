package registry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/registry"
)

const secret = "ghp_0123456789"

func startGHCR(t *testing.T) *registry.Server {
	t.Helper()
	s, err := registry.StartGHCR(secret)
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

// call is a request to ghcr.io; headers are pairs of name and value.
type call struct {
	method, path string
	body         io.Reader
	headers      []string
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	text   string
}

func ask(t *testing.T, s *registry.Server, c call) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), c.method, "https://ghcr.io"+c.path, c.body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(c.headers); i += 2 {
		request.Header.Set(c.headers[i], c.headers[i+1])
	}
	response, err := s.Transport().RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || response.Body.Close() != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// bearer fetches a token for some scopes, as a parameter each, and gives back the header
// that carries it; password "" is nobody's.
func bearer(t *testing.T, s *registry.Server, password string, scopes ...string) []string {
	t.Helper()
	c := call{method: "GET", path: "/token?" + url.Values{"service": {"ghcr.io"}, "scope": scopes}.Encode()}
	if password != "" {
		request := http.Request{Header: http.Header{}}
		request.SetBasicAuth("x", password)
		c.headers = []string{"Authorization", request.Header.Get("Authorization")}
	}
	got := ask(t, s, c)
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(got.text), &answer); err != nil || got.status != http.StatusOK || answer.Token == "" {
		t.Fatalf("no token: %d %s", got.status, got.text)
	}
	return []string{"Authorization", "Bearer " + answer.Token}
}

// Without a token that was given out, nothing is to be had but the way to one.
func TestGHCRChallenge(t *testing.T) {
	s := startGHCR(t)
	s.Publish("octo/hello")
	const unauthorized = `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`
	for _, test := range []struct{ method, path, scope string }{
		{"GET", "/v2/", "user/image:pull"},
		{"GET", "/v2", "user/image:pull"},
		{"GET", "/v2/octo/hello/manifests/v1", "octo/hello:pull"},
		{"GET", "/v2/octo/hello/tags/list", "octo/hello:pull"},
		{"GET", "/v2/octo/hello/referrers/sha256:0", "octo/hello:pull"},
		{"GET", "/v2/octo/x/../hello/blobs/sha256:0", "octo/hello:pull"},
		{"GET", "/v2/octo/hello/blobs/uploads/some", "octo/hello:pull"},
		{"POST", "/v2/octo/hello/blobs/uploads/", "octo/hello:push,pull"},
		{"PATCH", "/v2/octo/hello/blobs/uploads/some", "octo/hello:push,pull"},
		{"PUT", "/v2/octo/deep/er/manifests/v1", "octo/deep/er:push,pull"},
		{"DELETE", "/v2/octo/hello/manifests/v1", "octo/hello:push,pull"},
	} {
		for _, authorization := range []string{"", "Bearer made-up", "Bearer " + secret, "Basic eDpnaHBfMDEyMzQ1Njc4OQ=="} {
			got := ask(t, s, call{test.method, test.path, strings.NewReader(strings.Repeat("x", 1<<20)), []string{"Authorization", authorization}})
			want := `Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:` + test.scope + `"`
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != want || got.text != unauthorized {
				t.Errorf("%s %s with %q: %d %s %s", test.method, test.path, authorization, got.status, got.header, got.text)
			}
		}
	}
	if got := ask(t, s, call{method: "HEAD", path: "/v2/octo/hello/manifests/v1"}); got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
		t.Errorf("HEAD: %+v", got)
	}
	if got := ask(t, s, call{method: "GET", path: "/"}); got.status != http.StatusNotFound {
		t.Errorf("outside of the registry: %+v", got)
	}
}

// A client is sent for a token to the address by which it named the registry.
func TestGHCRRealm(t *testing.T) {
	s := startGHCR(t)
	for _, test := range []struct {
		named     string
		transport http.RoundTripper
	}{
		{"http://" + s.Address(), http.DefaultTransport},
		{"http://" + s.Address(), s.Transport()},
		{"http://registry.example:5000", s.Transport()},
		{"https://ghcr.io", s.Transport()},
	} {
		for _, host := range []string{"", strings.SplitN(test.named, "/", 3)[2]} { // "": that of the URL
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.named+"/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			response, err := test.transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
			want := `Bearer realm="` + test.named + `/token",service="ghcr.io",scope="repository:user/image:pull"`
			if got := response.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

func TestGHCRToken(t *testing.T) {
	s := startGHCR(t)
	for _, authorization := range []string{"Basic eDp3cm9uZw==", "Basic eDo=", "Basic ?", "Bearer " + secret} { // x:wrong, x:
		got := ask(t, s, call{"GET", "/token?scope=repository:octo/hello:pull", nil, []string{"Authorization", authorization}})
		if got.status != http.StatusForbidden || got.text != `{"errors":[{"code":"DENIED","message":"denied"}]}` {
			t.Errorf("%s: %d %s", authorization, got.status, got.text)
		}
	}
	if got := ask(t, s, call{method: "POST", path: "/token", body: strings.NewReader("grant_type=password")}); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d %s", got.status, got.text)
	}
	token := strings.TrimPrefix(bearer(t, s, secret)[1], "Bearer ")
	for scheme, status := range map[string]int{"Bearer": 200, "bearer": 200, "Basic": 401} {
		if got := ask(t, s, call{"GET", "/v2/", nil, []string{"Authorization", scheme + " " + token}}); got.status != status {
			t.Errorf("%s: %d %s", scheme, got.status, got.text)
		}
	}
	if server, err := registry.StartGHCR(""); err == nil {
		t.Error("a registry into which everybody may push", server.Close())
	}
}

// A token is good for what was asked for when it was fetched, and for nothing else.
func TestGHCRScopes(t *testing.T) {
	s := startGHCR(t)
	s.Publish("octo/public")
	const manifests = "/manifests/v1"
	status := func(method, repository string, token []string) int {
		t.Helper()
		return ask(t, s, call{method, "/v2/" + repository + manifests, strings.NewReader("{}"), token}).status
	}
	for _, test := range []struct {
		password     string
		scopes       []string
		repository   string
		read, writes int
	}{
		{secret, nil, "octo/hello", 401, 401},
		{secret, []string{"repository:octo/hello:pull"}, "octo/hello", 404, 401},
		{secret, []string{"repository:octo/hello:push"}, "octo/hello", 401, 401},
		{secret, []string{"repository:octo/hello:push,pull"}, "octo/hello", 404, 400},
		{secret, []string{"repository:octo/hello:push,pull"}, "octo/other", 401, 401},
		{secret, []string{"repository:octo/hello:push,pull"}, "octo/public", 401, 401},
		{secret, []string{"repository:octo/hello:push", "repository:octo/hello:pull"}, "octo/hello", 404, 400},
		{secret, []string{"repository:octo/other:pull repository:octo/hello:push,pull"}, "octo/hello", 404, 400},
		{secret, []string{"repository:octo/other:pull", "repository:octo/hello:pull,push,delete"}, "octo/other", 404, 401},
		{secret, []string{"registry:catalog:*", "repository:octo/hello", ""}, "octo/hello", 401, 401},
		{"", []string{"repository:octo/hello:push,pull"}, "octo/hello", 401, 403},
		{"", []string{"repository:octo/public:push,pull"}, "octo/public", 404, 403},
		{"", []string{"repository:octo/hello:pull"}, "octo/public", 401, 403},
		{"", nil, "octo/public", 401, 403},
	} {
		token := bearer(t, s, test.password, test.scopes...)
		if read, writes := status("GET", test.repository, token), status("PUT", test.repository, token); read != test.read || writes != test.writes {
			t.Errorf("%+v: reading %d, writing %d", test, read, writes)
		}
		if got := ask(t, s, call{"GET", "/v2/", nil, token}); got.status != http.StatusOK {
			t.Errorf("%+v: /v2/ answers %d", test, got.status)
		}
	}
	got := ask(t, s, call{"PUT", "/v2/octo/public" + manifests, strings.NewReader("{}"), bearer(t, s, "", "repository:octo/public:push,pull")})
	if got.text != `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}` {
		t.Errorf("writing without a password: %s", got.text)
	}
}

func TestGHCRNames(t *testing.T) {
	s := startGHCR(t)
	for name, valid := range map[string]bool{
		"Octo/hello": false, "octo/Hello": false, "octo/he--llo.w_or__ld/0": true, "octo/-hello": false, "octo/he..llo": false,
	} {
		token := bearer(t, s, secret, "repository:"+name+":push,pull")
		for _, c := range []call{
			{"POST", "/v2/" + name + "/blobs/uploads/", nil, token},
			{"GET", "/v2/" + name + "/manifests/v1", nil, token},
		} {
			got := ask(t, s, c)
			if refused := got.status == http.StatusBadRequest && strings.Contains(got.text, `"NAME_INVALID"`); refused == valid {
				t.Errorf("%s %s: %d %s", c.method, c.path, got.status, got.text)
			}
		}
	}
}

// A large chunk is refused and leaves the upload as it was; without a range all may
// come at once.
func TestGHCRChunks(t *testing.T) {
	s := startGHCR(t)
	token := bearer(t, s, secret, "repository:octo/hello:push,pull")
	content := strings.Repeat("0123456789abcdef", 4<<16+1) // 16 bytes more than 4 MiB
	location := func(got reply) string {
		t.Helper()
		if got.status != http.StatusAccepted {
			t.Fatalf("%d %s", got.status, got.text)
		}
		return got.header.Get("Location")
	}
	begin := func() string {
		t.Helper()
		return location(ask(t, s, call{"POST", "/v2/octo/hello/blobs/uploads/", nil, token}))
	}
	patch := func(at string, body io.Reader, bytes string) reply {
		t.Helper()
		return ask(t, s, call{"PATCH", at, body, append([]string{"Content-Range", bytes}, token...)})
	}
	at := begin()
	for _, body := range []io.Reader{
		strings.NewReader(content),
		strings.NewReader(content[:4<<20+1]),
		io.MultiReader(strings.NewReader(content)), // of a length that is not known
		strings.NewReader(strings.Repeat(content, 3)),
	} {
		if got := patch(at, body, "0-4194319"); got.status != http.StatusRequestedRangeNotSatisfiable || !strings.Contains(got.text, `{"errors":[{"code":"REQUESTED_RANGE_NOT_SATISFIABLE",`) {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	at = location(patch(at, strings.NewReader(content[:4<<20]), "0-4194303"))
	at = location(patch(at, io.MultiReader(strings.NewReader(content[4<<20:])), "4194304-4194319"))
	digest := digestOf(content)
	if got := ask(t, s, call{"PUT", at + "&digest=" + digest, nil, token}); got.status != http.StatusCreated {
		t.Errorf("completing: %d %s", got.status, got.text)
	}
	if got := ask(t, s, call{"GET", "/v2/octo/hello/blobs/" + digest, nil, token}); got.text != content {
		t.Errorf("stored are %d bytes", len(got.text))
	}
	at = location(ask(t, s, call{"PATCH", begin(), strings.NewReader(content), token}))
	if got := ask(t, s, call{"PUT", at + "&digest=" + digest, nil, token}); got.status != http.StatusCreated {
		t.Errorf("completing at once: %d %s", got.status, got.text)
	}
	want := registry.Upload{Digest: digest, Bytes: int64(len(content))}
	if got := s.Received(); len(got) != 2 || got[0] != want || got[1] != want {
		t.Errorf("received %+v", got)
	}
}

// Another repository's blob is mounted for whoever may read there.
func TestGHCRMount(t *testing.T) {
	s := startGHCR(t)
	both := bearer(t, s, secret, "repository:octo/hello:push,pull", "repository:octo/other:push,pull")
	one := bearer(t, s, secret, "repository:octo/hello:push,pull")
	content := "a layer"
	digest := digestOf(content)
	if got := ask(t, s, call{"POST", "/v2/octo/other/blobs/uploads/?digest=" + digest, strings.NewReader(content), both}); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	mount := fmt.Sprintf("/v2/octo/hello/blobs/uploads/?mount=%s&from=octo/other", digest)
	for i, step := range []struct {
		token                  []string
		method, path           string
		status, receivedBefore int
	}{
		{one, "POST", mount, http.StatusAccepted, 1},
		{one, "GET", "/v2/octo/hello/blobs/" + digest, http.StatusNotFound, 1},
		{both, "POST", mount, http.StatusCreated, 1},
		{one, "GET", "/v2/octo/hello/blobs/" + digest, http.StatusOK, 1},
	} {
		if got := ask(t, s, call{step.method, step.path, nil, step.token}); got.status != step.status || len(s.Received()) != step.receivedBefore {
			t.Errorf("step %d: %d %s, received %+v", i, got.status, got.text, s.Received())
		}
	}
}

// Faults come before tokens, and refusals after them.
func TestGHCRFaultsAndRefusals(t *testing.T) {
	s := startGHCR(t)
	token := bearer(t, s, secret, "repository:octo/hello:push,pull")
	const uploads = "/v2/octo/hello/blobs/uploads/"
	s.RefusePushes(true)
	if got := ask(t, s, call{"POST", uploads, nil, nil}); got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", got.status, got.text)
	}
	if got := ask(t, s, call{"POST", uploads, nil, token}); got.status != http.StatusForbidden || !strings.Contains(got.text, "permission_denied: write_package") {
		t.Errorf("refused with %d %s", got.status, got.text)
	}
	s.RefusePushes(false)
	s.Inject(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	})
	ask(t, s, call{method: "GET", path: "/token"})
	s.Inject(nil)
	ask(t, s, call{"POST", uploads, nil, token})
	got := fmt.Sprint(s.Calls())
	want := "[{GET /token 200} {POST " + uploads + " 401} {POST " + uploads + " 403} {GET /token 502} {POST " + uploads + " 202}]"
	if got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}
