package ui

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/task"
)

// stage is a live reporter on a terminal, drawn when a test does.
type stage struct {
	*Reporter
	t      *testing.T
	out    *strings.Builder
	clock  *clock
	screen *terminal
	stays  []string // the lines that were said and stay
}

func newStage(t *testing.T, width, height int) *stage {
	s := &stage{t: t, out: &strings.Builder{}, clock: &clock{now: time.Unix(0, 0)}, screen: newTerminal(t, width, height)}
	s.Reporter = newReporter(Options{
		Err: s.out, Mode: Live, Now: s.clock.Now,
		Width: func() int { return s.screen.width }, Height: func() int { return s.screen.height },
	})
	s.stop = make(chan struct{}) // nothing is drawn but by draw
	return s
}

// draw shows what is to be drawn, and tells that the terminal shows that and no more.
func (s *stage) draw() {
	s.t.Helper()
	s.mu.Lock()
	s.keep(s.Reporter.screen.above.String())
	s.flush(s.block())
	s.mu.Unlock()
	s.look()
}

// end does what writes by itself, such as Close.
func (s *stage) end(do func()) {
	s.t.Helper()
	s.keep(s.Reporter.screen.above.String())
	do()
	s.look()
}

func (s *stage) keep(text string) {
	for line := range strings.Lines(text) {
		s.stays = append(s.stays, strings.TrimRight(Clean(line), " \n"))
	}
}

// look tells that the terminal shows what stays, and below it the live lines.
func (s *stage) look() {
	s.t.Helper()
	s.screen.write(s.out.String())
	s.out.Reset()
	want := slices.Clone(s.stays)
	for _, line := range s.Reporter.screen.live {
		want = append(want, strings.TrimRight(line, " "))
		if columns(line) >= s.screen.width {
			s.t.Errorf("%q has %d of %d columns", line, columns(line), s.screen.width)
		}
	}
	if rows := len(s.Reporter.screen.live); rows > 0 && rows >= s.screen.height {
		s.t.Errorf("%d rows in a window of %d", rows, s.screen.height)
	}
	want = append(want, "") // where the cursor is
	if got := s.screen.lines(); !slices.Equal(got, want) {
		s.t.Fatalf("the terminal of %d columns shows\n%s\nwant\n%s", s.screen.width, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

var names = []string{
	"hello linux/amd64", "hello_1.2.3_linux_amd64.tar.gz.spdx.json", "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", "x", "", "e\u0301e\u0301 ✅✅✅",
	"two\nlines", "\x1b[2J\x1b[10Aback", "tab\tand\rreturn", "\u202etfel",
}

// Whatever happens, in whatever window, the terminal shows what was said, once and
// whole, and below it what goes on; at the end nothing is left of that.
func TestScreen(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := newStage(t, 12+random.IntN(90), 2+random.IntN(30))
			resizes := seed%2 == 0
			if resizes {
				s.screen.height = 60
			}
			for range 40 {
				event := task.Event{
					Phase: []string{"make", "ship"}[random.IntN(2)], Task: names[random.IntN(len(names))],
					State: []task.State{task.Started, task.Started, task.Working, task.Done, task.Done, task.Failed, task.Stopped, task.Note, task.Warning}[random.IntN(9)],
					Stage: "describing", Text: strings.Repeat("text ", random.IntN(30)) + []string{"", "end", "\nand more\n"}[random.IntN(3)],
					Size: random.Int64N(2) * 123456, Took: time.Duration(random.Int64N(1e12)), Number: random.IntN(3),
				}
				s.Progress(event)
				s.clock.pass(time.Duration(random.IntN(1000)) * time.Millisecond)
				switch random.IntN(8) {
				case 0:
					if len(s.Reporter.screen.live) > 0 {
						s.screen.press("^C")
					}
				case 1:
					if resizes {
						s.draw()
						s.screen.resize(12+random.IntN(90), 60)
						s.draw()
					}
				case 2:
					s.end(s.Break)
				case 3:
					continue
				}
				s.draw()
			}
			s.end(s.Close)
		})
	}
}

// A line that fills the last column keeps its last character while the rest of the
// screen is drawn.
func TestFullLine(t *testing.T) {
	for _, length := range []int{39, 40, 41, 79, 80, 81} {
		s := newStage(t, 40, 24)
		s.Progress(task.Event{Phase: "make", Task: "running", State: task.Started})
		s.draw()
		s.Progress(task.Event{State: task.Note, Text: strings.Repeat("x", length-1) + "y"})
		s.draw()
		s.Progress(task.Event{State: task.Warning, Text: strings.Repeat("x", length-1-columns("warning: ")) + "y"})
		s.draw()
		s.end(s.Close)
		if got := strings.Count(s.screen.String(), "y"); got != 2 {
			t.Errorf("%d columns:\n%s", length, s.screen)
		}
	}
}

// After Break the place below is somebody else's, until something happens.
func TestBreak(t *testing.T) {
	s := newStage(t, 40, 24)
	s.Progress(task.Event{Phase: "make", Task: "hello", State: task.Started})
	s.draw()
	s.end(s.Break)
	s.draw()
	s.screen.write("a result\n")
	s.keep("a result\n")
	s.draw()
	s.Progress(task.Event{Phase: "make", Task: "hello", State: task.Working, Stage: "packing"})
	s.draw()
	if got := s.screen.String(); !strings.Contains(got, "a result\n⠋ hello  packing 0.0s\n") {
		t.Errorf("got\n%s", got)
	}
	s.end(s.Close)
	if got := s.screen.String(); got != "a result" {
		t.Errorf("got\n%s", got)
	}
}

// Tasks that the total of a phase does not count are not counted.
func TestCount(t *testing.T) {
	s := newStage(t, 80, 24)
	for _, name := range []string{"one", "two"} {
		s.Progress(task.Event{Phase: "ship", Task: name, State: task.Started, Number: 2})
	}
	s.Progress(task.Event{Phase: "ship", Task: "image", State: task.Started})
	s.Progress(task.Event{Phase: "ship", Task: "image", State: task.Done})
	s.Progress(task.Event{Phase: "ship", Task: "never began", State: task.Stopped})
	s.Progress(task.Event{Phase: "ship", Task: "one", State: task.Done})
	s.Progress(task.Event{Phase: "verify", Task: "image", State: task.Started})
	if got := s.count(0); got != "   0.0s  ship 1/2, verify" {
		t.Errorf("%q", got)
	}
}

// In a window of a few rows fewer tasks are shown, and none where there is no room.
func TestLow(t *testing.T) {
	for height, want := range map[int]int{1: 0, 2: 1, 3: 2, 4: 3, 9: 8, 10: 9, 11: 9, 50: 9} {
		s := newStage(t, 80, height)
		for i := range 20 {
			s.Progress(task.Event{Phase: "make", Task: fmt.Sprint(i), State: task.Started})
		}
		if got := len(s.block()); got != want {
			t.Errorf("%d rows: %d lines, want %d", height, got, want)
		}
		s.draw()
	}
}

// watched tells when something was written.
type watched struct {
	text  strings.Builder
	wrote chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	select {
	case w.wrote <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

// The screen goes on while nothing happens, and Close ends that.
func TestRedraw(t *testing.T) {
	w := &watched{wrote: make(chan struct{})}
	r := New(Options{Err: w, Mode: Live, NoColor: true})
	r.Progress(task.Event{Phase: "make", Task: "hello", State: task.Started})
	<-w.wrote
	<-w.wrote
	r.Progress(task.Event{State: task.Note, Text: "said"})
	r.Close()
	screen := newTerminal(t, 80, 24)
	screen.write(w.text.String())
	if got := screen.String(); !strings.HasSuffix(got, "said") || strings.Contains(got, "hello") {
		t.Errorf("got\n%s", got)
	}
}
