package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/release"
)

// From every state, whatever was left by whom, the steps lead to the file and nothing
// else, and the only complete bytes never go.
func TestEveryStateLeadsToTheFile(t *testing.T) {
	file := release.File{Name: "a", Digest: "sha256:new", Size: 3}
	states := func() []*asset {
		return []*asset{
			nil,
			{complete: true, digest: "sha256:new", size: 3},
			{complete: true, digest: "sha256:old", size: 3},
			{complete: true, digest: "sha256:new", size: 4},
			{complete: true, size: 3},
			{complete: false, size: 3},
			{complete: false, digest: "sha256:new", size: 3},
		}
	}
	for i := range states() {
		for j := range states() {
			p := pair{states()[i], states()[j]}
			kept := p.current != nil && p.current.complete
			steps := 0
			for ; p.next(file) != finished && steps < maxSteps; steps++ {
				pretend(p.next(file), &p, file)
				if kept && !(p.current != nil && p.current.complete || p.temporary != nil && p.temporary.complete) {
					t.Errorf("from %d, %d: after %d steps no complete asset is left", i, j, steps+1)
				}
			}
			if p.next(file) != finished || steps > 5 || p.current.digest != file.Digest || p.temporary != nil {
				t.Errorf("from %d, %d: %+v after %d steps", i, j, p, steps)
			}
		}
	}
}

// pretend does to p what GitHub would do.
func pretend(next step, p *pair, file release.File) {
	stored := &asset{complete: true, digest: file.Digest, size: file.Size}
	switch next {
	case upload:
		p.current = stored
	case uploadTemporary:
		p.temporary = stored
	case rename:
		*p = pair{current: p.temporary}
	case deleteCurrent:
		p.current = nil
	case deleteTemporary:
		p.temporary = nil
	}
}

func TestUploadsOf(t *testing.T) {
	for api, want := range map[string]string{
		"https://api.github.com/":           "https://uploads.github.com/",
		"https://api.octo.ghe.com/":         "https://uploads.octo.ghe.com/",
		"https://ghe.example.com/api/v3/":   "https://ghe.example.com/api/uploads/",
		"https://ghe.example.com/x/api/v3/": "https://ghe.example.com/x/api/uploads/",
		"http://127.0.0.1:1234/":            "http://127.0.0.1:1234/",
	} {
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		if got := uploadsOf(u); got != want {
			t.Errorf("%s: got %s, want %s", api, got, want)
		}
	}
}

func TestGraphOf(t *testing.T) {
	for api, want := range map[string]string{
		"https://api.github.com/":           "https://api.github.com/graphql",
		"https://api.octo.ghe.com/":         "https://api.octo.ghe.com/graphql",
		"https://ghe.example.com/api/v3/":   "https://ghe.example.com/api/graphql",
		"https://ghe.example.com/x/api/v3/": "https://ghe.example.com/x/api/graphql",
		"http://127.0.0.1:1234/":            "http://127.0.0.1:1234/graphql",
		"http://127.0.0.1:1234/x/":          "http://127.0.0.1:1234/x/graphql",
	} {
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		if got := graphOf(u); got != want {
			t.Errorf("%s: got %s, want %s", api, got, want)
		}
	}
}

func TestNothingLeavesHTTPS(t *testing.T) {
	from, _ := http.NewRequest("GET", "https://api.github.com/x", nil)
	to, _ := http.NewRequest("GET", "http://api.github.com/x", nil)
	if err := follow(to, []*http.Request{from}); err == nil {
		t.Error("followed")
	}
	to.URL.Scheme = "https"
	if err := follow(to, []*http.Request{from}); err != nil {
		t.Error(err)
	}
}

func TestLimitPause(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		header map[string]string
		n      int
		want   time.Duration // 0: an error
	}{
		{nil, 1, time.Minute},
		{nil, 3, 4 * time.Minute},
		{nil, 4, 0},
		{map[string]string{"Retry-After": "0"}, 1, time.Second},
		{map[string]string{"Retry-After": "300"}, 1, 5 * time.Minute},
		{map[string]string{"Retry-After": "301"}, 1, 0},
		{map[string]string{"Retry-After": "99999999999999999999"}, 1, time.Minute},
		{map[string]string{"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, 1, 30 * time.Second},
		{map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": fmt.Sprint(now.Unix() + 90)}, 1, 90 * time.Second},
		{map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": fmt.Sprint(now.Unix() + 3000)}, 1, 0},
		{map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "9223372036854775807"}, 1, time.Minute},
		{map[string]string{"X-Ratelimit-Remaining": "9", "X-Ratelimit-Reset": fmt.Sprint(now.Unix() + 90)}, 1, time.Minute},
	} {
		resp := &http.Response{Header: http.Header{}, Body: http.NoBody}
		for name, value := range test.header {
			resp.Header.Set(name, value)
		}
		got, err := limitPause(resp, test.n, now)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%v, time %d: got %v, %v, want %v", test.header, test.n, got, err, test.want)
		}
	}
}

func TestBounded(t *testing.T) {
	for size, most := range map[int]int64{0: 0, 9: 10, 10: 10, 11: 10, 5000: 10} {
		b := &bounded{Reader: strings.NewReader(strings.Repeat("x", size)), left: most, in: func(err error) error { return err }}
		text, err := io.ReadAll(b)
		if want := int64(size) > most; (err != nil) != want || !want && len(text) != size {
			t.Errorf("%d of at most %d: got %d, %v", size, most, len(text), err)
		}
	}
}

// A server that does not answer, or stops in the middle of its answer, ends an attempt.
func TestAttemptsHaveADeadline(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"no answer":      func(http.ResponseWriter) {},
		"half an answer": func(w http.ResponseWriter) { _, _ = w.Write([]byte("{")); w.(http.Flusher).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				<-r.Context().Done()
			}))
			defer server.Close()
			tr := &transport{next: http.DefaultTransport, patience: 20 * time.Millisecond, rate: maxAsset}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.attempt(req, false)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if !errors.Is(err, errSlow) {
				t.Errorf("got %v", err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestFaultsThatDoNotPass(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		tries int
	}{
		"reset":       {errors.New("connection reset by peer"), 1 + maxFaults},
		"too long":    {fmt.Errorf("reading: %w", errLong), 1},
		"certificate": {fmt.Errorf("dialling: %w", &tls.CertificateVerificationError{Err: errors.New("unknown authority")}), 1},
	} {
		tries := 1
		tr := &transport{next: failing{test.err}, patience: patience, rate: slowest, wait: func(context.Context, time.Duration) error { tries++; return nil }}
		req, _ := http.NewRequest(http.MethodGet, "https://api.github.com/", nil)
		if _, err := tr.RoundTrip(req); !errors.Is(err, test.err) || tries != test.tries {
			t.Errorf("%s: %v after %d tries, want %d", name, err, tries, test.tries)
		}
	}
}

func TestTransportErrorsDoNotHoldTheToken(t *testing.T) {
	tr := &transport{next: failing{errors.New("bad header Bearer ghs_secret")}, token: "ghs_secret", patience: patience, rate: slowest}
	req, _ := http.NewRequest(http.MethodPost, "https://api.github.com/", http.NoBody)
	if _, err := tr.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "***") || strings.Contains(err.Error(), "ghs_secret") {
		t.Errorf("got %v", err)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := sleep(ctx, time.Hour); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	if err := sleep(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\n::error::b\t\x1b[2Jc\u202e\x00 ": "a  ::error::b  [2Jc",
		strings.Repeat("é", 301):                strings.Repeat("é", 300) + "…",
		"":                                      "",
	} {
		if got := strings.TrimRight(line(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// The limit refused the first attempt, so its body has to be sent again, whole.
func TestBodiesAreSentAgainWhole(t *testing.T) {
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(text))
		if len(bodies) < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	tr := &transport{next: http.DefaultTransport, patience: patience, rate: slowest, now: time.Now, wait: func(context.Context, time.Duration) error { return nil }}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader([]byte("body")))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := strings.Join(bodies, " "); resp.StatusCode != 200 || got != "body body body" {
		t.Errorf("got %d, sent %q", resp.StatusCode, got)
	}
}
