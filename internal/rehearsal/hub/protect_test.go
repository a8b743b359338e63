package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

func TestRestrictedTags(t *testing.T) {
	for _, test := range []struct {
		name, tag string
		patterns  []string
		status    int
	}{
		{"nothing restricted", "v2.0.0", nil, 200},
		{"restricted", "v2.0.0", []string{"x*", "v*"}, 422},
		{"restricted by name", "v2.0.0", []string{"v2.0.0"}, 422},
		{"another name", "v2.0.0", []string{"v3*", "["}, 200},
		{"below a directory", "sub/v2.0.0", []string{"v*", "*"}, 200},
		{"tag exists", "v1.0.0", []string{"*"}, 200},
	} {
		c := ask(t, start(t, nil))
		draft := c.draft(test.tag)
		c.RestrictTags(test.patterns...)
		publish := fmt.Sprintf(`{"tag_name":%q,"draft":false}`, test.tag)
		got := c.json("PATCH", draft, publish, test.status)
		if test.status == 200 {
			continue
		}
		problem := got["errors"].([]any)[0].(map[string]any)
		if problem["resource"] != "Release" || problem["code"] != "custom" || problem["field"] != "pre_receive" ||
			!strings.Contains(problem["message"].(string), "Cannot create ref due to creations being restricted.") {
			t.Errorf("%s: %v", test.name, got)
		}
		c.json("GET", "/git/ref/tags/"+test.tag, "", 404)
		if r := c.json("GET", draft, "", 200); r["draft"] != true || r["tag_name"] != test.tag {
			t.Errorf("%s: the draft became %v", test.name, r)
		}
		c.json("POST", "/releases", publish, 422)
		c.RestrictTags()
		c.json("PATCH", draft, publish, 200)
	}
}

// A token without workflows: write cannot make a tag at a commit with other workflows,
// nor name such a commit.
func TestWorkflowChanges(t *testing.T) {
	weak := hub.Permissions{Contents: hub.Write}
	strong := hub.Permissions{Contents: hub.Write, Workflows: hub.Write}
	const target = `,"target_commitish":"` + first + `"`
	for _, test := range []struct {
		name, tag, before, fields string // before: by the first token
		by                        hub.Permissions
		status                    int
	}{
		{"create", "v2.0.0", "", target + `,"draft":true`, weak, 403},
		{"create, allowed", "v2.0.0", "", target + `,"draft":true`, strong, 201},
		{"create and publish", "v2.0.0", "", target, weak, 403},
		{"create at another commit", "v2.0.0", "", `,"target_commitish":"` + second + `"`, weak, 201},
		{"create at the branch", "v2.0.0", "", ``, weak, 201},
		{"create with a tag", "v1.0.0", "", `,"draft":true`, weak, 201},
		{"create with a tag and the target", "v1.0.0", "", target + `,"draft":true`, weak, 403},
		{"update", "v2.0.0", `,"draft":true`, target, weak, 403},
		{"update, allowed", "v2.0.0", `,"draft":true`, target, strong, 200},
		{"publish", "v2.0.0", target + `,"draft":true`, `,"draft":false`, weak, 403},
		{"publish, allowed", "v2.0.0", target + `,"draft":true`, `,"draft":false`, strong, 200},
		{"publish with a tag", "v1.0.0", target + `,"draft":true`, `,"draft":false`, weak, 200},
		{"publish with a tag and the target", "v1.0.0", target + `,"draft":true`, target + `,"draft":false`, weak, 403},
	} {
		c := ask(t, start(t, nil))
		c.ChangeWorkflows(first)
		method, path := "POST", "/releases"
		if test.before != "" {
			made := c.json(method, path, fmt.Sprintf(`{"tag_name":%q%s}`, test.tag, test.before), 201)
			method, path = "PATCH", fmt.Sprintf("/releases/%.0f", made["id"])
		}
		resp, text := c.as(c.Issue(test.by)).do(method, path, fmt.Sprintf(`{"tag_name":%q%s}`, test.tag, test.fields))
		if resp.StatusCode != test.status || (test.status == 403) != strings.Contains(string(text), "Resource not accessible by integration") {
			t.Errorf("%s: got %d %s, want %d", test.name, resp.StatusCode, text, test.status)
		}
		if test.status == 403 && test.tag == "v2.0.0" {
			c.json("GET", "/git/ref/tags/v2.0.0", "", 404)
		}
	}
}

// The tag of a deleted immutable release can have drafts, and never a release again.
func TestBurnedTags(t *testing.T) {
	c := ask(t, start(t, func(r *hub.Repo) { r.Immutable = true }))
	old := c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 201)
	c.json("DELETE", fmt.Sprintf("/releases/%.0f", old["id"]), "", 204)
	draft := c.draft("v1.0.0")
	c.upload(draft, "a", "x", 201)
	c.json("PATCH", draft, `{"tag_name":"v1.0.0","body":"text"}`, 200)
	for _, refused := range []map[string]any{
		c.json("PATCH", draft, `{"tag_name":"v1.0.0","draft":false}`, 422),
		c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 422),
	} {
		problem := refused["errors"].([]any)[0].(map[string]any)
		if problem["field"] != "tag_name" || problem["message"] != "tag_name was used by an immutable release" {
			t.Errorf("refused with %v", refused)
		}
	}
	if r := c.json("GET", draft, "", 200); r["draft"] != true || r["immutable"] != false {
		t.Errorf("the draft became %v", r)
	}
	c.json("PATCH", draft, `{"tag_name":"v1.0.1","draft":false}`, 200)
}
