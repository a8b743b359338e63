package history

import (
	"regexp"
	"strings"
)

// Title is a title in the form of Conventional Commits 1.0.0
// (https://www.conventionalcommits.org/en/v1.0.0/).
type Title struct {
	Kind     string // lower case: "feat", "fix", …
	Scope    string // as written; may be empty
	Text     string // what follows the colon
	Breaking bool   // marked by "!"
}

var (
	conventional   = regexp.MustCompile(`^([A-Za-z]+)(?:\(([^()]*)\))?(!)?: +(.+)$`)
	breakingFooter = regexp.MustCompile(`(?m)^BREAKING[ -]CHANGE: `)
)

// ParseTitle reads a title whose kind is a known one; any other word before a colon
// is part of the text, and ok is false.
func ParseTitle(s string) (t Title, ok bool) {
	m := conventional.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return Title{}, false
	}
	t = Title{Kind: strings.ToLower(m[1]), Scope: strings.TrimSpace(m[2]), Breaking: m[3] != "", Text: m[4]}
	switch t.Kind {
	case "feat", "fix", "perf", "revert", "docs", "build", "chore", "ci", "refactor", "style", "test":
		return t, true
	}
	return Title{}, false
}

// BreakingFooter tells whether the body of a commit or a pull request has the footer
// that announces a breaking change.
func BreakingFooter(body string) bool {
	return breakingFooter.MatchString(strings.ReplaceAll(body, "\r\n", "\n"))
}

// HasLabel tells whether one of the labels is one of the names, whatever their case.
func HasLabel(labels []string, names ...string) bool {
	for _, label := range labels {
		for _, name := range names {
			if strings.EqualFold(label, name) {
				return true
			}
		}
	}
	return false
}

// BreakingLabels are the labels that say that a pull request breaks something.
func BreakingLabels() []string {
	return []string{"breaking", "breaking-change", "semver-major", "semver:major"}
}
