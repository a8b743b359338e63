package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Range is what lies between two versions.
type Range struct {
	Commits []Commit         // newest first, as git lists them
	Pulls   []PullRequest    // merged ones that are known, in any order
	Of      map[string][]int // numbers of the pull requests that a commit came with, by hash
	// Online tells that GitHub was asked: a number in a message that is not among Pulls
	// means nothing then. Otherwise the messages are all there is.
	Online     bool
	Repository string // owner/name; pull requests into another one are not of the range
	// Within are the hashes of the commits that count; nil: all. A change without any of
	// them is left out.
	Within map[string]bool
}

// Change is one thing that was done in a range: a pull request, or a commit that came
// without one.
type Change struct {
	Number int // of the pull request; 0: a commit
	Commit Commit
	Branch []Commit     // the others that it consists of, newest first
	Pull   *PullRequest // as GitHub describes it; nil: not known
	Title  string       // without the number
	Body   string       // of the pull request, then of the commit
	Revert bool         // it takes back what is older than the range
}

// Labels are the pull request's.
func (c Change) Labels() []string {
	if c.Pull == nil {
		return nil
	}
	return c.Pull.Labels
}

// Time is when it was merged, or committed.
func (c Change) Time() time.Time {
	if c.Pull != nil && !c.Pull.MergedAt.IsZero() {
		return c.Pull.MergedAt
	}
	return c.Commit.Time
}

// Reference names the change for people: "#12", or the first seven digits of the
// commit.
func (c Change) Reference() string {
	if c.Number > 0 {
		return fmt.Sprintf("#%d", c.Number)
	}
	return fmt.Sprintf("%.7s", c.Commit.SHA)
}

// Changes groups the commits into changes, newest first: one for every commit of the
// main line (first parents). A merge that only brings other pull requests along, as a
// promotion from one branch to another does, is replaced by them. What was reverted
// inside of the range is left out together with what reverted it.
func (r Range) Changes() []Change {
	g := grouper{Range: r, known: map[int]PullRequest{}, merged: map[string]int{}, index: make(map[string]int, len(r.Commits))}
	for i, c := range r.Commits {
		g.index[c.SHA] = i
	}
	for _, pr := range r.Pulls {
		// In a fork, numbers in messages speak of the upstream's pull requests.
		_, inside := g.index[pr.MergeCommit]
		if inside && (pr.Base == "" || strings.EqualFold(pr.Base, r.Repository)) {
			g.known[pr.Number] = pr
			g.merged[pr.MergeCommit] = pr.Number
		}
	}
	g.claimed = make([]bool, len(r.Commits))
	if len(r.Commits) == 0 {
		return nil
	}
	return r.within(r.kept(standing(g.changes(g.line(0)))))
}

// within leaves out the changes that have no commit that counts.
func (r Range) within(changes []Change) []Change {
	if r.Within == nil {
		return changes
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		return !r.Within[c.Commit.SHA] && !slices.ContainsFunc(c.Branch, func(b Commit) bool { return r.Within[b.SHA] })
	})
}

// kept leaves out the single commits that were reverted, and their reverts, wherever
// they are: in a branch, or one in a branch and the other after it was merged.
func (r Range) kept(changes []Change) []Change {
	gone := r.reverted()
	if len(gone) == 0 {
		return changes
	}
	var out []Change
	for _, c := range changes {
		had := len(c.Branch)
		c.Branch = slices.DeleteFunc(slices.Clone(c.Branch), func(b Commit) bool { return gone[b.SHA] })
		merge := len(c.Commit.Parents) > 1
		if gone[c.Commit.SHA] || merge && had > 0 && len(c.Branch) == 0 {
			continue
		}
		out = append(out, c)
	}
	return out
}

// reverted are the hashes of the commits that name a commit of the range as the one that
// they revert, and of those. The newest comes first: a revert that was itself reverted has
// reverted nothing.
func (r Range) reverted() map[string]bool {
	gone := map[string]bool{}
	for i, c := range r.Commits {
		m := revertsCommit.FindStringSubmatch(c.Body)
		if m == nil || gone[c.SHA] {
			continue
		}
		at := slices.IndexFunc(r.Commits[i+1:], func(o Commit) bool { return strings.HasPrefix(o.SHA, m[1]) })
		if at >= 0 {
			gone[c.SHA], gone[r.Commits[i+1+at].SHA] = true, true
		}
	}
	return gone
}

// grouper sorts commits into changes.
type grouper struct {
	Range

	known   map[int]PullRequest // by number
	merged  map[string]int      // number by merge commit
	index   map[string]int      // place in Commits by hash
	claimed []bool              // commits that belong to a line or a branch already
}

// line claims the first parents from the i-th commit on.
func (g *grouper) line(i int) []int {
	var line []int
	for ok := true; ok && !g.claimed[i]; {
		g.claimed[i] = true
		line = append(line, i)
		if len(g.Commits[i].Parents) == 0 {
			break
		}
		i, ok = g.index[g.Commits[i].Parents[0]]
	}
	return line
}

// changes makes changes of a line of commits. What several merges reach belongs to the
// oldest of them.
func (g *grouper) changes(line []int) []Change {
	found := make([][]Change, len(line))
	for at, i := range slices.Backward(line) {
		found[at] = g.of(i)
	}
	var out []Change
	place := map[int]int{} // of a pull request's change in out
	for _, c := range slices.Concat(found...) {
		if at, ok := place[c.Number]; ok && c.Number > 0 { // a rebase merge: one more commit of it
			out[at].Branch = append(append(out[at].Branch, c.Commit), c.Branch...)
			continue
		}
		place[c.Number] = len(out)
		out = append(out, c)
	}
	return out
}

// of is the change of one commit of a line; or the changes that it promotes.
func (g *grouper) of(i int) []Change {
	c := g.describe(g.Commits[i])
	var inner []Change
	for _, parent := range c.Commit.Parents[min(1, len(c.Commit.Parents)):] {
		if at, ok := g.index[parent]; ok && !g.claimed[at] {
			inner = append(inner, g.changes(g.line(at))...)
		}
	}
	if slices.ContainsFunc(inner, func(o Change) bool { return o.Number > 0 && o.Number != c.Number }) {
		return inner
	}
	for _, o := range inner {
		c.Branch = append(append(c.Branch, o.Commit), o.Branch...)
	}
	slices.SortFunc(c.Branch, func(a, b Commit) int { return g.index[a.SHA] - g.index[b.SHA] })
	return []Change{c}
}

// describe is a commit as a change: by its pull request where that is known.
func (g *grouper) describe(commit Commit) Change {
	c := Change{Commit: commit, Title: strings.TrimSpace(commit.Subject), Body: commit.Body}
	numbers := Numbers(commit)
	for _, n := range slices.Concat([]int{g.merged[commit.SHA]}, numbers, g.Of[commit.SHA]) {
		if pr, ok := g.known[n]; ok {
			c.Number, c.Title, c.Pull = n, strings.TrimSpace(pr.Title), &pr
			c.Body = pr.Body + "\n\n" + commit.Body
			return c
		}
	}
	if g.Online || len(numbers) == 0 {
		return c
	}
	c.Number = numbers[0]
	c.Title = withoutNumber(c.Title)
	if mergeSubject.MatchString(c.Title) { // GitHub puts the title into the body
		title, rest, _ := strings.Cut(strings.TrimSpace(c.Body), "\n")
		if title != "" {
			c.Title, c.Body = strings.TrimSpace(title), rest
		}
	}
	return c
}

func withoutNumber(title string) string {
	return strings.TrimSpace(squashSuffix.ReplaceAllString(strings.TrimSpace(title), ""))
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
	for i := range changes {
		if gone[i] {
			continue
		}
		at, reverts := changes[i].reverted(changes[i+1:])
		if at >= 0 {
			gone[i], gone[i+1+at] = true, true
		}
		changes[i].Revert = reverts
	}
	var out []Change
	for i, c := range changes {
		if !gone[i] {
			out = append(out, c)
		}
	}
	return out
}

// reverted tells whether c is a revert, and the place among the older changes of the one
// that it reverts as a whole; -1 for none.
func (c Change) reverted(older []Change) (at int, reverts bool) {
	body := strings.ReplaceAll(c.Body, "\r\n", "\n")
	if m := revertsCommit.FindStringSubmatch(body); m != nil {
		return slices.IndexFunc(older, func(o Change) bool { return strings.HasPrefix(o.Commit.SHA, m[1]) }), true
	}
	if m := revertsPull.FindStringSubmatch(body); m != nil {
		return slices.IndexFunc(older, func(o Change) bool { return "#"+m[1] == o.Reference() }), true
	}
	if m := revertsTitle.FindStringSubmatch(c.Title); m != nil {
		return slices.IndexFunc(older, func(o Change) bool { return withoutNumber(o.Title) == withoutNumber(m[1]) }), true
	}
	return -1, false
}
