package notes

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// MaxBytes is how long the Markdown may get. GitHub refuses a body of more than 125,000
// characters; some room is left for what a release adds to it.
const MaxBytes = 120_000

// maxTitle is how much of a title is shown, in runes.
const maxTitle = 300

// untitled stands for a title in which nothing can be seen.
const untitled = "(no title)"

// Markdown writes the notes as the body of a release: at most MaxBytes, valid UTF-8,
// nothing in it that an author of a title could have made act.
func (n Notes) Markdown() string {
	var out strings.Builder
	end := n.footer()
	total, shown := 0, 0
	for _, s := range n.Sections {
		total += len(s.Entries)
	}
	room := MaxBytes - len(end) - len("\n9999999 more\n")
write:
	for i, s := range n.Sections {
		heading := "### " + s.Title + "\n\n"
		if i > 0 {
			heading = "\n" + heading
		}
		for _, e := range s.Entries {
			line := heading + n.line(e)
			if out.Len()+len(line) > room {
				break write
			}
			out.WriteString(line)
			heading = ""
			shown++
		}
	}
	switch {
	case total == 0:
		out.WriteString("No changes.\n")
	case shown < total:
		fmt.Fprintf(&out, "\n%d more\n", total-shown)
	}
	return out.String() + end
}

func (n Notes) line(e Entry) string {
	var line strings.Builder
	line.WriteString("- ")
	if e.Scope != "" {
		line.WriteString("**" + Escape(e.Scope) + ":** ")
	}
	if text := Escape(e.Text); text != "" {
		line.WriteString(text)
	} else {
		line.WriteString(untitled)
	}
	switch {
	case e.Number > 0 && safeURL(e.URL):
		fmt.Fprintf(&line, " ([#%d](%s))", e.Number, e.URL)
	case e.Number > 0:
		fmt.Fprintf(&line, " (#%d)", e.Number)
	case hash.MatchString(e.SHA) && n.Repository.Owner != "":
		fmt.Fprintf(&line, " ([%.7s](%s/commit/%s))", e.SHA, n.Repository.URL(), e.SHA)
	case hash.MatchString(e.SHA):
		fmt.Fprintf(&line, " (%.7s)", e.SHA)
	}
	if !e.Bot && login.MatchString(e.Author) {
		line.WriteString(" by @" + e.Author)
	}
	return line.String() + "\n"
}

func (n Notes) footer() string {
	if n.Repository.Owner == "" {
		return ""
	}
	from, to := pathOf(n.Previous), pathOf(n.Tag)
	if n.Previous == "" {
		return fmt.Sprintf("\n**Full changelog**: %s/commits/%s\n", n.Repository.URL(), to)
	}
	return fmt.Sprintf("\n**Full changelog**: %s/compare/%s...%s\n", n.Repository.URL(), from, to)
}

// pathOf is a tag as the end of a URL: the slashes of a module's prefix stay.
func pathOf(tag string) string { return strings.ReplaceAll(url.PathEscape(tag), "%2F", "/") }

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
	return leading.ReplaceAllString(reference.ReplaceAllString(text, "$1"+invisible+"-"), `$1\$2`)
}

// reference is what GitHub takes for the number of an issue besides "#".
var reference = regexp.MustCompile(`(?i)\b(gh)-`)

// leading is what begins a list or a rule when it stands first.
var leading = regexp.MustCompile(`^([0-9]*)([-.])`)

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
