package notes

import (
	"errors"
	"fmt"
	"strings"
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

// UpdateChangelog puts the section of a tag into a changelog: in the place of the one
// that is there, or else above the other versions, below the introduction and a
// section "Unreleased". Everything else stays as it is. Errors say why that cannot be.
func UpdateChangelog(changelog, tag, section string) (string, error) {
	begin, end := marker(tag, ""), marker(tag, "/")
	if before, rest, ok := strings.Cut(changelog, begin+"\n"); ok {
		_, after, ok := strings.Cut(rest, end+"\n")
		if !ok || strings.Contains(after, begin) {
			return "", fmt.Errorf("the section of %s begins and does not end, or begins twice: look for %q", tag, begin)
		}
		return before + section + after, nil
	}
	if strings.TrimSpace(changelog) == "" {
		return "# Changelog\n\n" + section, nil
	}
	lines := strings.SplitAfter(changelog, "\n")
	at := len(lines)
	fenced := false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			fenced = !fenced
		}
		isVersion := strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "<!-- pgo-release: ")
		switch {
		case fenced || !isVersion:
			continue
		case names(trimmed, tag):
			return "", errors.New("it has a section for " + tag + " that was written by hand; remove it, or keep it")
		case at == len(lines) && !strings.Contains(strings.ToLower(trimmed), "unreleased"):
			at = i
		}
	}
	head, tail := strings.Join(lines[:at], ""), strings.Join(lines[at:], "")
	if !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	if !strings.HasSuffix(head, "\n\n") {
		head += "\n"
	}
	if tail != "" {
		tail = "\n" + tail
	}
	return head + section + tail, nil
}

// names tells whether a heading is that of a tag, with or without its "v".
func names(heading, tag string) bool {
	words := strings.FieldsFunc(heading, func(r rune) bool { return strings.ContainsRune("#[]() \t", r) })
	return len(words) > 0 && (words[0] == tag || "v"+words[0] == tag)
}
