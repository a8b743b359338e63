package github

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// What GitHub takes in a window of a minute before it refuses: requests that create or
// change something, and points, of which reading costs 1 and anything else 5
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
const (
	paceWindow  = time.Minute + time.Second // its clock and the way there are not known
	paceChanges = 80
	pacePoints  = 900
)

// pace spreads the requests of a client so that GitHub need not refuse any: who goes on
// asking while it refuses may be banned. Other users of the same token are not known
// here; what is refused because of them waits as long as GitHub says.
type pace struct {
	mu    sync.Mutex
	taken []turn // oldest first
	until time.Time
}

// turn is a request's place in time.
type turn struct {
	at      time.Time
	changes int
	points  int
}

func turnOf(req *http.Request) turn {
	if repeatable(req) {
		return turn{points: 1}
	}
	return turn{changes: 1, points: 5}
}

// take gives the next place for a request and how long it is until then. news is false
// where the wait for that minute was told already.
func (p *pace) take(t turn, now time.Time) (wait time.Duration, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.at = now
	if n := len(p.taken); n > 0 && p.taken[n-1].at.After(now) {
		t.at = p.taken[n-1].at // first come, first served
	}
	for len(p.taken) > 0 && !p.taken[0].at.Add(paceWindow).After(t.at) {
		p.taken = p.taken[1:]
	}
	changes, points := t.changes, t.points
	for _, other := range p.taken {
		changes, points = changes+other.changes, points+other.points
	}
	for changes > paceChanges || points > pacePoints {
		first := p.taken[0]
		t.at = first.at.Add(paceWindow)
		changes, points = changes-first.changes, points-first.points
		p.taken = p.taken[1:]
	}
	p.taken = append(p.taken, t)
	if news = t.at.After(p.until); news {
		p.until = t.at
	}
	wait = t.at.Sub(now)
	return wait, news && wait > 0
}

// inTurn waits until a request may be sent.
func (t *transport) inTurn(req *http.Request) error {
	if t.pace == nil {
		return nil
	}
	wait, news := t.pace.take(turnOf(req), t.now())
	if wait <= 0 {
		return nil
	}
	if news {
		t.tellWait(wait, fmt.Sprintf("GitHub takes %d changes a minute", paceChanges))
	}
	return t.wait(req.Context(), wait)
}

// tellWait tells whoever watches why nothing happens for a while.
func (t *transport) tellWait(wait time.Duration, why string) {
	if t.waiting != nil {
		t.waiting(fmt.Sprintf("waiting for %s: %s", wait.Round(time.Second), why))
	}
}
