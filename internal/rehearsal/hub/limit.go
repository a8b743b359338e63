package hub

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Limit is a rate limit
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api). The
// API and the uploads count together.
type Limit struct {
	Calls    int           // how many requests it lets through
	Refusals int           // how many it refuses until it starts anew; 0: all until Reset
	Reset    time.Time     // when it starts anew, as the answers say
	After    time.Duration // not 0: it is a secondary limit, whose refusals say how long to wait
	Status   int           // of refusals; 0: 403
}

// budget is what is left of a limit.
type budget struct {
	limit         Limit
	used, refused int
}

// Limit sets the rate limit that counts from now on; nil removes it. Answers of a
// primary limit tell in headers what is left of it. As at GitHub, GraphQL tells with
// status 200 that a primary limit is used up.
func (s *Server) Limit(l *Limit) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.budget = nil
	if l != nil {
		s.budget = &budget{limit: *l}
	}
}

// allowed counts a request. The reply is nil when it may be carried out; the header
// belongs to its answer in any case.
func (s *Server) allowed(r *http.Request) (header map[string]string, refusal *reply) {
	s.watching.Lock()
	defer s.watching.Unlock()
	b := s.budget
	if b == nil {
		return nil, nil
	}
	l := b.limit
	if b.used >= l.Calls && (l.Refusals > 0 && b.refused == l.Refusals || l.Refusals == 0 && !time.Now().Before(l.Reset)) {
		b.used, b.refused = 0, 0
	}
	status := http.StatusForbidden
	if l.Status != 0 {
		status = l.Status
	}
	switch {
	case b.used < l.Calls:
		b.used++
	case l.After > 0:
		b.refused++
		out := failure(status, tooFast)
		return map[string]string{"Retry-After": strconv.Itoa(int(l.After.Seconds()))}, &out
	case graphQL(r):
		b.refused++
		out := ok(object{"errors": []object{{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}}})
		refusal = &out
	default:
		b.refused++
		out := failure(status, "API rate limit exceeded")
		refusal = &out
	}
	if l.After == 0 {
		header = map[string]string{
			"X-RateLimit-Limit":     strconv.Itoa(l.Calls),
			"X-RateLimit-Used":      strconv.Itoa(b.used),
			"X-RateLimit-Remaining": strconv.Itoa(l.Calls - b.used),
			"X-RateLimit-Reset":     fmt.Sprint(l.Reset.Unix()),
		}
	}
	return header, refusal
}
