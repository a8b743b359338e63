package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

// TestSettle: the published page wins, else the oldest draft. A run takes back its own
// draft where that loses nothing, and never anybody else's.
func TestSettle(t *testing.T) {
	const twin, other = `{"tag_name":"v1.0.0","draft":true,"name":"T","body":"B"}`, `{"tag_name":"v1.0.0","draft":true,"name":"T","body":"by hand"}`
	const published = `{"tag_name":"v1.0.0","name":"T","body":"B"}`
	for _, c := range []struct {
		name   string
		before []string // releases; the last of them is the run's
		holds  string   // asset of the run's
		winner int64    // 0: an error
		left   int      // releases
	}{
		{"alone", []string{twin}, "a.zip", 1, 1},
		{"a later draft", []string{twin, twin}, "a.zip", 1, 1},
		{"a later draft, empty", []string{twin, twin}, "", 1, 1},
		{"half replaced", []string{twin, twin}, "a.zip.replacing", 1, 1},
		{"a foreign file", []string{twin, twin}, "b.zip", 1, 2},
		{"another text", []string{other, twin}, "a.zip", 0, 2},
		{"published", []string{published, twin}, "a.zip", 1, 1},
		{"published, another text", []string{strings.Replace(published, `"B"`, `"edited"`, 1), twin}, "a.zip", 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, nil)
			for _, body := range c.before {
				s.release(body)
			}
			own := github.Page{ID: int64(len(c.before)), Tag: "v1.0.0", Draft: true}
			if c.holds != "" {
				s.store(own, c.holds, "x")
			}
			page, err := s.client.Settle(t.Context(), own, []release.File{{Name: "a.zip"}})
			if page.ID != c.winner || (err != nil) != (c.winner == 0) {
				t.Errorf("got %+v, %v", page, err)
			}
			left := 0
			for id := range len(c.before) {
				if s.exists(int64(id + 1)) {
					left++
				}
			}
			if left != c.left {
				t.Errorf("%d releases are left, want %d", left, c.left)
			}
		})
	}
}

// exists tells whether there is a release of that number.
func (s *stage) exists(id int64) bool {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, fmt.Sprintf("%srepos/octo/hello/releases/%d", s.hub.URL(), id), nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.hub.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Another run publishes the page while this one looks for rivals: it stays.
func TestPublishedUnderneath(t *testing.T) {
	publish := func(s *stage) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			s.faults = nil
			s.send(http.MethodPatch, s.hub.URL()+"repos/octo/hello/releases/1", `{"tag_name":"v1.0.0","draft":false}`)
			next.ServeHTTP(w, r)
		}
	}
	t.Run("when it was made", func(t *testing.T) {
		s := start(t, nil)
		s.fault(1, "POST .*/releases$", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			s.fault(1, "GET .*/releases$", publish(s))
			next.ServeHTTP(w, r)
		})
		page, err := s.client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
		if err != nil || page.ID != 1 || page.Draft || !s.exists(1) {
			t.Errorf("got %+v, %v", page, err)
		}
	})
	t.Run("when it settles", func(t *testing.T) {
		s := start(t, nil)
		own := s.draft("v1.0.0")
		s.fault(1, "GET .*/releases/tags/", publish(s))
		page, err := s.client.Settle(t.Context(), own, nil)
		if err != nil || page.ID != 1 || page.Draft || !s.exists(1) {
			t.Errorf("got %+v, %v", page, err)
		}
	})
}

// A draft that no list shows yet is the run's all the same; one that is gone is not.
func TestSettleWhereListsLag(t *testing.T) {
	s := start(t, nil)
	s.hub.Lag(3)
	own := s.draft("v1.0.0")
	if page, err := s.client.Settle(t.Context(), own, nil); err != nil || page.ID != own.ID {
		t.Errorf("got %+v, %v", page, err)
	}
	s.send(http.MethodDelete, fmt.Sprintf("%srepos/octo/hello/releases/%d", s.hub.URL(), own.ID), "")
	_, err := s.client.Settle(t.Context(), own, nil)
	problem(t, err, 0, "it is gone")
}

// jobRights are what a workflow's token may have.
var jobRights = hub.Permissions{Contents: hub.Write, PullRequests: hub.Read}

// What GitHub says about tags that cannot be made comes with what mends it.
func TestUntaggable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *stage)
		class  release.Class
		texts  []string
	}{
		"rule": {func(s *stage) { s.hub.RestrictTags("v*") }, release.Authorisation, []string{"git push origin v2.0.0", "Rules"}},
		"burned": {func(s *stage) {
			s.release(`{"tag_name":"v2.0.0","target_commitish":"` + first + `"}`)
			s.send(http.MethodDelete, s.hub.URL()+"repos/octo/hello/releases/1", "")
		}, release.Rejected, []string{"never be used again", "next version"}},
		"workflow": {func(s *stage) { s.hub.ChangeWorkflows(first) }, release.Authorisation, []string{"contents: write", "git push origin v2.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(r *hub.Repo) { r.Immutable = name == "burned" })
			c.change(s)
			client := s.newClient(s.hub.Issue(jobRights))
			page, err := client.Open(t.Context(), github.Draft{Tag: "v2.0.0", Commit: first})
			if err == nil {
				_, err = client.Publish(t.Context(), page, first, true, false)
			}
			problem(t, err, c.class, c.texts...)
		})
	}
}
