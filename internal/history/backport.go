package history

import (
	"regexp"
	"strconv"
	"strings"
)

// Origin is what a change was taken over from: a pull request, or commits. Zero and
// empty when it was not, or does not say.
type Origin struct {
	Number  int
	Commits []string // hashes or their beginnings
}

var (
	backportOf = regexp.MustCompile(`(?i)\b(?:backport(?:s|ed)?(?:\s+(?:of|from))?|cherry[- ]pick(?:s|ed)?\s+(?:of|from))(?:\s+(?:pull request|pr))?:?\s+#([1-9][0-9]{0,8})\b`)
	pickedFrom = regexp.MustCompile(`(?m)\(cherry picked from commit ([0-9a-f]{7,64})\)`)
)

// Origin reads the usual words of backports: "backport of #30" in the title or the
// body, and the line that git cherry-pick -x writes.
func (c Change) Origin() Origin {
	var o Origin
	for _, text := range []string{c.Title, c.Body} {
		if m := backportOf.FindStringSubmatch(text); m != nil && o.Number == 0 {
			o.Number, _ = strconv.Atoi(m[1]) // nine digits at most
		}
	}
	for _, body := range append([]string{c.Body}, bodies(c.Branch)...) {
		for _, m := range pickedFrom.FindAllStringSubmatch(body, -1) {
			o.Commits = append(o.Commits, m[1])
		}
	}
	return o
}

func bodies(commits []Commit) []string {
	var out []string
	for _, c := range commits {
		out = append(out, c.Body)
	}
	return out
}

// has tells whether the change consists of a commit, named by its hash or the
// beginning of it.
func (c Change) has(sha string) bool {
	if strings.HasPrefix(c.Commit.SHA, sha) {
		return true
	}
	for _, b := range c.Branch {
		if strings.HasPrefix(b.SHA, sha) {
			return true
		}
	}
	return false
}

// Without leaves out the changes that the other line has too: those that it took over
// from here, and those that were taken over from it.
func Without(changes, other []Change) []Change {
	numbers := map[int]bool{}
	var picked []string
	for _, o := range other {
		origin := o.Origin()
		numbers[origin.Number] = true
		picked = append(picked, origin.Commits...)
	}
	numbers[0] = false
	var out []Change
	for _, c := range changes {
		shipped := numbers[c.Number]
		for _, sha := range picked {
			shipped = shipped || c.has(sha)
		}
		origin := c.Origin()
		for _, o := range other {
			shipped = shipped || origin.Number > 0 && origin.Number == o.Number
			for _, sha := range origin.Commits {
				shipped = shipped || o.has(sha)
			}
		}
		if !shipped {
			out = append(out, c)
		}
	}
	return out
}
