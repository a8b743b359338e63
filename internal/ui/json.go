package ui

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/org/pgo-release/internal/task"
)

// LineSchema names the form of the lines of mode JSON; every line carries it.
const LineSchema = "https://github.com/org/pgo-release/schema/event/v1"

// Line is one line of mode JSON.
type Line struct {
	Schema  string     `json:"schema"`
	Elapsed float64    `json:"elapsed"` // seconds since the start
	Phase   string     `json:"phase,omitempty"`
	Task    string     `json:"task,omitempty"`
	State   task.State `json:"state"` // of task, or "error" for what ended the run
	Stage   string     `json:"stage,omitempty"`
	Text    string     `json:"text,omitempty"`
	Hint    string     `json:"hint,omitempty"`
	Size    int64      `json:"size,omitempty"`   // bytes
	Took    float64    `json:"took,omitempty"`   // seconds
	Memory  int64      `json:"memory,omitempty"` // bytes
	Of      int        `json:"of,omitempty"`     // tasks that the phase has in all
}

func (r *Reporter) writeJSON(e task.Event) {
	r.line(Line{
		Phase: oneLine(e.Phase), Task: oneLine(e.Task), State: e.State, Stage: oneLine(e.Stage), Text: Clean(e.Text),
		Size: e.Size, Took: e.Took.Seconds(), Memory: e.Memory, Of: e.Number,
	})
}

func (r *Reporter) writeFailure(text, hint string) {
	r.line(Line{State: "error", Text: text, Hint: hint})
}

func (r *Reporter) line(l Line) {
	l.Schema, l.Elapsed = LineSchema, r.options.Now().Sub(r.start).Seconds()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(l) == nil {
		// The runner looks for "##[" anywhere in a line; to JSON this is the same text.
		r.write(strings.ReplaceAll(out.String(), "##[", `#\u0023[`))
	}
}
