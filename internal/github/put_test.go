package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

const (
	uploads = "POST .*/assets$"
	lists   = "GET .*/assets$"
)

func TestPut(t *testing.T) {
	for _, test := range []struct {
		name     string
		before   []string // assets: name, content, …
		uploaded bool
		writes   int
	}{
		{"nothing there", nil, true, 1},
		{"another asset there", []string{"b.zip", "b"}, true, 1},
		{"the same there", []string{"a.zip", "new"}, false, 0},
		{"other bytes", []string{"a.zip", "old"}, true, 3},
		{"other bytes of another length", []string{"a.zip", "older"}, true, 3},
		{"the new bytes wait beside the old", []string{"a.zip", "old", "a.zip.replacing", "new"}, false, 2},
		{"other bytes wait beside the old", []string{"a.zip", "old", "a.zip.replacing", "x"}, true, 4},
		{"the new bytes wait for the name", []string{"a.zip.replacing", "new"}, false, 1},
		{"other bytes wait for the name", []string{"a.zip.replacing", "old"}, true, 2},
		{"leftover", []string{"a.zip", "new", "a.zip.replacing", "old"}, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			page := s.draft("v1.0.0")
			want := []string{"a.zip", "new"}
			for i := 0; i < len(test.before); i += 2 {
				s.store(page, test.before[i], test.before[i+1])
				if test.before[i] == "b.zip" {
					want = append(want, "b.zip", "b")
				}
			}
			before := s.calls("^(POST|PATCH|DELETE)")
			uploaded, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
			if uploaded != test.uploaded || err != nil {
				t.Errorf("got %t, %v, want %t", uploaded, err, test.uploaded)
			}
			s.wantCalls("^(POST|PATCH|DELETE)", before+test.writes)
			s.holds(page, want...)
			if uploaded, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new")); uploaded || err != nil {
				t.Errorf("again: %t, %v", uploaded, err)
			}
			s.wantCalls("^(POST|PATCH|DELETE)", before+test.writes)
		})
	}
}

func TestPutAfterFaults(t *testing.T) {
	for _, test := range []struct {
		name     string
		match    string
		fault    func(http.ResponseWriter, *http.Request, http.Handler)
		times    int
		old      string // content that is there
		uploads  int
		uploaded bool
		fails    bool
	}{
		{"502 after success", uploads, done, 1, "", 1, true, false},
		{"reset after success", uploads, cutAfter, 1, "", 1, true, false},
		{"502", uploads, answers(502, ""), 1, "", 2, true, false},
		{"reset midway, a starter stays", uploads, cutMidway, 1, "", 2, true, false},
		{"reset midway three times", uploads, cutMidway, 3, "", 4, true, false},
		{"reset midway for ever", uploads, cutMidway, 100, "", 4, true, true},
		{"not found by the upload host", uploads, answers(404, `{"message":"Not Found"}`), 2, "", 3, true, false},
		{"not found for ever", uploads, answers(404, `{"message":"Not Found"}`), 100, "", 4, false, true},
		{"forbidden", uploads, answers(403, `{"message":"No"}`), 1, "", 1, false, true},
		{"too large", uploads, answers(413, `{}`), 1, "", 1, false, true},
		{"invalid", uploads, answers(422, `{"message":"Validation Failed","errors":[{"code":"custom"}]}`), 1, "", 1, false, true},
		{"rate limit", uploads, answers(403, `{}`, "Retry-After", "1"), 2, "", 3, true, false},
		{"unreadable answer", uploads, rewrites("^.*", "<html>"), 1, "", 1, true, false},
		{"list lags", lists, rewrites("(?s)^.*$", "[]"), 1, "new", 1, false, false},
		{"list fails for a while", lists, answers(502, ""), 2, "new", 0, false, false},
		{"replacing: 502 after upload", uploads, done, 1, "old", 1, true, false},
		{"replacing: reset midway", uploads, cutMidway, 1, "old", 2, true, false},
		{"replacing: 502 after deletion", "DELETE", done, 1, "old", 1, true, false},
		{"replacing: reset before deletion", "DELETE", cut, 1, "old", 1, true, false},
		{"replacing: 502 after renaming", "PATCH", done, 1, "old", 1, true, false},
		{"replacing: reset before renaming", "PATCH", cut, 1, "old", 1, true, false},
		{"no digest", ".", rewrites(`"digest":"[^"]*"`, `"digest":null`), 1000, "new", 0, false, false},
		{"no digest when uploading", ".", rewrites(`"digest":"[^"]*"`, `"digest":null`), 1000, "", 1, true, false},
		{"digest of another kind", ".", rewrites(`"digest":"[^"]*"`, `"digest":"sha512:00"`), 1000, "", 1, true, false},
		{"other digest, once", uploads, rewrites(`"digest":"sha256:.`, `"digest":"sha256:`), 1, "", 1, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			page := s.draft("v1.0.0")
			if test.old != "" {
				s.store(page, "a.zip", test.old)
			}
			before := s.calls(uploads)
			s.fault(test.times, test.match, test.fault)
			uploaded, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
			if uploaded != test.uploaded || test.fails != (err != nil) {
				t.Errorf("got %t, %v, want %t", uploaded, err, test.uploaded)
			}
			if err != nil && !strings.HasPrefix(err.Error(), `storing asset "a.zip": `) {
				t.Errorf("error %q", err)
			}
			s.wantCalls(uploads, before+test.uploads)
			if !test.fails {
				s.faults = nil
				s.holds(page, "a.zip", "new")
			}
		})
	}
}

// Another run stores the same bytes between this one's look and its upload.
func TestPutFindsTheNameTaken(t *testing.T) {
	for content, uploaded := range map[string]bool{"new": false, "old": true} {
		s := start(t, nil)
		page := s.draft("v1.0.0")
		s.fault(1, uploads, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			other := r.Clone(r.Context())
			other.Body, other.ContentLength = io.NopCloser(strings.NewReader(content)), int64(len(content))
			next.ServeHTTP(httptest.NewRecorder(), other)
			next.ServeHTTP(w, r)
		})
		got, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
		if got != uploaded || err != nil {
			t.Errorf("%s: got %t, %v, want %t", content, got, err, uploaded)
		}
		s.holds(page, "a.zip", "new")
	}
}

// GitHub stores something else than was sent, again and again: the old asset stays.
func TestPutChecksBeforeItReplaces(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	s.store(page, "a.zip", "old")
	s.fault(1000, uploads, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Body = io.NopCloser(strings.NewReader("bad"))
		next.ServeHTTP(w, r)
	})
	_, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
	problem(t, err, 0, "GitHub does not keep these bytes", string(digest("old")))
	s.wantCalls("PATCH", 0)
	if assets, err := s.client.Assets(t.Context(), page); err != nil || assets[0].Name != "a.zip" || assets[0].Digest != digest("old") {
		t.Errorf("assets: %+v, %v", assets, err)
	}
}

// The page is published between the look and the replacing: what is public stays.
func TestPutReplacesNothingPublic(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	s.store(page, "a.zip", "old")
	s.fault(1, uploads, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s.patch(page, `{"tag_name":"v1.0.0","draft":false}`)
		next.ServeHTTP(w, r)
	})
	_, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
	problem(t, err, 0, "published meanwhile")
	if held := s.asset(page, "a.zip"); held.Digest != digest("old") {
		t.Errorf("it holds %+v", held)
	}
}

// Somebody deletes the draft between the look and the upload.
func TestPutOnADeletedDraft(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	s.fault(1, uploads, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		s.send(http.MethodDelete, fmt.Sprintf("%srepos/octo/hello/releases/%d", s.hub.URL(), page.ID), "")
		next.ServeHTTP(w, r)
	})
	_, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new"))
	problem(t, err, 0, "is gone", "run again")
}

// Put is killed at every request that it makes, before the request has an effect and
// after. What is left always holds the old bytes or the new, and Put finishes it.
func TestPutConvergesWhereverItIsKilled(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, old := range []string{"", "old"} {
			for at := 1; ; at++ {
				if finished := killed(t, old, after, at); finished {
					break
				}
			}
		}
	}
}

// killed runs Put, kills it at one request, and tells whether it needed fewer.
func killed(t *testing.T, old string, after bool, at int) (finished bool) {
	t.Helper()
	s := start(t, nil)
	page := s.draft("v1.0.0")
	if old != "" {
		s.store(page, "a.zip", old)
	}
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var mu sync.Mutex
	n := 0
	s.fault(1000, ".", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		n++
		now := n == at
		mu.Unlock()
		if !now {
			next.ServeHTTP(w, r)
			return
		}
		if after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		kill()
		panic(http.ErrAbortHandler)
	})
	_, err := s.put(ctx, s.client, page, s.file("a.zip", "new"))
	finished = ctx.Err() == nil
	if !finished && !errors.Is(err, context.Canceled) {
		t.Errorf("killed at %d: %v", at, err)
	}
	s.faults = nil
	if assets, err := s.client.Assets(t.Context(), page); err != nil || old != "" && !survives(assets) {
		t.Errorf("old %q, killed at %d, after %t: left %+v, %v", old, at, after, assets, err)
	}
	if _, err := s.put(t.Context(), s.client, page, s.file("a.zip", "new")); err != nil {
		t.Errorf("old %q, killed at %d, after %t: %v", old, at, after, err)
	}
	s.holds(page, "a.zip", "new")
	return finished
}

func survives(assets []release.Published) bool {
	for _, a := range assets {
		if a.Digest == digest("old") || a.Digest == digest("new") {
			return true
		}
	}
	return false
}

func TestPutManyAtOnce(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	var group sync.WaitGroup
	var want []string
	for i := range 120 {
		name, content := fmt.Sprintf("file_%03d", i), strings.Repeat("x", i+1)
		want = append(want, name, content)
		file := s.file(name, content)
		group.Go(func() {
			if _, err := s.put(t.Context(), s.client, page, file); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s.holds(page, want...)
	s.wantCalls("GET .*/releases/[0-9]+$", 0)
}

func TestPutOfWhatTheCallerKept(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v1.0.0")
	client := s.newClient(s.hub.Token())
	for _, name := range []string{"a.zip", "b.zip"} {
		if _, err := s.put(t.Context(), client, github.Page{ID: page.ID, Tag: page.Tag, Draft: true}, s.file(name, "new")); err != nil {
			t.Fatal(err)
		}
	}
	s.wantCalls("GET .*/releases/[0-9]+$", 1)
}

func TestPutRejects(t *testing.T) {
	t.Run("a file that changed", func(t *testing.T) {
		s := start(t, nil)
		page := s.draft("v1.0.0")
		for _, content := range []string{"changed", "odd", ""} {
			file := s.file("a.zip", "new")
			if err := os.WriteFile(file.Path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := s.put(t.Context(), s.client, page, file)
			problem(t, err, 0, "it changed since it was made", "delete dist/")
		}
		large := s.file("b.zip", strings.Repeat("new", 1<<20))
		for _, change := range []func(f *os.File) error{
			func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 1<<20); return err }, // which the server has seen
			func(f *os.File) error { return f.Truncate(1 << 20) },
		} {
			f, err := os.OpenFile(large.Path, os.O_WRONLY, 0)
			if err := errors.Join(err, change(f), f.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = s.put(t.Context(), s.client, page, large)
			problem(t, err, 0, "it changed since it was made", "delete dist/")
		}
		held, err := s.client.Assets(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range held {
			if h.Digest != "" {
				t.Errorf("it was stored: %+v", h)
			}
		}
	})
	t.Run("a file that changes while it is sent", func(t *testing.T) {
		s := start(t, nil)
		page := s.draft("v1.0.0")
		file := s.file("a.zip", strings.Repeat("new", 16<<20)) // more than lies in buffers on the way
		s.fault(1, uploads, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if err := os.Truncate(file.Path, 1<<20); err != nil {
				t.Error(err)
			}
			next.ServeHTTP(w, r)
		})
		_, err := s.put(t.Context(), s.client, page, file)
		problem(t, err, 0, "it changed since it was made", "delete dist/")
	})
	t.Run("a file that is gone", func(t *testing.T) {
		s := start(t, nil)
		file := s.file("a.zip", "new")
		file.Path += ".gone"
		_, err := s.put(t.Context(), s.client, s.draft("v1.0.0"), file)
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a name that GitHub changes", func(t *testing.T) {
		s := start(t, nil)
		page := s.draft("v1.0.0")
		_, err := s.put(t.Context(), s.client, page, s.file("a b~1.zip", "new"))
		problem(t, err, release.Rejected, `"a b~1.zip"`, `"a.b.1.zip"`, "letters")
		s.holds(page)
	})
	t.Run("an immutable release", func(t *testing.T) {
		s := start(t, func(r *hub.Repo) { r.Immutable = true })
		draft := s.draft("v1.0.0")
		s.store(draft, "a.zip", "old")
		page, err := s.client.Publish(t.Context(), draft, first, true, false)
		if err != nil || !page.Immutable {
			t.Fatal(page, err)
		}
		if _, err := s.put(t.Context(), s.client, page, s.file("a.zip", "old")); err != nil {
			t.Error(err)
		}
		for _, p := range []github.Page{page, {ID: page.ID, Tag: page.Tag}} {
			_, err = s.put(t.Context(), s.newClient(s.hub.Token()), p, s.file("a.zip", "new"))
			problem(t, err, release.Rejected, "immutable", "new version")
		}
	})
	t.Run("uploads elsewhere", func(t *testing.T) {
		s := start(t, nil)
		page := s.draft("v1.0.0")
		for _, to := range []string{"https://evil.example.com/x{?name}", s.hub.URL() + "x{?name}", "http://[::", ""} {
			s.fault(1, "GET .*/releases/[0-9]+$", rewrites(`"upload_url":"[^"]*"`, `"upload_url":"`+to+`"`))
			_, err := s.put(t.Context(), s.newClient(s.hub.Token()), github.Page{ID: page.ID, Tag: page.Tag, Draft: true}, s.file("a.zip", "new"))
			if err == nil || !strings.Contains(err.Error(), "GitHub wants uploads at") {
				t.Errorf("%s: %v", to, err)
			}
		}
		s.wantCalls(uploads, 0)
	})
}
