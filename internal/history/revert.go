package history

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	revertsCommit = regexp.MustCompile(`(?m)^This reverts (?:commit|merge commit) ([0-9a-f]{7,64})(?:[.,;)]|\s*$| reversing)`)
	revertsPull   = regexp.MustCompile(`(?m)^Reverts (?:([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)?)#([1-9][0-9]{0,8})\b`)
	revertsTitle  = regexp.MustCompile(`^Revert "(.+)"$`)
	partial       = regexp.MustCompile(`(?i)\bpartial(?:ly)?\b`)
)

// revertedCommit is the hash (or its beginning) of the commit that a message takes back
// as a whole; ok tells whether the message is one of a revert at all: its title says so,
// or its body begins with it. Elsewhere in a body the words are those of others: a squash
// lists the messages of its branch.
func revertedCommit(title, body string) (sha string, ok bool) {
	body = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
	kind, _ := ParseTitle(title)
	ok = revertsTitle.MatchString(withoutNumber(title)) || kind.Kind == "revert"
	at := revertsCommit.FindStringSubmatchIndex(body)
	if !ok && (at == nil || at[0] > 0) && !strings.HasPrefix(body, "Reverts ") {
		return "", false
	}
	if at == nil || !ok && at[0] > 0 || partial.MatchString(body) {
		return "", true
	}
	return body[at[2]:at[3]], true
}

// standing leaves out what was reverted, and the reverts that did it. The newest
// comes first: a revert that was itself reverted has reverted nothing.
func (r Range) standing(changes []Change) []Change {
	titles := map[string][]int{} // places by title
	for i, c := range changes {
		title := withoutNumber(c.Title)
		titles[title] = append(titles[title], i)
	}
	gone := make([]bool, len(changes))
	for i := range changes {
		if gone[i] {
			continue
		}
		at, reverts := r.revertedBy(changes, i, titles)
		if at >= 0 && !gone[at] {
			gone[i], gone[at] = true, true
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

// revertedBy tells whether the i-th change is a revert, and the place of the older one
// that it reverts as a whole; -1 for none. A hash or a number says more than a title.
func (r Range) revertedBy(changes []Change, i int, titles map[string][]int) (at int, reverts bool) {
	c := changes[i]
	sha, reverts := revertedCommit(c.Title, c.Body)
	if !reverts || partial.MatchString(c.Body) {
		return -1, reverts
	}
	older := func(is func(Change) bool) int {
		if at := slices.IndexFunc(changes[i+1:], is); at >= 0 {
			return i + 1 + at
		}
		return -1
	}
	if sha != "" {
		return older(func(o Change) bool { return strings.HasPrefix(o.Commit.SHA, sha) }), true
	}
	if m := revertsPull.FindStringSubmatch(strings.ReplaceAll(c.Body, "\r\n", "\n")); m != nil {
		if m[1] != "" && !strings.EqualFold(m[1], r.Repository) {
			return -1, true
		}
		return older(func(o Change) bool { return strconv.Itoa(o.Number) == m[2] }), true
	}
	m := revertsTitle.FindStringSubmatch(withoutNumber(c.Title))
	if m == nil {
		return -1, true
	}
	if n := squashSuffix.FindStringSubmatch(m[1]); n != nil {
		return older(func(o Change) bool { return strconv.Itoa(o.Number) == n[1] }), true
	}
	for _, at := range titles[withoutNumber(m[1])] {
		if at > i {
			return at, true
		}
	}
	return -1, true
}
