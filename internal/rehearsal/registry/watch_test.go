package registry_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/registry"
)

// send asks a registry; status 0: it did not answer.
func send(t *testing.T, s *registry.Server, method, path, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://ghcr.io"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := s.Transport().RoundTrip(request)
	if err != nil {
		return 0, ""
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.Body.Close() != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func TestFaultsAndCalls(t *testing.T) {
	s := start(t)
	s.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPut:
				w.WriteHeader(http.StatusBadGateway)
			case http.MethodDelete:
				panic(http.ErrAbortHandler)
			case http.MethodOptions:
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	var want []registry.Call
	for _, step := range []registry.Call{
		{Method: "GET", Path: "/v2/", Status: 200},
		{Method: "PUT", Path: "/v2/octo/hello/manifests/v1", Status: 502},
		{Method: "DELETE", Path: "/v2/octo/hello/manifests/v1", Status: 0},
		{Method: "OPTIONS", Path: "/v2/", Status: 200},
		{Method: "GET", Path: "/v2/octo/hello/manifests/v1", Status: 404},
	} {
		if got, _ := send(t, s, step.Method, step.Path+"?x=y", ""); got != step.Status {
			t.Errorf("%+v: %d", step, got)
		}
		want = append(want, step)
	}
	s.Inject(nil)
	if got, _ := send(t, s, "PUT", "/v2/octo/hello/manifests/v1", ""); got == http.StatusBadGateway {
		t.Error("the fault stayed")
	}
	if got := s.Calls(); len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) {
		t.Errorf("calls %+v", got)
	}
}

func TestRefusePushes(t *testing.T) {
	s := start(t)
	content := "a layer"
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
	const blobs, manifests = "/v2/octo/hello/blobs/", "/v2/octo/hello/manifests/"
	push := func(want int) string {
		t.Helper()
		status, text := send(t, s, "POST", blobs+"uploads/?digest="+digest, content)
		if status != want {
			t.Errorf("pushing: %d %s, want %d", status, text, want)
		}
		return text
	}
	push(http.StatusCreated)
	s.RefusePushes(true)
	if got := push(http.StatusForbidden); got != `{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}` {
		t.Errorf("refused with %s", got)
	}
	for _, test := range []struct {
		method, path, body string
		refused            bool
	}{
		{"POST", blobs + "uploads/", "", true},
		{"POST", blobs + "uploads", "", true},
		{"POST", blobs + "uploads/?mount=" + digest + "&from=octo/other", "", true},
		{"PATCH", blobs + "uploads/some", strings.Repeat("x", 1<<20), true},
		{"PUT", blobs + "uploads/some?digest=" + digest, content, true},
		{"PUT", manifests + "v1", "{}", true},
		{"PUT", manifests + digest, "{}", true},
		{"GET", blobs + digest, "", false},
		{"HEAD", blobs + digest, "", false},
		{"GET", manifests + "v1", "", false},
		{"GET", blobs + "uploads/some", "", false},
		{"GET", "/v2/", "", false},
		{"DELETE", manifests + "v1", "", false},
	} {
		if status, text := send(t, s, test.method, test.path, test.body); status == http.StatusForbidden != test.refused || status == 0 {
			t.Errorf("%s %s: %d %s, want refused %t", test.method, test.path, status, text, test.refused)
		}
	}
	s.RefusePushes(false)
	push(http.StatusCreated)
}
