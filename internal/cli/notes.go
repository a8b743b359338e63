package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/org/pgo-release/internal/github"
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
func (s *session) notes(ctx context.Context, client *github.Client) (string, error) {
	var body string
	err := task.Track(ctx, s.reporter.Progress, "notes", "release notes", 0, func(stage func(string)) (string, error) {
		stage("reading commits")
		commits, err := s.repo.Commits(ctx, s.plan.Previous, s.plan.Commit)
		if err != nil {
			return "", err
		}
		stage("reading pull requests")
		in := notes.Input{
			Tag: s.plan.Tag, Previous: s.plan.Previous, Repository: s.plan.Repository,
			Commits: commits, Configuration: s.plan.Notes,
		}
		if in.PullRequests, in.Of, err = mergedPullRequests(ctx, client, commits); err != nil {
			return "", err
		}
		body = notes.New(in).Markdown()
		return fmt.Sprintf("%d commits, %d pull requests", len(commits), len(in.PullRequests)), nil
	})
	return body, err
}

// mergedPullRequests finds the pull requests that the commits came with, and which
// commit came with which: those that the messages name, and for the first commits that
// name none, those that GitHub knows.
func mergedPullRequests(ctx context.Context, client *github.Client, commits []notes.Commit) ([]notes.PullRequest, map[string][]int, error) {
	var numbers []int
	var rest []string
	of := map[string][]int{}
	for _, c := range commits {
		of[c.SHA] = notes.Numbers(c)
		if len(of[c.SHA]) == 0 && len(rest) < searched {
			rest = append(rest, c.SHA)
		}
		for _, n := range of[c.SHA] {
			if !slices.Contains(numbers, n) && len(numbers) < named {
				numbers = append(numbers, n)
			}
		}
	}
	found := make([][]notes.PullRequest, len(numbers)+len(rest))
	err := task.Each(ctx, lookups, len(found), func(ctx context.Context, i int) (err error) {
		if i >= len(numbers) {
			found[i], err = client.PullRequestsOf(ctx, rest[i-len(numbers)])
			return err
		}
		pull, err := client.PullRequest(ctx, numbers[i])
		if pull != nil {
			found[i] = []notes.PullRequest{*pull}
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
