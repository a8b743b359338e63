package hub_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
)

const (
	first  = "1111111111111111111111111111111111111111"
	second = "2222222222222222222222222222222222222222"
	object = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func start(t *testing.T, change func(*hub.Repo)) *hub.Server {
	t.Helper()
	repo := hub.Repo{
		Repository: plan.Repository{Owner: "octo", Name: "hello"},
		ID:         7, OwnerID: 8, Head: second,
		Tags:      map[string]string{"v1.0.0": first, "sub/v1.0.0": first},
		Annotated: map[string]string{"sub/v1.0.0": object},
		PullRequests: []history.PullRequest{
			{Number: 1, Title: "One", Author: "ann", MergeCommit: first, Base: "octo/hello", MergedAt: time.Unix(1e9, 0)},
			{Number: 2, Title: "Two", Author: "bob", Base: "octo/hello", Labels: []string{"bug"}},
		},
	}
	if change != nil {
		change(&repo)
	}
	s, err := hub.Start(repo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// caller asks a hub, and stops the test when a request fails.
type caller struct {
	*testing.T
	*hub.Server
	client *http.Client
}

func ask(t *testing.T, s *hub.Server) caller {
	return caller{t, s, &http.Client{
		Transport:     described(t, nil),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends a request with the token; path is below the repository, or a whole address.
func (c caller) do(method, path, body string) (*http.Response, []byte) {
	c.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.URL() + "repos/octo/hello" + path
	}
	req, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token())
	return c.send(req)
}

func (c caller) send(req *http.Request) (*http.Response, []byte) {
	c.Helper()
	resp, err := c.client.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return resp, text
}

// json sends a request and wants a status; the answer is nil when it is no object.
func (c caller) json(method, path, body string, status int) map[string]any {
	c.Helper()
	resp, text := c.do(method, path, body)
	if resp.StatusCode != status {
		c.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	var out map[string]any
	_ = json.Unmarshal(text, &out)
	return out
}

func (c caller) draft(tag string) string {
	c.Helper()
	made := c.json("POST", "/releases", fmt.Sprintf(`{"tag_name":%q,"draft":true}`, tag), 201)
	return fmt.Sprintf("/releases/%.0f", made["id"])
}

func (c caller) upload(release, name, content string, status int) map[string]any {
	c.Helper()
	to := c.UploadURL() + "repos/octo/hello" + release + "/assets?name=" + url.QueryEscape(name)
	return c.json("POST", to, content, status)
}

func TestEveryRequestNeedsTheToken(t *testing.T) {
	s := start(t, nil)
	c := ask(t, s)
	for _, base := range []string{s.URL(), s.UploadURL()} {
		for _, token := range []string{"", "Bearer", "Bearer wrong", "Basic " + s.Token()} {
			req, _ := http.NewRequest("GET", base+"repos/octo/hello", nil)
			if token != "" {
				req.Header.Set("Authorization", token)
			}
			if resp, _ := c.send(req); resp.StatusCode != 401 {
				t.Errorf("%s with %q: got %d, want 401", base, token, resp.StatusCode)
			}
		}
	}
	c.json("GET", s.URL()+"repos/octo/other", "", 404)
}

func TestReads(t *testing.T) {
	c := ask(t, start(t, func(r *hub.Repo) { r.Private = true }))
	if r := c.json("GET", "", "", 200); r["private"] != true || r["visibility"] != "private" || r["id"] != 7.0 || r["default_branch"] != "main" {
		t.Errorf("repository: %v", r)
	}
	at := func(ref map[string]any) string {
		o := ref["object"].(map[string]any)
		return o["type"].(string) + " " + o["sha"].(string)
	}
	if got := at(c.json("GET", "/git/ref/tags/v1.0.0", "", 200)); got != "commit "+first {
		t.Errorf("lightweight tag: %s", got)
	}
	if got := at(c.json("GET", "/git/ref/tags/sub/v1.0.0", "", 200)); got != "tag "+object {
		t.Errorf("annotated tag: %s", got)
	}
	if got := at(c.json("GET", "/git/tags/"+object, "", 200)); got != "commit "+first {
		t.Errorf("tag object: %s", got)
	}
	c.json("GET", "/git/ref/tags/v9", "", 404)
	c.json("GET", "/git/tags/"+first, "", 404)
	if p := c.json("GET", "/pulls/1", "", 200); p["merged"] != true || p["merge_commit_sha"] != first {
		t.Errorf("merged pull request: %v", p)
	}
	if p := c.json("GET", "/pulls/2", "", 200); p["merged"] != false || p["merged_at"] != nil {
		t.Errorf("open pull request: %v", p)
	}
	c.json("GET", "/pulls/3", "", 404)
	if _, text := c.do("GET", "/commits/"+first+"/pulls", ""); !bytes.Contains(text, []byte(`"title":"One"`)) {
		t.Errorf("pull requests of a commit: %s", text)
	}
	if n := c.json("POST", "/releases/generate-notes", `{"tag_name":"v1.1.0","previous_tag_name":"v1.0.0"}`, 200); !strings.Contains(n["body"].(string), "One by @ann") || !strings.Contains(n["body"].(string), "compare/v1.0.0...v1.1.0") {
		t.Errorf("notes: %v", n)
	}
	c.json("POST", "/releases/generate-notes", `{"tag_name":"v1.1.0","previous_tag_name":"v0"}`, 422)
}

func TestDraftLosesItsTagWhenItIsNotRepeated(t *testing.T) {
	c := ask(t, start(t, nil))
	draft := c.draft("v1.0.0")
	if r := c.json("PATCH", draft, `{"tag_name":"v1.0.0","name":"kept"}`, 200); r["tag_name"] != "v1.0.0" {
		t.Errorf("with its tag: %v", r["tag_name"])
	}
	if r := c.json("PATCH", draft, `{"body":"x"}`, 200); !strings.HasPrefix(r["tag_name"].(string), "untagged-") || r["name"] != "kept" {
		t.Errorf("without its tag: %v", r["tag_name"])
	}
}

func TestPublishing(t *testing.T) {
	for _, test := range []struct {
		name, draft, patch string
		status             int
		commit             string // that the tag names afterwards
	}{
		{"existing tag", `{"tag_name":"v1.0.0","target_commitish":"` + second + `"`, `{"tag_name":"v1.0.0","draft":false}`, 200, first},
		{"new tag at a commit", `{"tag_name":"v2.0.0","target_commitish":"` + first + `"`, `{"tag_name":"v2.0.0","draft":false}`, 200, first},
		{"new tag at the branch", `{"tag_name":"v2.0.0"`, `{"tag_name":"v2.0.0","draft":false}`, 200, second},
		{"unknown target", `{"tag_name":"v2.0.0","target_commitish":"topic"`, `{"tag_name":"v2.0.0","draft":false}`, 422, ""},
		{"unknown commit", `{"tag_name":"v2.0.0","target_commitish":"` + object + `"`, `{"tag_name":"v2.0.0","draft":false}`, 422, ""},
		{"latest prerelease", `{"tag_name":"v2.0.0","prerelease":true`, `{"tag_name":"v2.0.0","draft":false,"make_latest":"true"}`, 422, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := ask(t, start(t, func(r *hub.Repo) { r.Commits = map[string]bool{first: true, second: true} }))
			made := c.json("POST", "/releases", test.draft+`,"draft":true}`, 201)
			tag := made["tag_name"].(string)
			c.json("GET", "/releases/tags/"+tag, "", 404)
			c.json("PATCH", fmt.Sprintf("/releases/%.0f", made["id"]), test.patch, test.status)
			if test.commit == "" {
				c.json("GET", "/git/ref/tags/"+tag, "", 404)
				return
			}
			if got := c.json("GET", "/git/ref/tags/"+tag, "", 200)["object"].(map[string]any)["sha"]; got != test.commit {
				t.Errorf("tag names %v, want %s", got, test.commit)
			}
			if r := c.json("GET", "/releases/tags/"+tag, "", 200); r["html_url"] != c.URL()+"octo/hello/releases/tag/"+tag || r["published_at"] == nil {
				t.Errorf("published: %v %v", r["html_url"], r["published_at"])
			}
			again := c.draft(tag)
			c.json("PATCH", again, fmt.Sprintf(`{"tag_name":%q,"draft":false}`, tag), 422)
			c.json("DELETE", again, "", 204)
			c.json("GET", again, "", 404)
		})
	}
}

func TestLatest(t *testing.T) {
	c := ask(t, start(t, nil))
	c.json("GET", "/releases/latest", "", 404)
	for _, test := range []struct{ tag, fields, latest string }{
		{"v1.0.0", ``, "v1.0.0"},
		{"v2.0.0", `,"make_latest":"true"`, "v2.0.0"},
		{"v1.0.1", `,"make_latest":"false"`, "v2.0.0"},
		{"v3.0.0-rc.1", `,"prerelease":true`, "v2.0.0"},
		{"v1.0.2", `,"make_latest":"legacy"`, "v1.0.2"},
	} {
		c.json("POST", "/releases", fmt.Sprintf(`{"tag_name":%q%s}`, test.tag, test.fields), 201)
		if got := c.json("GET", "/releases/latest", "", 200)["tag_name"]; got != test.latest {
			t.Errorf("after %s: latest is %v, want %s", test.tag, got, test.latest)
		}
	}
}

func TestReleasesThatGitHubRefuses(t *testing.T) {
	c := ask(t, start(t, nil))
	c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 201)
	for name, body := range map[string]string{
		"tag taken":     `{"tag_name":"v1.0.0"}`,
		"tag malformed": `{"tag_name":"v1 0"}`,
		"body too long": `{"tag_name":"v2","body":"` + strings.Repeat("é", 125_001) + `"}`,
	} {
		if got := c.json("POST", "/releases", body, 422); got["message"] != "Validation Failed" {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.json("POST", "/releases", `{"tag_name":"v2","body":"`+strings.Repeat("é", 125_000)+`"}`, 201)
	c.client.Transport = nil // what follows GitHub does not describe
	c.json("POST", "/releases", `{"tag_name"`, 400)
	c.json("POST", "/releases", `{}`, 422)
	c.json("POST", "/releases", `{"tag_name":1}`, 422)
	c.json("PUT", "/releases/1", ``, 404)
}

func TestPages(t *testing.T) {
	c := ask(t, start(t, nil))
	for i := range 7 {
		c.draft(fmt.Sprintf("v0.0.%d", i))
	}
	var tags []string
	next := c.URL() + "repos/octo/hello/releases?per_page=3"
	for next != "" {
		resp, text := c.do("GET", next, "")
		var some []struct {
			Tag string `json:"tag_name"`
		}
		if err := json.Unmarshal(text, &some); err != nil || len(some) > 3 {
			t.Fatalf("page of %d: %v", len(some), err)
		}
		for _, r := range some {
			tags = append(tags, r.Tag)
		}
		next = ""
		for link := range strings.SplitSeq(resp.Header.Get("Link"), ", ") {
			if at, rel, _ := strings.Cut(link, "; "); rel == `rel="next"` {
				next = strings.Trim(at, "<>")
			}
		}
	}
	if want := []string{"v0.0.6", "v0.0.5", "v0.0.4", "v0.0.3", "v0.0.2", "v0.0.1", "v0.0.0"}; !slices.Equal(tags, want) {
		t.Errorf("got %v", tags)
	}
	if _, text := c.do("GET", "/releases?page=9", ""); strings.TrimSpace(string(text)) != "[]" {
		t.Errorf("past the end: %s", text)
	}
}

func TestImmutableReleases(t *testing.T) {
	c := ask(t, start(t, func(r *hub.Repo) { r.Immutable = true }))
	draft := c.draft("v1.0.0")
	at := fmt.Sprintf("/releases/assets/%.0f", c.upload(draft, "a", "x", 201)["id"])
	if r := c.json("PATCH", draft, `{"tag_name":"v1.0.0","draft":false}`, 200); r["immutable"] != true {
		t.Errorf("published: %v", r)
	}
	c.upload(draft, "b", "x", 422)
	c.json("DELETE", at, "", 422)
	c.json("PATCH", at, `{"name":"c"}`, 422)
	c.json("PATCH", draft, `{"draft":true}`, 422)
	c.json("PATCH", draft, `{"tag_name":"v2"}`, 422)
	c.json("PATCH", draft, `{"body":"still editable"}`, 200)
	c.json("DELETE", draft, "", 204)
	c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 422)
}

func TestFaultsAndCalls(t *testing.T) {
	s := start(t, nil)
	c := ask(t, s)
	s.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.RawQuery {
			case "page=1":
				w.WriteHeader(502)
			case "page=2":
				panic(http.ErrAbortHandler)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	c.json("GET", "/releases?page=1", "", 502)
	req, _ := http.NewRequest("DELETE", s.URL()+"repos/octo/hello/releases/1?page=2", nil)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		t.Errorf("the connection was not cut: %s", resp.Status)
	}
	c.json("GET", "/releases?page=3", "", 200)
	s.Inject(nil)
	c.json("GET", "/releases?page=1", "", 200)
	want := []hub.Call{
		{Method: "GET", Path: "/repos/octo/hello/releases", Query: "page=1", Status: 502},
		{Method: "DELETE", Path: "/repos/octo/hello/releases/1", Query: "page=2", Status: 0},
		{Method: "GET", Path: "/repos/octo/hello/releases", Query: "page=3", Status: 200},
		{Method: "GET", Path: "/repos/octo/hello/releases", Query: "page=1", Status: 200},
	}
	if got := s.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls: %+v", got)
	}
}

func TestStartAndClose(t *testing.T) {
	if _, err := hub.Start(hub.Repo{Repository: plan.Repository{Owner: "a/b", Name: "c"}}); err == nil {
		t.Error("started with a malformed owner")
	}
	s := start(t, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("still listening")
	}
}
