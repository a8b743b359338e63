package github_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

func TestNew(t *testing.T) {
	repo := plan.Repository{Owner: "octo", Name: "hello.go"}
	for _, test := range []struct {
		name    string
		options github.Options
		wrong   string // empty: it is right
	}{
		{"github.com", github.Options{Repository: repo, Token: "ghs_x"}, ""},
		{"enterprise", github.Options{Repository: repo, APIURL: "https://ghe.example.com/api/v3"}, ""},
		{"loopback", github.Options{Repository: repo, APIURL: "http://127.0.0.1:1234/", UploadURL: "http://localhost:1"}, ""},
		{"no repository", github.Options{}, "owner/name"},
		{"path in the owner", github.Options{Repository: plan.Repository{Owner: "a/b", Name: "c"}}, "owner/name"},
		{"plain http", github.Options{Repository: repo, APIURL: "http://ghe.example.com/api/v3/"}, "https"},
		{"plain http for uploads", github.Options{Repository: repo, UploadURL: "http://uploads.example.com"}, "https"},
		{"password", github.Options{Repository: repo, APIURL: "https://user:pass@example.com/"}, "https"},
		{"no URL", github.Options{Repository: repo, APIURL: "api.github.com"}, "https"},
		{"line break in the token", github.Options{Repository: repo, Token: "ghs_secret\n"}, "line break"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := github.New(test.options)
			if test.wrong == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			problem(t, err, release.Usage, test.wrong)
			if strings.Contains(err.Error(), "ghs_secret") {
				t.Errorf("%q holds the token", err)
			}
		})
	}
}

func TestRepository(t *testing.T) {
	s := start(t, func(r *hub.Repo) { r.Private = true })
	got, err := s.client.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := github.Info{
		Private: true, Visibility: "private", ID: 7, OwnerID: 8, DefaultBranch: "main", HTMLURL: s.hub.URL() + "octo/hello",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.fault(1, "GET", rewrites(`"visibility":"[a-z]+",`, ""))
	if got, err := s.client.Repository(t.Context()); got != want || err != nil {
		t.Errorf("without visibility: got %+v, %v", got, err)
	}
	s.fault(1, "GET", answers(404, `{"message":"Not Found"}`))
	_, err = s.client.Repository(t.Context())
	problem(t, err, release.Authorisation, `reading repository "octo/hello"`, "Not Found", "contents: read")
}

func TestTagCommit(t *testing.T) {
	s := start(t, nil)
	for tag, want := range map[string]string{
		"v1.0.0": first, "sub/v1.0.0": first, "v9.9.9": "", "v1.0": "", "v1.0.0?x=1#y%2f": "",
	} {
		if got, err := s.client.TagCommit(t.Context(), tag); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", tag, got, err, want)
		}
	}
	for name, object := range map[string]string{
		"a tree":           `{"type":"tree","sha":"` + first + `"}`,
		"no hash":          `{"type":"commit","sha":"../../x"}`,
		"no hash of a tag": `{"type":"tag","sha":"../../x"}`,
	} {
		s.fault(1, "git/ref", answers(200, `{"object":`+object+`}`))
		if got, err := s.client.TagCommit(t.Context(), "v1.0.0"); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	before := s.calls("git/tags")
	loop := answers(200, `{"object":{"type":"tag","sha":"`+object+`"}}`)
	s.fault(1, "git/ref", loop)
	s.fault(100, "git/tags", loop)
	if got, err := s.client.TagCommit(t.Context(), "v1.0.0"); err == nil {
		t.Errorf("tags in a circle: got %q", got)
	}
	s.wantCalls("git/tags", before+5)
}

func TestPullRequests(t *testing.T) {
	merged := history.PullRequest{
		Number: 12, Title: "Add x", Body: "Why", URL: "https://github.com/octo/hello/pull/12", Author: "ann",
		Labels: []string{"bug", "feature"}, MergeCommit: first, Base: "octo/hello",
		MergedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	robot := history.PullRequest{
		Number: 3, Title: "Bump x", URL: "https://github.com/octo/hello/pull/3", Author: "dependabot[bot]", Bot: true,
		MergeCommit: first, Base: "octo/hello", MergedAt: merged.MergedAt,
	}
	open := history.PullRequest{Number: 4, Title: "Open", MergeCommit: first, Base: "octo/hello"}
	s := start(t, func(r *hub.Repo) {
		r.PullRequests = []history.PullRequest{merged, robot, open}
		r.Commits = map[string]bool{first: true, second: true}
	})
	same := func(got, want history.PullRequest) bool {
		labels := strings.Join(got.Labels, ",") == strings.Join(want.Labels, ",")
		got.Labels, want.Labels = nil, nil
		return labels && got.Number == want.Number && got.Title == want.Title && got.Body == want.Body && got.URL == want.URL &&
			got.Author == want.Author && got.Bot == want.Bot && got.MergeCommit == want.MergeCommit &&
			got.Base == want.Base && got.MergedAt.Equal(want.MergedAt)
	}
	for _, want := range []history.PullRequest{merged, robot} {
		if got, err := s.client.PullRequest(t.Context(), want.Number); err != nil || got == nil || !same(*got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for _, number := range []int{4, 99} {
		if got, err := s.client.PullRequest(t.Context(), number); got != nil || err != nil {
			t.Errorf("%d: got %+v, %v, want none", number, got, err)
		}
	}
	if got, err := s.client.PullRequestsOf(t.Context(), first); err != nil || len(got) != 2 || !same(got[0], robot) || !same(got[1], merged) {
		t.Errorf("of a commit: got %+v, %v", got, err)
	}
	for _, sha := range []string{second, object} {
		if got, err := s.client.PullRequestsOf(t.Context(), sha); len(got) != 0 || err != nil {
			t.Errorf("%s: got %+v, %v, want none", sha, got, err)
		}
	}
	if _, err := s.client.PullRequestsOf(t.Context(), "../x"); err == nil {
		t.Error("took a malformed hash")
	}
	s.fault(1, "GET", answers(403, `{"message":"Resource not accessible by integration"}`))
	_, err := s.client.PullRequest(t.Context(), 12)
	problem(t, err, release.Authorisation, "reading pull request 12", "pull-requests: read")
}

func TestManyPullRequestsOfACommit(t *testing.T) {
	s := start(t, func(r *hub.Repo) {
		for i := range 230 {
			r.PullRequests = append(r.PullRequests, history.PullRequest{Number: 230 - i, MergeCommit: first, MergedAt: time.Unix(1e9, 0)})
		}
	})
	got, err := s.client.PullRequestsOf(t.Context(), first)
	if err != nil || len(got) != 230 || got[0].Number != 1 || got[229].Number != 230 {
		t.Errorf("got %d, %v", len(got), err)
	}
	s.wantCalls("/pulls$", 3)
}

func TestCheckWrite(t *testing.T) {
	s := start(t, nil)
	for _, previous := range []string{"", "v1.0.0", "v0.unknown"} {
		if err := s.client.CheckWrite(t.Context(), "v2.0.0", previous); err != nil {
			t.Error(err)
		}
	}
	s.fault(1, "POST", answers(403, `{"message":"Resource not accessible by integration"}`))
	problem(t, s.client.CheckWrite(t.Context(), "v2.0.0", ""), release.Authorisation, "contents: write", "Resource not accessible")
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		method string
		hint   string // empty: no refusal
	}{
		{"unauthorised read", 401, "GET", "${{ github.token }}"},
		{"unauthorised write", 401, "POST", "${{ github.token }}"},
		{"forbidden read", 403, "GET", "contents: read"},
		{"forbidden write", 403, "POST", "permissions: contents: write"},
		{"hidden write", 404, "POST", "permissions: contents: write"},
		{"malformed", 400, "POST", ""},
		{"gone", 410, "GET", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			s.fault(1000, test.method+" /repos/octo/hello/releases", answers(test.status, `{"message":"No\n::error::x"}`))
			_, err := s.client.Open(t.Context(), github.Draft{Tag: "v1.0.0", Commit: first})
			class := release.Authorisation
			if test.hint == "" {
				class = 0
			}
			problem(t, err, class, test.hint, http.StatusText(test.status), `"v1.0.0"`, "No ::error::x")
			s.wantCalls(test.method+" /repos/octo/hello/releases", 1)
			s.wantPauses()
		})
	}
}

func TestWrongToken(t *testing.T) {
	s := start(t, nil)
	for _, token := range []string{"", "ghs_wrong"} {
		_, err := s.newClient(token).Repository(t.Context())
		problem(t, err, release.Authorisation, "Bad credentials", "${{ github.token }}")
	}
}
