package github_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func TestAssets(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	s.store(page, "b", "content of b")
	s.store(page, "a", "content of a")
	s.fault(1, uploads, cutMidway)
	_, _ = http.Post(fmt.Sprintf("%srepos/octo/hello/releases/%d/assets?name=c", s.hub.UploadURL(), page.ID), "", strings.NewReader("x"))
	s.holds(page, "a", "content of a", "b", "content of b")
	s.wantCalls("/releases/assets/", 0)

	s.fault(1, lists, rewrites(`"digest":"[^"]*"`, `"digest":null`))
	s.holds(page, "a", "content of a", "b", "content of b")
	s.wantCalls("/releases/assets/", 2)

	s.fault(1, lists, rewrites(`"state":"uploaded"`, `"state":"starter"`))
	assets, err := s.client.Assets(t.Context(), page)
	if err != nil || len(assets) != 2 || assets[0].Name != "a" {
		t.Errorf("starters: %+v, %v", assets, err)
	}
	for name, to := range map[string]string{
		"size": `"size":-1`, "too large": `"size":99999999999`,
	} {
		s.fault(1, lists, rewrites(`"size":[0-9]+`, to))
		if got, err := s.client.Assets(t.Context(), page); err == nil {
			t.Errorf("%s: took %+v", name, got)
		}
	}
}

func TestDownload(t *testing.T) {
	content := strings.Repeat("0123456789", 10_000)
	for _, test := range []struct {
		name  string
		match string
		fault func(http.ResponseWriter, *http.Request, http.Handler)
		times int
		fails string
	}{
		{"plain", "^$", nil, 0, ""},
		{"broken off in the middle", "GET /[A-Z0-9]+$", brokenOff, 2, ""},
		{"broken off for ever", "GET /[A-Z0-9]+$", brokenOff, 100, "EOF"},
		{"store down for a moment", "GET /[A-Z0-9]+$", answers(503, ""), 1, ""},
		{"other bytes", "GET /[A-Z0-9]+$", rewrites("0123", "3210"), 1, "digest"},
		{"too many bytes", "GET /[A-Z0-9]+$", rewrites("0123", "0123.."), 1, "more than"},
		{"too few bytes", "GET /[A-Z0-9]+$", answers(200, "0"), 1, "want 100000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			page := s.draft("v1.0.0")
			s.store(page, "a.zip", content)
			held := s.asset(page, "a.zip")
			s.fault(test.times, test.match, test.fault)
			var got bytes.Buffer
			err := s.client.Download(t.Context(), held, &got)
			if test.fails != "" {
				problem(t, err, 0, test.fails, `downloading asset "a.zip"`)
				return
			}
			if err != nil || got.String() != content {
				t.Errorf("got %d bytes, %v", got.Len(), err)
			}
		})
	}
	s := start(t, nil)
	page := s.draft("v1.0.0")
	s.store(page, "a.zip", content)
	problem(t, s.client.Download(t.Context(), release.Published{Name: "b.zip"}, io.Discard), 0, "were ever uploaded")
	full := errors.New("disk full")
	if err := s.client.Download(t.Context(), s.asset(page, "a.zip"), broken{full}); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	s.wantCalls("/releases/assets/", 1)
}

// brokenOff sends half of what it announces.
func brokenOff(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	for name, value := range answer.Header() {
		w.Header()[name] = value
	}
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }
