package github

import (
	"fmt"
	"testing"
	"time"
)

// TestPace: in no window are there more requests than GitHub takes, whatever the mix, and
// nobody waits longer than for that.
func TestPace(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	change, read := turn{changes: 1, points: 5}, turn{points: 1}
	for name, c := range map[string]struct {
		turns func(i int) turn
		every time.Duration // between requests
		n     int
		last  time.Duration // when the last one goes, after it was asked for
	}{
		"few":            {func(int) turn { return change }, 0, 80, 0},
		"changes":        {func(int) turn { return change }, 0, 300, 3 * paceWindow},
		"reads":          {func(int) turn { return read }, 0, 2000, 2 * paceWindow},
		"slow":           {func(int) turn { return change }, time.Second, 300, 0},
		"a bit too fast": {func(int) turn { return change }, 700 * time.Millisecond, 120, paceWindow - 80*700*time.Millisecond},
		"mixed": {func(i int) turn {
			if i%10 == 0 {
				return change
			}
			return read
		}, 0, 700, paceWindow},
	} {
		t.Run(name, func(t *testing.T) {
			var p pace
			var sent []turn
			now, told := begin, 0
			var wait time.Duration
			for i := range c.n {
				turn := c.turns(i)
				var news bool
				wait, news = p.take(turn, now)
				if turn.at = now.Add(wait); news {
					told++
				}
				sent = append(sent, turn)
				now = now.Add(c.every)
			}
			if wait != c.last {
				t.Errorf("the last waits %v, want %v", wait, c.last)
			}
			if err := broken(sent); err != nil {
				t.Error(err)
			}
			if (told > 0) != (sent[len(sent)-1].at.After(now) || c.last > 0) {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// broken finds a window with more than GitHub takes.
func broken(sent []turn) error {
	for i := range sent {
		changes, points := 0, 0
		for _, other := range sent[:i+1] {
			if sent[i].at.Sub(other.at) < time.Minute {
				changes, points = changes+other.changes, points+other.points
			}
		}
		if changes > paceChanges || points > pacePoints {
			return fmt.Errorf("request %d is one of %d changes and %d points in a minute", i, changes, points)
		}
	}
	return nil
}
