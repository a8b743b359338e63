// Package history is what happened between two versions: commits, the pull requests
// that they came with, and what their titles, footers and labels say about it. It is
// pure. Everything in it is text of strangers: nothing here is escaped.
package history

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Commit is a commit of a range.
type Commit struct {
	SHA     string
	Parents []string // hashes; more than one: a merge
	Subject string
	Body    string
	Author  string // name, as git has it
	Email   string
	Time    time.Time // committer time
}

// PullRequest is a merged pull request, as the API describes it.
type PullRequest struct {
	Number      int
	Title       string
	Body        string
	URL         string
	Author      string // login; empty: not known
	Bot         bool
	Labels      []string
	MergeCommit string
	Base        string // owner/name of the repository it was merged into
	MergedAt    time.Time
	Closes      []Issue // that it says it closes, by number; nil where that is not known
}

// Issue is an issue of a repository on GitHub.
type Issue struct {
	Number int
	URL    string
}

var (
	mergeSubject = regexp.MustCompile(`^Merge pull request #([1-9][0-9]{0,8}) from `)
	squashSuffix = regexp.MustCompile(`\(#([1-9][0-9]{0,8})\)$`)
)

// Numbers are the pull requests that a commit's message says it came with: the one of
// "Merge pull request #N from …", or the one at the end of the subject, "(#N)".
func Numbers(c Commit) []int {
	for _, form := range []*regexp.Regexp{mergeSubject, squashSuffix} {
		if m := form.FindStringSubmatch(strings.TrimSpace(c.Subject)); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				return []int{n}
			}
		}
	}
	return nil
}
