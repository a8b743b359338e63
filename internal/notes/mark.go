package notes

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// mark is an HTML comment, which no page shows: of which commit a text speaks, and a
// digest of it, by which a text that people edited is told from one that they did not.
var mark = regexp.MustCompile(`\n\n<!-- pgo-release: ([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{64}) -->\s*$`)

// MarkLength is how much longer Mark makes a text at most, in bytes.
const MarkLength = 160

// Mark adds to a text of which commit it speaks.
func Mark(body, commit string) string {
	return strings.TrimRight(body, "\n") + "\n\n<!-- pgo-release: " + commit + " " + sum(body) + " -->\n"
}

// Marked reads what Mark added; commit is empty where there is no mark. edited tells that
// the text is not the one that was marked.
func Marked(text string) (commit string, edited bool) {
	text = strings.ReplaceAll(text, "\r\n", "\n") // as GitHub's editor writes it
	at := mark.FindStringSubmatchIndex(text)
	if at == nil {
		return "", true
	}
	return text[at[2]:at[3]], sum(text[:at[0]]) != text[at[4]:at[5]]
}

// sum is a digest of a text but for the lines that it ends with.
func sum(body string) string {
	digest := sha256.Sum256([]byte(strings.TrimRight(body, "\n")))
	return hex.EncodeToString(digest[:])
}
