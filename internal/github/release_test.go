package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

func TestFind(t *testing.T) {
	s := start(t, nil)
	if page, err := s.client.Find(t.Context(), "v1.0.0"); page != nil || err != nil {
		t.Fatalf("found %+v, %v in nothing", page, err)
	}
	s.release(`{"tag_name":"v1.0.0","draft":true,"body":"hello"}`)
	page, err := s.client.Find(t.Context(), "v1.0.0")
	if err != nil || page == nil || !page.Draft || page.Tag != "v1.0.0" || page.Body != "hello" || page.ID != 1 {
		t.Fatalf("draft: %+v, %v", page, err)
	}
	s.release(`{"tag_name":"v1.0.0","draft":true}`)
	_, err = s.client.Find(t.Context(), "v1.0.0")
	problem(t, err, release.Rejected, "2 drafts", page.URL, "delete all but one")
	s.release(`{"tag_name":"v1.0.0"}`)
	page, err = s.client.Find(t.Context(), "v1.0.0")
	if err != nil || page == nil || page.Draft || page.URL != s.hub.URL()+"octo/hello/releases/tag/v1.0.0" {
		t.Fatalf("published: %+v, %v", page, err)
	}
}

func TestFindTakesOneRequestForWhatIsPublished(t *testing.T) {
	s := start(t, func(r *hub.Repo) { r.Immutable = true })
	s.release(`{"tag_name":"sub/v1.0.0"}`)
	before := len(s.hub.Calls())
	page, err := s.client.Find(t.Context(), "sub/v1.0.0")
	if err != nil || page == nil || !page.Immutable {
		t.Fatalf("got %+v, %v", page, err)
	}
	if got := len(s.hub.Calls()) - before; got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestFindReadsAllPages(t *testing.T) {
	s := start(t, nil)
	s.release(`{"tag_name":"v0.0.0","draft":true}`)
	for i := range 230 {
		s.release(fmt.Sprintf(`{"tag_name":"v1.0.%d","draft":true}`, i+1))
	}
	before := s.calls("GET .*/releases$")
	page, err := s.client.Find(t.Context(), "v0.0.0")
	if err != nil || page == nil || page.ID != 1 {
		t.Fatalf("got %+v, %v", page, err)
	}
	s.wantCalls("GET .*/releases$", before+3)
}

// GitHub makes a draft of a release whose tag was deleted, and may list a release as
// published that it does not find by its tag yet.
func TestFindPublishedInTheList(t *testing.T) {
	s := start(t, nil)
	s.release(`{"tag_name":"v1.0.0","draft":true}`)
	s.release(`{"tag_name":"v1.0.0"}`)
	s.fault(1, "releases/tags", answers(404, `{}`))
	page, err := s.client.Find(t.Context(), "v1.0.0")
	if err != nil || page == nil || page.Draft {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestHostileReleases(t *testing.T) {
	for name, body := range map[string]string{
		"no id":       `{"tag_name":"v1.0.0","html_url":"https://x/y"}`,
		"negative id": `{"id":-1,"tag_name":"v1.0.0","html_url":"https://x/y"}`,
		"script":      `{"id":1,"tag_name":"v1.0.0","html_url":"javascript:alert(1)"}`,
		"control":     `{"id":1,"tag_name":"v1.0.0","html_url":"https://x/\u001b[2J"}`,
		"no JSON":     `<html>`,
		"list":        `[]`,
	} {
		s := start(t, nil)
		s.fault(1, "releases/tags", answers(200, body))
		if page, err := s.client.Find(t.Context(), "v1.0.0"); err == nil {
			t.Errorf("%s: took %+v", name, page)
		} else if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%s: %q is no line", name, err)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		before string // release that is there
		tag    string
		sent   []string // bodies of writes, empty ones left out
		title  string
	}{
		{"nothing, with a tag", "", "v1.0.0", []string{`{"tag_name":"v1.0.0","name":"T","body":"B","draft":true,"prerelease":true}`}, "T"},
		{"nothing, without a tag", "", "v2.0.0", []string{`{"tag_name":"v2.0.0","target_commitish":"` + first + `","name":"T","body":"B","draft":true,"prerelease":true}`}, "T"},
		{"draft", `{"tag_name":"v1.0.0","draft":true,"name":"by hand"}`, "v1.0.0", nil, "by hand"},
		{"draft that is to make the tag", `{"tag_name":"v2.0.0","draft":true,"name":"by hand","target_commitish":"` + first + `"}`, "v2.0.0", nil, "by hand"},
		{"draft of the branch", `{"tag_name":"v2.0.0","draft":true,"name":"by hand"}`, "v2.0.0",
			[]string{`{"tag_name":"v2.0.0","target_commitish":"` + first + `"}`}, "by hand"},
		{"published", `{"tag_name":"v1.0.0","name":"by hand"}`, "v1.0.0", nil, "by hand"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			if test.before != "" {
				s.release(test.before)
			}
			sent := s.watches("^(POST|PATCH|DELETE)")
			page, err := s.client.Open(t.Context(), github.Draft{Tag: test.tag, Commit: first, Title: "T", Body: "B", Prerelease: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.ID != 1 || page.Tag != test.tag || page.Draft != (test.name != "published") {
				t.Errorf("got %+v", page)
			}
			if got := strings.TrimSpace(strings.Join(*sent, "")); got != strings.Join(test.sent, "\n") {
				t.Errorf("sent %s", got)
			}
			s.fault(1, "releases/tags", answers(404, `{}`))
			if again, err := s.client.Find(t.Context(), test.tag); err != nil || again == nil || again.ID != page.ID {
				t.Errorf("found again: %+v, %v", again, err)
			}
		})
	}
}

func TestOpenRejectsAMovedTag(t *testing.T) {
	s := start(t, nil)
	_, err := s.client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: second})
	problem(t, err, release.Rejected, first, second)
	s.wantCalls("^(POST|PATCH)", 0)
}

func TestOpenAfterFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request, http.Handler)
		times int
		posts int
		fails bool
	}{
		"502 after success":        {done, 1, 1, false},
		"reset after success":      {cutAfter, 1, 1, false},
		"502":                      {answers(502, ""), 1, 2, false},
		"reset":                    {cut, 1, 2, false},
		"500 for ever":             {answers(500, ""), 100, 4, true},
		"created, unreadable":      {rewrites(`^.*`, `{"id":`), 1, 1, false},
		"validation":               {answers(422, `{"message":"Validation Failed"}`), 1, 1, true},
		"accepted, of another tag": {rewrites(`"html_url":"[^"]*`, `"html_url":"`), 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			s.fault(test.times, "POST .*/releases$", test.fault)
			page, err := s.client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
			if test.fails != (err != nil) || err == nil && page.ID == 0 {
				t.Errorf("got %+v, %v", page, err)
			}
			s.wantCalls("POST .*/releases$", test.posts)
			if found, err := s.client.Find(t.Context(), "v1.0.0"); err != nil || (found == nil) != test.fails {
				t.Errorf("afterwards: %+v, %v", found, err)
			}
		})
	}
}

// Another run makes its draft between this one's look and this one's draft.
func TestOpenYieldsToTheOlderDraft(t *testing.T) {
	s := start(t, nil)
	s.fault(1, "POST .*/releases$", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		text, _ := io.ReadAll(r.Body)
		other := r.Clone(r.Context())
		other.Body = io.NopCloser(bytes.NewReader(text))
		next.ServeHTTP(httptest.NewRecorder(), other)
		r.Body = io.NopCloser(bytes.NewReader(text))
		next.ServeHTTP(w, r)
	})
	page, err := s.client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
	if err != nil || page.ID != 1 {
		t.Errorf("got %+v, %v, want the draft 1", page, err)
	}
	if found, err := s.client.Find(t.Context(), "v1.0.0"); err != nil || found == nil || found.ID != 1 {
		t.Errorf("afterwards: %+v, %v", found, err)
	}
}

func TestPublish(t *testing.T) {
	for _, test := range []struct {
		name               string
		tag                string
		latest, prerelease bool
		sent               map[string]any
	}{
		{"latest", "v1.0.0", true, false, map[string]any{"tag_name": "v1.0.0", "draft": false, "prerelease": false, "make_latest": "true"}},
		{"not latest", "v1.0.0", false, false, map[string]any{"tag_name": "v1.0.0", "draft": false, "prerelease": false, "make_latest": "false"}},
		{"prerelease", "v1.0.0", true, true, map[string]any{"tag_name": "v1.0.0", "draft": false, "prerelease": true, "make_latest": "false"}},
		{"new tag", "v2.0.0", true, false, map[string]any{"tag_name": "v2.0.0", "draft": false, "prerelease": false, "make_latest": "true", "target_commitish": first}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			draft := s.draft(test.tag)
			sent := s.watches("PATCH")
			// What a caller kept of the page is enough.
			kept := github.Page{ID: draft.ID, Tag: draft.Tag, Draft: true}
			page, err := s.client.Publish(t.Context(), kept, first, test.latest, test.prerelease)
			if err != nil || page.Draft || page.ID != draft.ID || page.URL != s.hub.URL()+"octo/hello/releases/tag/"+test.tag {
				t.Fatalf("got %+v, %v", page, err)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(strings.Join(*sent, "")), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(test.sent) {
				t.Errorf("sent %v, want %v", *sent, test.sent)
			}
			if commit, err := s.client.TagCommit(t.Context(), test.tag); commit != first || err != nil {
				t.Errorf("tag names %q, %v", commit, err)
			}
			before := len(s.hub.Calls())
			if again, err := s.client.Publish(t.Context(), page, first, true, false); again != page || err != nil || len(s.hub.Calls()) != before {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

func TestPublishAfterFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault   func(http.ResponseWriter, *http.Request, http.Handler)
		times   int
		patches int
		fails   bool
	}{
		"502 after success":   {done, 1, 1, false},
		"reset after success": {cutAfter, 1, 1, false},
		"503":                 {answers(503, ""), 2, 3, false},
		"reset":               {cut, 1, 2, false},
		"500 for ever":        {answers(500, ""), 100, 4, true},
		"refused":             {answers(422, `{"message":"Validation Failed","errors":[{"code":"already_exists","field":"tag_name"}]}`), 1, 1, true},
		"not done":            {rewrites(`"draft":false`, `"draft":true`), 1, 1, true},
		"done under another":  {rewrites(`"tag_name":"v1.0.0"`, `"tag_name":"untagged-1"`), 1, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			draft := s.draft("v1.0.0")
			s.fault(test.times, "PATCH", test.fault)
			page, err := s.client.Publish(t.Context(), draft, first, true, false)
			if test.fails != (err != nil) || err == nil && page.Draft {
				t.Errorf("got %+v, %v", page, err)
			}
			s.wantCalls("PATCH", test.patches)
		})
	}
}

// The tag is of another commit, or the draft would make it at another: nothing is public.
// What is public already is given as it is.
func TestPublishOfAnotherCommit(t *testing.T) {
	for name, c := range map[string]struct {
		tag    string
		change func(s *stage, draft github.Page)
		class  release.Class // 0: it is public
	}{
		"tag":       {"v1.0.0", func(*stage, github.Page) {}, release.Rejected},
		"draft":     {"v2.0.0", func(*stage, github.Page) {}, release.Rejected},
		"a branch":  {"v2.0.0", func(s *stage, p github.Page) { s.patch(p, `{"tag_name":"v2.0.0","target_commitish":"main"}`) }, release.Rejected},
		"published": {"v1.0.0", func(s *stage, p github.Page) { s.patch(p, `{"tag_name":"v1.0.0","draft":false}`) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			draft := s.draft(c.tag)
			c.change(s, draft)
			commit := second
			if c.class == 0 {
				commit = first
			}
			page, err := s.client.Publish(t.Context(), draft, commit, true, false)
			if c.class == 0 {
				if err != nil || page.Draft {
					t.Errorf("got %+v, %v", page, err)
				}
				return
			}
			problem(t, err, c.class, second)
			if found, err := s.client.Find(t.Context(), c.tag); err != nil || !found.Draft {
				t.Errorf("it is public: %+v, %v", found, err)
			}
		})
	}
}

// patch edits a page, around the client.
func (s *stage) patch(p github.Page, body string) {
	s.Helper()
	s.send(http.MethodPatch, fmt.Sprintf("%srepos/octo/hello/releases/%d", s.hub.URL(), p.ID), body)
}

// A draft for another commit is refused, unless it is to be made again; its text gives way
// where that is asked for.
func TestOpenOfAnotherCommit(t *testing.T) {
	s := start(t, nil)
	page := s.draft("v2.0.0")
	_, err := s.client.Open(t.Context(), github.Draft{Tag: "v2.0.0", Commit: second, Body: "new"})
	problem(t, err, release.Rejected, first, second, "--rebuild")
	// GitHub may keep a text with other line ends.
	s.fault(1, "PATCH", rewrites(`"body":"new"`, `"body":"\r\nnew"`))
	again := github.Draft{Tag: "v2.0.0", Commit: second, Body: "new", Again: true, Rewrite: func(found github.Page) bool { return found.Body == "" }}
	got, err := s.client.Open(t.Context(), again)
	if err != nil || got.ID != page.ID || strings.TrimSpace(got.Body) != "new" {
		t.Errorf("got %+v, %v", got, err)
	}
	again.Body = "newer"
	if got, err = s.client.Open(t.Context(), again); err != nil || got.Body != "new" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = s.client.Publish(t.Context(), got, second, true, false); err != nil || got.Draft {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHasCommit(t *testing.T) {
	s := start(t, func(r *hub.Repo) { r.Commits = map[string]bool{first: true} })
	for commit, want := range map[string]bool{first: true, second: false} {
		if got, err := s.client.HasCommit(t.Context(), commit); got != want || err != nil {
			t.Errorf("%s: %t, %v", commit, got, err)
		}
	}
}

func TestPublishOverAPublishedRelease(t *testing.T) {
	s := start(t, nil)
	draft := s.draft("v1.0.0")
	s.release(`{"tag_name":"v1.0.0"}`)
	_, err := s.client.Publish(t.Context(), draft, first, true, false)
	problem(t, err, 0, `publishing the release of tag "v1.0.0"`, "tag_name already_exists")
	s.wantCalls("PATCH", 1)
}
