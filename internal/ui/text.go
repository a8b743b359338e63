package ui

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// sequences are the escape sequences of terminals (ECMA-48: CSI, OSC, and the short ones).
var sequences = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])")

// Clean is text without escape sequences and control characters. Line breaks stay, tabs
// become blanks, invalid UTF-8 becomes U+FFFD.
func Clean(text string) string {
	text = sequences.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), "")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\t", "    ")
	return strings.Map(func(c rune) rune {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
			return -1
		}
		return c
	}, text)
}

// indent puts a text of several lines below what it belongs to; one line goes behind it.
func indent(text string) string {
	text = strings.TrimRight(text, "\n")
	switch {
	case text == "":
		return ""
	case !strings.Contains(text, "\n"):
		return ": " + text
	}
	return "\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// commandData escapes the data of a workflow command, as the runner decodes it.
func commandData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
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

// mask is what stands in the place of a secret.
const mask = "***"

// Redact is a writer to w that replaces secrets, also those that are cut in two by
// writes: the end of a write that may begin a secret is held back until the next one
// decides. Secrets of fewer than four bytes are left alone; they would hide too much.
func Redact(w io.Writer, secrets ...string) io.Writer {
	r := &redactor{w: w}
	for _, s := range secrets {
		if len(s) >= 4 {
			r.secrets = append(r.secrets, []byte(s))
		}
	}
	return r
}

type redactor struct {
	w       io.Writer
	secrets [][]byte
	held    []byte
}

// Write reports all of p as written, though some of it may wait.
func (r *redactor) Write(p []byte) (int, error) {
	text := append(r.held, p...)
	for _, s := range r.secrets {
		text = bytes.ReplaceAll(text, s, []byte(mask))
	}
	keep := 0
	for _, s := range r.secrets {
		for n := min(len(s)-1, len(text)); n > keep; n-- {
			if bytes.HasSuffix(text, s[:n]) {
				keep = n
				break
			}
		}
	}
	r.held = bytes.Clone(text[len(text)-keep:])
	if _, err := r.w.Write(text[:len(text)-keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}
