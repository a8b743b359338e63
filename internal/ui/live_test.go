package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/task"
)

// On a terminal, what ended stays above and what goes on stands below, in rows that do
// not wrap; at the end nothing is left of it.
func TestLive(t *testing.T) {
	r, out, c := reporter(Live, 40, false)
	draw := func() { r.mu.Lock(); r.flush(r.block()); r.mu.Unlock() }
	screen := newTerminal(t, 40, 24)
	look := func(when string, want ...string) {
		t.Helper()
		screen.write(out.String())
		out.Reset()
		if got := screen.String(); got != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", when, got, strings.Join(want, "\n"))
		}
	}
	for i, name := range []string{"hello linux/amd64", "hello 漢字", "a task with a name that is longer than the window"} {
		r.Progress(task.Event{Phase: "make", Task: name, State: task.Started, Number: 4})
		c.pass(time.Duration(i) * time.Second)
	}
	r.Progress(task.Event{Phase: "make", Task: "hello 漢字", State: task.Working, Stage: "packing"})
	if out.Len() > 0 {
		t.Errorf("events are drawn at once: %q", out)
	}
	draw()
	first := string([]rune(spinner)[int(3*time.Second/frame)%10])
	look("running",
		first+" hello linux/amd64     waiting 3.0s",
		first+" hello 漢字            packing 3.0s",
		first+" a task with… the window  waiting 2.0s",
		"   3.0s  make 0/4")
	r.Progress(task.Event{Phase: "make", Task: "hello linux/amd64", State: task.Working, Stage: "link"})
	draw()
	look("a shorter line",
		first+" hello linux/amd64     link 3.0s",
		first+" hello 漢字            packing 3.0s",
		first+" a task with… the window  waiting 2.0s",
		"   3.0s  make 0/4")
	r.Progress(task.Event{Phase: "make", Task: "hello 漢字", State: task.Done, Text: "x", Took: time.Second})
	r.Progress(task.Event{Phase: "make", Task: "a task with a name that is longer than the window", State: task.Failed, Text: "one\ntwo", Took: time.Second})
	r.Progress(task.Event{Phase: "ship", Task: "hello_1.2.3_linux_amd64.tar.gz.spdx.json", State: task.Done, Text: "x", Took: time.Second})
	c.pass(frame)
	draw()
	ended := []string{
		"hello 漢字            done in 1.0s  x",
		"a task with a name that is longer than the window  failed after 1.0s",
		"    one",
		"    two",
		"hello_1.2.3_…gz.spdx.json  done in 1.0s",
	}
	look("three ended", append(ended,
		string([]rune(spinner)[int((3*time.Second+frame)/frame)%10])+" hello linux/amd64     link 3.1s",
		"   3.1s  make 2/4")...)
	r.Close()
	r.Error(errors.New("x: one\ntwo"))
	look("closed", append(ended, "pgo-release: x: one (see above)")...)
}

// More tasks than a window has room for are counted.
func TestLiveMany(t *testing.T) {
	r, _, _ := reporter(Live, 80, false)
	for i := range 20 {
		r.Progress(task.Event{Phase: "make", Task: fmt.Sprint("task ", i), State: task.Started})
	}
	block := r.block()
	if len(block) != maxLive+1 || block[maxLive] != "   0.0s  make, 12 more running" {
		t.Errorf("%q", block)
	}
}

// A window that became narrower has broken lines into more rows.
func TestRows(t *testing.T) {
	s := screen{live: []string{strings.Repeat("x", 79), strings.Repeat("x", 40), "", "x漢字漢字"}}
	for width, want := range map[int]int{80: 4, 79: 4, 78: 5, 40: 5, 39: 7, 8: 18, 4: 34, 3: 46} {
		if got := s.rows(width); got != want {
			t.Errorf("%d columns: %d rows, want %d", width, got, want)
		}
	}
}
