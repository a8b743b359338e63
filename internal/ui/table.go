package ui

import (
	"regexp"
	"slices"
	"strings"
)

// Table writes rows under a header, in columns that are as wide as their content;
// numbers are aligned right. Where a terminal is too narrow for it, each row takes two
// lines: its first cell, and below it the others. Modes Quiet and JSON leave it out.
func (r *Reporter) Table(title string, header []string, rows [][]string) {
	if r.options.Mode == Quiet || r.options.Mode == JSON {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endGroup()
	r.print("\n" + r.paint(bold, r.guard(oneLine(r.secrets.Hide(title)))) + "\n")
	cells := r.cells(header, rows)
	lines := align(cells)
	if r.options.Mode == Live && widest(lines) > r.options.Width() {
		lines = stack(cells)
	}
	for i, line := range lines {
		if r.options.Mode == Live {
			line = cut(line, r.options.Width())
		}
		if line = r.guard(line); i == 0 {
			line = r.paint(dim, line)
		}
		r.print(line + "\n")
	}
}

// cells are the clean texts of a table, the header first. What is beyond the header is
// left out.
func (r *Reporter) cells(header []string, rows [][]string) [][]string {
	out := make([][]string, 0, len(rows)+1)
	for _, row := range slices.Concat([][]string{header}, rows) {
		row = slices.Clone(row[:min(len(row), len(header))])
		for i, cell := range row {
			row[i] = oneLine(r.secrets.Hide(cell))
		}
		out = append(out, row)
	}
	return out
}

// align makes a line of each row.
func align(cells [][]string) []string {
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	lines := make([]string, 0, len(cells))
	for _, row := range cells {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  ")
			if gap := widths[i] - columns(cell); numeric(cells[1:], i) {
				cell = strings.Repeat(" ", gap) + cell
			} else {
				cell = pad(cell, widths[i])
			}
			line.WriteString(cell)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// stack makes two lines of each row, or one where there is no more to say.
func stack(cells [][]string) []string {
	var lines []string
	for _, row := range cells {
		for i, part := range [][]string{row[:min(1, len(row))], row[min(1, len(row)):]} {
			part = slices.DeleteFunc(slices.Clone(part), func(cell string) bool { return cell == "" })
			if len(part) > 0 {
				lines = append(lines, strings.Repeat("  ", i+1)+strings.Join(part, "  "))
			}
		}
	}
	return lines
}

// widest is the number of columns that the widest line takes.
func widest(lines []string) int {
	n := 0
	for _, line := range lines {
		n = max(n, columns(line))
	}
	return n
}

// number is a number with its unit, as Size and Duration write it, or alone.
var number = regexp.MustCompile(`^[+-]?[0-9]+(?:\.[0-9]+)?(?: ?(?:[kMGTPE]?B|ms|s|%))?$|^[0-9]+[hm][0-9]{2}[ms]$`)

// numeric tells whether a column holds numbers only, with a unit or without.
func numeric(rows [][]string, column int) bool {
	found := false
	for _, row := range rows {
		if column >= len(row) || row[column] == "" {
			continue
		}
		if found = true; !number.MatchString(row[column]) {
			return false
		}
	}
	return found
}
