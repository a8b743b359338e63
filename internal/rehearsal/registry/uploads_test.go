package registry_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/registry"
)

func digestOf(content string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
}

// However a blob is uploaded, and to whichever registry, all of its bytes count once it
// is there, and nothing of it before.
func TestReceived(t *testing.T) {
	s := start(t)
	var want []registry.Upload
	received := func(digest string, size int) {
		t.Helper()
		want = append(want, registry.Upload{Digest: digest, Bytes: int64(size)})
		slices.SortFunc(want, func(a, b registry.Upload) int { return strings.Compare(a.Digest, b.Digest) })
		if got := s.Received(); !slices.Equal(got, want) {
			t.Errorf("received %+v, want %+v", got, want)
		}
	}
	step := func(method, path, body string, status int) string {
		t.Helper()
		got := ask(t, s, call{method, path, strings.NewReader(body), nil})
		if got.status != status {
			t.Fatalf("%s %s: %d %s", method, path, got.status, got.text)
		}
		return got.header.Get("Location")
	}
	const uploads = "/v2/octo/hello/blobs/uploads/"
	large := strings.Repeat("x", 1<<20) // more than a server reads of its own accord

	step("POST", uploads+"?digest="+digestOf("whole"), "whole", http.StatusCreated)
	received(digestOf("whole"), 5)

	at := step("POST", uploads, "", http.StatusAccepted)
	at = step("PATCH", at, "one ", http.StatusAccepted)
	other := step("PATCH", step("POST", uploads, "", http.StatusAccepted), "other", http.StatusAccepted)
	at = step("PATCH", at, "two ", http.StatusAccepted)
	step("PATCH", uploads+"absent", "no upload", http.StatusBadRequest)
	if got := s.Received(); !slices.Equal(got, want) {
		t.Errorf("received %+v before it was complete", got)
	}
	step("PUT", at+"&digest="+digestOf("one two three"), "three", http.StatusCreated)
	received(digestOf("one two three"), 13)
	step("PUT", other+"&digest="+digestOf("other"), "", http.StatusCreated)
	received(digestOf("other"), 5)

	step("POST", uploads+"?digest="+digestOf(large), large, http.StatusCreated)
	received(digestOf(large), len(large))
	step("POST", uploads+"?digest="+digestOf(large), large, http.StatusCreated) // it has it
	received(digestOf(large), len(large))

	step("POST", uploads+"?digest="+digestOf("wanted"), "sent", http.StatusBadRequest)
	step("POST", "/v2/octo/other/blobs/uploads/?from=octo/hello&mount="+digestOf("whole"), "", http.StatusCreated)
	step("PUT", "/v2/octo/hello/manifests/v1", "{}", http.StatusBadRequest)
	if got := s.Received(); !slices.Equal(got, want) {
		t.Errorf("received %+v, which is none of it an upload", got)
	}
}
