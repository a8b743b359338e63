package notes

import (
	"regexp"
	"slices"
	"strings"
)

// title is a title in the form of Conventional Commits 1.0.0
// (https://www.conventionalcommits.org/en/v1.0.0/).
type title struct {
	kind, scope, text string
	breaking          bool
}

var (
	conventional   = regexp.MustCompile(`^([A-Za-z]+)(?:\(([^()]*)\))?(!)?: +(.+)$`)
	breakingFooter = regexp.MustCompile(`(?m)^BREAKING[ -]CHANGE: `)
)

// parseTitle reads a title whose type is a known one; any other word before a colon
// is part of the text.
func parseTitle(s string) (title, bool) {
	m := conventional.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return title{}, false
	}
	t := title{kind: strings.ToLower(m[1]), scope: strings.TrimSpace(m[2]), breaking: m[3] != "", text: m[4]}
	_, known := sectionOf(t.kind)
	return t, known
}

func (t title) section() string {
	if t.breaking {
		return breaking
	}
	switch strings.ToLower(t.scope) {
	case "deps", "deps-dev": // as Dependabot and Renovate write it
		return dependencies
	}
	section, _ := sectionOf(t.kind)
	return section
}

func sectionOf(kind string) (string, bool) {
	switch kind {
	case "feat":
		return features, true
	case "fix":
		return fixes, true
	case "perf":
		return performance, true
	case "revert":
		return reverts, true
	case "docs":
		return documentation, true
	case "build", "chore", "ci", "refactor", "style", "test":
		return other, true
	}
	return "", false
}

// section is where a pull request is listed; empty: nowhere. Labels say more than
// titles: somebody put them there.
func (in Input) section(pr PullRequest) string {
	skipped := in.Configuration.ExcludeLabels
	if len(skipped) == 0 {
		skipped = []string{"ignore-for-release", "skip-changelog", "release-note-none"}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(pr.Labels, func(label string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(label, name) })
		})
	}
	author := func(name string) bool { return strings.EqualFold(name, pr.Author) }
	t, ok := parseTitle(pr.Title)
	switch {
	case has(skipped...) || slices.ContainsFunc(in.Configuration.ExcludeAuthors, author):
		return ""
	case has("breaking", "breaking-change", "semver-major", "semver:major"), t.breaking && ok, breakingFooter.MatchString(pr.Body):
		return breaking
	case has("enhancement", "feature"):
		return features
	case has("bug", "bugfix", "fix"):
		return fixes
	case has("performance", "perf"):
		return performance
	case has("documentation", "docs"):
		return documentation
	case has("dependencies"):
		return dependencies
	case ok:
		return t.section()
	case strings.HasPrefix(pr.Title, `Revert "`):
		return reverts
	}
	return other
}
