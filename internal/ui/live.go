package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// frame is how often the live lines are drawn while nothing happens.
const frame = 120 * time.Millisecond

// spinner are the signs that show that a task goes on.
const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

// maxLive is how many running tasks are shown.
const maxLive = 8

func (r *Reporter) redraw() {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.mu.Lock()
			r.erase()
			r.draw()
			r.mu.Unlock()
		}
	}
}

// erase takes the live lines away; the cursor stands where they began.
func (r *Reporter) erase() {
	if r.drawn > 0 {
		r.print(fmt.Sprintf("\x1b[%dA\x1b[J", r.drawn))
		r.drawn = 0
	}
}

// draw writes a line for each running task and one that counts. The caller erased.
func (r *Reporter) draw() {
	if r.Mode != Live || len(r.running) == 0 {
		return
	}
	width := r.Width()
	signs := []rune(spinner)
	sign := string(signs[int(r.Now().Sub(r.start)/frame)%len(signs)])
	shown := r.running
	if len(shown) > maxLive {
		shown = shown[:maxLive]
	}
	var out strings.Builder
	for _, t := range shown {
		stage := t.stage
		if stage == "" {
			stage = "waiting"
		}
		line := fmt.Sprintf("%s %s  %s %s", sign, Clean(t.name), Clean(stage), Duration(r.Now().Sub(t.since)))
		out.WriteString(cut(line, width) + "\n")
	}
	out.WriteString(cut(r.count(), width) + "\n")
	r.print(out.String())
	r.drawn = len(shown) + 1
}

// count says how far the phases that are going on have come.
func (r *Reporter) count() string {
	var phases, words []string
	for _, t := range r.running {
		if !slices.Contains(phases, t.phase) {
			phases = append(phases, t.phase)
		}
	}
	for _, phase := range phases {
		word := phase
		if total := r.totals[phase]; total > 0 {
			word = fmt.Sprintf("%s %d/%d", phase, min(r.ended[phase], total), total)
		}
		words = append(words, word)
	}
	return r.elapsed() + "  " + strings.Join(words, ", ")
}

// cut shortens a line to the columns of the terminal, so that it never wraps. Colours
// take no column.
func cut(line string, width int) string {
	var out strings.Builder
	columns := 0
	escape, coloured := false, false
	for _, char := range line {
		switch {
		case char == '\x1b':
			escape, coloured = true, true
		case escape:
			escape = char != 'm'
		case columns >= width-1 && columns > 0:
			continue
		default:
			columns++
			if columns == width-1 {
				char = '…'
			}
		}
		out.WriteRune(char)
	}
	text := out.String()
	if visible(line) < width {
		return line
	}
	if coloured && !strings.HasSuffix(text, "\x1b[0m") {
		text += "\x1b[0m"
	}
	return text
}

// visible is how many columns a line takes.
func visible(line string) int {
	n, escape := 0, false
	for _, char := range line {
		switch {
		case char == '\x1b':
			escape = true
		case escape:
			escape = char != 'm'
		default:
			n++
		}
	}
	return n
}
