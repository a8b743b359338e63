package notes

import (
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/history"
)

// The sections of a repository without .github/release.yml, in their order.
const (
	breaking      = "Breaking changes"
	highlights    = "Highlights"
	features      = "Features"
	fixes         = "Fixes"
	performance   = "Performance"
	reverts       = "Reverts"
	documentation = "Documentation"
	other         = "Other"
	dependencies  = "Dependencies"
)

// uncategorised is where GitHub lists what no category takes.
const uncategorised = "Other Changes"

// Categories is .github/release.yml as GitHub reads it
// (https://docs.github.com/en/repositories/releasing-projects-on-github/automatically-generated-release-notes#configuring-automatically-generated-release-notes).
type Categories struct {
	Exclude    Exclusion
	Categories []Category // the first one that takes a pull request has it
}

// Category is one heading of Categories.
type Category struct {
	Title   string
	Labels  []string // it takes pull requests with one of them; "*" takes all
	Exclude Exclusion
}

// Exclusion leaves pull requests out.
type Exclusion struct {
	Labels, Authors []string
}

func (e Exclusion) excludes(c history.Change) bool {
	return history.HasLabel(c.Labels(), e.Labels...) ||
		c.Pull != nil && slices.ContainsFunc(e.Authors, func(name string) bool { return sameLogin(name, c.Pull.Author) })
}

// sorter decides where a change is listed.
type sorter struct {
	order   []string
	folded  string                      // the section of dependencies; empty: none
	section func(history.Change) string // empty: nowhere
}

func (in Input) sections() sorter {
	if in.Categories == nil || len(in.Categories.Categories) == 0 {
		return sorter{
			order:  []string{breaking, highlights, features, fixes, performance, reverts, documentation, other, dependencies},
			folded: dependencies, section: func(c history.Change) string {
				if in.Categories != nil && in.Categories.Exclude.excludes(c) {
					return ""
				}
				return sectionOf(c)
			},
		}
	}
	s := sorter{section: in.Categories.section}
	for _, c := range append(slices.Clone(in.Categories.Categories), Category{Title: uncategorised}) {
		if !slices.Contains(s.order, c.Title) {
			s.order = append(s.order, c.Title)
		}
	}
	return s
}

// section applies GitHub's rules. No pull request that is not excluded is lost.
func (k Categories) section(c history.Change) string {
	if k.Exclude.excludes(c) {
		return ""
	}
	for _, category := range k.Categories {
		takes := slices.Contains(category.Labels, "*") || history.HasLabel(c.Labels(), category.Labels...)
		if takes && !category.Exclude.excludes(c) && Escape(category.Title) != "" {
			return category.Title
		}
	}
	return uncategorised
}

// sectionOf sorts a change by its labels, then by its title: labels say more, because
// somebody put them there.
func sectionOf(c history.Change) string {
	has := func(names ...string) bool { return history.HasLabel(c.Labels(), names...) }
	t, conventional := history.ParseTitle(c.Title)
	switch {
	case has(history.BreakingLabels()...), t.Breaking, history.BreakingFooter(c.Body):
		return breaking
	case has("release-note"):
		return highlights
	case c.Revert:
		return reverts
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
	case !conventional:
		return other
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
