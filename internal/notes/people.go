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

// authorsOf are the people of a change: the pull request's author, else the commit's
// where its address gives the login or there are others, then the co-authors that the
// commits name. Apps are no people.
func authorsOf(c history.Change) []Person {
	var out []Person
	add := func(p Person) {
		known := slices.ContainsFunc(out, func(o Person) bool {
			return p.Login != "" && sameLogin(o.Login, p.Login) || p.Login == "" && strings.EqualFold(o.Name, p.Name)
		})
		if !known && !strings.HasSuffix(p.Login, "[bot]") && p != (Person{}) {
			out = append(out, p)
		}
	}
	own := []string{c.Commit.Email}
	merge := len(c.Commit.Parents) > 1 // its author is who merged
	switch {
	case c.Pull != nil && !c.Pull.Bot:
		add(Person{Login: c.Pull.Author})
	case c.Pull == nil && !merge:
		if m := noReply.FindStringSubmatch(c.Commit.Email); m != nil {
			add(Person{Login: m[1]})
		}
	}
	for _, b := range c.Branch {
		own = append(own, b.Email)
	}
	for _, commit := range append([]history.Commit{c.Commit}, c.Branch...) {
		for _, m := range coAuthor.FindAllStringSubmatch(commit.Body, -1) {
			name, address := m[1], m[2]
			if login := noReply.FindStringSubmatch(address); login != nil {
				add(Person{Login: login[1]})
			} else if !slices.Contains(own, address) { // a squash names the author as well
				add(Person{Name: name})
			}
		}
	}
	if c.Pull == nil && !merge && len(out) > 0 && !slices.ContainsFunc(own[:1], noReply.MatchString) {
		out = slices.Insert(out, 0, Person{Name: c.Commit.Author})
	}
	return out
}

// contributors are the authors whose first pull request is among the listed changes, as
// far as that is known.
func contributors(changes []history.Change, before map[string]bool) []Contributor {
	first := map[string]Contributor{}
	for _, c := range slices.Backward(changes) { // the oldest comes last
		if c.Pull == nil || c.Pull.Bot || c.Pull.Author == "" {
			continue
		}
		key := strings.ToLower(c.Pull.Author)
		earlier, known := before[c.Pull.Author]
		if _, listed := first[key]; known && !earlier && !listed {
			first[key] = Contributor{Login: c.Pull.Author, Number: c.Number, URL: c.Pull.URL}
		}
	}
	var out []Contributor
	for _, c := range first {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Contributor) int { return cmp.Compare(strings.ToLower(a.Login), strings.ToLower(b.Login)) })
	return out
}
