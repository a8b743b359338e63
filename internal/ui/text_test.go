package ui

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 4_123_456: "4.1 MB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1 << 62: "4.6 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 1300 * time.Millisecond: "1.3s", 59_940 * time.Millisecond: "59.9s", 59_960 * time.Millisecond: "1m00s",
		125 * time.Second: "2m05s", time.Hour - time.Millisecond: "1h00m", 3725 * time.Second: "1h02m",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb\r\nc\rd": "a    b\nc\nd", "\x1b[1;31mred\x1b[0m\x07": "red", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x07": "link",
		"\u009b31mred": "red", "a\u202eb\u2066c": "abc", "\xff": "\uFFFD", "\x1b": "", "é漢": "é漢",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What Clean leaves is text and nothing else, and is left as it is by a second Clean.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"plain text\nof two lines\n", "\x1b[1;31mred", "\x1b\x1b[31m[31m", "\x1b]0;title\nnext", "\u009b2Jx", "\x1bPq\x1b\\", "a\r\n\rb", "\u202e\u2028\u0085", "\xff\xfe", "\x1b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
		for _, char := range got {
			if char != '\n' && (unicode.IsControl(char) || unicode.Is(unicode.Bidi_Control, char) || char == '\u2028' || char == '\u2029') {
				t.Errorf("%q became %q, with %q", s, got, char)
			}
		}
		if again := Clean(got); again != got {
			t.Errorf("%q became %q, then %q", s, got, again)
		}
		if strings.Count(got, "\n") < strings.Count(s, "\n") {
			t.Errorf("%q lost lines: %q", s, got)
		}
		if one := oneLine(s); strings.Contains(one, "\n") {
			t.Errorf("%q in one line is %q", s, one)
		}
	})
}

// Plain text, of any script, is left alone.
func TestCleanKeeps(t *testing.T) {
	for _, s := range []string{"", "main.go:4:2: undefined: x\n    or y\n", "é漢✅ עברית", "[31m", "a  b", "{\"x\": 1}", "👩\u200d💻"} {
		if got := Clean(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestCut(t *testing.T) {
	const colours = "\x1b[2mdim\x1b[0m and \x1b[31mred\x1b[0m"
	for _, c := range []struct {
		line  string
		width int
		want  string
	}{
		{"hello", 5, "hello"}, {"hello", 4, "hel…"}, {"hello", 1, "…"}, {"hello", 0, "…"}, {"hello", -3, "…"}, {"", 0, ""},
		{"漢字漢字", 8, "漢字漢字"}, {"漢字漢字", 7, "漢字漢…"}, {"漢字漢字", 6, "漢字…"}, {"漢字", 2, "…"}, {"a漢字", 3, "a…"},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{colours, 11, colours}, {colours, 10, "\x1b[2mdim\x1b[0m and \x1b[31mr…\x1b[0m"}, {colours, 3, "\x1b[2mdi…\x1b[0m\x1b[31m\x1b[0m"},
	} {
		if got := cut(c.line, c.width); got != c.want || !utf8.ValidString(got) {
			t.Errorf("%q to %d: %q, want %q", c.line, c.width, got, c.want)
		}
	}
}

func TestElide(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"checksums.txt", 13, "checksums.txt"}, {"checksums.txt", 12, "checks…s.txt"}, {"checksums.txt", 5, "ch…xt"}, {"checksums.txt", -9, "ch…xt"},
		{"x", 0, "x"}, {"", 0, ""}, {"漢字漢字漢字", 11, "漢字漢…漢字"}, {"漢字漢字漢字", 7, "漢字…字"}, {"漢字漢字漢字", 8, "漢字…字"},
	} {
		if got := elide(c.text, c.width); got != c.want || columns(got) > max(5, c.width) {
			t.Errorf("%q to %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
