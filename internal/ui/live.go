package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// frame is how often the screen is drawn; events that come faster are shown together.
const frame = 120 * time.Millisecond

// spinner are the signs that show that a task goes on.
const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

// maxLive is how many running tasks are shown.
const maxLive = 8

// screen is what a terminal shows: lines that stay and scroll away, and below them the
// live lines, which are drawn again and again. The cursor is not hidden: whatever ends
// the process, the terminal is as it was.
type screen struct {
	above  strings.Builder // lines that stay and were not written yet
	live   []string        // the live lines that are on the screen
	paused bool            // something else is written here: nothing is drawn until the next event
}

// The control sequences that a screen is drawn with (ECMA-48).
const (
	clearLine  = "\x1b[K" // from the cursor to the end of the line
	clearBelow = "\x1b[J" // from the cursor to the end of the screen
)

func (r *Reporter) redraw(stop <-chan struct{}) {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			r.mu.Lock()
			r.flush(r.block())
			r.mu.Unlock()
		}
	}
}

// flush writes the lines that stay, and below them the live ones, over what is there.
// All of it is one write, and lines are overwritten and not erased first: nothing
// flickers. It ends with the cursor at the beginning of a line.
func (r *Reporter) flush(block []string) {
	s := &r.screen
	if s.above.Len() == 0 && len(block) == 0 && len(s.live) == 0 {
		return
	}
	width := r.options.Width()
	var out strings.Builder
	out.WriteString("\r") // keys that were pressed have moved the cursor
	if rows := s.rows(width); rows > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", rows)
		if rows > len(s.live) { // some terminals would join these rows for ever
			out.WriteString(clearBelow)
		}
	}
	for line := range strings.Lines(s.above.String()) {
		line = strings.TrimSuffix(line, "\n")
		out.WriteString(line)
		if _, used := wrap(line, width); used < width { // else it would take the last character
			out.WriteString(clearLine)
		}
		out.WriteString("\n")
	}
	s.above.Reset()
	left := len(s.live) > 0
	s.live = s.live[:0]
	for _, line := range block {
		line = cut(line, width-1)
		s.live = append(s.live, line)
		out.WriteString(line + clearLine + "\n")
	}
	if left {
		out.WriteString(clearBelow)
	}
	r.write(out.String())
}

// rows is how many rows the live lines take: a window that became narrower has wrapped
// them.
func (s *screen) rows(width int) int {
	sum := 0
	for _, line := range s.live {
		rows, _ := wrap(line, width)
		sum += rows
	}
	return sum
}

// block are the live lines: one for each running task as far as the window has rows,
// and one that counts.
func (r *Reporter) block() []string {
	if len(r.running) == 0 || r.screen.paused {
		return nil
	}
	height := r.options.Height() - 1 // the cursor has a row of its own
	if height < 1 {
		return nil
	}
	shown := r.running[:min(len(r.running), maxLive, height-1)]
	signs := []rune(spinner)
	now := r.options.Now()
	sign := string(signs[int(now.Sub(r.start)/frame)%len(signs)])
	var lines []string
	for _, t := range shown {
		stage := oneLine(t.stage)
		if stage == "" {
			stage = "waiting"
		}
		stage += " " + Duration(now.Sub(t.since))
		lines = append(lines, sign+" "+r.nameBefore(t.name, columns(sign+" "), stage)+"  "+stage)
	}
	return append(lines, r.count(len(r.running)-len(shown)))
}

// count says how far the phases that are going on have come, and how many tasks are not
// shown.
func (r *Reporter) count(hidden int) string {
	var phases, words []string
	for _, t := range r.running {
		if !slices.Contains(phases, t.phase) {
			phases = append(phases, t.phase)
		}
	}
	for _, phase := range phases {
		word := oneLine(phase)
		if total := r.totals[phase]; total > 0 {
			word += fmt.Sprintf(" %d/%d", min(r.ended[phase], total), total)
		}
		words = append(words, word)
	}
	if hidden > 0 {
		words = append(words, fmt.Sprintf("%d more running", hidden))
	}
	return r.elapsed() + "  " + strings.Join(words, ", ")
}
