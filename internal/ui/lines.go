package ui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// writeLine writes what of an event stays on the screen.
func (r *Reporter) writeLine(e task.Event) {
	seldom := e.State == task.Started || e.State == task.Working || e.State == task.Stopped
	switch {
	case e.State == task.Warning:
		r.warn(e)
	case e.State == task.Failed:
		text := strings.TrimRight(Clean(e.Text), "\n")
		if strings.Contains(text, "\n") && !slices.Contains(r.outputs, text) {
			r.outputs = append(r.outputs, text)
		}
		r.entry(e, r.paint(red, "failed")+" after "+Duration(e.Took), below(text))
	case r.options.Mode == Quiet || seldom && !r.options.Verbose:
	case e.State == task.Note:
		r.entry(e, "", strings.TrimPrefix(below(strings.TrimRight(Clean(e.Text), "\n")), ": "))
	default:
		r.entry(e, r.state(e), result(e))
	}
}

// state says in a few words what happened to a task.
func (r *Reporter) state(e task.Event) string {
	switch e.State {
	case task.Started:
		return "started"
	case task.Working:
		return oneLine(e.Stage)
	case task.Stopped:
		return "stopped after " + Duration(e.Took)
	}
	return r.paint(green, "done") + " in " + Duration(e.Took)
}

// result says what came of a task that is done.
func result(e task.Event) string {
	var text string
	if e.State != task.Done {
		return ""
	}
	if what := oneLine(e.Text); what != "" {
		text += "  " + what
	}
	if e.Size > 0 {
		text += "  " + Size(e.Size)
	}
	return text
}

// entry writes a line about a task: what happened, and directly behind it the text. On
// a terminal it takes one row, in which the text is shortened first, then the name, and
// never what happened; unless it is about a failure or a note: these are there to be
// read whole.
func (r *Reporter) entry(e task.Event, state, text string) {
	r.enter(oneLine(e.Phase))
	whole := e.State == task.Failed || e.State == task.Note
	line := ""
	if r.options.Mode != Live || r.options.Width() >= roomy {
		line = r.paint(dim, r.elapsed()) + "  " + pad(oneLine(e.Phase), phaseColumns) + "  "
	}
	if name := oneLine(e.Task); name != "" {
		if r.options.Mode == Live && !whole {
			name = r.nameBefore(name, columns(line), state)
		}
		line += name + "  "
	}
	line += state
	if strings.HasPrefix(text, "\n") {
		line = strings.TrimRight(line, " ")
	}
	const least = 8 // columns of a text that says something
	if r.options.Mode != Live || whole || columns(line)+min(columns(text), least) < r.options.Width() {
		line += text
	}
	switch {
	case r.options.Mode != Live:
		line = r.guard(line)
	case !whole:
		line = cut(line, r.options.Width()-1)
	}
	r.print(line + "\n")
}

// The columns that are kept for phases, and at most for names of tasks, so that what
// stands behind them is aligned; and from which width on a terminal has room for times
// and phases.
const (
	phaseColumns = len("preflight")
	maxName      = 32
	roomy        = 60
)

// nameBefore is a task's name in a line of a terminal, in which it stands behind used
// columns and before what happened: filled up, so that this is aligned, or shortened, so
// that it can be read.
func (r *Reporter) nameBefore(name string, used int, state string) string {
	width := r.options.Width()
	room := width - 1 - used - columns("  "+state)
	return pad(elide(oneLine(name), room), min(r.names, maxName, width/2, room))
}

func (r *Reporter) warn(e task.Event) {
	text := strings.TrimRight(Clean(e.Text), "\n")
	if name := oneLine(e.Task); name != "" {
		text = name + ": " + text
	}
	if r.options.Mode == Actions {
		r.print("::warning title=pgo-release::" + commandData(text) + "\n")
		return
	}
	r.print(r.guard(r.paint(yellow, "warning: ")+text) + "\n")
}

// enter opens the group of a phase in Actions. Phases overlap a little; a group is
// closed when another phase speaks.
func (r *Reporter) enter(phase string) {
	if r.options.Mode != Actions || r.group == phase {
		return
	}
	r.endGroup()
	if phase != "" {
		r.group = phase
		r.print("::group::" + commandData(phase) + "\n")
	}
}

func (r *Reporter) endGroup() {
	if r.group != "" {
		r.group = ""
		r.print("::endgroup::\n")
	}
}

// guard keeps the lines of a text from being commands to the runner: it takes "::" at
// the beginning of a line for one, whatever blanks stand before it, and "##[" anywhere
// (github.com/actions/runner, ActionCommand.cs). Only a terminal has no runner behind
// it; a plain stream may be read by one.
func (r *Reporter) guard(text string) string {
	if r.options.Mode == Live {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimLeftFunc(line, blank), "::") {
			line = strings.Replace(line, "::", ": :", 1)
		}
		lines[i] = strings.ReplaceAll(line, "##[", "# #[")
	}
	return strings.Join(lines, "\n")
}

// blank tells whether some program may take a character for a blank, or for nothing.
func blank(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }

// below puts a text of several lines below what it belongs to; one line goes behind it.
func below(text string) string {
	switch {
	case text == "":
		return ""
	case !strings.Contains(text, "\n"):
		return ": " + text
	}
	return "\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// commandData escapes the data of a workflow command, as the runner decodes it.
func commandData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", "##[", "# #[").Replace(text)
}

// maxPlaces is how many places of an error are annotated: GitHub shows ten annotations of
// a kind for a step.
const maxPlaces = 9

// annotate shows what is wrong at the lines that it is about, beside the code.
func (r *Reporter) annotate(places []release.Place) {
	for _, p := range places[:min(len(places), maxPlaces)] {
		column := ""
		if p.Column > 0 {
			column = fmt.Sprintf(",col=%d", p.Column)
		}
		r.print(fmt.Sprintf("::error file=%s,line=%d%s,title=pgo-release::%s\n", property(p.File), p.Line, column, commandData(Clean(r.secrets.Hide(p.Text)))))
	}
}

// property is the value of a property of a command to the runner.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandData(Clean(text)))
}

// pad fills a text up to a number of columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-columns(text)))
}
