package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// try sends a request that may be cut, and gives the status of its answer; 0: none.
func (c caller) try(method, path, body string) int {
	c.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.URL() + "repos/octo/hello" + path
	}
	// Without GetBody the client cannot send it a second time on its own.
	req, err := http.NewRequest(method, path, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		c.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	if body == "" {
		req.Body = nil
	}
	req.Header.Set("Authorization", "Bearer "+c.Token())
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestFaults(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for _, test := range []struct {
		name     string
		fault    hub.Fault
		status   int  // 0: the connection is cut
		done     bool // whether what was asked for happened
		uploaded string
	}{
		{"before 502", hub.Before502, 502, false, ""},
		{"after 502", hub.After502, 502, true, "uploaded"},
		{"cut", hub.Cut, 0, false, ""},
		{"cut after", hub.CutAfter, 0, true, "uploaded"},
		{"cut midway", hub.CutMidway, 0, false, "starter"},
		{"too many", hub.TooMany(7), 429, false, ""},
		{"unauthorized", hub.Unauthorized, 401, false, ""},
		{"slow", hub.Slow(time.Nanosecond), 201, true, "uploaded"},
		{"no digests", hub.NullDigests, 201, true, "uploaded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := ask(t, start(t, nil))
			draft, doomed := c.draft("v0.0.1"), c.draft("v0.0.2")
			c.Inject(test.fault)
			before := len(c.Calls())
			if got := c.try("POST", "/releases", `{"tag_name":"v1.0.0"}`); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if got := c.try("POST", c.UploadURL()+"repos/octo/hello"+draft+"/assets?name=a", large); got != test.status {
				t.Errorf("uploading: status %d, want %d", got, test.status)
			}
			if got := c.try("DELETE", doomed, ""); got != test.status && got != 204 {
				t.Errorf("deleting: status %d, want %d", got, test.status)
			}
			for _, call := range c.Calls()[before:] {
				if call.Status != test.status && call.Status != 204 {
					t.Errorf("recorded %+v", call)
				}
			}
			c.Inject(nil)
			want := map[bool]int{true: 200, false: 404}
			c.json("GET", "/releases/tags/v1.0.0", "", want[test.done])
			c.json("GET", doomed, "", want[!test.done])
			var states []string
			if test.uploaded != "" {
				states = []string{test.uploaded}
			}
			if got := c.listed(draft+"/assets", "state"); !slices.Equal(got, states) {
				t.Errorf("assets %q, want %q", got, states)
			}
		})
	}
}

func TestFaultsAnswers(t *testing.T) {
	c := ask(t, start(t, nil))
	draft := c.draft("v1.0.0")
	c.upload(draft, "a", "x", 201)
	c.Inject(hub.TooMany(7))
	if resp, text := c.do("GET", draft, ""); resp.Header.Get("Retry-After") != "7" || !strings.Contains(string(text), "secondary rate limit") {
		t.Errorf("%v %s", resp.Header, text)
	}
	c.Inject(hub.Unauthorized)
	if got := c.json("GET", draft, "", 401)["message"]; got != "Bad credentials" {
		t.Errorf("401 says %v", got)
	}
	c.Inject(hub.NullDigests)
	c.json("PATCH", draft, `{"tag_name":"v1.0.0","body":"a \"digest\":\"text\""}`, 200)
	r := c.json("GET", draft, "", 200)
	a := r["assets"].([]any)[0].(map[string]any)
	if a["digest"] != nil || a["name"] != "a" || r["body"] != `a "digest":"text"` {
		t.Errorf("without digests: %v", r)
	}
	if got := c.bytes(fmt.Sprintf("/releases/assets/%.0f", a["id"])); got != "x" {
		t.Errorf("bytes: %q", got)
	}
	c.Inject(hub.Slow(time.Microsecond))
	if r := c.json("GET", draft, "", 200); r["tag_name"] != "v1.0.0" {
		t.Errorf("slow: %v", r)
	}
	c.Inject(nil)
	if a := c.json("GET", draft, "", 200)["assets"].([]any)[0].(map[string]any); a["digest"] == nil {
		t.Errorf("with digests: %v", a)
	}
}

// A client that does not wait for a slow answer does not keep the server.
func TestSlowEndsWithTheClient(t *testing.T) {
	for _, test := range []struct {
		method string
		begins bool // before the time is over
	}{{"GET", true}, {"DELETE", false}} {
		c := ask(t, start(t, nil))
		draft := c.draft("v1.0.0")
		arrived, ended := make(chan struct{}), make(chan struct{})
		c.Inject(func(next http.Handler) http.Handler {
			slow := hub.Slow(time.Hour)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				close(arrived)
			}))
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				slow.ServeHTTP(w, r)
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, test.method, c.URL()+"repos/octo/hello"+draft, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.Token())
		if !test.begins {
			go func() { <-arrived; cancel() }()
		}
		resp, err := (&http.Transport{}).RoundTrip(req)
		if (err == nil) != test.begins {
			t.Fatalf("%s: %v", test.method, err)
		}
		cancel()
		if resp != nil {
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", test.method, err)
			}
			_ = resp.Body.Close()
		}
		<-ended
	}
}

func TestOnlyAndNth(t *testing.T) {
	gets := func(r *http.Request) bool { return r.Method == http.MethodGet }
	for _, test := range []struct {
		name  string
		fault hub.Fault
		want  []int // of GET, POST, GET, POST, GET
	}{
		{"only", hub.Only(gets, hub.Before502), []int{502, 200, 502, 200, 502}},
		{"first", hub.Nth(0, hub.Before502), []int{502, 200, 200, 200, 200}},
		{"fourth", hub.Nth(3, hub.Before502), []int{200, 200, 200, 502, 200}},
		{"beyond", hub.Nth(5, hub.Before502), []int{200, 200, 200, 200, 200}},
		{"second that matches", hub.Only(gets, hub.Nth(1, hub.TooMany(1))), []int{200, 200, 429, 200, 200}},
		{"second, when it matches", hub.Nth(1, hub.Only(gets, hub.Unauthorized)), []int{200, 200, 200, 200, 200}},
		{"cut once", hub.Only(gets, hub.Nth(2, hub.Cut)), []int{200, 200, 200, 200, 0}},
	} {
		c := ask(t, start(t, nil))
		c.Inject(test.fault)
		var got []int
		for i := range test.want {
			if i%2 == 0 {
				got = append(got, c.try("GET", "/releases", ""))
			} else {
				got = append(got, c.try("POST", "/releases/generate-notes", `{"tag_name":"v1.0.0"}`))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
