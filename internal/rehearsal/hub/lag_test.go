package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

func TestLag(t *testing.T) {
	c := ask(t, start(t, nil))
	c.draft("v0.0.1")
	c.Lag(2)
	draft := c.draft("v0.0.2")
	made := c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 201)
	c.Lag(0)
	c.draft("v0.0.3")
	c.json("GET", draft, "", 200)
	c.json("GET", fmt.Sprintf("/releases/%.0f", made["id"]), "", 200)
	c.json("GET", "/releases/tags/v1.0.0", "", 200)
	reader := c.as(c.Issue(hub.Permissions{}))
	for i, want := range [][]string{
		{"v0.0.3", "v0.0.1"}, {"v0.0.3", "v0.0.1"}, {"v0.0.3", "v1.0.0", "v0.0.2", "v0.0.1"},
	} {
		if i == 1 { // what cannot be seen anyway is not missing for that
			if got := reader.listed("/releases", "tag_name"); len(got) != 0 {
				t.Errorf("published release too early: %q", got)
			}
			want = []string{"v0.0.3", "v1.0.0", "v0.0.1"}
		}
		if got := c.listed("/releases", "tag_name"); !slices.Equal(got, want) {
			t.Errorf("listing %d: %q, want %q", i, got, want)
		}
	}
}

func TestLagOfAssets(t *testing.T) {
	c := ask(t, start(t, nil))
	one, two := c.draft("v0.0.1"), c.draft("v0.0.2")
	c.upload(one, "a", "x", 201)
	c.Lag(1)
	at := fmt.Sprintf("/releases/assets/%.0f", c.upload(one, "b", "x", 201)["id"])
	c.upload(two, "c", "x", 201)
	c.json("GET", at, "", 200)
	c.upload(one, "b", "y", 422)
	if got := c.json("GET", one, "", 200)["assets"].([]any); len(got) != 2 {
		t.Errorf("the release shows %v", got)
	}
	for i, test := range []struct {
		of   string
		want []string
	}{{one, []string{"a"}}, {one, []string{"a", "b"}}, {two, nil}, {two, []string{"c"}}, {one, []string{"a", "b"}}} {
		if got := c.listed(test.of+"/assets", "name"); !slices.Equal(got, test.want) {
			t.Errorf("listing %d: %q, want %q", i, got, test.want)
		}
	}
}

// All pages of one listing lack the same.
func TestLagOfPages(t *testing.T) {
	c := ask(t, start(t, nil))
	c.draft("v0.0.1")
	c.draft("v0.0.2")
	c.Lag(1)
	c.draft("v0.0.3")
	for _, want := range [][]string{{"v0.0.2", "v0.0.1"}, {"v0.0.3", "v0.0.2", "v0.0.1"}} {
		var got []string
		for page := range 3 {
			got = append(got, c.listed(fmt.Sprintf("/releases?per_page=1&page=%d", page+1), "tag_name")...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
