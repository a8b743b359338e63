// Package notes writes release notes from merged pull requests and commits. It is
// pure: history in, Markdown out. Everything in the history is hostile text until
// it is escaped here.
package notes

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
)

// Input is the history of a release.
type Input struct {
	Tag           string
	Previous      string // tag that the range begins after; empty: the first release
	Repository    plan.Repository
	Commits       []history.Commit // of the range, newest first, as git lists them
	PullRequests  []history.PullRequest
	Of            map[string][]int // numbers of the pull requests that a commit came with, by hash
	Configuration plan.Notes
}

// Section is a group of entries under one heading.
type Section struct {
	Title   string
	Entries []Entry
}

// Entry is one line of the notes: a pull request, or a commit that came without one.
type Entry struct {
	Scope  string // of a Conventional Commit; may be empty
	Text   string // as written by its author: not escaped
	Number int    // of the pull request; 0: a commit
	SHA    string // of the commit
	URL    string // of the pull request
	Author string // login; empty: not known
	Bot    bool
	Time   time.Time
}

// Notes are release notes before they are written in a format.
type Notes struct {
	Tag, Previous string
	Repository    plan.Repository
	Sections      []Section // in the order in which they are shown; none is empty
}

// The sections, in their order.
const (
	breaking      = "Breaking changes"
	features      = "Features"
	fixes         = "Fixes"
	performance   = "Performance"
	reverts       = "Reverts"
	documentation = "Documentation"
	other         = "Other"
	dependencies  = "Dependencies"
)

// order is the order of the sections.
func order() []string {
	return []string{breaking, features, fixes, performance, reverts, documentation, other, dependencies}
}

// New sorts the history into sections: the pull requests that were merged in the
// range into this repository, and of the commits that came without one those that
// stand on the main line. Entries are ordered by time, then by number.
func New(in Input) Notes {
	listed := in.merged()
	found := map[string][]Entry{}
	for _, pr := range listed {
		if section := in.section(pr); section != "" {
			found[section] = append(found[section], pullEntry(pr))
		}
	}
	for _, c := range in.direct(listed) {
		section, entry := commitEntry(c)
		found[section] = append(found[section], entry)
	}
	n := Notes{Tag: in.Tag, Previous: in.Previous, Repository: in.Repository}
	for _, title := range order() {
		entries := found[title]
		slices.SortStableFunc(entries, func(a, b Entry) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Number, b.Number), cmp.Compare(a.SHA, b.SHA))
		})
		if len(entries) > 0 {
			n.Sections = append(n.Sections, Section{Title: title, Entries: entries})
		}
	}
	return n
}

// merged are the pull requests of the range, each once.
func (in Input) merged() []history.PullRequest {
	inside := map[string]bool{}
	for _, c := range in.Commits {
		inside[c.SHA] = true
	}
	var out []history.PullRequest
	seen := map[int]bool{}
	for _, pr := range in.PullRequests {
		// In a fork, numbers in messages speak of the upstream's pull requests.
		foreign := pr.Base != "" && !strings.EqualFold(pr.Base, in.Repository.String())
		if !seen[pr.Number] && inside[pr.MergeCommit] && !foreign {
			seen[pr.Number] = true
			out = append(out, pr)
		}
	}
	return out
}

// direct are the commits of the main line that came without a pull request.
func (in Input) direct(listed []history.PullRequest) []history.Commit {
	numbers := map[int]bool{}
	covered := map[string]bool{}
	for _, pr := range listed {
		numbers[pr.Number] = true
		covered[pr.MergeCommit] = true
	}
	for sha, of := range in.Of {
		covered[sha] = covered[sha] || slices.ContainsFunc(of, func(n int) bool { return numbers[n] })
	}
	parents := map[string]history.Commit{}
	for _, c := range in.Commits {
		parents[c.SHA] = c
	}
	var out []history.Commit
	if len(in.Commits) == 0 {
		return nil
	}
	for c, ok := in.Commits[0], true; ok; {
		if len(c.Parents) < 2 && !covered[c.SHA] {
			out = append(out, c)
		}
		if len(c.Parents) == 0 {
			break
		}
		c, ok = parents[c.Parents[0]]
	}
	return out
}

func pullEntry(pr history.PullRequest) Entry {
	e := Entry{Text: pr.Title, Number: pr.Number, SHA: pr.MergeCommit, URL: pr.URL, Author: pr.Author, Bot: pr.Bot, Time: pr.MergedAt}
	if t, ok := history.ParseTitle(pr.Title); ok {
		e.Scope, e.Text = t.Scope, t.Text
	}
	return e
}

func commitEntry(c history.Commit) (section string, e Entry) {
	e = Entry{Text: c.Subject, SHA: c.SHA, Time: c.Time}
	section = other
	if t, ok := history.ParseTitle(c.Subject); ok {
		e.Scope, e.Text, section = t.Scope, t.Text, sectionOf(t)
	}
	if history.BreakingFooter(c.Body) {
		section = breaking
	}
	return section, e
}
