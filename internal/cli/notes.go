package cli

import (
	"context"
	"slices"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/task"
)

// Each pull request and each commit that is asked for is one request of the thousand
// an hour that a workflow's token has.
const (
	lookups  = 8   // at once
	named    = 500 // pull requests that messages name; the newest
	searched = 100 // commits whose messages name none; the newest
)

// notes writes the release notes: from merged pull requests, and from commits for
// what came without one.
func (s *session) notes(p past) string {
	return notes.New(notes.Input{
		Tag: s.plan.Tag, Previous: s.plan.Verdict.Previous, Repository: s.plan.Repository,
		Commits: p.commits, PullRequests: p.pulls, Of: p.of, Configuration: s.plan.Notes,
	}).Markdown()
}

// mergedPullRequests finds the pull requests that the commits came with, and which
// commit came with which: those that the messages name, and for the first commits that
// name none, those that GitHub knows.
func mergedPullRequests(ctx context.Context, client *github.Client, commits []history.Commit) ([]history.PullRequest, map[string][]int, error) {
	var numbers []int
	var rest []string
	of := map[string][]int{}
	for _, c := range commits {
		of[c.SHA] = history.Numbers(c)
		if len(of[c.SHA]) == 0 && len(rest) < searched {
			rest = append(rest, c.SHA)
		}
		for _, n := range of[c.SHA] {
			if !slices.Contains(numbers, n) && len(numbers) < named {
				numbers = append(numbers, n)
			}
		}
	}
	found := make([][]history.PullRequest, len(numbers)+len(rest))
	err := task.Each(ctx, lookups, len(found), func(ctx context.Context, i int) (err error) {
		if i >= len(numbers) {
			found[i], err = client.PullRequestsOf(ctx, rest[i-len(numbers)])
			return err
		}
		pull, err := client.PullRequest(ctx, numbers[i])
		if pull != nil {
			found[i] = []history.PullRequest{*pull}
		}
		return err
	})
	for i, sha := range rest {
		for _, pull := range found[len(numbers)+i] {
			of[sha] = append(of[sha], pull.Number)
		}
	}
	return slices.Concat(found...), of, err
}
