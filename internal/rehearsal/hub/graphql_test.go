package hub_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// graphql posts a query and gives the answer as compact JSON with sorted names.
func (c caller) graphql(query string, variables map[string]any) string {
	c.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		c.Fatal(err)
	}
	out, err := json.Marshal(c.json("POST", c.URL()+"graphql", string(body), 200))
	if err != nil {
		c.Fatal(err)
	}
	return string(out)
}

func inRepository(selection string) string {
	return `{repository(owner:"octo",name:"hello"){` + selection + `}}`
}

func TestGraphQLAnswers(t *testing.T) {
	c := ask(t, start(t, func(r *hub.Repo) {
		r.PullRequests[0].Closes = []history.Issue{{Number: 9}, {Number: 8, URL: "https://example.com/8"}}
		r.PullRequests = append(r.PullRequests, history.PullRequest{
			Number: 5, Title: "<b>\"\n", Author: "robot[bot]", Bot: true, MergeCommit: second, Base: "up/stream",
			URL: "https://example.com/5", MergedAt: time.Unix(2e9, 0),
		})
		r.Brought = map[string][]int{first: {5}, object: {5}}
		r.Commits = map[string]bool{first: true, second: true, object: true}
	}))
	web := c.URL() + "octo/hello"
	for _, test := range []struct{ name, query, want string }{
		{"fields", inRepository(`pullRequest(number:1){number title body merged mergedAt url __typename}`),
			`{"data":{"repository":{"pullRequest":{"__typename":"PullRequest","body":"","merged":true,"mergedAt":"2001-09-09T01:46:40Z","number":1,"title":"One","url":"` + web + `/pull/1"}}}}`},
		{"open, without an author", inRepository(`p:pullRequest(number:2){merged mergedAt mergeCommit{oid} labels(first:1){totalCount nodes{name}} baseRepository{nameWithOwner}}`),
			`{"data":{"repository":{"p":{"baseRepository":{"nameWithOwner":"octo/hello"},"labels":{"nodes":[{"name":"bug"}],"totalCount":1},"mergeCommit":null,"merged":false,"mergedAt":null}}}}`},
		{"bot and fork", inRepository(`pullRequest(number:5){title url author{login __typename ...on Bot{url} ...on User{login2:login}} baseRepository{nameWithOwner}}`),
			`{"data":{"repository":{"pullRequest":{"author":{"__typename":"Bot","login":"robot","url":"` + c.URL() + `robot"},"baseRepository":{"nameWithOwner":"up/stream"},"title":"\u003cb\u003e\"\n","url":"https://example.com/5"}}}}`},
		{"closed issues", inRepository(`pullRequest(number:1){closingIssuesReferences(first:10){nodes{number url}}}`),
			`{"data":{"repository":{"pullRequest":{"closingIssuesReferences":{"nodes":[{"number":9,"url":"` + web + `/issues/9"},{"number":8,"url":"https://example.com/8"}]}}}}}`},
		{"commit", inRepository(`object(oid:"` + first + `"){oid ...on Commit{associatedPullRequests(first:1){totalCount nodes{number}}}}`),
			`{"data":{"repository":{"object":{"associatedPullRequests":{"nodes":[{"number":1}],"totalCount":2},"oid":"` + first + `"}}}}`},
		{"commit of a rebase", inRepository(`object(oid:"`+object+`"){...c}`) + `fragment c on Commit{associatedPullRequests(first:5){nodes{number}}}`,
			`{"data":{"repository":{"object":{"associatedPullRequests":{"nodes":[{"number":5}]}}}}}`},
		{"unknown commit", inRepository(`object(oid:"` + strings.Repeat("f", 40) + `"){oid}`), `{"data":{"repository":{"object":null}}}`},
		{"merged and skipped fields", inRepository(`pullRequest(number:1){number} pullRequest(number:1){title number @include(if:true) body @skip(if:true) url @include(if:false)}`),
			`{"data":{"repository":{"pullRequest":{"number":1,"title":"One"}}}}`},
		{"search", `{a:search(query:"repo:octo/hello is:pr is:merged author:Ann merged:<2001-09-09T01:46:41Z",type:ISSUE,first:1){issueCount nodes{...on PullRequest{number}}}
			b:search(query:"repo:octo/hello is:pr is:merged author:ann merged:<2001-09-09T01:46:40Z",type:ISSUE,first:1){issueCount}
			c:search(query:"repo:octo/hello is:pr author:bob",type:ISSUE,first:1){issueCount}
			d:search(query:"repo:octo/hello is:pr is:merged author:bob",type:ISSUE,first:1){issueCount}
			e:search(query:"repo:octo/other is:pr",type:ISSUE,first:1){issueCount}}`,
			`{"data":{"a":{"issueCount":1,"nodes":[{"number":1}]},"b":{"issueCount":0},"c":{"issueCount":1},"d":{"issueCount":0},"e":{"issueCount":0}}}`},
	} {
		if got := c.graphql(test.query, nil); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
	query := `query($o:String!,$n:String="hello",$i:Int!){repository(owner:$o,name:$n){pullRequest(number:$i){number}}}`
	if got := c.graphql(query, map[string]any{"o": "octo", "i": 1}); got != `{"data":{"repository":{"pullRequest":{"number":1}}}}` {
		t.Errorf("variables: %s", got)
	}
	c.json("POST", c.URL()+"api/graphql", `{"query":"{__typename}"}`, 200)
}

// What cannot be answered is an error beside the data, as at GitHub.
func TestGraphQLErrors(t *testing.T) {
	c := ask(t, start(t, nil))
	for _, test := range []struct{ name, query, want string }{
		{"no such number", inRepository(`a:pullRequest(number:1){number} b:pullRequest(number:3){number}`),
			`{"data":{"repository":{"a":{"number":1},"b":null}},"errors":[{"locations":[{"column":72,"line":1}],"message":"Could not resolve to a PullRequest with the number of 3.","path":["repository","b"],"type":"NOT_FOUND"}]}`},
		{"no such repository", `{repository(owner:"octo",name:"other"){nameWithOwner}}`,
			`{"data":{"repository":null},"errors":[{"locations":[{"column":2,"line":1}],"message":"Could not resolve to a Repository with the name 'octo/other'.","path":["repository"],"type":"NOT_FOUND"}]}`},
		{"unbounded", inRepository(`pullRequest(number:1){labels{totalCount}}`), `"type":"MISSING_PAGINATION_BOUNDARIES"`},
		{"too many", inRepository(`pullRequest(number:1){labels(first:101){totalCount}}`), `"type":"EXCESSIVE_PAGINATION"`},
		{"nothing where something has to be", `{search(query:"is:pr",type:ISSUE){issueCount}}`, `{"data":null,"errors":[{`},
		{"search for text", `{search(query:"is:pr words",type:ISSUE,first:1){issueCount}}`, `does not understand the search term \"words\"`},
		{"short hash", inRepository(`object(oid:"1111111"){oid}`), `Expected type 'GitObjectID'`},
		{"enormous number", inRepository(`pullRequest(number:99999999999999999999){number}`), `"errors":[{`},
		{"unknown field", inRepository(`pullRequest(number:1){stars}`), `{"errors":[{"extensions":{"code":"undefinedField"},"locations":[{"column":62,"line":1}],"message":`},
		{"missing argument", inRepository(`pullRequest{number}`), `"code":"missingRequiredArguments"`},
		{"unknown argument", inRepository(`pullRequest(number:1,id:2){number}`), `"code":"argumentNotAccepted"`},
		{"wrong type", inRepository(`pullRequest(number:"1"){number}`), `"code":"argumentLiteralsIncompatible"`},
		{"no selection", inRepository(`pullRequest(number:1)`), `"code":"selectionMismatch"`},
		{"unused variable", `query($x:Int){__typename}`, `"code":"variableNotUsed"`},
		{"missing variable", `query($x:Int!){repository(owner:"octo",name:"hello"){pullRequest(number:$x){number}}}`, `"code":"variableMismatch"`},
		{"no GraphQL", `{`, `"message":"Parse error: `},
		{"which operation", `query a{__typename} query b{__typename}`, `"message":"An operation name is required"`},
		{"a mutation", `mutation{addStar{x}}`, `"errors":[{`},
		{"introspection", `{__schema{types{name}}}`, `does not offer the field '__schema'`},
	} {
		got := c.graphql(test.query, nil)
		if !strings.Contains(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
	for _, body := range []string{`{`, `[]`, `{}`, `{"query":1}`, `{"query":" "}`} {
		c.json("POST", c.URL()+"graphql", body, 400)
	}
	c.json("GET", c.URL()+"graphql", "", 404)
	req, _ := http.NewRequest("POST", c.URL()+"graphql", strings.NewReader(`{"query":"{__typename}"}`))
	if resp, _ := c.send(req); resp.StatusCode != 401 {
		t.Errorf("without a token: %s", resp.Status)
	}
}

func TestCompare(t *testing.T) {
	sha := func(n int) string { return fmt.Sprintf("%040x", n) }
	c := ask(t, start(t, func(r *hub.Repo) {
		for n := 300; n > 0; n-- {
			commit := history.Commit{SHA: sha(n), Subject: fmt.Sprint("Commit ", n), Author: "Ann", Email: "a@example.com", Time: time.Unix(int64(n), 0)}
			if n > 1 {
				commit.Parents = []string{sha(n - 1)}
			}
			r.History = append(r.History, commit)
		}
		side := history.Commit{SHA: first, Parents: []string{sha(100)}, Subject: "Side", Body: "Text"}
		r.History = append([]history.Commit{side}, r.History...)
		r.Head = sha(300)
		r.Tags = map[string]string{"v1.0.0": sha(10), "sub/v2": sha(20), "side": first, "lost": second}
	}))
	for _, test := range []struct {
		what, status  string
		ahead, behind int
		shown, oldest int // commits on the page, and the number of the first one
		common        int // number of the merge base
	}{
		{"v1.0.0...sub/v2", "ahead", 10, 0, 10, 11, 10},
		{"sub/v2...v1.0.0", "behind", 0, 10, 0, 0, 10},
		{"v1.0.0...v1.0.0", "identical", 0, 0, 0, 0, 10},
		{sha(10) + "...main", "ahead", 290, 0, 250, 11, 10},
		{"v1.0.0...main?per_page=100&page=3", "ahead", 290, 0, 90, 211, 10},
		{"v1.0.0...main?page=2", "ahead", 290, 0, 30, 41, 10},
		{"v1.0.0...main?per_page=100&page=9", "ahead", 290, 0, 0, 0, 10},
		{"side...main?per_page=1", "diverged", 200, 1, 1, 101, 100},
	} {
		got := c.json("GET", "/compare/"+test.what, "", 200)
		commits := got["commits"].([]any)
		if got["status"] != test.status || got["ahead_by"] != float64(test.ahead) || got["behind_by"] != float64(test.behind) ||
			got["total_commits"] != float64(test.ahead) || len(commits) != test.shown {
			t.Errorf("%s: %v, %v ahead, %v behind, %v in total, %d shown", test.what, got["status"], got["ahead_by"], got["behind_by"], got["total_commits"], len(commits))
		}
		if test.shown > 0 && commits[0].(map[string]any)["sha"] != sha(test.oldest) {
			t.Errorf("%s: begins with %v", test.what, commits[0].(map[string]any)["sha"])
		}
		if tip := got["merge_base_commit"].(map[string]any)["sha"]; tip != sha(test.common) {
			t.Errorf("%s: merge base %v", test.what, tip)
		}
	}
	got := c.json("GET", "/compare/v1.0.0...side?per_page=100", "", 200)["commits"].([]any)
	if last := got[len(got)-1].(map[string]any)["commit"].(map[string]any); last["message"] != "Side\n\nText" {
		t.Errorf("last commit: %v", last)
	}
	for _, what := range []string{"v1.0.0", "v1.0.0...v9", "v9...v1.0.0", "lost...main", "v1.0.0.." + sha(20)} {
		c.json("GET", "/compare/"+what, "", 404)
	}
}

func TestLimits(t *testing.T) {
	s := start(t, nil)
	c := ask(t, s)
	reset := time.Now().Add(time.Hour)
	s.Limit(&hub.Limit{Calls: 2, Refusals: 2, Reset: reset})
	for i, want := range []int{200, 200, 403, 403, 200} {
		resp, text := c.do("GET", "", "")
		left := map[int]string{0: "1", 1: "0", 2: "0", 3: "0", 4: "1"}[i]
		if resp.StatusCode != want || resp.Header.Get("X-RateLimit-Remaining") != left || resp.Header.Get("X-RateLimit-Reset") != fmt.Sprint(reset.Unix()) {
			t.Errorf("request %d: %d %v %.80s", i, resp.StatusCode, resp.Header, text)
		}
	}
	s.Limit(&hub.Limit{Reset: reset})
	if got := c.graphql("{__typename}", nil); got != `{"errors":[{"message":"API rate limit exceeded","type":"RATE_LIMITED"}]}` {
		t.Errorf("GraphQL: %s", got)
	}
	s.Limit(&hub.Limit{Status: 429, After: 7 * time.Second, Reset: reset})
	for _, path := range []string{"/releases", c.URL() + "graphql"} {
		resp, _ := c.do("POST", path, `{"tag_name":"v1"}`)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("secondary limit: %s %v", resp.Status, resp.Header)
		}
	}
	s.Limit(&hub.Limit{Calls: 1, Reset: time.Now().Add(-time.Second)})
	for range 2 {
		c.json("GET", "", "", 200)
	}
	s.Limit(nil)
	if resp, _ := c.do("GET", "", ""); resp.StatusCode != 200 || resp.Header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("without a limit: %s", resp.Status)
	}
}
