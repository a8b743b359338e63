package notes

import (
	"regexp"
	"strings"
)

var (
	comment = regexp.MustCompile(`(?s)<!--.*?(?:-->|$)`)
	fence   = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})[ \\t]*release-notes?[ \\t]*$")
	heading = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$`)
	bullet  = regexp.MustCompile(`^[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+(.*)$`)
)

// releaseNote is the fenced block named release-note in the body of a pull request, as
// lines without their marks; found is false without one. No lines: the author wants the
// pull request hidden ("NONE", "N/A", or nothing in the block).
func releaseNote(body string) (lines []string, found bool) {
	body = comment.ReplaceAllString(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body), "")
	var end *regexp.Regexp
	for line := range strings.SplitSeq(body, "\n") {
		if end == nil {
			if m := fence.FindStringSubmatch(line); m != nil {
				end = regexp.MustCompile(`^ {0,3}` + m[1] + m[1][:1] + `*[ \t]*$`)
			}
			continue
		}
		if end.MatchString(line) {
			found = true
			break
		}
		for _, mark := range []*regexp.Regexp{heading, bullet} {
			if m := mark.FindStringSubmatch(line); m != nil {
				line = m[1]
			}
		}
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if !found { // a block that is not closed ends with the body
		return lines, len(lines) > 0 && end != nil
	}
	if len(lines) == 1 && (strings.EqualFold(lines[0], "none") || strings.EqualFold(lines[0], "n/a")) {
		return nil, true
	}
	return lines, true
}
