// Package ui is the one reporter of a run: it turns the events of package task into
// what people and machines read while it goes on. It writes to one stream and knows
// five ways of doing so: redrawn lines on a terminal, plain lines, groups of GitHub
// Actions, JSON lines, and silence but for warnings and errors.
//
// Texts in events come from compilers, servers and tags. No control character of
// theirs reaches the stream, and in Actions none of their lines can be read as a
// command to the runner.
package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Mode is a way of reporting.
type Mode string

// The modes.
const (
	Plain   Mode = "plain"   // a line for each task that ends, with the time since the start
	Live    Mode = "live"    // plain, and the running tasks below, redrawn
	Actions Mode = "actions" // plain, in a group for each phase
	JSON    Mode = "json"    // an object on a line for each event, see Line
	Quiet   Mode = "quiet"   // warnings and errors only
)

// Options say how a Reporter writes.
type Options struct {
	Err      io.Writer
	Mode     Mode
	Terminal *os.File         // behind Err, for its width; nil: there is none
	Verbose  bool             // plain lines also for tasks that start
	NoColor  bool             // as NO_COLOR (https://no-color.org) asks
	Width    func() int       // columns; nil: asked of Terminal, else 80
	Now      func() time.Time // nil: time.Now
}

// Detect is the mode for a stream: Actions in GitHub Actions, Live on a terminal that
// can be drawn on, else Plain. The file may be nil.
func Detect(f *os.File, getenv func(string) string) Mode {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return Actions
	case f != nil && term.IsTerminal(int(f.Fd())) && getenv("TERM") != "dumb":
		return Live
	}
	return Plain
}

// Reporter reports one run. Its methods may be called from several goroutines.
type Reporter struct {
	Options
	start time.Time

	mu      sync.Mutex
	running []*running // tasks that started and did not end, in the order of their start
	ended   map[string]int
	totals  map[string]int
	group   string // of Actions; empty: none is open
	drawn   int    // lines of the live block on the screen
	stop    chan struct{}
	drawing sync.WaitGroup
}

// running is a task that goes on.
type running struct {
	phase, name, stage string
	since              time.Time
}

// New makes a Reporter. Close ends it.
func New(o Options) *Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width == nil {
		o.Width = widthOf(o.Terminal)
	}
	r := &Reporter{Options: o, start: o.Now(), ended: map[string]int{}, totals: map[string]int{}}
	if o.Mode == Live {
		r.stop = make(chan struct{})
		r.drawing.Go(r.redraw)
	}
	return r
}

// widthOf asks a terminal for its width, each time anew: windows change.
func widthOf(f *os.File) func() int {
	return func() int {
		if f != nil {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				return width
			}
		}
		return 80
	}
}

// Progress reports an event. It is a task.Progress.
func (r *Reporter) Progress(e task.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.State {
	case task.Started:
		r.running = append(r.running, &running{phase: e.Phase, name: e.Task, since: r.Now()})
		if e.Number > 0 {
			r.totals[e.Phase] = e.Number
		}
	case task.Working:
		if t := r.find(e); t != nil {
			t.stage = e.Stage
		}
	case task.Done, task.Failed, task.Stopped:
		r.forget(e)
		r.ended[e.Phase]++
	}
	if r.Mode == JSON {
		r.writeJSON(e)
		return
	}
	r.erase()
	r.writeLine(e)
	r.draw()
}

func (r *Reporter) find(e task.Event) *running {
	for _, t := range r.running {
		if t.phase == e.Phase && t.name == e.Task {
			return t
		}
	}
	return nil
}

func (r *Reporter) forget(e task.Event) {
	for i, t := range r.running {
		if t.phase == e.Phase && t.name == e.Task {
			r.running = append(r.running[:i], r.running[i+1:]...)
			return
		}
	}
}

// Close ends the live lines and the open group.
func (r *Reporter) Close() {
	if r.stop != nil {
		close(r.stop)
		r.drawing.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	r.running = nil
	r.endGroup()
	r.stop = nil
}

// Break ends the open group and takes the live lines away, so that something else may
// be written; the next event goes on.
func (r *Reporter) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	r.endGroup()
}

// Error reports what ended the run, with its hint.
func (r *Reporter) Error(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, hint := err.Error(), release.HintOf(err)
	if r.Mode == JSON {
		r.writeFailure(text, hint)
		return
	}
	r.erase()
	r.endGroup()
	if r.Mode == Actions {
		message := text
		if hint != "" {
			message += "\n" + hint
		}
		r.print("::error title=pgo-release::" + commandData(Clean(message)) + "\n")
	}
	lines := strings.Split(Clean(text), "\n")
	r.print(r.paint(red, "pgo-release: ") + r.guard(strings.Join(lines, "\n")) + "\n")
	if hint != "" {
		r.print(r.paint(bold, "hint: ") + r.guard(strings.ReplaceAll(Clean(hint), "\n", "\n      ")) + "\n")
	}
}

// print writes to the stream. There is nobody to tell when that fails.
func (r *Reporter) print(text string) { _, _ = io.WriteString(r.Err, text) }

// The colours, as SGR parameters (ECMA-48).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

func (r *Reporter) paint(colour, text string) string {
	if r.Mode != Live || r.NoColor {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// elapsed is the time since the start, in a column of its own.
func (r *Reporter) elapsed() string {
	return fmt.Sprintf("%7s", Duration(r.Now().Sub(r.start)))
}
