package notes

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// maxTitle is how much of a title is shown, in runes.
const maxTitle = 300

var (
	login = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$`)
	hash  = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)
)

// safeURL tells whether a link of the API may stand in Markdown as it is.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !strings.ContainsAny(s, " ()<>\"'`\\\t\r\n")
}

// invisible stands after a sign that would make GitHub link or mention what follows.
// (A backslash does not help: mentions are looked for in what Markdown has made.)
const invisible = "&#8203;"

// Escape makes text from outside one line of inert Markdown, at most 300 characters of
// it: nothing in it links, mentions or formats.
func Escape(s string) string {
	text := markdown.Replace(clean(s))
	return leading.ReplaceAllString(reference.ReplaceAllString(text, "$1"+invisible+"-"), `$1\$2$4`)
}

// reference is what GitHub takes for the number of an issue besides "#".
var reference = regexp.MustCompile(`(?i)\b(gh)-`)

// leading is what begins a list or a rule when it stands first.
var leading = regexp.MustCompile(`^([0-9]+)(\.)|^()(-)`)

var markdown = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	"@", "@"+invisible, "#", "#"+invisible, "://", ":"+invisible+"//", "www.", "www"+invisible+".",
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "{", `\{`, "}", `\}`, "[", `\[`, "]", `\]`,
	"(", `\(`, ")", `\)`, "!", `\!`, "|", `\|`, "~", `\~`, "$", `\$`, "+", `\+`, "=", `\=`, "^", `\^`,
)

// clean is text as one line: no control, format or invisible characters, blanks
// folded, at most maxTitle runes.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	var out []rune
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			if len(out) > 0 && out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		case unicode.Is(unicode.C, r), unicode.In(r, unicode.Zl, unicode.Zp), r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0':
			// controls, bidirectional marks, zero-width characters, fillers
		default:
			out = append(out, r)
		}
		if len(out) > maxTitle {
			out = append(out[:maxTitle-1], '…')
			break
		}
	}
	return strings.TrimSpace(string(out))
}
