package notes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/org/pgo-release/internal/version"
)

// Changelog writes the notes as a section of a CHANGELOG.md: a heading with version and
// date, between two markers by which UpdateChangelog finds it again.
func (n Notes) Changelog() string {
	name := Escape(n.Tag)
	if at := n.compareURL(); at != "" {
		name = "[" + name + "](" + at + ")"
	}
	body := strings.TrimSuffix(n.Whole(), n.footer())
	return fmt.Sprintf("%s\n## %s - %s\n\n%s%s\n", marker(n.Tag, ""), name, n.Time.UTC().Format("2006-01-02"), body, marker(n.Tag, "/"))
}

// marker is an HTML comment, which nobody sees.
func marker(tag, end string) string {
	return "<!-- " + end + "pgo-release: " + strings.ReplaceAll(clean(tag), "--", "-") + " -->"
}

var (
	beginning = regexp.MustCompile(`^<!-- pgo-release: (.+) -->$`)
	ending    = regexp.MustCompile(`^<!-- /pgo-release: (.+) -->$`)
	anyHead   = regexp.MustCompile(`^#{1,4}[ \t]+(.*)$`)
	versionIn = regexp.MustCompile(`(?:^|[^0-9A-Za-z.])(v?[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]*[0-9A-Za-z])?)`)
	anyFence  = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})")
)

// UpdateChangelog puts the section of a tag into a changelog: in the place of the one
// that is there, or else above the first lower version, below everything that comes before
// the versions. Everything else stays as it is, the ends of lines among it. Errors say
// why that cannot be.
func UpdateChangelog(changelog, tag, section string) (string, error) {
	text, bom := strings.CutPrefix(changelog, "\ufeff")
	crlf := strings.Contains(text, "\r\n")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		text = "# Changelog\n"
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	begin, end, err := place(lines, tag)
	if err != nil {
		return "", err
	}
	head, tail := strings.Join(lines[:begin], ""), strings.Join(lines[end:], "")
	if begin == end { // a new section stands apart
		if head != "" && !strings.HasSuffix(head, "\n\n") {
			head += "\n"
		}
		if tail != "" {
			tail = "\n" + tail
		}
	}
	text = head + section + tail
	if crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if bom {
		text = "\ufeff" + text
	}
	return text, nil
}

// place finds the lines that the section of a tag takes: those of the one that is there,
// or none, where a new one belongs.
func place(lines []string, tag string) (begin, end int, err error) {
	begin, end = -1, -1
	insert, open := -1, ""
	for i, line := range visible(lines) {
		if m := beginning.FindStringSubmatch(line); m != nil {
			if open != "" || m[1] == tag && begin >= 0 {
				return 0, 0, fmt.Errorf("line %d: a section begins inside of another, or twice", i+1)
			}
			if open = m[1]; open == tag {
				begin = i
			} else if insert < 0 && lower(open, tag) {
				insert = i
			}
			continue
		}
		if m := ending.FindStringSubmatch(line); m != nil {
			if m[1] != open {
				return 0, 0, fmt.Errorf("line %d: the section of %s ends and did not begin", i+1, m[1])
			}
			if open == tag {
				end = i + 1
			}
			open = ""
			continue
		}
		heading := anyHead.FindStringSubmatch(line)
		if heading == nil || open != "" {
			continue
		}
		m := versionIn.FindStringSubmatch(heading[1])
		if m == nil {
			continue
		}
		_, own := version.Split(tag)
		switch v := "v" + strings.TrimPrefix(m[1], "v"); {
		case v == own:
			return 0, 0, fmt.Errorf("line %d: it has a section for %s that was written by hand; remove it, or keep it", i+1, tag)
		case insert < 0 && lower(v, tag):
			insert = i
		}
	}
	switch {
	case open != "":
		return 0, 0, fmt.Errorf("the section of %s begins and does not end", open)
	case begin >= 0:
		return begin, end, nil
	case insert < 0:
		insert = len(lines)
	}
	return insert, insert, nil
}

// lower tells whether a version of a changelog comes before a tag.
func lower(v, tag string) bool {
	_, a := version.Split(v)
	_, b := version.Split(tag)
	return semver.Compare(a, b) < 0
}

// visible are the lines without their ends; those of code and of comments that span
// several lines are empty.
func visible(lines []string) []string {
	out := slices.Clone(lines)
	fence, comment := "", false
	for i, line := range lines {
		line = strings.TrimRight(line, " \t\n")
		out[i] = line
		m := anyFence.FindStringSubmatch(line)
		switch {
		case comment:
			out[i], comment = "", !strings.Contains(line, "-->")
		case fence != "":
			out[i] = ""
			if m != nil && strings.HasPrefix(m[1], fence) && strings.TrimSpace(line) == m[1] {
				fence = ""
			}
		case m != nil:
			out[i], fence = "", m[1]
		case strings.Contains(line, "<!--") && !strings.Contains(line[strings.LastIndex(line, "<!--"):], "-->"):
			comment = true
		}
	}
	return out
}
