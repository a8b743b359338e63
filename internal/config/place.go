package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The columns that an excerpt shows before and after its place.
const (
	excerptBefore = 60
	excerptAfter  = 40
)

// excerpt is the line at a place with a sign below it, on lines of their own; empty
// where the file has no such line.
func (s source) excerpt(at *token.Position) string {
	lines := strings.Split(s.text, "\n")
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := []rune(strings.ReplaceAll(strings.TrimRight(lines[at.Line-1], "\r"), "\t", " "))
	before := min(max(at.Column-1, 0), len(line))
	from, to := max(0, before-excerptBefore), min(len(line), before+excerptAfter)
	number := fmt.Sprintf("%5d", at.Line)
	return fmt.Sprintf("\n%s | %s\n%*s | %s^", number, string(line[from:to]), len(number), "", strings.Repeat(" ", before-from))
}

// place is the line and column of a byte.
func (s source) place(offset int) *token.Position {
	before := s.text[:min(offset, len(s.text))]
	begin := strings.LastIndexByte(before, '\n') + 1
	return &token.Position{Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(before[begin:]) + 1}
}

// invalidAt is where a text stops being UTF-8.
func invalidAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return len(text)
}
