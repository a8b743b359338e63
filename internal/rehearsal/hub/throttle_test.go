package hub_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// clock stands still until a test moves it.
type clock struct{ since atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1e9, 0).Add(time.Duration(c.since.Load())) }

func (c *clock) move(d time.Duration) { c.since.Add(int64(d)) }

const (
	create, read, notes = "create", "read", "notes"
	upload, query, web  = "upload", "query", "web"
)

// perform sends the i-th request, of one of these kinds.
func (c caller) perform(what, draft string, i int) (*http.Response, []byte) {
	c.Helper()
	switch what {
	case read:
		return c.do("GET", "/releases", "")
	case notes:
		return c.do("POST", "/releases/generate-notes", `{"tag_name":"v1.0.0"}`)
	case upload:
		return c.do("POST", fmt.Sprintf("%srepos/octo/hello%s/assets?name=a%d", c.UploadURL(), draft, i), strings.Repeat("x", 1<<20))
	case query:
		return c.do("POST", c.URL()+"graphql", `{"query":"{__typename}"}`)
	case web:
		return c.do("GET", c.URL()+"octo/hello/releases/tag/v9", "")
	}
	return c.do("POST", "/releases", fmt.Sprintf(`{"tag_name":"v0.0.%d","draft":true}`, i))
}

func TestThrottle(t *testing.T) {
	type step struct {
		after time.Duration
		what  string
		wait  string // Retry-After; empty: not refused
	}
	for _, test := range []struct {
		name   string
		limits []hub.Secondary
		steps  []step
	}{
		{"none", nil, []step{{0, create, ""}, {0, read, ""}}},
		{"unlimited", []hub.Secondary{{}}, []step{{0, create, ""}, {0, read, ""}, {0, query, ""}}},
		{"content", []hub.Secondary{{Content: 2}}, []step{
			{0, create, ""}, {time.Second, upload, ""}, {0, create, "59"}, {0, notes, "59"}, {0, read, ""}, {0, query, ""},
			{58*time.Second + 1, create, "1"}, {time.Second, create, ""}, {0, upload, "1"}, {time.Second, upload, ""}, {0, upload, "59"},
		}},
		{"points", []hub.Secondary{{Points: 7, Window: 10 * time.Second}}, []step{
			{0, read, ""}, {time.Second, create, ""}, {time.Second, read, ""}, {0, read, "8"}, {0, query, ""}, {0, web, ""},
			{0, upload, "9"}, {8 * time.Second, read, ""}, {0, read, "1"}, {time.Second, read, ""}, {0, upload, "1"},
		}},
		{"queries", []hub.Secondary{{Queries: 1, Window: time.Second}}, []step{{0, query, ""}, {0, create, ""}, {0, query, "1"}, {time.Second, query, ""}}},
		{"too dear for ever", []hub.Secondary{{Points: 3, Window: 5 * time.Second}}, []step{{0, create, "5"}, {time.Hour, create, "5"}, {0, read, ""}}},
		{"two windows", []hub.Secondary{{Content: 1, Window: time.Second}, {Content: 2, Window: time.Hour}}, []step{
			{0, create, ""}, {0, create, "1"}, {time.Second, create, ""}, {0, create, "3599"}, {time.Second, create, "3598"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := ask(t, start(t, nil))
			draft := c.draft("v1.0.0")
			var moved clock
			for i := range test.limits {
				test.limits[i].Now = moved.now
				test.limits[i].Status = 403 + 26*(i%2)
			}
			c.Throttle(test.limits...)
			for i, s := range test.steps {
				moved.move(s.after)
				resp, text := c.perform(s.what, draft, i)
				refused := strings.Contains(string(text), "secondary rate limit") && (resp.StatusCode == 403 || resp.StatusCode == 429)
				if got := resp.Header.Get("Retry-After"); got != s.wait || refused != (s.wait != "") {
					t.Errorf("step %d, %s: %d, Retry-After %q, want %q", i, s.what, resp.StatusCode, got, s.wait)
				}
			}
			c.Throttle()
			c.draft("v9.0.0")
		})
	}
}

// What one job takes is missing for the other, and the present limit counts beside.
func TestThrottleOfAllTokens(t *testing.T) {
	c := ask(t, start(t, nil))
	var still clock
	c.Throttle(hub.Secondary{Content: 1, Status: http.StatusTooManyRequests, Now: still.now})
	c.Limit(&hub.Limit{Calls: 2, Reset: time.Unix(2e9, 0)})
	c.draft("v1.0.0")
	job := c.as(c.Issue(hub.Permissions{Contents: hub.Write}))
	job.json("POST", "/releases", `{"tag_name":"v2.0.0"}`, 429)
	job.json("GET", "/releases", "", 200)
	job.json("GET", "/releases", "", 403)
}

func TestDocumentedLimits(t *testing.T) {
	c := ask(t, start(t, nil))
	c.Throttle(hub.Documented()...)
	for i := range 80 {
		c.draft(fmt.Sprintf("v0.0.%d", i))
	}
	if got := c.json("POST", "/releases", `{"tag_name":"v1.0.0"}`, 403)["message"]; !strings.Contains(got.(string), "secondary rate limit") {
		t.Errorf("got %v", got)
	}
}

// More requests at once than may be are refused, as long as the others last.
func TestConcurrent(t *testing.T) {
	c := ask(t, start(t, nil))
	c.Throttle(hub.Secondary{Concurrent: 2})
	arrived, goOn := make(chan struct{}), make(chan struct{})
	c.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("page") {
				arrived <- struct{}{}
				<-goOn
			}
			next.ServeHTTP(w, r)
		})
	})
	ended := make(chan int)
	for range 2 {
		go func() {
			req, _ := http.NewRequest("GET", c.URL()+"repos/octo/hello/releases?page=1", nil)
			req.Header.Set("Authorization", "Bearer "+c.Token())
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				ended <- 0
				return
			}
			_ = resp.Body.Close()
			ended <- resp.StatusCode
		}()
		<-arrived
	}
	resp, text := c.do("GET", "/releases", "")
	if resp.StatusCode != 403 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(string(text), "secondary rate limit") {
		t.Errorf("the third: %d %s", resp.StatusCode, text)
	}
	if resp, _ := c.do("GET", c.URL()+"octo/hello/releases/tag/v9", ""); resp.StatusCode != 404 {
		t.Errorf("a web page: %d", resp.StatusCode)
	}
	if calls := c.Calls(); len(calls) != 2 || calls[0].Status != 403 {
		t.Errorf("calls %+v", calls)
	}
	close(goOn)
	for range 2 {
		if status := <-ended; status != 200 {
			t.Errorf("one of the first: %d", status)
		}
	}
	c.draft("v1.0.0")
}
