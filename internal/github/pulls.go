package github

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/pgo-release/internal/history"
)

// PullRequest reads a merged pull request; nil when there is none of that number or it
// is not merged (https://docs.github.com/rest/pulls/pulls#get-a-pull-request).
func (c *Client) PullRequest(ctx context.Context, number int) (*history.PullRequest, error) {
	pull, _, err := c.api.PullRequests.Get(ctx, c.repo.Owner, c.repo.Name, number)
	if err = cause(err); status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading pull request %d of %q: %w", number, c.repo, err)
	}
	if pull.MergedAt == nil {
		return nil, nil
	}
	out := pullRequest(pull)
	return &out, nil
}

// PullRequestsOf lists the merged pull requests that brought a commit, by number; none
// for a commit that GitHub does not know
// (https://docs.github.com/rest/commits/commits#list-pull-requests-associated-with-a-commit).
func (c *Client) PullRequestsOf(ctx context.Context, sha string) ([]history.PullRequest, error) {
	if !fullCommit.MatchString(sha) {
		return nil, fmt.Errorf("reading the pull requests of commit %q: want a full hash", sha)
	}
	var out []history.PullRequest
	options := &gh.ListOptions{PerPage: 100, Page: 1}
	for options.Page > 0 && options.Page <= maxPages {
		pulls, resp, err := c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.repo.Owner, c.repo.Name, sha, options)
		if err = cause(err); status(err) == http.StatusUnprocessableEntity {
			return nil, nil // "No commit found for SHA"
		}
		if err != nil {
			return nil, fmt.Errorf("reading the pull requests of commit %q: %w", sha, err)
		}
		for _, pull := range pulls {
			if pull.MergedAt != nil {
				out = append(out, pullRequest(pull))
			}
		}
		if resp.NextPage <= options.Page {
			break
		}
		options.Page = resp.NextPage
	}
	slices.SortFunc(out, func(a, b history.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

func pullRequest(p *gh.PullRequest) history.PullRequest {
	out := history.PullRequest{
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), URL: p.GetHTMLURL(),
		Author: p.GetUser().GetLogin(), Bot: p.GetUser().GetType() == "Bot",
		MergeCommit: p.GetMergeCommitSHA(), Base: p.GetBase().GetRepo().GetFullName(),
		MergedAt: p.GetMergedAt().UTC(),
	}
	for _, label := range p.Labels {
		out.Labels = append(out.Labels, label.GetName())
	}
	return out
}
