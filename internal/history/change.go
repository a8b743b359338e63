package history

import (
	"fmt"
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
// main line (first parents). A merge that is no pull request is replaced by what it
// brings, and so is one that brings nothing but other pull requests, as a promotion from
// one branch to another does. What was reverted inside of the range is left out together
// with what reverted it.
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
	return r.within(r.unpicked(r.standing(g.changes(g.line(0)))))
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

// unpicked leaves out the single commits that were reverted, and their reverts, wherever
// they are: in a branch, or one in a branch and the other after it was merged. A revert
// of a part of a pull request stays: the rest of that is still there.
func (r Range) unpicked(changes []Change) []Change {
	targets := r.singleReverts()
	if len(targets) == 0 {
		return changes
	}
	gone := map[string]bool{}
	for revert, target := range targets {
		gone[revert], gone[target] = true, true
	}
	partly := map[string]bool{} // commits of pull requests of which something is left
	for _, c := range changes {
		if c.Number > 0 && !gone[c.Commit.SHA] && slices.ContainsFunc(c.Branch, func(b Commit) bool { return !gone[b.SHA] && len(b.Parents) < 2 }) {
			for _, b := range c.Branch {
				partly[b.SHA] = true
			}
		}
	}
	var out []Change
	for _, c := range changes {
		had := len(c.Branch)
		c.Branch = slices.DeleteFunc(slices.Clone(c.Branch), func(b Commit) bool { return gone[b.SHA] })
		emptied := len(c.Commit.Parents) > 1 && had > 0 && len(c.Branch) == 0
		if gone[c.Commit.SHA] && partly[targets[c.Commit.SHA]] {
			c.Revert = true
		} else if gone[c.Commit.SHA] || emptied {
			continue
		}
		out = append(out, c)
	}
	return out
}

// singleReverts maps the commits that revert a commit of the range to that. The newest
// comes first: a revert that was itself reverted has reverted nothing.
func (r Range) singleReverts() map[string]string {
	targets, gone := map[string]string{}, map[string]bool{}
	for i, c := range r.Commits {
		if gone[c.SHA] {
			continue
		}
		sha, _ := revertedCommit(c.Subject, c.Body)
		if sha == "" {
			continue
		}
		at := slices.IndexFunc(r.Commits[i+1:], func(o Commit) bool { return strings.HasPrefix(o.SHA, sha) })
		if at >= 0 {
			target := r.Commits[i+1+at].SHA
			targets[c.SHA], gone[target] = target, true
		}
	}
	return targets
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

// of is the change of one commit of a line; or the changes that it brings.
func (g *grouper) of(i int) []Change {
	c := g.describe(g.Commits[i])
	var inner []Change
	for _, parent := range c.Commit.Parents[min(1, len(c.Commit.Parents)):] {
		if at, ok := g.index[parent]; ok && !g.claimed[at] {
			inner = append(inner, g.changes(g.line(at))...)
		}
	}
	if c.Number == 0 && len(inner) > 0 {
		return inner
	}
	var pulls []Change
	for _, o := range inner {
		if o.Number > 0 && o.Number != c.Number {
			pulls = append(pulls, o)
			continue
		}
		c.Branch = append(append(c.Branch, o.Commit), o.Branch...)
	}
	switch {
	case len(pulls) > 0 && len(c.Branch) == 0 && !c.breaking():
		return pulls
	case !g.Online && !slices.ContainsFunc(pulls, func(o Change) bool { return len(o.Commit.Parents) > 1 }):
		// A number at the end of one message among others may be an issue's.
		for _, o := range pulls {
			c.Branch = append(append(c.Branch, o.Commit), o.Branch...)
		}
		pulls = nil
	}
	slices.SortFunc(c.Branch, func(a, b Commit) int { return g.index[a.SHA] - g.index[b.SHA] })
	return append([]Change{c}, pulls...)
}

// breaking tells whether the pull request itself says that it breaks something.
func (c Change) breaking() bool {
	t, _ := ParseTitle(c.Title)
	return t.Breaking || BreakingFooter(c.Body) || HasLabel(c.Labels(), BreakingLabels()...)
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
