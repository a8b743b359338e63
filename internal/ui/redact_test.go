package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/task"
)

// Whatever is written, and however it is cut, the same comes out.
func TestRedact(t *testing.T) {
	for name, c := range map[string]struct {
		secrets    string // separated by blanks
		text, want string
	}{
		"none":                   {"", "a secret", "a secret"},
		"one":                    {"secret", "a secret, a secre, secret", "a ***, a secre, ***"},
		"alone":                  {"secret", "secret", "***"},
		"twice":                  {"secret", "secretsecret", "******"},
		"short ones":             {"a ab abc", "a ab abc", "a ab abc"},
		"the shortest":           {"abcd", "abc abcd", "abc ***"},
		"a prefix":               {"token token-long", "token-long token token-lon", "*** *** ***-lon"},
		"a prefix, other order":  {"token-long token", "token-long token token-lon", "*** *** ***-lon"},
		"a suffix":               {"long token-long", "token-long long", "*** ***"},
		"inside":                 {"ken-lo token-long", "token-long ken-lo", "*** ***"},
		"overlapping":            {"abcdef defghi", "abcdefghi defghi abcdef", "*** *** ***"},
		"overlapping themselves": {"aaaa", "aaaaaaa b aaa", "*** b aaa"},
		"begun and broken off":   {"abcabd", "abcabcabd", "abc***"},
		"two that begin alike":   {"abcdX abcdY", "abcdY abcdX abcdZ", "*** *** abcdZ"},
		"not of one byte each":   {"gehéim", "ein gehéim é", "ein *** é"},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := strings.Fields(c.secrets)
			if got := Redact(nil, secrets...).Hide(c.text); got != c.want {
				t.Errorf("Hide: %q, want %q", got, c.want)
			}
			for i := range len(c.text) + 1 {
				for j := i; j <= len(c.text); j++ {
					var out strings.Builder
					r := Redact(&out, secrets...)
					for _, part := range []string{c.text[:i], c.text[i:j], c.text[j:]} {
						if n, err := r.Write([]byte(part)); n != len(part) || err != nil {
							t.Fatal(n, err)
						}
					}
					r.Flush()
					r.Flush()
					if out.String() != c.want {
						t.Fatalf("%q, %q, %q: %q, want %q", c.text[:i], c.text[i:j], c.text[j:], out.String(), c.want)
					}
				}
			}
		})
	}
}

// What ends with a line break is not held back.
func TestRedactKeepsNoLine(t *testing.T) {
	var out strings.Builder
	r := Redact(&out, "secret", "other secret")
	for _, line := range []string{"a line\n", "other secre\n", "secret\n"} {
		if _, err := r.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), "\n") {
			t.Errorf("after %q: %q", line, out.String())
		}
	}
	if want := "a line\nother secre\n***\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// A Redactor is safe for several writers: no line is lost, broken or shown.
func TestRedactConcurrent(t *testing.T) {
	const writers, lines = 8, 200
	var out strings.Builder
	r := Redact(&out, "secret-secret", "secret")
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for j := range lines {
				if _, err := fmt.Fprintf(r, "%d %d secret-secret\n", i, j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	r.Flush()
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, " ***\n") {
			t.Fatalf("%q", line)
		}
		seen[line] = true
	}
	if len(seen) != writers*lines {
		t.Errorf("%d lines", len(seen))
	}
}

// Secrets are hidden before a text is cut, indented or encoded, which would hide them
// from a Redactor.
func TestSecretsInEvents(t *testing.T) {
	const long, lines, odd = "ghs_0123456789abcdefghijklmnopqrstuvwxyz", "-----BEGIN-----\nMIIEvQ\n-----END-----", `p"s&s%<\w`
	all := strings.Join([]string{"<", long, lines, odd, ">"}, "|")
	for _, mode := range []Mode{Plain, Live, Actions, JSON, Quiet} {
		var out strings.Builder
		r := newReporter(Options{
			Err: Redact(&out, long, lines, odd), Mode: mode, Verbose: true, NoColor: true,
			Width: func() int { return 30 }, Height: func() int { return 24 },
		})
		for _, state := range []task.State{task.Started, task.Working, task.Note, task.Warning} {
			r.Progress(task.Event{Phase: "make", Task: all, Stage: all, Text: all, State: state})
		}
		if mode == Live {
			r.flush(r.block())
		}
		for _, state := range []task.State{task.Done, task.Started, task.Failed, task.Started, task.Stopped} {
			r.Progress(task.Event{Phase: "make", Task: all, Text: all, State: state})
		}
		r.Table(all, []string{all}, [][]string{{all}})
		r.Close()
		r.Error(errors.New(all))
		log := out.String()
		if mode == JSON {
			var decoded strings.Builder
			for line := range strings.Lines(log) {
				var l Line
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&decoded, "%+v\n", l)
			}
			log += decoded.String()
		}
		for _, part := range []string{long[:8], "BEGIN", "MIIEvQ", `p"s`, `p\"s`, `s%`} {
			if strings.Contains(log, part) {
				t.Errorf("%s shows %q in\n%s", mode, part, log)
			}
		}
		if !strings.Contains(log, "<|***") {
			t.Errorf("%s hides more:\n%s", mode, log)
		}
	}
}

// FuzzRedact: cut anywhere, a text comes out as if it had been whole, without the
// secrets, and unchanged when it has none.
func FuzzRedact(f *testing.F) {
	f.Add("a token-long b token c", "token", "token-long", uint(7), uint(9))
	f.Add("abcdefghi", "abcdef", "defghi", uint(4), uint(5))
	f.Add("aaaaaaaa", "aaaa", "aaaaa", uint(1), uint(2))
	f.Fuzz(func(t *testing.T, text, a, b string, i, j uint) {
		first, second := i%uint(len(text)+1), j%uint(len(text)+1)
		if first > second {
			first, second = second, first
		}
		var out strings.Builder
		r := Redact(&out, a, b)
		for _, part := range []string{text[:first], text[first:second], text[second:]} {
			if n, err := r.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		r.Flush()
		if out.String() != r.Hide(text) {
			t.Errorf("%q, hiding %q and %q: %q, want %q", text, a, b, out.String(), r.Hide(text))
		}
		found := false
		for _, secret := range []string{a, b} {
			if len(secret) < minSecret {
				continue
			}
			found = found || strings.Contains(text, secret)
			if !strings.Contains(secret, "*") && strings.Contains(out.String(), secret) {
				t.Errorf("%q shows %q", out.String(), secret)
			}
		}
		if !found && out.String() != text {
			t.Errorf("%q became %q", text, out.String())
		}
	})
}

func TestRedactFails(t *testing.T) {
	if _, err := Redact(broken{}, "secret").Write([]byte("text\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
