package ui

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// terminal is what a terminal of some columns and rows shows of what was written to it,
// and what has scrolled away. As on most terminals, what is written to the last column
// wraps with the next character, and a window of another width wraps its lines anew.
type terminal struct {
	t             *testing.T
	width, height int
	rows          []row
	at, column    int  // of the cursor
	last          int  // column of the character before it
	wraps         bool // the cursor stands behind the last column
}

// row is one row: a cell for each column, of which the second of a wide character is
// empty.
type row struct {
	cells   []string
	wrapped bool // the next row goes on with its line
}

func newTerminal(t *testing.T, width, height int) *terminal {
	return &terminal{t: t, width: width, height: height, rows: make([]row, 1)}
}

// control is a control sequence: its parameters and its final letter.
var control = regexp.MustCompile(`^\x1b\[([0-9;?]*)([A-Za-z])`)

func (s *terminal) write(text string) {
	s.t.Helper()
	for text != "" {
		if m := control.FindStringSubmatch(text); m != nil {
			s.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case char == '\n': // the line discipline makes a carriage return of it, too
			s.down()
		case char == '\r':
			s.column, s.wraps = 0, false
		case char < ' ' || char == 0x7f:
			s.t.Fatalf("control character %q", char)
		default:
			s.put(string(char), columnsOf(char))
		}
	}
}

func (s *terminal) down() {
	s.at, s.column, s.wraps = s.at+1, 0, false
	if s.at == len(s.rows) {
		s.rows = append(s.rows, row{})
	}
}

func (s *terminal) put(char string, columns int) {
	if columns == 0 {
		s.rows[s.at].cells[s.last] += char
		return
	}
	if s.wraps || s.column+columns > s.width {
		s.rows[s.at].wrapped = true
		s.down()
	}
	r := &s.rows[s.at]
	for len(r.cells) < s.column+columns {
		r.cells = append(r.cells, " ")
	}
	r.cells[s.column] = char
	if columns == 2 {
		r.cells[s.column+1] = ""
	}
	s.last, s.wraps = s.column, s.column+columns == s.width
	s.column = min(s.column+columns, s.width-1)
}

func (s *terminal) control(parameters, letter string) {
	s.t.Helper()
	r := &s.rows[s.at]
	switch letter {
	case "A":
		n, err := strconv.Atoi(parameters)
		if err != nil || n > s.at-s.top() {
			s.t.Fatalf("up by %q from row %d of the window", parameters, s.at-s.top())
		}
		s.at, s.wraps = s.at-n, false
	case "J":
		s.rows = s.rows[:s.at+1]
		r.clear(s.column)
	case "K":
		r.clear(s.column)
	case "m":
	default:
		s.t.Fatalf("sequence %s%s", parameters, letter)
	}
}

// clear empties a row from a column on. As in tmux, only a whole row that was emptied
// has no next row that goes on with its line.
func (r *row) clear(column int) {
	r.cells = r.cells[:min(column, len(r.cells))]
	r.wrapped = r.wrapped && column > 0
}

// top is the row that the window begins with.
func (s *terminal) top() int { return max(0, len(s.rows)-s.height) }

// lines are the lines that were written, without the rows that they wrapped into.
func (s *terminal) lines() []string {
	var out []string
	line := ""
	for _, r := range s.rows {
		line += strings.Join(r.cells, "")
		if !r.wrapped {
			out = append(out, strings.TrimRight(line, " "))
			line = ""
		}
	}
	return out
}

func (s *terminal) String() string { return strings.TrimRight(strings.Join(s.lines(), "\n"), "\n") }

// resize gives the window another size; the cursor stands at the beginning of the last
// line, which is empty.
func (s *terminal) resize(width, height int) {
	lines := s.lines()
	if s.column != 0 || lines[len(lines)-1] != "" {
		s.t.Fatal("the cursor is not at the beginning of an empty line")
	}
	s.width, s.height, s.rows, s.at = width, height, make([]row, 1), 0
	s.write(strings.Join(lines, "\n"))
}

// press shows the key that was pressed, as the line discipline does.
func (s *terminal) press(key string) {
	s.rows[s.at].cells, s.column = strings.Split(key, ""), len(key)
}
