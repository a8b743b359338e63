package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/task"
)

// ends demands that every task of a run started once, then worked, and ended once; and
// returns how: task → state.
func ends(t *testing.T, events []task.Event, phase string) map[string]task.State {
	t.Helper()
	states := map[string]task.State{}
	for _, e := range events {
		before, known := states[e.Task]
		over := slices.Contains([]task.State{task.Done, task.Failed, task.Stopped}, before)
		switch {
		case e.Phase != phase || e.Task == "":
			t.Errorf("an event of phase %q and task %q", e.Phase, e.Task)
		case e.State == task.Started && known, e.State != task.Started && !known, over:
			t.Errorf("%s is %s after %q", e.Task, e.State, before)
		case e.State == task.Working && e.Stage == "", e.State == task.Failed && e.Text == "", e.State == task.Stopped && e.Text != "":
			t.Errorf("%s: %+v", e.Task, e)
		}
		states[e.Task] = e.State
	}
	for name, state := range states {
		if state == task.Started || state == task.Working {
			t.Errorf("%s never ended: it is %s", name, state)
		}
	}
	return states
}

// only demands that tasks ended in one of the states.
func only(t *testing.T, ended map[string]task.State, states ...task.State) {
	t.Helper()
	for name, state := range ended {
		if !slices.Contains(states, state) {
			t.Errorf("%s is %s, want one of %v", name, state, states)
		}
	}
}

// cut takes a call apart: "Put checksums.txt".
func cut(call string) (edge, subject string, ok bool) { return strings.Cut(call, " ") }
