package hub_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// bearer sends requests with another token than they have.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip passes the request on.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(req)
}

// as asks with another token.
func (c caller) as(token string) caller {
	c.client = &http.Client{Transport: bearer{token, c.client.Transport}, CheckRedirect: c.client.CheckRedirect}
	return c
}

// stocked is a hub with a published release, a draft and assets of both; the replacer
// puts their paths in place of RELEASE, DRAFT, PUBLIC and SECRET.
func stocked(t *testing.T, change func(*hub.Repo)) (caller, *strings.Replacer) {
	t.Helper()
	c := ask(t, start(t, change))
	release, draft := c.draft("v1.0.0"), c.draft("v2.0.0")
	asset := func(of string) string {
		return fmt.Sprintf("/releases/assets/%.0f", c.upload(of, "a.zip", "content", 201)["id"])
	}
	public, secret := asset(release), asset(draft)
	c.json("PATCH", release, `{"tag_name":"v1.0.0","draft":false}`, 200)
	c.attest(bundleOf(provenanceType, "a"), 201)
	return c, strings.NewReplacer("RELEASE", release, "DRAFT", draft, "PUBLIC", public, "SECRET", secret,
		"UPLOADS/", c.UploadURL()+"repos/octo/hello", "WEB/", c.URL()+"octo/hello")
}

var (
	nothing  = hub.Permissions{}
	reader   = hub.Permissions{Contents: hub.Read}
	writer   = hub.Permissions{Contents: hub.Write}
	reviewer = hub.Permissions{PullRequests: hub.Read}
	attestor = hub.Permissions{Attestations: hub.Write}
	bundle   = `{"bundle":` + bundleOf(provenanceType, "a") + `}`
	attested = "GET /attestations/sha256:" + hexOf("a")
)

// permitted says what tokens may do, in a public repository and in a private one.
var permitted = []struct {
	request, body   string
	by              hub.Permissions
	public, private int // statuses
}{
	{"GET ", "", nothing, 200, 404},
	{"GET ", "", reader, 200, 200},
	{"GET /git/ref/tags/v1.0.0", "", nothing, 200, 404},
	{"GET /git/ref/tags/v1.0.0", "", reader, 200, 200},
	{"GET /releases", "", nothing, 200, 404},
	{"GET /releases/latest", "", reviewer, 200, 404},
	{"GET /releases/tags/v1.0.0", "", reader, 200, 200},
	{"GET RELEASE", "", nothing, 200, 404},
	{"GET RELEASE/assets", "", nothing, 200, 404},
	{"GET PUBLIC", "", nothing, 200, 404},
	{"GET DRAFT", "", reader, 404, 404},
	{"GET DRAFT/assets", "", reader, 404, 404},
	{"GET SECRET", "", reader, 404, 404},
	{"GET DRAFT", "", writer, 200, 200},
	{"GET DRAFT/assets", "", writer, 200, 200},
	{"GET SECRET", "", writer, 200, 200},
	{"GET WEB//releases/tag/v1.0.0", "", nothing, 200, 404},
	{"GET WEB//releases/tag/v1.0.0", "", reader, 200, 200},

	{"POST /releases", `{"tag_name":"v3.0.0","draft":true}`, reader, 403, 403},
	{"POST /releases", `{"tag_name":"v3.0.0","draft":true}`, writer, 201, 201},
	{"POST /releases/generate-notes", `{"tag_name":"v3.0.0"}`, reader, 403, 403},
	{"POST /releases/generate-notes", `{"tag_name":"v3.0.0"}`, writer, 200, 200},
	{"PATCH DRAFT", `{"tag_name":"v2.0.0"}`, reader, 403, 403},
	{"PATCH DRAFT", `{"tag_name":"v2.0.0"}`, writer, 200, 200},
	{"PATCH /releases/9999", `{"tag_name":"v2.0.0"}`, reader, 403, 403},
	{"DELETE RELEASE", "", reader, 403, 403},
	{"DELETE RELEASE", "", writer, 204, 204},
	{"POST UPLOADS/DRAFT/assets?name=b", strings.Repeat("x", 1<<20), reader, 403, 403},
	{"POST UPLOADS/DRAFT/assets?name=b", "x", writer, 201, 201},
	{"PATCH PUBLIC", `{"name":"b"}`, reader, 403, 403},
	{"DELETE PUBLIC", "", nothing, 403, 403},
	{"DELETE PUBLIC", "", writer, 204, 204},

	{"GET /pulls/1", "", reader, 200, 403},
	{"GET /pulls/1", "", reviewer, 200, 200},
	{"GET /commits/" + first + "/pulls", "", reader, 200, 403},
	{"GET /commits/" + first + "/pulls", "", reviewer, 200, 200},

	{"POST /attestations", bundle, writer, 403, 403},
	{"POST /attestations", bundle, hub.Permissions{Attestations: hub.Read}, 403, 403},
	{"POST /attestations", bundle, attestor, 201, 201},
	{attested, "", nothing, 200, 403},
	{attested, "", hub.Permissions{Attestations: hub.Read}, 200, 200},
}

func TestPermissions(t *testing.T) {
	for _, test := range permitted {
		for _, private := range []bool{false, true} {
			c, places := stocked(t, func(r *hub.Repo) { r.Private = private })
			method, path, _ := strings.Cut(places.Replace(test.request), " ")
			want := test.public
			if private {
				want = test.private
			}
			resp, text := c.as(c.Issue(test.by)).do(method, path, test.body)
			if resp.StatusCode != want {
				t.Errorf("%s, private %t, by %+v: got %d %s, want %d", test.request, private, test.by, resp.StatusCode, text, want)
			}
			if want == 403 && !strings.Contains(string(text), `"Resource not accessible by integration"`) {
				t.Errorf("%s: %s", test.request, text)
			}
		}
	}
}

// The first token still may everything; a draft is listed for those who may write.
func TestListedDrafts(t *testing.T) {
	c, _ := stocked(t, nil)
	for access, want := range map[hub.Access][]string{hub.None: {"v1.0.0"}, hub.Read: {"v1.0.0"}, hub.Write: {"v2.0.0", "v1.0.0"}} {
		c := c.as(c.Issue(hub.Permissions{Contents: access}))
		if got := c.listed("/releases", "tag_name"); !slices.Equal(got, want) {
			t.Errorf("with %d: %q, want %q", access, got, want)
		}
		push := c.json("GET", "", "", 200)["permissions"].(map[string]any)["push"]
		if push != (access == hub.Write) {
			t.Errorf("with %d: push %v", access, push)
		}
	}
	if got := c.listed("/releases", "tag_name"); len(got) != 2 {
		t.Errorf("by the first token: %q", got)
	}
}

// listed gives one field of every entry of a list.
func (c caller) listed(path, field string) (out []string) {
	c.Helper()
	resp, text := c.do("GET", path, "")
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil || resp.StatusCode != 200 {
		c.Fatalf("GET %s: %d %s", path, resp.StatusCode, text)
	}
	for _, one := range list {
		out = append(out, fmt.Sprint(one[field]))
	}
	return out
}

func TestPermissionsInGraphQL(t *testing.T) {
	const forbidden = `"message":"Resource not accessible by integration","path":["repository","p"],"type":"FORBIDDEN"}`
	pull := inRepository(`p:pullRequest(number:1){number}`)
	brought := inRepository(`object(oid:"` + first + `"){...on Commit{associatedPullRequests(first:5){nodes{number}}}}`)
	search := `{search(query:"repo:octo/hello is:pr is:merged",type:ISSUE,first:1){issueCount}}`
	both := hub.Permissions{Contents: hub.Read, PullRequests: hub.Read}
	for _, test := range []struct {
		name, query string
		private     bool
		by          hub.Permissions
		want        string
	}{
		{"public", pull, false, hub.Permissions{}, `{"data":{"repository":{"p":{"number":1}}}}`},
		{"private", pull, true, both, `{"data":{"repository":{"p":{"number":1}}}}`},
		{"no pull requests", pull, true, reader, forbidden},
		{"no such pull request, and none at all", strings.Replace(pull, ":1", ":9", 1), true, reader, forbidden},
		{"no repository", pull, true, hub.Permissions{PullRequests: hub.Read}, `"path":["repository"],"type":"NOT_FOUND"}`},
		{"of a commit", brought, true, both, `{"nodes":[{"number":1}]}`},
		{"of a commit, public", brought, false, hub.Permissions{}, `{"nodes":[{"number":1}]}`},
		{"of a commit, forbidden", brought, true, reader, `"path":["repository","object","associatedPullRequests"],"type":"FORBIDDEN"}`},
		{"search", search, true, both, `"issueCount":1`},
		{"search that finds only what is visible", search, true, reader, `{"data":{"search":{"issueCount":0}}}`},
	} {
		c := ask(t, start(t, func(r *hub.Repo) { r.Private = test.private }))
		if got := c.as(c.Issue(test.by)).graphql(test.query, nil); !strings.Contains(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestWithholdAttestationsFromAllTokens(t *testing.T) {
	c := ask(t, start(t, nil))
	job := c.as(c.Issue(hub.Permissions{Attestations: hub.Write}))
	c.WithholdAttestations(true)
	job.attest(bundleOf(provenanceType, "a"), 403)
	c.WithholdAttestations(false)
	job.attest(bundleOf(provenanceType, "a"), 201)
}

// The calls of two jobs can be told apart, by what is recorded and by a fault.
func TestCallsOfJobs(t *testing.T) {
	c := ask(t, start(t, nil))
	one, two := c.Issue(hub.Permissions{}), c.Issue(hub.Permissions{})
	if one == two || one == c.Token() {
		t.Fatalf("tokens %q, %q and %q", one, two, c.Token())
	}
	c.Inject(hub.Only(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+two }, hub.Before502))
	c.as(one).json("GET", "", "", 200)
	c.as(two).json("GET", "", "", 502)
	c.json("GET", "", "", 200)
	c.as("ghs_unknown").json("GET", "", "", 401)
	want := []hub.Call{
		{Method: "GET", Path: "/repos/octo/hello", Status: 200, Token: one},
		{Method: "GET", Path: "/repos/octo/hello", Status: 502, Token: two},
		{Method: "GET", Path: "/repos/octo/hello", Status: 200},
		{Method: "GET", Path: "/repos/octo/hello", Status: 401},
	}
	if got := c.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls: %+v", got)
	}
}
