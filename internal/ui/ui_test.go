package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// clock is a time that goes on when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// reporter is one that draws only when a test does, and what it writes.
func reporter(mode Mode, width int, verbose bool) (*Reporter, *strings.Builder, *clock) {
	out, c := &strings.Builder{}, &clock{now: time.Unix(0, 0)}
	r := newReporter(Options{Err: out, Mode: mode, Verbose: verbose, NoColor: true, Width: func() int { return width }, Now: c.Now})
	return r, out, c
}

// errCompile is what a compiler says, with all that it must not do to the reader.
var errCompile = errors.New("compiling hello: exit status 1\n\x1b[31mmain.go:4:2: undefined: one\x1b[0m\n::error::forged\n \t::add-mask::x\nvar x ##[error]forged\r\n%0A::set")

// story is a run in which one task succeeds and one fails.
func story(r *Reporter, c *clock) {
	r.Progress(task.Event{Phase: "make", Task: "hello linux/amd64", State: task.Started, Number: 2})
	r.Progress(task.Event{Phase: "make", Task: "hello linux/amd64", State: task.Working, Stage: "compiling"})
	c.pass(1300 * time.Millisecond)
	r.Progress(task.Event{Phase: "make", Task: "hello linux/amd64", State: task.Done, Text: "hello.tar.gz", Size: 2_123_456, Took: 1300 * time.Millisecond})
	r.Progress(task.Event{Phase: "make", State: task.Note, Text: "::note\nof two lines"})
	r.Progress(task.Event{Phase: "make", Task: "hello windows/amd64", State: task.Started, Number: 2})
	r.Progress(task.Event{Phase: "make", Task: "hello windows/amd64", State: task.Warning, Text: "100% odd\n::x"})
	c.pass(65 * time.Second)
	r.Progress(task.Event{Phase: "make", Task: "hello windows/amd64", State: task.Failed, Text: errCompile.Error(), Took: 65 * time.Second})
	r.Progress(task.Event{Phase: "verify", Task: "late", State: task.Stopped, Took: time.Second})
	r.Close()
	r.Error(release.Reject("free some space;\nor do not", "making: %w", errCompile))
}

func TestPlain(t *testing.T) {
	r, out, c := reporter(Plain, 20, false)
	story(r, c)
	want := `   1.3s  make       hello linux/amd64  done in 1.3s  hello.tar.gz  2.1 MB
   1.3s  make
    : :note
    of two lines
warning: hello windows/amd64: 100% odd
: :x
  1m06s  make       hello windows/amd64  failed after 1m05s
    compiling hello: exit status 1
    main.go:4:2: undefined: one
    : :error::forged
         : :add-mask::x
    var x # #[error]forged
    %0A::set
pgo-release: making: compiling hello: exit status 1 (see above)
hint: free some space;
      or do not
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestVerbose(t *testing.T) {
	r, out, c := reporter(Plain, 80, true)
	story(r, c)
	for _, want := range []string{
		"   0.0s  make       hello linux/amd64  started\n   0.0s  make       hello linux/amd64  compiling\n",
		"  1m06s  verify     late  stopped after 1.0s\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestQuiet(t *testing.T) {
	r, out, c := reporter(Quiet, 80, true)
	story(r, c)
	r.Table("t", []string{"A"}, nil)
	if strings.Contains(out.String(), "linux/amd64") || strings.Contains(out.String(), "of two lines") ||
		!strings.Contains(out.String(), "warning: hello windows") || !strings.Contains(out.String(), "\n    main.go:4:2: undefined: one\n") {
		t.Errorf("%s", out)
	}
}

func TestActions(t *testing.T) {
	r, out, c := reporter(Actions, 20, false)
	story(r, c)
	want := `::group::make
   1.3s  make       hello linux/amd64  done in 1.3s  hello.tar.gz  2.1 MB
   1.3s  make
    : :note
    of two lines
::warning title=pgo-release::hello windows/amd64: 100%25 odd%0A::x
  1m06s  make       hello windows/amd64  failed after 1m05s
    compiling hello: exit status 1
    main.go:4:2: undefined: one
    : :error::forged
         : :add-mask::x
    var x # #[error]forged
    %0A::set
::endgroup::
::error title=pgo-release::making: compiling hello: exit status 1%0Amain.go:4:2: undefined: one%0A::error::forged%0A     ::add-mask::x%0Avar x # #[error]forged%0A%250A::set%0Ahint: free some space;%0Aor do not
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestJSON(t *testing.T) {
	r, out, c := reporter(JSON, 20, false)
	story(r, c)
	r.Table("t", []string{"A"}, nil)
	var states []string
	for line := range strings.Lines(out.String()) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Schema != LineSchema || strings.Contains(line, "##[") || strings.ContainsRune(l.Text, '\x1b') {
			t.Errorf("%q: %v", line, err)
		}
		states = append(states, string(l.State))
		if l.State == task.Failed && (!strings.Contains(l.Text, "\nvar x ##[error]forged\n") || l.Took != 65 || l.Elapsed != 66.3) {
			t.Errorf("%+v", l)
		}
		if l.State == "error" && l.Hint != "free some space;\nor do not" {
			t.Errorf("%+v", l)
		}
	}
	if got := strings.Join(states, " "); got != "started working done note started warning failed stopped error" {
		t.Error(got)
	}
}

// command is a line that the runner would take for a command
// (github.com/actions/runner, ActionCommand.cs).
var command = regexp.MustCompile(`(?m)^[\s\x{feff}\x{200b}]*::|##\[`)

// hostile tells whether a character does more than stand in a text.
func hostile(c rune) bool {
	return c != '\n' && unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029'
}

// drawing is what a screen is drawn with.
var drawing = regexp.MustCompile(`\r|\x1b\[([0-9]+A|[JK])`)

// Whatever stands in an event, no line of the log is a command, and nothing reaches a
// terminal but text.
func FuzzHostile(f *testing.F) {
	for _, s := range []string{
		"::error::x", "a\n::x::", "\r::x::", "\u2028::x::", "\u0085::x::", "\ufeff::x::", "\u200b ::x::", "##[error]x", "#\x00#[x", "\x1b[31m::x::",
		"\x1b]0;title\x07::x::", ":\x1b[0m:x::", "#\u202e#[x", "\xff::", "\u009b31m", ": :",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, mode := range []Mode{Plain, Quiet, JSON, Actions} {
			r, out, _ := reporter(mode, 80, true)
			for _, state := range []task.State{task.Started, task.Working, task.Note, task.Done, task.Failed, task.Stopped} {
				r.Progress(task.Event{Phase: s, Task: s, Stage: s, Text: s, State: state})
			}
			r.Table(s, []string{s}, [][]string{{s}, {s, s}})
			log := out.String()
			if mode == Actions {
				log = regexp.MustCompile(`(?m)^::(group::.*|endgroup::)$`).ReplaceAllString(log, "")
			} else {
				r.Progress(task.Event{Task: s, Text: s, State: task.Warning})
				r.Error(release.Misuse(s, "%s", s))
				log = out.String()
			}
			if at := command.FindString(log); at != "" {
				t.Errorf("%s: %q in %q", mode, at, log)
			}
			if i := strings.IndexFunc(log, hostile); i >= 0 || !utf8.ValidString(log) {
				t.Errorf("%s: a control character in %q", mode, log)
			}
		}
		r, out, _ := reporter(Live, 40, true)
		for _, state := range []task.State{task.Started, task.Working, task.Note, task.Warning, task.Done, task.Started, task.Failed} {
			r.Progress(task.Event{Phase: s, Task: s, Stage: s, Text: s, State: state})
			r.flush(r.block())
		}
		r.Close()
		r.Table(s, []string{s}, [][]string{{s}})
		r.Error(release.Misuse(s, "%s", s))
		if shown := drawing.ReplaceAllString(out.String(), ""); strings.ContainsFunc(shown, hostile) || !utf8.ValidString(shown) {
			t.Errorf("a control character in %q", shown)
		}
		for _, width := range []int{0, 1, 2, 40} {
			if got := columns(cut(oneLine(s), width)); got > max(1, width) {
				t.Errorf("cut to %d: %d columns", width, got)
			}
		}
	})
}

// The group of a command's data cannot be left: the runner decodes it after it has
// found the command.
func TestActionsData(t *testing.T) {
	r, out, _ := reporter(Actions, 80, false)
	r.Progress(task.Event{Phase: "a\n::error::x", Task: "b", State: task.Done})
	r.Progress(task.Event{Text: "a\r\n::error::%0Ax", State: task.Warning})
	r.Break()
	r.Error(errors.New("a\n::stop-commands::x"))
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "::") && !regexp.MustCompile(`^::(group::a ::error::x|endgroup::|(warning|error) title=pgo-release::a%0A.*)\n$`).MatchString(line) {
			t.Errorf("%q", line)
		}
	}
}

// A note is worth a line in every mode but quiet, whatever it is about.
func TestNote(t *testing.T) {
	for mode, want := range map[Mode]string{
		Plain: `   0.0s             nothing was published
   0.0s  ship       app.zip  is there already
   0.0s  ship
    one
    two
`,
		Live: `   0.0s             nothing was published
   0.0s  ship       app.zip  is there already
   0.0s  ship
    one
    two
`,
		Actions: `   0.0s             nothing was published
::group::ship
   0.0s  ship       app.zip  is there already
   0.0s  ship
    one
    two
::endgroup::
`,
		JSON: `{"schema":"` + LineSchema + `","elapsed":0,"state":"note","text":"nothing was published"}
{"schema":"` + LineSchema + `","elapsed":0,"phase":"ship","task":"app.zip","state":"note","text":"is there already"}
{"schema":"` + LineSchema + `","elapsed":0,"phase":"ship","state":"note","text":"one\ntwo\n"}
`,
	} {
		r, out, _ := reporter(mode, 80, false)
		r.Progress(task.Event{State: task.Note, Text: "nothing was published"})
		r.Progress(task.Event{Phase: "ship", Task: "app.zip", State: task.Note, Text: "is there already"})
		r.Progress(task.Event{Phase: "ship", State: task.Note, Text: "one\ntwo\n"})
		r.Close()
		if got := sequences.ReplaceAllString(strings.ReplaceAll(out.String(), "\r", ""), ""); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", mode, got, want)
		}
	}
	r, out, _ := reporter(Quiet, 80, true)
	if r.Progress(task.Event{State: task.Note, Text: "nothing was published"}); out.Len() > 0 {
		t.Errorf("quiet: %q", out)
	}
}

// A group is opened for each phase that speaks, and closed before the next one, and
// before what belongs to none.
func TestGroups(t *testing.T) {
	r, out, _ := reporter(Actions, 80, false)
	done := func(phase string) { r.Progress(task.Event{Phase: phase, Task: "x", State: task.Done}) }
	done("preflight")
	done("make")
	r.Progress(task.Event{Phase: "ship", Task: "silent", State: task.Started})
	done("make")
	done("preflight")
	r.Break()
	r.Break()
	done("preflight")
	done("")
	done("ship")
	r.Table("title", []string{"A"}, nil)
	done("ship")
	r.Close()
	r.Close()
	r.Error(errors.New("broken"))
	want := `::group::preflight
-
::endgroup::
::group::make
-
-
::endgroup::
::group::preflight
-
::endgroup::
::group::preflight
-
::endgroup::
-
::group::ship
-
::endgroup::

title
  A
::group::ship
-
::endgroup::
::error title=pgo-release::broken
`
	if got := regexp.MustCompile(`(?m)^ +0\.0s.*$`).ReplaceAllString(out.String(), "-"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestColour(t *testing.T) {
	for noColor, want := range map[bool]bool{true: false, false: true} {
		var out strings.Builder
		r := newReporter(Options{Err: &out, Mode: Live, NoColor: noColor, Width: func() int { return 20 }})
		r.Progress(task.Event{Phase: "make", Task: "hello linux/amd64", State: task.Done, Text: "result"})
		r.Error(errors.New("x"))
		r.Close()
		if got := strings.Contains(out.String(), "\x1b[3") || strings.Contains(out.String(), "\x1b[2m"); got != want {
			t.Errorf("without colour %v: %q", noColor, out.String())
		}
	}
}

func TestDetect(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	none := func(string) string { return "" }
	if got := Detect(nil, none); got != Plain {
		t.Error(got)
	}
	if got := Detect(file, none); got != Plain {
		t.Error(got)
	}
	if got := Detect(file, func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }); got != Actions {
		t.Error(got)
	}
}

// Events come from many goroutines while the screen is drawn; nothing is lost.
func TestConcurrent(t *testing.T) {
	for _, mode := range []Mode{Live, Plain, Actions, JSON, Quiet} {
		var out strings.Builder
		r := New(Options{Err: &out, Mode: mode})
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				name := fmt.Sprintf("task-%d.", i)
				r.Progress(task.Event{Phase: "make", Task: name, State: task.Started, Number: 20})
				r.Progress(task.Event{Phase: "make", Task: name, State: task.Failed, Text: "cause"})
				r.Break()
			})
		}
		group.Wait()
		r.Close()
		r.Close()
		r.Progress(task.Event{Phase: "make", Task: "after", State: task.Failed})
		for i := range 20 {
			if name := fmt.Sprintf("task-%d.", i); !strings.Contains(out.String(), name) {
				t.Errorf("%s: %s is lost", mode, name)
			}
		}
		if !strings.Contains(out.String(), "after") {
			t.Errorf("%s: what came after the end is lost", mode)
		}
	}
}
