package sign

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// garbage answers as if all were well, with something else.
func garbage(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "{\x00")
	})
}

func endless(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for line := []byte(strings.Repeat("x", 1<<16)); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, service string
		fault         sigstore.Fault
		want          []string // parts of the error; none: it succeeds
		calls         int64    // that the service got
	}{
		{"503 once", sigstore.Fulcio, sigstore.First(1, sigstore.Status(503)), nil, 2},
		{"429 thrice", sigstore.Fulcio, sigstore.First(3, sigstore.Status(429)), nil, 4},
		{"cut once", sigstore.Fulcio, sigstore.First(1, sigstore.Down), nil, 2},
		{"lost once", sigstore.Fulcio, sigstore.First(1, sigstore.Lost), nil, 2},
		{"400", sigstore.Fulcio, sigstore.Status(400), []string{"asking Fulcio at", "400 Bad Request: injected"}, 1},
		{"500", sigstore.Fulcio, sigstore.Status(500), []string{"asking Fulcio at", "500 Internal Server Error: injected (4 attempts)"}, 4},
		{"down", sigstore.Fulcio, sigstore.Down, []string{"asking Fulcio at", "EOF (4 attempts)"}, 4},
		{"garbage", sigstore.Fulcio, garbage, []string{"Fulcio"}, 1},
		{"endless", sigstore.Fulcio, endless, []string{"asking Fulcio at", "longer than"}, 1},
		{"503 once", sigstore.TSA, sigstore.First(1, sigstore.Status(503)), nil, 2},
		{"500", sigstore.TSA, sigstore.Status(500), []string{"asking the timestamp authority at", "500 Internal Server Error: injected (4 attempts)"}, 4},
		{"down", sigstore.TSA, sigstore.Down, []string{"asking the timestamp authority at", "(4 attempts)"}, 4},
		{"400", sigstore.TSA, sigstore.Status(400), []string{"asking the timestamp authority at", "400"}, 1},
		{"garbage", sigstore.TSA, garbage, []string{"signing"}, 1},
		{"503 once", sigstore.Rekor, sigstore.First(1, sigstore.Status(503)), nil, 2},
		{"503", sigstore.Rekor, sigstore.Status(503), []string{"asking Rekor at", "503 Service Unavailable: injected (4 attempts)"}, 4},
		{"400", sigstore.Rekor, sigstore.Status(400), []string{"asking Rekor at", "400"}, 1},
		{"garbage", sigstore.Rekor, garbage, []string{"reading the answer of Rekor at"}, 1},
		// The entry is there, its proof is lost; the second attempt says so.
		{"lost once", sigstore.Rekor, sigstore.First(1, sigstore.Lost), nil, 3},
		{"conflict", sigstore.Rekor, sigstore.Status(409), []string{"the log holds this entry already"}, 4},
		{"slow", sigstore.TSA, sigstore.Slow(time.Millisecond), nil, 1},
	} {
		t.Run(c.service+" "+c.name, func(t *testing.T) {
			s := start(t, workflow())
			signer := signerOf(t, s)
			s.Inject(c.service, c.fault)
			bundle, err := signer.Blob(t.Context(), blob(0))
			calls(t, s, map[string]int64{c.service: c.calls})
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := signer.trust.VerifyBlob(bundle, blob(0).Digest, identity()); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || bundle != nil {
				t.Fatalf("%d bytes of bundle, error %v", len(bundle), err)
			}
			host := strings.TrimPrefix(s.URL(c.service), "http://")
			for _, part := range c.want {
				if strings.HasSuffix(part, " at") {
					part += ` "` + host + `"`
				}
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v: want %q in it", err, part)
				}
			}
			if strings.Contains(err.Error(), "closed response body") || strings.Contains(err.Error(), "Post ") {
				t.Error("the library speaks:", err)
			}
			if n := strings.Count(err.Error(), "attempts"); (n == 1) != (release.HintOf(err) != "") {
				t.Errorf("%v: hint %q", err, release.HintOf(err))
			}
			s.Inject(c.service, nil)
			if _, err := signer.Blob(t.Context(), blob(0)); err != nil {
				t.Error("when it is over:", err)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	if _, err := signer.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := signer.Blob(t.Context(), blob(0))
	if err == nil || !strings.Contains(err.Error(), "connection refused (4 attempts)") {
		t.Errorf("got %v", err)
	}
}

func TestPauses(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	var seen waits
	signer.Wait = seen.wait
	s.Inject(sigstore.Fulcio, sigstore.Status(503))
	if _, err := signer.Identity(t.Context()); err == nil {
		t.Fatal("no error")
	}
	s.Inject(sigstore.Fulcio, sigstore.First(3, func(http.Handler) http.Handler {
		after := []string{"7", "600", "soon"}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after[0])
			after = after[1:]
			w.WriteHeader(http.StatusTooManyRequests)
		})
	}))
	if _, err := signer.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{1, 2, 4, 7, 30, 4}
	for i := range want {
		want[i] *= time.Second
	}
	if !slices.Equal(seen.all, want) {
		t.Errorf("paused %v, want %v", seen.all, want)
	}
}

// TestCancelled ends the context while each service is busy.
func TestCancelled(t *testing.T) {
	for _, service := range []string{sigstore.Fulcio, sigstore.TSA, sigstore.Rekor} {
		t.Run(service, func(t *testing.T) {
			s := start(t, workflow())
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			reason := errors.New("another task failed")
			s.Inject(service, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client has gone
					cancel(reason)
					<-r.Context().Done()
				})
			})
			_, err := signerOf(t, s).Blob(ctx, blob(0))
			if !errors.Is(err, reason) || release.ClassOf(err) != 0 {
				t.Errorf("got %v", err)
			}
			calls(t, s, map[string]int64{service: 1})
		})
	}
	t.Run("between attempts", func(t *testing.T) {
		s := start(t, workflow())
		s.Inject(sigstore.Fulcio, sigstore.Status(503))
		signer := signerOf(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		signer.Wait = func(ctx context.Context, d time.Duration) error {
			cancel()
			return sleep(ctx, d)
		}
		_, err := signer.Blob(ctx, blob(0))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "503") {
			t.Errorf("got %v", err)
		}
	})
}

// TestTransport: what the given transport does is all that is done.
func TestTransport(t *testing.T) {
	s := start(t, workflow())
	var hosts []string
	signer := NewSigner(trustOf(t, s), tokenOf(s), tripper(func(r *http.Request) (*http.Response, error) {
		if _, ok := r.Context().Deadline(); !ok {
			t.Errorf("%s: without a deadline", r.URL)
		}
		hosts = append(hosts, r.URL.Host)
		return http.DefaultTransport.RoundTrip(r)
	}))
	if _, err := signer.Blob(t.Context(), blob(0)); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{sigstore.Fulcio, sigstore.TSA, sigstore.Rekor} {
		at, err := url.Parse(s.URL(name))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, at.Host)
	}
	if !slices.Equal(hosts, want) {
		t.Errorf("asked %v, want %v", hosts, want)
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestExcerpt(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"plain\n":                            "plain",
		`{"code":3,"message":"no\nway"}`:     "no way",
		"a\x1b[31mred\x00\r\n::error::b\xff": "a [31mred ::error::b",
		strings.Repeat("é", 200):             strings.Repeat("é", 150) + "…",
	} {
		if got := excerpt([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
