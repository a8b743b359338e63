// Package notes writes release notes from merged pull requests and commits. It is
// pure: history in, Markdown out. Everything in the history is hostile text until
// it is escaped here.
package notes

import "time"

// Commit is a commit of the released range.
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
}
