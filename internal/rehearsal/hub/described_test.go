package hub_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// openAPI is GitHub's own description of its API (npm package @octokit/openapi 23.0.2,
// MIT licence, from https://github.com/github/rest-api-description), cut down to the
// operations that a hub has and to what can be checked.
//
//go:embed testdata/github-openapi.json
var openAPI []byte

// description is what is checked of an OpenAPI document.
type description struct {
	Paths      map[string]map[string]*operation `json:"paths"`
	Components struct {
		Schemas   map[string]*schema  `json:"schemas"`
		Responses map[string]response `json:"responses"`
	} `json:"components"`
}

type operation struct {
	Parameters  []struct{ Name string }
	RequestBody struct {
		Content map[string]struct{ Schema *schema }
	}
	Responses map[string]response
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema *schema }
}

// described keeps a hub and its clients honest: it sends requests on with next,
// http.DefaultTransport when that is nil, and fails the test when the request or the answer is not as GitHub describes it: an
// unknown operation, parameter or field, a wrong type, a status that is no failure and
// not declared. Failures that GitHub does not describe may look as they like; so may
// requests to anything but /repos/.
func described(t testing.TB, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	if next == nil {
		next = http.DefaultTransport
	}
	d := &description{}
	if err := json.Unmarshal(openAPI, d); err != nil {
		t.Fatal(err)
	}
	// The documentation of uploads names this state, the description forgets it:
	// https://docs.github.com/rest/releases/assets#upload-a-release-asset
	state := d.Components.Schemas["release-asset"].Properties["state"]
	state.Enum = append(state.Enum, "starter")
	return &checker{t: t, next: next, description: d}
}

type checker struct {
	t           testing.TB
	next        http.RoundTripper
	description *description
}

// RoundTrip passes the request on.
func (c *checker) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, "/repos/") {
		return c.next.RoundTrip(req)
	}
	name := req.Method + " " + req.URL.Path
	op := c.description.operation(req)
	if op == nil {
		c.t.Errorf("%s: GitHub describes no such operation", name)
		return c.next.RoundTrip(req)
	}
	c.checkRequest(name, op, req)
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := c.checkAnswer(name, op, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// operation finds the operation of a request: the template that names the most.
func (d *description) operation(req *http.Request) *operation {
	var best *operation
	variables := 0
	for template, methods := range d.Paths {
		op := methods[strings.ToLower(req.Method)]
		if op == nil || !pattern(template).MatchString(req.URL.Path) {
			continue
		}
		if n := strings.Count(template, "{"); best == nil || n < variables {
			best, variables = op, n
		}
	}
	return best
}

var variable = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

// pattern makes an expression of a template. Only git references, tags and what is
// compared hold slashes.
func pattern(template string) *regexp.Regexp {
	text := regexp.QuoteMeta(template)
	text = strings.NewReplacer(`\{ref\}`, `.+`, `\{tag\}`, `.+`, `\{basehead\}`, `.+`).Replace(text)
	return regexp.MustCompile("^" + variable.ReplaceAllString(text, `[^/]+`) + "$")
}

func (c *checker) checkRequest(name string, op *operation, req *http.Request) {
	for parameter := range req.URL.Query() {
		known := false
		for _, p := range op.Parameters {
			known = known || p.Name == parameter
		}
		if !known {
			c.t.Errorf("%s: GitHub describes no parameter %q", name, parameter)
		}
	}
	content, described := op.RequestBody.Content["application/json"]
	if req.GetBody == nil || !described {
		return
	}
	body, err := req.GetBody()
	if err != nil {
		c.t.Errorf("%s: %v", name, err)
		return
	}
	text, err := io.ReadAll(body)
	if err != nil {
		c.t.Errorf("%s: %v", name, err)
	}
	c.checkJSON(name+": request", content.Schema, text)
}

func (c *checker) checkAnswer(name string, op *operation, resp *http.Response) error {
	name += ": " + strconv.Itoa(resp.StatusCode)
	described, found := op.Responses[strconv.Itoa(resp.StatusCode)]
	if described.Ref != "" {
		described = c.description.Components.Responses[strings.TrimPrefix(described.Ref, "#/components/responses/")]
	}
	if !found && resp.StatusCode < 400 {
		c.t.Errorf("%s: GitHub describes no such answer", name)
	}
	content, found := described.Content["application/json"]
	if !found || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	c.checkJSON(name, content.Schema, text)
	return nil
}

func (c *checker) checkJSON(name string, s *schema, text []byte) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		c.t.Errorf("%s: %v", name, err)
		return
	}
	for _, bad := range c.description.check(s, "", value) {
		c.t.Errorf("%s: %s", name, bad)
	}
}
