// Package ui is the one reporter of a run: it turns the events of package task into
// what people and machines read while it goes on. It writes to one stream and knows
// five ways of doing so: redrawn lines on a terminal, plain lines, groups of GitHub
// Actions, JSON lines, and silence but for warnings and failures.
//
// Texts in events come from compilers, servers and tags. No control character of
// theirs reaches the stream, and none of their lines can be read as a command by the
// runner of GitHub Actions, in whatever mode they are written.
package ui

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
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
	Quiet   Mode = "quiet"   // warnings and failures only
)

// Options say how a Reporter writes.
type Options struct {
	Err      io.Writer // a Redactor's secrets are hidden before lines are cut and indented
	Mode     Mode
	Terminal *os.File         // behind Err, for its size; nil: there is none
	Verbose  bool             // plain lines also for tasks that start, and for their stages
	NoColor  bool             // as NO_COLOR (https://no-color.org) asks
	Width    func() int       // columns; nil: asked of Terminal, else 80
	Height   func() int       // rows; nil: asked of Terminal, else 24
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
	options Options
	start   time.Time
	secrets *Redactor // nil: there are none

	mu      sync.Mutex
	running []*running     // tasks that started and did not end, in the order of their start
	ended   map[string]int // of the tasks that totals counts
	totals  map[string]int
	names   int      // columns of the longest task's name so far
	outputs []string // texts of several lines that failures were reported with
	group   string   // of Actions; empty: none is open
	spans   []Span   // of the tasks that ended
	screen  screen   // of Live
	stop    chan struct{}
	drawing sync.WaitGroup
}

// running is a task that goes on.
type running struct {
	phase, name, stage string
	stages             []Stage
	since              time.Time
	counted            bool // among the tasks that its phase has in all
}

// New makes a Reporter. Close ends it.
func New(o Options) *Reporter {
	r := newReporter(o)
	if o.Mode == Live {
		stop := make(chan struct{}) // Close may come before the goroutine runs
		r.stop = stop
		r.drawing.Go(func() { r.redraw(stop) })
	}
	return r
}

// newReporter makes a Reporter that draws only when it is told to.
func newReporter(o Options) *Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Width == nil {
		o.Width = func() int { width, _ := size(o.Terminal); return width }
	}
	if o.Height == nil {
		o.Height = func() int { _, height := size(o.Terminal); return height }
	}
	secrets, _ := o.Err.(*Redactor)
	return &Reporter{options: o, start: o.Now(), secrets: secrets, ended: map[string]int{}, totals: map[string]int{}}
}

// size asks a terminal for its columns and rows, each time anew: windows change.
func size(f *os.File) (width, height int) {
	if f != nil {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// Progress reports an event. It is a task.Progress.
func (r *Reporter) Progress(e task.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Task, e.Stage, e.Text = r.secrets.Hide(e.Task), r.secrets.Hide(e.Stage), r.secrets.Hide(e.Text)
	r.screen.paused = false
	r.follow(e)
	if r.options.Mode == JSON {
		r.writeJSON(e)
		return
	}
	r.writeLine(e)
}

// follow keeps the account of which tasks go on.
func (r *Reporter) follow(e task.Event) {
	at := slices.IndexFunc(r.running, func(t *running) bool { return t.phase == e.Phase && t.name == e.Task })
	switch e.State {
	case task.Started:
		r.running = append(r.running, &running{phase: e.Phase, name: e.Task, since: r.options.Now(), counted: e.Number > 0})
		r.names = max(r.names, columns(oneLine(e.Task)))
		if e.Number > 0 {
			r.totals[e.Phase] = e.Number
		}
	case task.Working:
		if at >= 0 {
			r.running[at].stage = e.Stage
			r.running[at].stages = append(r.running[at].stages, Stage{Name: e.Stage, Start: r.options.Now().Sub(r.start)})
		}
	case task.Done, task.Failed, task.Stopped:
		if at >= 0 {
			if r.running[at].counted {
				r.ended[e.Phase]++
			}
			r.spans = append(r.spans, Span{
				Phase: e.Phase, Task: e.Task, Start: r.running[at].since.Sub(r.start), End: r.options.Now().Sub(r.start),
				Memory: e.Memory, Stages: r.running[at].stages,
			})
			r.running = slices.Delete(r.running, at, at+1)
		}
	}
}

// Span is when a task went on, from the start of the run.
type Span struct {
	Phase, Task string
	Start, End  time.Duration
	Memory      int64   // bytes that its programs took at most; 0: not known
	Stages      []Stage // in the order in which it entered them
}

// Stage is when a task entered a stage; it ends with the next one, or with the task.
type Stage struct {
	Name  string
	Start time.Duration
}

// Timeline are the tasks that ended so far, in the order in which they began.
func (r *Reporter) Timeline() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.spans)
	slices.SortStableFunc(out, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	return out
}

// Close ends the live lines and the open group. What is reported afterwards is written
// at once.
func (r *Reporter) Close() {
	r.mu.Lock()
	stop := r.stop
	r.stop = nil
	r.mu.Unlock()
	if stop != nil {
		close(stop)
		r.drawing.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = nil
	r.clear()
	r.secrets.Flush()
}

// Break ends the open group and takes the live lines away, so that something else may
// be written; the next event goes on.
func (r *Reporter) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.screen.paused = true
	r.clear()
}

// clear leaves the stream at the beginning of a line, with nothing open.
func (r *Reporter) clear() {
	r.endGroup()
	r.flush(nil)
}

// Error reports what ended the run, with its hint. The output of a failed task that was
// shown already is not shown again; its first line stands for it.
func (r *Reporter) Error(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.secrets.Flush()
	text, hint := Clean(r.secrets.Hide(err.Error())), Clean(r.secrets.Hide(release.HintOf(err)))
	switch r.options.Mode {
	case JSON:
		r.writeFailure(text, hint)
		return
	case Actions:
		// The annotation is read apart from the log, so it says everything.
		if hint != "" {
			text += "\nhint: " + hint
		}
		r.endGroup()
		r.annotate(release.PlacesOf(err))
		title := cmp.Or(release.TitleOf(err), "pgo-release")
		r.print("::error title=" + property(title) + "::" + commandData(text) + "\n")
		return
	}
	for _, output := range r.outputs {
		first, _, _ := strings.Cut(output, "\n")
		text = strings.ReplaceAll(text, output, first+" (see above)")
	}
	r.print(r.paint(red, "pgo-release: ") + r.guard(text) + "\n")
	if hint != "" {
		r.print(r.paint(bold, "hint: ") + r.guard(strings.ReplaceAll(hint, "\n", "\n      ")) + "\n")
	}
	r.flush(nil)
}

// print writes to the stream; on a terminal with the next drawing.
func (r *Reporter) print(text string) {
	if r.options.Mode == Live {
		r.screen.above.WriteString(text)
		if r.stop == nil && len(r.running) == 0 {
			r.flush(nil)
		}
		return
	}
	r.write(text)
}

// write goes to the stream. There is nobody to tell when that fails.
func (r *Reporter) write(text string) { _, _ = io.WriteString(r.options.Err, text) }

// The colours, as SGR parameters (ECMA-48).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

func (r *Reporter) paint(colour, text string) string {
	if r.options.Mode != Live || r.options.NoColor || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// elapsed is the time since the start, in a column of its own.
func (r *Reporter) elapsed() string {
	return fmt.Sprintf("%7s", Duration(r.options.Now().Sub(r.start)))
}
