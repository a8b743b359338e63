package github_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

const queries = "POST /graphql"

func hash(n int) string { return fmt.Sprintf("%040x", n) }

// merged is a pull request as the hub has it and as GraphQL gives it.
func merged(n int) history.PullRequest {
	return history.PullRequest{
		Number: n, Title: fmt.Sprint("Change ", n), URL: fmt.Sprintf("https://github.com/octo/hello/pull/%d", n), Author: "ann",
		MergeCommit: hash(n), Base: "octo/hello", MergedAt: time.Unix(int64(1e9+n), 0).UTC(), Closes: []history.Issue{},
	}
}

// many gives the hub pull requests 1 to n.
func many(n int) func(*hub.Repo) {
	return func(r *hub.Repo) {
		for i := range n {
			r.PullRequests = append(r.PullRequests, merged(i+1))
		}
	}
}

func upTo(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, n-i)
	}
	return numbers
}

func hashes(n int) (shas []string) {
	for i := range n {
		shas = append(shas, hash(n-i))
	}
	return shas
}

func TestPulls(t *testing.T) {
	full := merged(12)
	full.Title, full.Body = "feat: @all <img onerror=x> %0A::error::x\r\n\u202e\x00\"}{", "a\x1b[2J\n```release-note\n"
	full.Labels, full.Closes = []string{"bug", "feature"}, []history.Issue{{Number: 2, URL: "https://github.com/octo/hello/issues/2"}, {Number: 9, URL: "https://github.com/other/x/issues/9"}}
	robot := merged(3)
	robot.Author, robot.Bot = "dependabot[bot]", true
	ghost := merged(5)
	ghost.Author, ghost.Base = "", "up/stream"
	open := history.PullRequest{Number: 4, Title: "Open", MergeCommit: first, Base: "octo/hello"}
	want := []history.PullRequest{robot, ghost, full}
	s := start(t, func(r *hub.Repo) {
		r.PullRequests = []history.PullRequest{full, robot, open, ghost}
		r.PullRequests[0].Closes = []history.Issue{full.Closes[1], full.Closes[0]}
		r.Brought = map[string][]int{hash(7): {12, 5, 4}}
	})
	got, err := s.client.Pulls(t.Context(), []int{12, 99, 4, 3, 12, 5, 0, -1, 1 << 40})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	of, err := s.client.PullsOf(t.Context(), []string{first, hash(7), hash(12), second, hash(12)})
	if wanted := map[string][]history.PullRequest{hash(7): {ghost, full}, hash(12): {full}}; err != nil || !reflect.DeepEqual(of, wanted) {
		t.Errorf("got %+v, %v\nwant %+v", of, err, wanted)
	}
	s.wantCalls(".", 2)
	if got, err := s.client.Pulls(t.Context(), []int{99}); len(got) != 0 || err != nil {
		t.Errorf("no such number: %+v, %v", got, err)
	}
	if got, err := s.client.Pulls(t.Context(), nil); len(got) != 0 || err != nil {
		t.Errorf("no numbers: %+v, %v", got, err)
	}
	if got, err := s.client.PullsOf(t.Context(), nil); len(got) != 0 || err != nil {
		t.Errorf("no commits: %+v, %v", got, err)
	}
	s.wantCalls(".", 3)
	if _, err := s.client.PullsOf(t.Context(), []string{first, `"){x}`}); err == nil {
		t.Error("took a malformed hash")
	}
	s.wantPauses()
}

func TestManyPullsCostFewRequests(t *testing.T) {
	s := start(t, many(1000))
	got, err := s.client.Pulls(t.Context(), upTo(1000))
	if err != nil || len(got) != 1000 || got[0].Number != 1 || got[999].Number != 1000 {
		t.Errorf("got %d, %v", len(got), err)
	}
	s.wantCalls(".", 20)
	of, err := s.client.PullsOf(t.Context(), hashes(120))
	if err != nil || len(of) != 120 || of[hash(120)][0].Number != 120 {
		t.Errorf("got %d, %v", len(of), err)
	}
	s.wantCalls(".", 23)
}

func TestCommitWithMorePullsThanAQueryShows(t *testing.T) {
	s := start(t, func(r *hub.Repo) {
		many(8)(r)
		r.Brought = map[string][]int{first: {1, 2, 3, 4, 5, 6, 7, 8}}
	})
	got, err := s.client.PullsOf(t.Context(), []string{first, hash(2)})
	if err != nil || len(got[first]) != 8 || len(got[hash(2)]) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.wantCalls(".", 2)
}

func TestMergedBefore(t *testing.T) {
	s := start(t, func(r *hub.Repo) {
		many(3)(r)
		r.PullRequests[1].Author, r.PullRequests[2].Author = "bob", "Bob"
		r.PullRequests = append(r.PullRequests, history.PullRequest{Number: 4, Author: "eve"})
	})
	bodies := s.watches(queries)
	got, err := s.client.MergedBefore(t.Context(), map[string]time.Time{
		"ann": merged(1).MergedAt, "bob": merged(3).MergedAt, "eve": time.Now(),
		"dependabot[bot]": time.Now(), "x repo:other/y": time.Now(), "": time.Now(),
	})
	if want := map[string]bool{"ann": false, "bob": true, "eve": false}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if len(*bodies) != 1 || strings.Contains((*bodies)[0], "other/y") {
		t.Errorf("asked %q", *bodies)
	}
	logins := map[string]time.Time{}
	for i := range 60 {
		logins[fmt.Sprint("user-", i)] = time.Now()
	}
	if got, err := s.client.MergedBefore(t.Context(), logins); err != nil || len(got) != 60 {
		t.Errorf("got %d, %v", len(got), err)
	}
	s.wantCalls(".", 4)
	for _, answer := range []string{`{"errors":[{"message":"No"}]}`, `{"data":{"q0":{"issueCount":1},"q1":{}}}`, `{"data":{}}`} {
		s := start(t, nil)
		s.fault(1, queries, answers(200, answer))
		if got, err := s.client.MergedBefore(t.Context(), logins); got != nil || err == nil {
			t.Errorf("%s: got %v, %v", answer, got, err)
		}
	}
}

// noticing is a client that says what it was told.
func (s *stage) noticing(token string) (*github.Client, *[]string) {
	var told []string
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: token, APIURL: s.hub.URL(), UploadURL: s.hub.UploadURL(),
		Transport: s.transport(), Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Notice: func(text string) { told = append(told, text) },
	})
	if err != nil {
		s.Fatal(err)
	}
	return client, &told
}

func TestWithoutGraphQL(t *testing.T) {
	for name, token := range map[string]string{"no such server": "yes", "no token": ""} {
		t.Run(name, func(t *testing.T) {
			s := start(t, many(30))
			tries := 1
			if token == "" {
				tries = 0
				s.fault(1000, "GET", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					r.Header.Set("Authorization", "Bearer "+s.hub.Token()) // GitHub lets everybody read
					next.ServeHTTP(w, r)
				})
			} else {
				token = s.hub.Token()
			}
			s.fault(1000, queries, answers(404, `{"message":"Not Found"}`))
			client, told := s.noticing(token)
			got, err := client.Pulls(t.Context(), append(upTo(30), 99))
			if err != nil || len(got) != 30 || got[0].Number != 1 || got[29].Title != "Change 30" || got[0].Closes != nil {
				t.Errorf("got %+v, %v", got, err)
			}
			of, err := client.PullsOf(t.Context(), []string{hash(3), hash(2), second})
			if err != nil || len(of) != 2 || of[hash(3)][0].Number != 3 {
				t.Errorf("got %+v, %v", of, err)
			}
			if got, err := client.MergedBefore(t.Context(), map[string]time.Time{"ann": time.Now()}); err != nil || len(got) != 0 {
				t.Errorf("got %v, %v", got, err)
			}
			s.wantCalls(queries, tries)
			s.wantCalls("GET", 31+3)
			if want := "GraphQL cannot be used here, so reading 31 pull requests costs a request each"; len(*told) != 1 || (*told)[0] != want {
				t.Errorf("told %q", *told)
			}
		})
	}
}

func TestOneByOneIsAllOrNothing(t *testing.T) {
	s := start(t, many(30))
	s.fault(1, queries, answers(404, ""))
	s.fault(2, "/pulls/7$|commits/.*/pulls$", answers(403, `{"message":"No"}`))
	got, err := s.client.Pulls(t.Context(), upTo(30))
	problem(t, err, release.Authorisation, "reading pull request 7 ", "pull-requests: read")
	of, err := s.client.PullsOf(t.Context(), hashes(1))
	problem(t, err, release.Authorisation, hash(1), "pull-requests: read")
	if got != nil || of != nil {
		t.Errorf("got %+v, %+v", got, of)
	}
}
