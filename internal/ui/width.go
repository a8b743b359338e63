package ui

import (
	"strings"
	"unicode"
)

// columns is how many columns of a terminal a text takes. Colours take none.
func columns(text string) int {
	n, escape := 0, false
	for _, char := range text {
		switch {
		case char == '\x1b':
			escape = true
		case escape:
			escape = char != 'm'
		default:
			n += columnsOf(char)
		}
	}
	return n
}

// wide are the characters that take two columns: East Asian Wide and Fullwidth
// (Unicode Standard Annex #11), in runs that also cover what is not assigned.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x231a, Hi: 0x231b, Stride: 1}, {Lo: 0x2329, Hi: 0x232a, Stride: 1},
		{Lo: 0x23e9, Hi: 0x23ec, Stride: 1}, {Lo: 0x23f0, Hi: 0x23f3, Stride: 3}, {Lo: 0x25fd, Hi: 0x25fe, Stride: 1},
		{Lo: 0x2614, Hi: 0x2615, Stride: 1}, {Lo: 0x2648, Hi: 0x2653, Stride: 1}, {Lo: 0x267f, Hi: 0x2693, Stride: 20},
		{Lo: 0x26a1, Hi: 0x26a1, Stride: 1}, {Lo: 0x26aa, Hi: 0x26ab, Stride: 1}, {Lo: 0x26bd, Hi: 0x26be, Stride: 1},
		{Lo: 0x26c4, Hi: 0x26c5, Stride: 1}, {Lo: 0x26ce, Hi: 0x26d4, Stride: 6}, {Lo: 0x26ea, Hi: 0x26ea, Stride: 1},
		{Lo: 0x26f2, Hi: 0x26f3, Stride: 1}, {Lo: 0x26f5, Hi: 0x26fa, Stride: 5}, {Lo: 0x26fd, Hi: 0x2705, Stride: 8},
		{Lo: 0x270a, Hi: 0x270b, Stride: 1}, {Lo: 0x2728, Hi: 0x274c, Stride: 36}, {Lo: 0x274e, Hi: 0x274e, Stride: 1},
		{Lo: 0x2753, Hi: 0x2755, Stride: 1}, {Lo: 0x2757, Hi: 0x2757, Stride: 1}, {Lo: 0x2795, Hi: 0x2797, Stride: 1},
		{Lo: 0x27b0, Hi: 0x27bf, Stride: 15}, {Lo: 0x2b1b, Hi: 0x2b1c, Stride: 1}, {Lo: 0x2b50, Hi: 0x2b55, Stride: 5},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x4dbf, Stride: 1}, {Lo: 0x4e00, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe10, Hi: 0xfe19, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x18dff, Stride: 1}, {Lo: 0x1aff0, Hi: 0x1b2ff, Stride: 1}, {Lo: 0x1f004, Hi: 0x1f004, Stride: 1},
		{Lo: 0x1f0cf, Hi: 0x1f0cf, Stride: 1}, {Lo: 0x1f18e, Hi: 0x1f18e, Stride: 1}, {Lo: 0x1f191, Hi: 0x1f19a, Stride: 1},
		{Lo: 0x1f200, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f7e0, Hi: 0x1f7f0, Stride: 1},
		{Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1}, {Lo: 0x1fa70, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// columnsOf is how many columns a character takes. Marks that combine with the one
// before them, and characters of format, take none.
func columnsOf(char rune) int {
	switch {
	case unicode.In(char, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, char):
		return 2
	}
	return 1
}

// wrap is how many rows a line takes, and how many columns are used of the last one.
func wrap(line string, width int) (rows, used int) {
	rows = 1
	escape := false
	for _, char := range line {
		switch n := columnsOf(char); {
		case char == '\x1b' || escape:
			escape = char != 'm'
		case used+n > width:
			rows, used = rows+1, n
		default:
			used += n
		}
	}
	return rows, used
}

// cut shortens a line to a number of columns. Colours are kept, and so ended.
func cut(line string, width int) string {
	width = max(1, width)
	if columns(line) <= width {
		return line
	}
	var out strings.Builder
	n, escape, full := 0, false, false
	for _, char := range line {
		switch {
		case char == '\x1b' || escape:
			escape = char != 'm'
			out.WriteRune(char)
		case full:
		case n+columnsOf(char) > width-1:
			full = true
			out.WriteRune('…')
		default:
			n += columnsOf(char)
			out.WriteRune(char)
		}
	}
	return out.String()
}

// elide shortens a text without colours to a number of columns, but never to fewer than
// a few. Its beginning and its end stay, by which names differ.
func elide(text string, width int) string {
	const least = 5
	width = max(width, least)
	if columns(text) <= width {
		return text
	}
	chars := []rune(text)
	from, to, n := 0, len(chars), 1
	for {
		if n += columnsOf(chars[from]); n > width {
			break
		}
		from++
		if n += columnsOf(chars[to-1]); n > width {
			break
		}
		to--
	}
	return string(chars[:from]) + "…" + string(chars[to:])
}
