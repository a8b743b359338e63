package notes

import (
	"regexp"
	"strings"
)

var (
	comment = regexp.MustCompile(`(?s)<!--.*?(?:-->|$)`)
	noteOf  = regexp.MustCompile("(?i)^ {0,3}(`{3,}|~{3,})[ \\t]*release-notes?[ \\t]*$")
	heading = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$`)
	bullet  = regexp.MustCompile(`^[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+(.*)$`)
)

// releaseNote is the first fenced block named release-note in the body of a pull request,
// its paragraphs, headings and items as one line each without their marks; found is false
// without one. No lines: the author wants the pull request hidden ("NONE", "N/A", or
// nothing in the block).
func releaseNote(body string) (lines []string, found bool) {
	body = comment.ReplaceAllString(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body), "")
	fence, inside, joins := "", false, false
	for line := range strings.SplitSeq(body, "\n") {
		m := anyFence.FindStringSubmatch(line)
		closes := m != nil && strings.HasPrefix(m[1], fence) && strings.TrimSpace(line) == m[1]
		switch {
		case fence == "" && m != nil:
			fence, inside = m[1], noteOf.MatchString(line)
			continue
		case fence == "":
			continue
		case closes && inside:
			return shown(lines), true
		case closes:
			fence = ""
			continue
		case !inside: // code of another kind
			continue
		}
		mark := heading.FindStringSubmatch(line)
		if mark == nil {
			mark = bullet.FindStringSubmatch(line)
		}
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			joins = false
			continue
		case mark != nil:
			lines = append(lines, mark[1])
		case joins: // a paragraph that was wrapped
			lines[len(lines)-1] += " " + text
		default:
			lines = append(lines, text)
		}
		joins = heading.FindStringSubmatch(line) == nil
	}
	return shown(lines), inside // a block that is not closed ends with the body
}

// shown are the lines of a block; none where they say that there is nothing to say.
func shown(lines []string) []string {
	if len(lines) == 1 {
		switch strings.ToLower(strings.Trim(lines[0], "\"'`.!*_ ")) {
		case "none", "n/a", "na":
			return nil
		}
	}
	return lines
}
