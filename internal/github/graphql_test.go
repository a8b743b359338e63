package github_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

// tooLarge gives up on queries for more pull requests than it has time for.
func tooLarge(most int, status int, answer string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body := peek(r)
		if strings.Count(body, "pullRequest(")+strings.Count(body, "object(") > most {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(answer))
			return
		}
		next.ServeHTTP(w, r)
	}
}

func TestBatchesAreHalved(t *testing.T) {
	second := time.Second
	wrong := `{"data":null,"errors":[{"message":"Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug."}]}`
	for _, test := range []struct {
		name   string
		fault  func(http.ResponseWriter, *http.Request, http.Handler)
		times  int
		calls  int
		pauses []time.Duration
		fails  string
	}{
		{"502 once", answers(502, "<html>"), 1, 1 + 4, []time.Duration{second}, ""},
		{"504 once", answers(504, ""), 1, 1 + 4, []time.Duration{second}, ""},
		{"more than 20", tooLarge(20, 502, wrong), 1000, 2 + 9, []time.Duration{second, 2 * second}, ""},
		{"more than one", tooLarge(1, 200, wrong), 1000, 5 + 100, []time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second}, ""},
		{"limits exceeded", tooLarge(49, 200, `{"data":{"repository":null},"errors":[{"type":"RESOURCE_LIMITS_EXCEEDED","path":["repository"],"message":"Resource limits for this query exceeded."}]}`), 1000, 1 + 4, []time.Duration{second}, ""},
		{"for ever", answers(502, ""), 1000, 6, []time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second}, "502 Bad Gateway"},
		{"timeouts for ever", answers(200, wrong), 1000, 6, []time.Duration{second, 2 * second, 4 * second, 8 * second, 16 * second}, "Something went wrong"},
		// What has nothing to do with the size of a query is repeated as it is.
		{"503", answers(503, ""), 1, 1 + 2, []time.Duration{second}, ""},
		{"500", answers(500, ""), 1, 1 + 2, []time.Duration{second}, ""},
		{"reset", cut, 1, 1 + 2, []time.Duration{second}, ""},
		{"broken off", brokenOff, 1, 1 + 2, []time.Duration{second}, ""},
		{"resets for ever", cut, 1000, 5, []time.Duration{second, 2 * second, 4 * second, 8 * second}, "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, many(100))
			s.fault(test.times, queries, test.fault)
			got, err := s.client.Pulls(t.Context(), upTo(100))
			if test.fails == "" && (err != nil || len(got) != 100) {
				t.Errorf("got %d, %v", len(got), err)
			}
			if test.fails != "" {
				problem(t, err, 0, test.fails, "reading pull requests 1 to ")
				if got != nil {
					t.Errorf("got %d all the same", len(got))
				}
			}
			s.wantCalls(".", test.calls)
			s.wantPauses(test.pauses...)
		})
	}
}

func TestAloneBatchIsTriedAgain(t *testing.T) {
	s := start(t, many(1))
	s.fault(4, queries, answers(502, ""))
	if got, err := s.client.PullsOf(t.Context(), []string{hash(1)}); err != nil || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.wantCalls(".", 5)
}

func TestQueriesObeyRateLimits(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(90 * time.Second) }
	for _, test := range []struct {
		name     string
		limit    hub.Limit
		min, max time.Duration // of each pause
		pauses   int
		fails    string
	}{
		{"secondary", hub.Limit{Calls: 2, Refusals: 1, After: 7 * time.Second}, 7 * time.Second, 7 * time.Second, 1, ""},
		{"secondary 429", hub.Limit{Calls: 1, Refusals: 2, After: 7 * time.Second, Status: 429}, 7 * time.Second, 7 * time.Second, 4, ""},
		{"primary inside a 200", hub.Limit{Calls: 2, Refusals: 1, Reset: soon()}, 80 * time.Second, 90 * time.Second, 1, ""},
		{"primary for an hour", hub.Limit{Calls: 2, Reset: time.Now().Add(time.Hour)}, 0, 0, 0, "used up until 2"},
		{"too often", hub.Limit{Calls: 2, Reset: soon()}, 80 * time.Second, 90 * time.Second, 3, "used up until 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, many(150))
			s.hub.Limit(&test.limit)
			got, err := s.client.Pulls(t.Context(), upTo(150))
			if test.fails == "" && (err != nil || len(got) != 150) {
				t.Errorf("got %d, %v", len(got), err)
			}
			if test.fails != "" {
				problem(t, err, 0, test.fails, "run again")
			}
			if len(s.pauses) != test.pauses {
				t.Errorf("paused %v", s.pauses)
			}
			for _, pause := range s.pauses {
				if pause < test.min || pause > test.max {
					t.Errorf("paused %v, want %v to %v", pause, test.min, test.max)
				}
			}
		})
	}
}

func TestATitleIsNoRateLimit(t *testing.T) {
	s := start(t, func(r *hub.Repo) {
		many(1)(r)
		r.PullRequests[0].Title = `{"errors":[{"type":"RATE_LIMITED"}]}`
	})
	if got, err := s.client.Pulls(t.Context(), []int{1}); err != nil || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.wantPauses()
}

func TestAnswersThatFailAQuery(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		status       int
		class        release.Class
		says         string
	}{
		{"hidden repository", `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","path":["repository"],"message":"Could not resolve to a Repository with the name 'octo/hello'."}]}`, 200, release.Authorisation, "contents: read"},
		{"forbidden inside", `{"data":{"repository":{"p1":null}},"errors":[{"type":"FORBIDDEN","path":["repository","p1"],"message":"Resource not accessible by integration"}]}`, 200, release.Authorisation, "pull-requests: read"},
		{"forbidden", `{"message":"Resource not accessible by integration"}`, 403, release.Authorisation, "pull-requests: read"},
		{"unauthorised", `{"message":"Bad credentials"}`, 401, release.Authorisation, "${{ github.token }}"},
		{"another error", `{"data":{"repository":{"p1":null}},"errors":[{"type":"ODD","path":["repository","p1"],"message":"a\n::error::b"}]}`, 200, 0, "ODD: a ::error::b"},
		{"an error of a label", `{"data":{"repository":{"p1":{"number":1,"merged":true}}},"errors":[{"type":"NOT_FOUND","path":["repository","p1","labels"],"message":"No"}]}`, 200, 0, "NOT_FOUND"},
		{"a query it does not understand", `{"errors":[{"extensions":{"code":"undefinedField"},"message":"Field 'x' doesn't exist"}]}`, 200, 0, "Field 'x'"},
		{"no alias", `{"data":{"repository":{}}}`, 200, 0, "does not hold pull request 1"},
		{"null for no reason", `{"data":{"repository":{"p1":null}}}`, 200, 0, "does not hold pull request 1"},
		{"another number", `{"data":{"repository":{"p1":{"number":2,"merged":true}}}}`, 200, 0, "does not hold pull request 1"},
		{"null", `{"data":null}`, 200, 0, "holds no data"},
		{"no repository", `{"data":{"repository":null}}`, 200, 0, "does not hold pull request 1"},
		{"nothing", ``, 200, 0, "holds no data"},
		{"half", `{"data":{"repo`, 200, 0, "unexpected EOF"},
		{"HTML", `<html>`, 200, 0, "invalid character"},
		{"a list", `[]`, 200, 0, "cannot unmarshal"},
		{"wrong types", `{"data":{"repository":{"p1":{"number":"1"}}}}`, 200, 0, "reading the answer to the query"},
		{"a time that is none", `{"data":{"repository":{"p1":{"number":1,"merged":true,"mergedAt":"x"}}}}`, 200, 0, "reading the answer to the query"},
		{"400", `{"message":"A query attribute must be specified"}`, 400, 0, "400 Bad Request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, many(1))
			s.fault(1000, queries, answers(test.status, test.answer))
			got, err := s.client.Pulls(t.Context(), []int{1})
			problem(t, err, test.class, test.says, `reading pull requests 1 to 1 of "octo/hello": `)
			if got != nil {
				t.Errorf("got %+v all the same", got)
			}
			s.wantCalls(".", 1)
			s.wantPauses()
		})
	}
}

// Issues that the token may not see cost only the knowledge of what is closed.
func TestHiddenIssues(t *testing.T) {
	s := start(t, many(1))
	for _, closing := range []string{`{"nodes":[{"number":2,"url":"https://x"},null]}`, `null`} {
		node := `{"number":1,"merged":true,"closingIssuesReferences":` + closing + `}`
		fault := `"errors":[{"type":"FORBIDDEN","path":["repository","x","closingIssuesReferences","nodes",1],"message":"Resource not accessible by integration"}]}`
		s.fault(1, queries, answers(200, `{"data":{"repository":{"p1":`+node+`}},`+fault))
		if got, err := s.client.Pulls(t.Context(), []int{1}); err != nil || len(got) != 1 || got[0].Closes != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		s.fault(1, queries, answers(200, `{"data":{"repository":{"c`+first+`":{"associatedPullRequests":{"totalCount":1,"nodes":[`+node+`]}}}},`+fault))
		if got, err := s.client.PullsOf(t.Context(), []string{first}); err != nil || len(got[first]) != 1 || got[first][0].Closes != nil {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestIncompleteAnswersAboutCommits(t *testing.T) {
	s := start(t, nil)
	for name, answer := range map[string]string{
		"no alias":  `{}`,
		"null pull": `{"c` + first + `":{"associatedPullRequests":{"totalCount":1,"nodes":[null]}}}`,
	} {
		s.fault(1, queries, answers(200, `{"data":{"repository":`+answer+`}}`))
		if got, err := s.client.PullsOf(t.Context(), []string{first}); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	s.fault(1, queries, answers(200, `{"data":{"repository":{"c`+first+`":{}}}}`))
	if got, err := s.client.PullsOf(t.Context(), []string{first}); err != nil || len(got) != 0 {
		t.Errorf("a tree: got %+v, %v", got, err)
	}
}

func TestQueryErrorsDoNotHoldTheToken(t *testing.T) {
	s := start(t, many(1))
	token := s.hub.Token()
	for _, fault := range []func(http.ResponseWriter, *http.Request, http.Handler){
		answers(200, `{"errors":[{"message":"who is `+token+`?","type":"`+token+`"}]}`),
		answers(200, `{"data":{"repository":{"p1":{"number":"`+token+`"}}}}`),
		answers(403, `{"message":"`+token+` may not"}`),
		answers(307, "", "Location", "http://127.0.0.1:1/"+token),
	} {
		s.fault(1, queries, fault)
		_, err := s.client.Pulls(t.Context(), []int{1})
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), token) {
				t.Errorf("%q holds the token", e)
			}
		}
		if err == nil {
			t.Error("no error")
		}
	}
}

func TestCancelledQueries(t *testing.T) {
	for _, fault := range []func(http.ResponseWriter, *http.Request, http.Handler){answers(502, ""), answers(503, ""), answers(429, ""), answers(404, "")} {
		s := start(t, many(100))
		ctx, cancel := context.WithCancel(t.Context())
		var requests atomic.Int32 // the hub counts a request when it is answered, which nobody waits for here
		s.fault(1000, ".", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			requests.Add(1)
			cancel()
			fault(w, r, next)
		})
		if got, err := s.client.Pulls(ctx, upTo(100)); !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("got %d, %v", len(got), err)
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
		if _, err := s.client.PullsOf(ctx, hashes(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
