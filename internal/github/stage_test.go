package github_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

const (
	first  = "1111111111111111111111111111111111111111"
	second = "2222222222222222222222222222222222222222"
	object = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// stage is a hub, a client of it that does not really wait, and the faults between.
type stage struct {
	*testing.T
	hub    *hub.Server
	client *github.Client

	mu     sync.Mutex
	pauses []time.Duration
	faults []*fault
}

// fault happens to the next requests that match, as often as times says.
type fault struct {
	match *regexp.Regexp // of "METHOD /path"
	times int
	do    func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func start(t *testing.T, change func(*hub.Repo)) *stage {
	t.Helper()
	repo := hub.Repo{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, ID: 7, OwnerID: 8, Head: second,
		Tags:      map[string]string{"v1.0.0": first, "sub/v1.0.0": first},
		Annotated: map[string]string{"sub/v1.0.0": object},
	}
	if change != nil {
		change(&repo)
	}
	server, err := hub.Start(repo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &stage{T: t, hub: server}
	s.client = s.newClient(server.Token())
	server.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f := s.due(r); f != nil {
				f.do(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	return s
}

func (s *stage) newClient(token string) *github.Client {
	s.Helper()
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: token,
		APIURL: s.hub.URL(), UploadURL: s.hub.UploadURL(), Transport: s.transport(),
		Wait: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pauses = append(s.pauses, d)
			return ctx.Err()
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	return client
}

func (s *stage) transport() http.RoundTripper {
	transport := &http.Transport{}
	s.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (s *stage) due(r *http.Request) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.times > 0 && f.match.MatchString(r.Method+" "+r.URL.Path) {
			f.times--
			return f
		}
	}
	return nil
}

func (s *stage) fault(times int, match string, do func(http.ResponseWriter, *http.Request, http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{regexp.MustCompile(match), times, do})
}

// answers is a fault that answers instead of the hub.
func answers(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		// An answer to half a request would cut the connection under the client.
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// done lets the request happen and answers 502.
func done(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	w.WriteHeader(http.StatusBadGateway)
}

// cut closes the connection instead of answering.
func cut(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// cutAfter lets the request happen and closes the connection.
func cutAfter(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// cutMidway lets a part of the body through and closes the connection.
func cutMidway(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	r.Body = io.NopCloser(io.LimitReader(r.Body, 1))
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// rewrites changes the text of the hub's answer.
func rewrites(old, new string) func(http.ResponseWriter, *http.Request, http.Handler) {
	expression := regexp.MustCompile(old)
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		for name, value := range answer.Header() {
			w.Header()[name] = value
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(expression.ReplaceAll(answer.Body.Bytes(), []byte(new)))
	}
}

// watches keeps the bodies of the requests that match.
func (s *stage) watches(match string) *[]string {
	var bodies []string
	s.fault(1000, match, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		text := peek(r)
		s.mu.Lock()
		bodies = append(bodies, text)
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
	return &bodies
}

// peek reads the body of a request and puts it back.
func peek(r *http.Request) string {
	text, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	return string(text)
}

// calls counts the requests so far that match.
func (s *stage) calls(match string) int {
	expression := regexp.MustCompile(match)
	n := 0
	for _, c := range s.hub.Calls() {
		if expression.MatchString(c.Method + " " + c.Path) {
			n++
		}
	}
	return n
}

func (s *stage) wantCalls(match string, want int) {
	s.Helper()
	if got := s.calls(match); got != want {
		s.Errorf("%d requests %s, want %d:\n%+v", got, match, want, s.hub.Calls())
	}
}

func (s *stage) wantPauses(want ...time.Duration) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.pauses, want) {
		s.Errorf("paused %v, want %v", s.pauses, want)
	}
}

// send asks the hub directly, around the client.
func (s *stage) send(method, to, body string) {
	s.Helper()
	req, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.hub.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		s.Fatalf("%s %s: %s", method, to, resp.Status)
	}
}

func (s *stage) release(body string) {
	s.Helper()
	s.send("POST", s.hub.URL()+"repos/octo/hello/releases", body)
}

func (s *stage) draft(tag string) github.Page {
	s.Helper()
	page, err := s.client.Open(s.Context(), github.Draft{Tag: tag, Commit: first})
	if err != nil {
		s.Fatal(err)
	}
	return page
}

// store puts an asset on a page, around the client.
func (s *stage) store(page github.Page, name, content string) {
	s.Helper()
	s.send("POST", fmt.Sprintf("%srepos/octo/hello/releases/%d/assets?name=%s", s.hub.UploadURL(), page.ID, name), content)
}

// file is a file on disk as it was made.
func (s *stage) file(name, content string) release.File {
	s.Helper()
	path := filepath.Join(s.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.Fatal(err)
	}
	return release.File{Name: name, Path: path, Digest: digest(content), Size: int64(len(content))}
}

// put stores a file on a page as it is now.
func (s *stage) put(ctx context.Context, client *github.Client, page github.Page, file release.File) (bool, error) {
	held, err := client.Assets(ctx, page)
	if err != nil {
		return false, err
	}
	return client.Put(ctx, page, file, held, true)
}

// asset finds an asset of a page by its name.
func (s *stage) asset(page github.Page, name string) release.Published {
	s.Helper()
	held, err := s.client.Assets(s.Context(), page)
	i := slices.IndexFunc(held, func(h release.Published) bool { return h.Name == name })
	if err != nil || i < 0 {
		s.Fatalf("asset %q among %v, %v", name, held, err)
	}
	return held[i]
}

func digest(content string) release.Digest {
	return release.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))))
}

// holds checks the assets of a page: name and content, alternately, sorted by name.
func (s *stage) holds(page github.Page, want ...string) {
	s.Helper()
	assets, err := s.client.Assets(s.Context(), page)
	if err != nil {
		s.Fatal(err)
	}
	var expected []release.Published
	for i := 0; i < len(want); i += 2 {
		expected = append(expected, release.Published{Name: want[i], Digest: digest(want[i+1]), Size: int64(len(want[i+1]))})
	}
	for i := range assets {
		assets[i].ID = 0
	}
	if !slices.Equal(assets, expected) {
		s.Errorf("assets: %+v\nwant %+v", assets, expected)
	}
}

// problem checks the class of an error and what its text and hint hold.
func problem(t *testing.T, err error, class release.Class, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := release.ClassOf(err); got != class {
		t.Errorf("%v: class %d, want %d", err, got, class)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error()+"\n"+release.HintOf(err), text) {
			t.Errorf("%q (%q) does not say %q", err, release.HintOf(err), text)
		}
	}
}
