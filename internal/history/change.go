package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Change is one thing that was done in a range: a pull request, or a commit of the
// main line that came without one, with the commits that it consists of.
type Change struct {
	Number int    // of the pull request; 0: a commit
	SHA    string // of the commit on the main line
	Title  string
	Body   string
	Labels []string
	Branch []Commit // that a merge brought in, newest first
}

// Changes groups the commits of a range, newest first as git lists them, into changes
// in the same order: one for every commit of the main line (first parents). pulls are
// the pull requests that are known, of maps a commit to their numbers; without them
// the messages of the commits have to do. What was reverted inside of the range is left
// out together with what reverted it.
func Changes(commits []Commit, pulls []PullRequest, of map[string][]int) []Change {
	known := map[int]PullRequest{}
	for _, pr := range pulls {
		known[pr.Number] = pr
	}
	var out []Change
	place := map[int]int{} // of a pull request's change in out
	for _, g := range mainline(commits) {
		change := g.change(known, of)
		if at, ok := place[change.Number]; ok && change.Number > 0 { // a rebase merge: one more commit of it
			out[at].Branch = append(out[at].Branch, g.commit)
			out[at].Branch = append(out[at].Branch, g.branch...)
			continue
		}
		place[change.Number] = len(out)
		out = append(out, change)
	}
	return standing(out)
}

// group is a commit of the main line and what it merged.
type group struct {
	commit Commit
	branch []Commit
}

// mainline finds the first parents from the first commit on, and which commits each of
// them brought in. A commit that several merges reach belongs to the oldest.
func mainline(commits []Commit) []group {
	if len(commits) == 0 {
		return nil
	}
	index := make(map[string]int, len(commits))
	for i, c := range commits {
		index[c.SHA] = i
	}
	claimed := make([]bool, len(commits))
	var line []int
	for i, ok := 0, true; ok && !claimed[i]; {
		claimed[i] = true
		line = append(line, i)
		if len(commits[i].Parents) == 0 {
			break
		}
		i, ok = index[commits[i].Parents[0]]
	}
	groups := make([]group, len(line))
	for at := len(line) - 1; at >= 0; at-- {
		c := commits[line[at]]
		var branch, next []int
		push := func(parents []string) {
			for _, p := range parents {
				if i, ok := index[p]; ok && !claimed[i] {
					claimed[i] = true
					next = append(next, i)
				}
			}
		}
		push(c.Parents[min(1, len(c.Parents)):])
		for len(next) > 0 {
			i := next[len(next)-1]
			next = next[:len(next)-1]
			branch = append(branch, i)
			push(commits[i].Parents)
		}
		slices.Sort(branch)
		groups[at].commit = c
		for _, i := range branch {
			groups[at].branch = append(groups[at].branch, commits[i])
		}
	}
	return groups
}

// change describes a group by its pull request where that is known.
func (g group) change(known map[int]PullRequest, of map[string][]int) Change {
	c := Change{SHA: g.commit.SHA, Title: g.commit.Subject, Body: g.commit.Body, Branch: g.branch}
	numbers := Numbers(g.commit)
	named := len(numbers) > 0
	for _, n := range slices.Concat(numbers, of[g.commit.SHA]) {
		if pr, ok := known[n]; ok {
			c.Number, c.Title, c.Labels = n, pr.Title, pr.Labels
			c.Body = pr.Body + "\n\n" + g.commit.Body
			return c
		}
	}
	if !named {
		return c
	}
	c.Number = numbers[0]
	c.Title = strings.TrimSpace(squashSuffix.ReplaceAllString(strings.TrimSpace(c.Title), ""))
	if mergeSubject.MatchString(c.Title) { // GitHub puts the title into the body
		title, rest, _ := strings.Cut(strings.TrimSpace(c.Body), "\n")
		if title != "" {
			c.Title, c.Body = strings.TrimSpace(title), rest
		}
	}
	return c
}

var (
	revertsCommit = regexp.MustCompile(`(?m)^This reverts (?:commit|merge commit) ([0-9a-f]{7,64})`)
	revertsPull   = regexp.MustCompile(`(?m)^Reverts (?:[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)?#([1-9][0-9]{0,8})\b`)
	revertsTitle  = regexp.MustCompile(`^Revert "(.+)"(?: \(#[0-9]+\))?$`)
)

// standing leaves out what was reverted, and the reverts that did it. The newest
// comes first: a revert that was itself reverted has reverted nothing.
func standing(changes []Change) []Change {
	gone := make([]bool, len(changes))
	for i, c := range changes {
		if gone[i] {
			continue
		}
		if at := c.reverted(changes[i+1:]); at >= 0 {
			gone[i], gone[i+1+at] = true, true
		}
	}
	var out []Change
	for i, c := range changes {
		if !gone[i] {
			out = append(out, c)
		}
	}
	return out
}

// reverted is the place among the older changes of the one that c reverts as a whole;
// -1 for none.
func (c Change) reverted(older []Change) int {
	body := strings.ReplaceAll(c.Body, "\r\n", "\n")
	if m := revertsCommit.FindStringSubmatch(body); m != nil {
		return slices.IndexFunc(older, func(o Change) bool { return strings.HasPrefix(o.SHA, m[1]) })
	}
	if m := revertsPull.FindStringSubmatch(body); m != nil {
		return slices.IndexFunc(older, func(o Change) bool { return "#"+m[1] == o.Reference() })
	}
	if m := revertsTitle.FindStringSubmatch(c.Title); m != nil {
		return slices.IndexFunc(older, func(o Change) bool {
			return o.Title == strings.TrimSpace(squashSuffix.ReplaceAllString(m[1], ""))
		})
	}
	return -1
}

// Reference names the change for people: "#12", or the first seven digits of the
// commit.
func (c Change) Reference() string {
	if c.Number > 0 {
		return fmt.Sprintf("#%d", c.Number)
	}
	return fmt.Sprintf("%.7s", c.SHA)
}
