// Package notes writes release notes from merged pull requests and commits. It is
// pure: history in; Markdown, JSON, HTML and a section of a changelog out, all from one
// model. Everything in the history is hostile text until it is escaped here.
package notes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/version"
)

// Input is the history of a release.
type Input struct {
	Tag           string
	Previous      string // tag that the range begins after; empty: the first release
	Repository    plan.Repository
	Time          time.Time // of the released commit
	Range         history.Range
	Shipped       history.Range   // what only the line of Previous holds: of both lines' changes it has its own already
	MergedBefore  map[string]bool // by login: an earlier pull request of the author was merged; absent: not known
	Configuration plan.Notes
	Categories    *Categories // of .github/release.yml; nil: the sections of this package
	Modules       Modules
	Verdict       version.Verdict // for readers of the JSON
}

// Notes are release notes before they are written in a format.
type Notes struct {
	Tag, Previous string
	Repository    plan.Repository
	Time          time.Time
	Initial       bool      // a first release with more history than anybody reads
	Sections      []Section // in the order in which they are shown; none is empty
	Modules       Modules
	Contributors  []Contributor // for the first time, by login
	Verdict       version.Verdict
}

// Section is a group of entries under one heading.
type Section struct {
	Title   string
	Entries []Entry // by time, then number, then hash
	Folded  bool    // of interest to few: the dependencies
}

// Entry is one item of the notes: a pull request, or a commit that came without one.
type Entry struct {
	Scope   string   // of a Conventional Commit; may be empty
	Text    string   // as written by its author: not escaped
	More    []string // further lines of a release-note block, not escaped
	Number  int      // of the pull request; 0: a commit
	SHA     string   // of the commit, or of the merge
	Commits []string // hashes of all commits that it consists of
	URL     string   // of the pull request; empty: not known
	Authors []Person // who wrote it, then the co-authors; at most 8
	Unnamed int      // how many co-authors there are beside them
	Closes  []history.Issue
	Origin  int // number of the pull request that it was taken over from; 0: none
	Time    time.Time
}

// Person is somebody who worked on an entry.
type Person struct {
	Login string // on GitHub; empty: not known
	Name  string // as git has it; empty where there is a login
	Known bool   // GitHub gave the login: whoever it is took part
}

// Contributor is somebody whose first pull request is in the release.
type Contributor struct {
	Login  string
	Number int
	URL    string
}

// maxLines is how many lines of a release-note block are shown.
const maxLines = 20

// maxFirst is how many changes a first release lists.
const maxFirst = 250

// New sorts the history into sections.
func New(in Input) Notes {
	n := Notes{
		Tag: in.Tag, Previous: in.Previous, Repository: in.Repository, Time: in.Time,
		Modules: in.Modules, Verdict: in.Verdict,
	}
	changes := history.Without(in.Range.Changes(), in.Shipped.Changes())
	if in.Previous == "" && len(changes) > maxFirst {
		n.Initial = true
		return n
	}
	sorter := in.sections()
	found := map[string][]Entry{}
	listed := map[int]bool{}
	people := authorsIn(in.Range, in.Shipped)
	for _, c := range changes {
		if in.leavesOut(c) {
			continue
		}
		entry, ok := entryOf(c, people)
		title := sorter.section(c)
		if !ok || title == "" {
			continue
		}
		found[title] = append(found[title], entry)
		listed[c.Number] = true
	}
	for _, title := range sorter.order {
		entries := found[title]
		slices.SortStableFunc(entries, func(a, b Entry) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Number, b.Number), cmp.Compare(a.SHA, b.SHA))
		})
		if len(entries) > 0 {
			n.Sections = append(n.Sections, Section{Title: title, Entries: entries, Folded: title == sorter.folded})
		}
	}
	n.Contributors = contributors(changes, listed, in.MergedBefore)
	return n
}

// leavesOut tells whether the configuration hides a change.
func (in Input) leavesOut(c history.Change) bool {
	skipped := in.Configuration.ExcludeLabels
	if len(skipped) == 0 {
		skipped = []string{"ignore-for-release", "skip-changelog", "release-note-none"}
	}
	return history.HasLabel(c.Labels(), skipped...) ||
		c.Pull != nil && slices.ContainsFunc(in.Configuration.ExcludeAuthors, func(name string) bool { return sameLogin(name, c.Pull.Author) })
}

// sameLogin compares logins; an app may be named with its "[bot]" or without.
func sameLogin(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimSuffix(a, "[bot]"), strings.TrimSuffix(b, "[bot]"))
}

// entryOf describes a change; ok is false when its author wants it hidden.
func entryOf(c history.Change, people authors) (e Entry, ok bool) {
	e = Entry{
		Text: c.Title, Number: c.Number, SHA: c.Commit.SHA, Commits: []string{c.Commit.SHA},
		Origin: c.Origin().Number, Time: c.Time(),
	}
	e.Authors, e.Unnamed = people.of(c)
	for _, b := range c.Branch {
		e.Commits = append(e.Commits, b.SHA)
	}
	if t, ok := history.ParseTitle(c.Title); ok {
		e.Scope, e.Text = t.Scope, t.Text
	}
	if c.Pull == nil {
		return e, true
	}
	e.URL, e.Closes = c.Pull.URL, c.Pull.Closes
	block, found := releaseNote(c.Pull.Body)
	switch {
	case found && len(block) == 0:
		return Entry{}, false
	case found:
		e.Scope, e.Text, e.More = "", block[0], block[1:min(len(block), maxLines)]
	}
	return e, true
}

// Outline is what the notes hold in one line, such as "Features 2 · Fixes 1".
func (n Notes) Outline() string {
	if n.Initial {
		return "initial release"
	}
	var words []string
	for _, s := range n.Sections {
		words = append(words, fmt.Sprintf("%s %d", s.Title, len(s.Entries)))
	}
	if len(words) == 0 {
		return "no changes"
	}
	return strings.Join(words, " · ")
}
