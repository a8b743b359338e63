package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/history"
)

const (
	pullsAtOnce    = 50 // in a query
	searchesAtOnce = 25 // in a query
	requestsAtOnce = 8  // where there are no queries
)

// pullFields is what is read of a pull request. 100 labels are all that one can have.
const pullFields = `fragment fields on PullRequest {
  number title body url merged mergedAt
  author { login __typename }
  labels(first: 100) { nodes { name } }
  mergeCommit { oid }
  baseRepository { nameWithOwner }
  closingIssuesReferences(first: 10) { nodes { number url } }
}`

// pullNode is a pull request as GraphQL answers
// (https://docs.github.com/graphql/reference/objects#pullrequest).
type pullNode struct {
	Number   int
	Title    string
	Body     string
	URL      string
	Merged   bool
	MergedAt time.Time
	Author   struct {
		Login    string
		Typename string `json:"__typename"`
	}
	Labels                  struct{ Nodes []struct{ Name string } }
	MergeCommit             struct{ OID string }
	BaseRepository          struct{ NameWithOwner string }
	ClosingIssuesReferences *struct {
		Nodes []*struct {
			Number int
			URL    string
		}
	}
}

func (p *pullNode) pullRequest() history.PullRequest {
	out := history.PullRequest{
		Number: p.Number, Title: p.Title, Body: p.Body, URL: p.URL,
		Author: p.Author.Login, Bot: p.Author.Typename == "Bot",
		MergeCommit: p.MergeCommit.OID, Base: p.BaseRepository.NameWithOwner, MergedAt: p.MergedAt.UTC(),
	}
	if out.Bot && !strings.HasSuffix(out.Author, "[bot]") {
		out.Author += "[bot]" // as in REST and in commits; only GraphQL calls a bot without it
	}
	for _, label := range p.Labels.Nodes {
		out.Labels = append(out.Labels, label.Name)
	}
	if p.ClosingIssuesReferences == nil {
		return out
	}
	out.Closes = []history.Issue{}
	for _, issue := range p.ClosingIssuesReferences.Nodes {
		if issue == nil {
			out.Closes = nil // the token may not see this one, so all are not known
			return out
		}
		out.Closes = append(out.Closes, history.Issue{Number: issue.Number, URL: issue.URL})
	}
	slices.SortFunc(out.Closes, func(a, b history.Issue) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.URL, b.URL))
	})
	return out
}

// hidden takes the errors that cost no more than the issues that a pull request closes:
// those of another repository, or all where the token may not read issues.
func hidden(g grievance) bool {
	return (g.Type == "FORBIDDEN" || g.Type == "NOT_FOUND") && g.below("closingIssuesReferences")
}

// inRepository is a query for a selection of the repository's fields.
func (c *Client) inRepository(ctx context.Context, selection string, into any, tolerated func(grievance) bool) error {
	text := "query($owner: String!, $name: String!) {\nrepository(owner: $owner, name: $name) {\n" + selection + "}\n}\n" + pullFields
	return c.query(ctx, text, map[string]string{"owner": c.repo.Owner, "name": c.repo.Name}, into, tolerated)
}

// Pulls reads the merged pull requests among those of the numbers, ordered by number.
// What is no pull request, does not exist or is not merged is left out. It costs a
// request for 50 of them, or one for each where GraphQL cannot be used; then what they
// close is not known. Either all are read or there is an error.
func (c *Client) Pulls(ctx context.Context, numbers []int) ([]history.PullRequest, error) {
	numbers = slices.DeleteFunc(slices.Clone(numbers), func(n int) bool { return n < 1 || n > math.MaxInt32 })
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	var out []history.PullRequest
	err := inBatches(ctx, c, numbers, pullsAtOnce, func(ctx context.Context, some []int) error {
		found, err := c.pulls(ctx, some)
		if err != nil {
			return fmt.Errorf("reading pull requests %d to %d of %q: %w", some[0], some[len(some)-1], c.repo, err)
		}
		out = append(out, found...)
		return nil
	})
	if errors.Is(err, errNoGraphQL) {
		c.tell("reading %d pull requests costs a request each", len(numbers))
		return c.pullsOneByOne(ctx, numbers)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pulls asks for a batch.
func (c *Client) pulls(ctx context.Context, numbers []int) ([]history.PullRequest, error) {
	var selection strings.Builder
	for _, n := range numbers {
		fmt.Fprintf(&selection, "p%d: pullRequest(number: %d) { ...fields }\n", n, n)
	}
	none := map[string]bool{}
	var data struct{ Repository map[string]*pullNode }
	err := c.inRepository(ctx, selection.String(), &data, func(g grievance) bool {
		for _, n := range numbers {
			alias := fmt.Sprintf("p%d", n)
			if g.about("NOT_FOUND", "repository", alias) {
				none[alias] = true
				return true
			}
		}
		return hidden(g)
	})
	if err != nil {
		return nil, err
	}
	var out []history.PullRequest
	for _, n := range numbers {
		alias := fmt.Sprintf("p%d", n)
		switch node := data.Repository[alias]; {
		case none[alias]:
		case node == nil || node.Number != n:
			return nil, fmt.Errorf("reading the answer to the query: it does not hold pull request %d", n)
		case node.Merged:
			out = append(out, node.pullRequest())
		}
	}
	return out, nil
}

func (c *Client) pullsOneByOne(ctx context.Context, numbers []int) ([]history.PullRequest, error) {
	found := make([]*history.PullRequest, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i, n := range numbers {
		group.Go(func() (err error) {
			found[i], err = c.PullRequest(ctx, n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []history.PullRequest
	for _, pull := range found {
		if pull != nil {
			out = append(out, *pull)
		}
	}
	return out, nil
}

// associated is a commit as GraphQL answers; null: GitHub does not know it.
type associated struct {
	AssociatedPullRequests *struct {
		TotalCount int
		Nodes      []*pullNode
	}
}

// PullsOf finds the merged pull requests that brought commits: full hash → ordered by
// number. A commit that came with none, or that GitHub does not know, is absent. It
// costs a request for 50 commits, and one for each that has more than five, or for each
// of all where GraphQL cannot be used; then what the pull requests close is not known.
// Either all are read or there is an error.
func (c *Client) PullsOf(ctx context.Context, shas []string) (map[string][]history.PullRequest, error) {
	shas = slices.Sorted(slices.Values(shas))
	shas = slices.Compact(shas)
	for _, sha := range shas {
		if !fullCommit.MatchString(sha) {
			return nil, fmt.Errorf("reading the pull requests of commit %q: want a full hash", sha)
		}
	}
	out := map[string][]history.PullRequest{}
	err := inBatches(ctx, c, shas, pullsAtOnce, func(ctx context.Context, some []string) error {
		if err := c.pullsOf(ctx, some, out); err != nil {
			return fmt.Errorf("reading the pull requests of commits %q to %q of %q: %w", some[0], some[len(some)-1], c.repo, err)
		}
		return nil
	})
	if errors.Is(err, errNoGraphQL) {
		c.tell("finding the pull requests of %d commits costs a request each", len(shas))
		return c.pullsOfOneByOne(ctx, shas)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pullsOf asks about a batch.
func (c *Client) pullsOf(ctx context.Context, shas []string, out map[string][]history.PullRequest) error {
	var selection strings.Builder
	for _, sha := range shas {
		fmt.Fprintf(&selection, "c%s: object(oid: %q) { ... on Commit { associatedPullRequests(first: 5) { totalCount nodes { ...fields } } } }\n", sha, sha)
	}
	var data struct{ Repository map[string]*associated }
	if err := c.inRepository(ctx, selection.String(), &data, hidden); err != nil {
		return err
	}
	for _, sha := range shas {
		commit, answered := data.Repository["c"+sha]
		if !answered {
			return fmt.Errorf("reading the answer to the query: it does not hold commit %q", sha)
		}
		if commit == nil || commit.AssociatedPullRequests == nil {
			continue
		}
		pulls, err := c.mergedAmong(ctx, sha, commit)
		if err != nil {
			return err
		}
		if len(pulls) > 0 {
			out[sha] = pulls
		}
	}
	return nil
}

func (c *Client) mergedAmong(ctx context.Context, sha string, commit *associated) ([]history.PullRequest, error) {
	if all := commit.AssociatedPullRequests; all.TotalCount > len(all.Nodes) {
		return c.PullRequestsOf(ctx, sha) // hardly ever, and not worth pages of GraphQL
	}
	var out []history.PullRequest
	for _, node := range commit.AssociatedPullRequests.Nodes {
		if node == nil || node.Number < 1 {
			return nil, fmt.Errorf("reading the answer to the query: it does not hold a pull request of commit %q", sha)
		}
		if node.Merged {
			out = append(out, node.pullRequest())
		}
	}
	slices.SortFunc(out, func(a, b history.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

func (c *Client) pullsOfOneByOne(ctx context.Context, shas []string) (map[string][]history.PullRequest, error) {
	found := make([][]history.PullRequest, len(shas))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requestsAtOnce)
	for i, sha := range shas {
		group.Go(func() (err error) {
			found[i], err = c.PullRequestsOf(ctx, sha)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := map[string][]history.PullRequest{}
	for i, sha := range shas {
		if len(found[i]) > 0 {
			out[sha] = found[i]
		}
	}
	return out, nil
}

// userLogin matches what a search can ask for as an author, and nothing that would
// change the search. Logins of bots are not among it.
var userLogin = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?$`)

// MergedBefore tells for each login whether a pull request of theirs was merged into
// the repository before a time. A login that is absent from the result is not known:
// it is no user's, or GraphQL cannot be used. It costs a request for 25 logins.
func (c *Client) MergedBefore(ctx context.Context, first map[string]time.Time) (map[string]bool, error) {
	var logins []string
	for login := range first {
		if userLogin.MatchString(login) {
			logins = append(logins, login)
		}
	}
	slices.Sort(logins)
	out := map[string]bool{}
	err := inBatches(ctx, c, logins, searchesAtOnce, func(ctx context.Context, some []string) error {
		if err := c.mergedBefore(ctx, some, first, out); err != nil {
			return fmt.Errorf("searching earlier pull requests of %q to %q in %q: %w", some[0], some[len(some)-1], c.repo, err)
		}
		return nil
	})
	if errors.Is(err, errNoGraphQL) {
		c.tell("who contributes for the first time is not known")
		return map[string]bool{}, nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// mergedBefore asks about a batch.
func (c *Client) mergedBefore(ctx context.Context, logins []string, first map[string]time.Time, out map[string]bool) error {
	var head, selection []string
	searches := map[string]string{}
	for i, login := range logins {
		name := fmt.Sprintf("q%d", i)
		head = append(head, "$"+name+": String!")
		selection = append(selection, fmt.Sprintf("%s: search(query: $%s, type: ISSUE, first: 1) { issueCount }", name, name))
		searches[name] = fmt.Sprintf("repo:%s is:pr is:merged author:%s merged:<%s", c.repo, login, first[login].UTC().Format(time.RFC3339))
	}
	var data map[string]*struct{ IssueCount *int }
	text := "query(" + strings.Join(head, ", ") + ") {\n" + strings.Join(selection, "\n") + "\n}"
	if err := c.query(ctx, text, searches, &data, func(grievance) bool { return false }); err != nil {
		return err
	}
	for i, login := range logins {
		found := data[fmt.Sprintf("q%d", i)]
		if found == nil || found.IssueCount == nil {
			return fmt.Errorf("reading the answer to the query: it does not hold the search for %q", login)
		}
		out[login] = *found.IssueCount > 0
	}
	return nil
}
