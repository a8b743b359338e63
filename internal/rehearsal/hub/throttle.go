package hub

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secondary is a secondary rate limit
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
// 0 limits nothing. The API and the uploads count together, with all tokens and all
// endpoints; the web pages and the store do not count, nor do requests that were refused
// or that a fault answered.
type Secondary struct {
	Content    int              // requests that may create content in a window: all but GET, HEAD, OPTIONS and queries of GraphQL
	Points     int              // points of REST in a window: GET, HEAD and OPTIONS take 1, others 5
	Queries    int              // points of GraphQL in a window: a query takes 1
	Concurrent int              // requests at once; one lasts from its arrival until a fault and the hub have answered it
	Window     time.Duration    // slides; 0: a minute
	Status     int              // of refusals; 0: 403
	Now        func() time.Time // nil: time.Now
}

// Documented are the secondary limits that GitHub tells of: of a minute, and of an hour.
func Documented() []Secondary {
	return []Secondary{
		{Content: 80, Points: 900, Queries: 2000, Concurrent: 100, Window: time.Minute},
		{Content: 500, Window: time.Hour},
	}
}

// Throttle sets the secondary limits that count from now on, in place of earlier ones;
// all of them have to be kept. A request that breaks one is answered with its status and
// with Retry-After: whole seconds, at least one, until there is room. They stand beside
// the one of Limit.
func (s *Server) Throttle(limits ...Secondary) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.throttles = nil
	for _, l := range limits {
		if l.Window <= 0 {
			l.Window = time.Minute
		}
		if l.Now == nil {
			l.Now = time.Now
		}
		s.throttles = append(s.throttles, &throttle{limit: l})
	}
}

// cost is what a request takes of a limit.
type cost struct{ content, points, queries int }

func costOf(r *http.Request) cost {
	switch {
	case graphQL(r):
		return cost{queries: 1}
	case reading(r), r.Method == http.MethodOptions:
		return cost{points: 1}
	}
	return cost{content: 1, points: 5}
}

func (c cost) plus(o cost, sign int) cost {
	return cost{c.content + sign*o.content, c.points + sign*o.points, c.queries + sign*o.queries}
}

// spent is a request that was let through.
type spent struct {
	at time.Time
	cost
}

// throttle is what was taken of a limit.
type throttle struct {
	limit Secondary
	spent []spent // oldest first
}

// fits tells whether the limit allows that much in a window.
func (l Secondary) fits(used cost) bool {
	within := func(limit, used int) bool { return limit <= 0 || used <= limit }
	return within(l.Content, used.content) && within(l.Points, used.points) && within(l.Queries, used.queries)
}

// wait is how long it takes until there is room for c; 0 when there is.
func (t *throttle) wait(c cost, now time.Time) time.Duration {
	for len(t.spent) > 0 && !now.Before(t.spent[0].at.Add(t.limit.Window)) {
		t.spent = t.spent[1:]
	}
	used := c
	for _, one := range t.spent {
		used = used.plus(one.cost, 1)
	}
	if t.limit.fits(used) {
		return 0
	}
	for _, one := range t.spent {
		used = used.plus(one.cost, -1)
		if t.limit.fits(used) {
			return one.at.Add(t.limit.Window).Sub(now)
		}
	}
	return t.limit.Window // alone it is more than the limit
}

// throttled counts a request. The reply is nil when it may be carried out.
func (s *Server) throttled(r *http.Request) *reply {
	s.watching.Lock()
	defer s.watching.Unlock()
	c := costOf(r)
	var wait time.Duration
	var by Secondary
	times := make([]time.Time, len(s.throttles))
	for i, t := range s.throttles {
		times[i] = t.limit.Now()
		if w := t.wait(c, times[i]); w > wait {
			wait, by = w, t.limit
		}
	}
	if wait > 0 {
		return slowDown(by, wait)
	}
	for i, t := range s.throttles {
		t.spent = append(t.spent, spent{times[i], c})
	}
	return nil
}

// enter begins a request. The reply is nil when no more than may be are under way; then
// leave has to end it.
func (s *Server) enter() *reply {
	s.watching.Lock()
	defer s.watching.Unlock()
	for _, t := range s.throttles {
		if t.limit.Concurrent > 0 && s.present >= t.limit.Concurrent {
			return slowDown(t.limit, time.Second)
		}
	}
	s.present++
	return nil
}

func (s *Server) leave() {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.present--
}

const tooFast = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."

// slowDown is the refusal of a limit.
func slowDown(by Secondary, wait time.Duration) *reply {
	out := failure(cmp.Or(by.Status, http.StatusForbidden), tooFast)
	seconds := (wait + time.Second - 1) / time.Second
	out.header = map[string]string{"Retry-After": strconv.Itoa(int(seconds))}
	return &out
}

// graphQL tells whether a request is a query.
func graphQL(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/graphql") }

// metered tells whether a request is one to the API or to the uploads.
func metered(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/repos/") || graphQL(r) }
