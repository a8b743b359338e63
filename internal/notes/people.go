package notes

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/history"
)

var (
	coAuthor = regexp.MustCompile(`(?mi)^co-authored-by:[ \t]*([^<>\r\n]*?)[ \t]*<([^<>\s]*)>[ \t]*\r?$`)
	noReply  = regexp.MustCompile(`(?i)^(?:[0-9]+\+)?([A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.github\.com$`)
)

// maxAuthors is how many people of a change are named.
const maxAuthors = 8

// authors finds the people of changes.
type authors struct {
	known map[string]bool // logins that GitHub gave, in lower case: only these are mentioned
}

func authorsIn(ranges ...history.Range) authors {
	a := authors{known: map[string]bool{}}
	for _, r := range ranges {
		for _, pr := range r.Pulls {
			a.known[strings.ToLower(pr.Author)] = !pr.Bot && pr.Author != ""
		}
	}
	return a
}

// of are the people of a change: the pull request's author, else the commit's where its
// address gives the login or there are others, then the co-authors that the commits name,
// and how many more there are. Apps are no people.
func (a authors) of(c history.Change) (people []Person, more int) {
	seen := map[string]bool{}
	add := func(p Person) {
		key := strings.ToLower(strings.TrimSuffix(p.Login, "[bot]") + "\x00" + p.Name)
		if p == (Person{}) || seen[key] || strings.HasSuffix(p.Login, "[bot]") || app(p.Login) {
			return
		}
		seen[key] = true
		p.Known = a.known[strings.ToLower(p.Login)]
		if len(people) == maxAuthors {
			more++
			return
		}
		people = append(people, p)
	}
	merge := len(c.Commit.Parents) > 1 // its author is who merged
	own := map[string]bool{c.Commit.Email: true}
	for _, b := range c.Branch {
		own[b.Email] = true
	}
	var others []Person
	for _, commit := range append([]history.Commit{c.Commit}, c.Branch...) {
		for _, m := range coAuthor.FindAllStringSubmatch(commit.Body, -1) {
			if login := noReply.FindStringSubmatch(m[2]); login != nil {
				others = append(others, Person{Login: login[1]})
			} else if !own[m[2]] { // a squash names the author as well
				others = append(others, Person{Name: m[1]})
			}
		}
	}
	login := noReply.FindStringSubmatch(c.Commit.Email)
	switch {
	case c.Pull != nil && !c.Pull.Bot:
		add(Person{Login: c.Pull.Author})
	case c.Pull == nil && !merge && login != nil:
		add(Person{Login: login[1]})
	case c.Pull == nil && !merge && len(others) > 0:
		add(Person{Name: c.Commit.Author})
	}
	for _, p := range others {
		add(p)
	}
	return people, more
}

// app tells whether a login is that of a program that commits under a person's address.
func app(login string) bool {
	switch strings.ToLower(login) {
	case "actions", "actions-user", "github-actions", "copilot", "web-flow":
		return true
	}
	return false
}

// contributors are the authors whose first pull request is in the release and is listed,
// as far as that is known. changes are all of the release, the newest first.
func contributors(changes []history.Change, listed map[int]bool, before map[string]bool) []Contributor {
	first := map[string]history.PullRequest{}
	for _, c := range changes {
		if c.Pull == nil || c.Pull.Bot || c.Pull.Author == "" {
			continue
		}
		key := strings.ToLower(c.Pull.Author)
		if earliest, ok := first[key]; !ok || c.Pull.MergedAt.Before(earliest.MergedAt) || c.Pull.MergedAt.Equal(earliest.MergedAt) && c.Number < earliest.Number {
			first[key] = *c.Pull
		}
	}
	var out []Contributor
	for _, pr := range first {
		if earlier, known := before[pr.Author]; known && !earlier && listed[pr.Number] {
			out = append(out, Contributor{Login: pr.Author, Number: pr.Number, URL: pr.URL})
		}
	}
	slices.SortFunc(out, func(a, b Contributor) int { return cmp.Compare(strings.ToLower(a.Login), strings.ToLower(b.Login)) })
	return out
}
