package hub_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// told collects what a test would have been told.
type told struct {
	testing.TB
	errors []string
}

func (r *told) Helper() {}
func (r *told) Errorf(format string, args ...any) {
	r.errors = append(r.errors, format)
}

type canned func(*http.Request) *http.Response

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) { return c(req), nil }

func TestDescribedFindsWhatIsWrong(t *testing.T) {
	note := `{"name":"v1","body":"text"}`
	for _, test := range []struct {
		name, method, url, request, answer string
		status                             int
		wrong                              bool
	}{
		{name: "as described", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{"tag_name":"v1"}`, answer: note, status: 200},
		{name: "undescribed failure", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{"tag_name":"v1"}`, answer: `[]`, status: 502},
		{name: "elsewhere", method: "GET", url: "/o/r/releases/tag/v1", answer: `[]`, status: 200},
		{name: "unknown field asked", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{"tag_name":"v1","tag":"v1"}`, answer: note, status: 200, wrong: true},
		{name: "missing field asked", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{}`, answer: note, status: 200, wrong: true},
		{name: "wrong type asked", method: "POST", url: "/repos/o/r/releases", request: `{"tag_name":"v1","draft":"yes"}`, answer: `{}`, status: 500, wrong: true},
		{name: "wrong value asked", method: "POST", url: "/repos/o/r/releases", request: `{"tag_name":"v1","make_latest":"yes"}`, answer: `{}`, status: 500, wrong: true},
		{name: "unknown parameter", method: "GET", url: "/repos/o/r/releases?limit=1", answer: `[]`, status: 200, wrong: true},
		{name: "unknown operation", method: "PUT", url: "/repos/o/r/releases", answer: `{}`, status: 200, wrong: true},
		{name: "undescribed success", method: "GET", url: "/repos/o/r/releases", answer: `[]`, status: 201, wrong: true},
		{name: "missing field answered", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{"tag_name":"v1"}`, answer: `{"name":"v1"}`, status: 200, wrong: true},
		{name: "null answered", method: "POST", url: "/repos/o/r/releases/generate-notes", request: `{"tag_name":"v1"}`, answer: `{"name":"v1","body":null}`, status: 200, wrong: true},
		{name: "no list", method: "GET", url: "/repos/o/r/releases", answer: `{}`, status: 200, wrong: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner := &told{TB: t}
			transport := described(inner, canned(func(*http.Request) *http.Response {
				return &http.Response{
					StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}},
					Body: io.NopCloser(strings.NewReader(test.answer)),
				}
			}))
			var body io.Reader
			if test.request != "" {
				body = strings.NewReader(test.request)
			}
			req, err := http.NewRequest(test.method, "http://127.0.0.1"+test.url, body)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := transport.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if got := len(inner.errors) > 0; got != test.wrong {
				t.Errorf("found %q, want a finding: %t", inner.errors, test.wrong)
			}
		})
	}
}
