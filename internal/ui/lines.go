package ui

import (
	"fmt"
	"strings"

	"github.com/org/pgo-release/internal/task"
)

// writeLine writes what of an event stays on the screen.
func (r *Reporter) writeLine(e task.Event) {
	if r.Mode == Quiet && e.State != task.Warning {
		return
	}
	text := Clean(e.Text)
	switch e.State {
	case task.Started:
		if !r.Verbose {
			return
		}
		text = "started"
	case task.Working:
		if !r.Verbose {
			return
		}
		text = Clean(e.Stage)
	case task.Done:
		if e.Size > 0 {
			text += "  " + Size(e.Size)
		}
		text = strings.TrimSpace(r.paint(green, "done") + " in " + Duration(e.Took) + "  " + text)
	case task.Stopped:
		if !r.Verbose {
			return
		}
		text = "stopped after " + Duration(e.Took)
	case task.Failed:
		text = r.paint(red, "failed") + " after " + Duration(e.Took) + indent(text)
	case task.Warning:
		r.warn(e, text)
		return
	}
	r.enter(e.Phase)
	name := Clean(e.Task)
	if name != "" {
		name += "  "
	}
	line := fmt.Sprintf("%s  %-9s  %s%s", r.paint(dim, r.elapsed()), Clean(e.Phase), name, text)
	r.print(r.fit(line) + "\n")
}

func (r *Reporter) warn(e task.Event, text string) {
	if name := Clean(e.Task); name != "" {
		text = name + ": " + text
	}
	if r.Mode == Actions {
		r.print("::warning title=pgo-release::" + commandData(text) + "\n")
		return
	}
	r.print(r.fit(r.paint(yellow, "warning: ")+text) + "\n")
}

// fit guards a text for the stream; on a terminal, a single line is cut at its edge, so
// that it takes one row. What has several lines is there to be read whole.
func (r *Reporter) fit(text string) string {
	if r.Mode == Live && !strings.Contains(text, "\n") {
		return cut(text, r.Width())
	}
	return r.guard(text)
}

// enter opens the group of a phase in Actions. Phases overlap a little; a group is
// closed when another phase speaks.
func (r *Reporter) enter(phase string) {
	if r.Mode != Actions || r.group == phase {
		return
	}
	r.endGroup()
	r.group = phase
	r.print("::group::" + commandData(Clean(phase)) + "\n")
}

func (r *Reporter) endGroup() {
	if r.group != "" {
		r.group = ""
		r.print("::endgroup::\n")
	}
}

// guard keeps the lines of a text from being commands to the runner.
func (r *Reporter) guard(text string) string {
	if r.Mode != Actions {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			line = strings.Replace(line, "::", ": :", 1)
		}
		lines[i] = strings.ReplaceAll(line, "##[", "# #[")
	}
	return strings.Join(lines, "\n")
}

// Table writes rows under a header, in columns that are as wide as their content. On a
// terminal lines are cut at its edge. Columns whose header is SIZE are aligned right.
func (r *Reporter) Table(title string, header []string, rows [][]string) {
	if r.Mode == Quiet || r.Mode == JSON {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	r.endGroup()
	r.print("\n" + r.paint(bold, r.guard(Clean(title))) + "\n")
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(Clean(cell))))
		}
	}
	for n, row := range append([][]string{header}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			cell = Clean(cell)
			gap := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if header[i] == "SIZE" {
				cell = gap + cell
			} else if i < len(row)-1 {
				cell += gap
			}
			line.WriteString("  " + cell)
		}
		text := r.fit(strings.TrimRight(line.String(), " "))
		if n == 0 {
			text = r.paint(dim, text)
		}
		r.print(text + "\n")
	}
	r.draw()
}
