package notes_test

import (
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/notes"
)

func TestMark(t *testing.T) {
	commit := strings.Repeat("0123456789", 4)
	for _, body := range []string{"", "text", "text\n", "text\n\n", "a\r\nb\r\n"} {
		marked := notes.Mark(strings.ReplaceAll(body, "\r", ""), commit)
		if got, edited := notes.Marked(marked); got != commit || edited {
			t.Errorf("%q: %q, %t", body, got, edited)
		}
		if len(marked) > len(body)+notes.MarkLength {
			t.Errorf("%q became %d bytes longer", body, len(marked)-len(body))
		}
		if got, edited := notes.Marked(strings.ReplaceAll(marked, "\n", "\r\n")); got != commit || edited {
			t.Errorf("%q with CRLF: %q, %t", body, got, edited)
		}
		if got, edited := notes.Marked("more" + marked); got != commit || !edited {
			t.Errorf("%q edited: %q, %t", body, got, edited)
		}
	}
	for _, text := range []string{"", "text", "<!-- pgo-release: x y -->", notes.Mark("text", commit) + "more", notes.Mark("text", "main")} {
		if got, edited := notes.Marked(text); got != "" || !edited {
			t.Errorf("%q: %q, %t", text, got, edited)
		}
	}
}
