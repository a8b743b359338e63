package ui

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// sequences are the escape sequences of terminals (ECMA-48: CSI in both forms, OSC, and
// the short ones).
var sequences = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n\r]*(?:\x07|\x1b\\\\)?|\x1b[@-Z\\\\-_]")

// Clean is text without escape sequences and control characters. Line breaks stay, and
// whatever else ends a line becomes one; tabs become blanks, invalid UTF-8 becomes
// U+FFFD.
func Clean(text string) string {
	text = sequences.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\t", "    ").Replace(text)
	return strings.Map(func(c rune) rune {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
			return -1
		}
		return c
	}, text)
}

// oneLine is clean text in which line breaks are blanks.
func oneLine(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(Clean(text), "\n", " "))
}

// Size is a number of bytes for people, in powers of 1000: "512 B", "4.1 MB".
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n), "kMGTPE"
	for i := range units {
		value /= 1000
		if value < 999.95 || i == len(units)-1 {
			return fmt.Sprintf("%.1f %cB", value, units[i])
		}
	}
	return ""
}

// Duration is a time span for people: "0.4s", "12.3s", "2m05s", "1h02m".
func Duration(d time.Duration) string {
	switch {
	case d < time.Minute-50*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-500*time.Millisecond:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
