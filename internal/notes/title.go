package notes

import (
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/history"
)

// sectionOf is where a Conventional Commit is listed.
func sectionOf(t history.Title) string {
	if t.Breaking {
		return breaking
	}
	switch strings.ToLower(t.Scope) {
	case "deps", "deps-dev": // as Dependabot and Renovate write it
		return dependencies
	}
	switch t.Kind {
	case "feat":
		return features
	case "fix":
		return fixes
	case "perf":
		return performance
	case "revert":
		return reverts
	case "docs":
		return documentation
	}
	return other
}

// section is where a pull request is listed; empty: nowhere. Labels say more than
// titles: somebody put them there.
func (in Input) section(pr history.PullRequest) string {
	skipped := in.Configuration.ExcludeLabels
	if len(skipped) == 0 {
		skipped = []string{"ignore-for-release", "skip-changelog", "release-note-none"}
	}
	has := func(names ...string) bool { return history.HasLabel(pr.Labels, names...) }
	author := func(name string) bool { return strings.EqualFold(name, pr.Author) }
	t, ok := history.ParseTitle(pr.Title)
	switch {
	case has(skipped...) || slices.ContainsFunc(in.Configuration.ExcludeAuthors, author):
		return ""
	case has("breaking", "breaking-change", "semver-major", "semver:major"), t.Breaking && ok, history.BreakingFooter(pr.Body):
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
		return sectionOf(t)
	case strings.HasPrefix(pr.Title, `Revert "`):
		return reverts
	}
	return other
}
