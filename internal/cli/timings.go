package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/org/pgo-release/internal/ui"
)

// tellTimings shows where the time went, where that was asked for: also of a run that
// failed.
func (a *app) tellTimings() error {
	if !a.values.Bool("timings") || a.values.Bool("json") { // whose events say it
		return nil
	}
	a.reporter.Break()
	if _, err := fmt.Fprint(a.Err, a.reporter.Inert(timings(a.reporter.Timeline()))); err != nil {
		return fmt.Errorf("printing the timings: %w", err)
	}
	return nil
}

// timings are the tasks in the order of their beginning, and the phases: for how long one
// went on with a single task at its end, for which whatever comes after had to wait.
func timings(spans []ui.Span) string {
	if len(spans) == 0 {
		return ""
	}
	var text, rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	text.WriteString("\n")
	_, _ = fmt.Fprintln(table, "  BEGAN\tTOOK\tMEMORY\tPHASE\tTASK\tSTAGES") // to memory, as all that follows
	tasks := map[string][]ui.Span{}
	var phases []string
	for _, s := range spans {
		memory := ""
		if s.Memory > 0 {
			memory = ui.Size(s.Memory)
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", ui.Duration(s.Start), ui.Duration(s.End-s.Start), memory, s.Phase, s.Task, stages(s))
		if tasks[s.Phase] == nil {
			phases = append(phases, s.Phase)
		}
		tasks[s.Phase] = append(tasks[s.Phase], s)
	}
	_ = table.Flush()
	for row := range strings.Lines(rows.String()) {
		text.WriteString(strings.TrimRight(row, " \n") + "\n")
	}
	text.WriteString("\n")
	for _, phase := range phases {
		all := slices.SortedFunc(slices.Values(tasks[phase]), func(a, b ui.Span) int { return cmp.Compare(b.End, a.End) })
		if len(all) == 1 {
			continue
		}
		if alone := all[0].End - max(all[0].Start, all[1].End); alone >= 100*time.Millisecond {
			fmt.Fprintf(&text, "  %s waited %s for its last task\n", phase, ui.Duration(alone))
		}
	}
	fmt.Fprintf(&text, "  nothing of all that went on for %s\n", ui.Duration(idle(spans)))
	return text.String()
}

// stages are how long a task was in each of its stages.
func stages(s ui.Span) string {
	var out []string
	for i, stage := range s.Stages {
		end := s.End
		if i+1 < len(s.Stages) {
			end = s.Stages[i+1].Start
		}
		out = append(out, stage.Name+" "+ui.Duration(end-stage.Start))
	}
	return strings.Join(out, ", ")
}

// idle is how long no task went on before the last one ended. spans are in the order of
// their beginning.
func idle(spans []ui.Span) time.Duration {
	var gaps, until time.Duration
	for _, s := range spans {
		gaps += max(0, s.Start-until)
		until = max(until, s.End)
	}
	return gaps
}
