package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// errNoGraphQL says that GraphQL cannot be used: the server has none, or there is no
// token, without which GitHub answers no query. A server that refuses the token (403)
// has GraphQL: it would refuse the same over REST, and its refusal names what is missing.
var errNoGraphQL = errors.New("GraphQL cannot be used")

// tooMuch is a query that GitHub had no time or no resources for.
type tooMuch struct{ error }

// Unwrap gives the cause.
func (t *tooMuch) Unwrap() error { return t.error }

func overtaxed(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// grievance is an error that an answer holds beside its data.
type grievance struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Path    []any  `json:"path"` // names and indexes
}

func (g *grievance) Error() string {
	text := line(g.Message)
	if g.Type != "" {
		text = line(g.Type) + ": " + text
	}
	return "GitHub answers the query with " + text
}

// about tells whether it is of a type and concerns the field at the path.
func (g *grievance) about(kind string, path ...string) bool {
	return g.Type == kind && slices.EqualFunc(g.Path, path, func(at any, name string) bool { return at == name })
}

// below tells whether it concerns something inside a field of that name.
func (g *grievance) below(field string) bool { return slices.Contains(g.Path, any(field)) }

// overtaxing tells whether GitHub gave up, and may not when it is asked for less.
func (g *grievance) overtaxing() bool {
	switch g.Type {
	case "RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED":
		return true
	case "":
		text := strings.ToLower(g.Message)
		for _, sign := range []string{"something went wrong", "timeout", "timed out", "request in time"} {
			if strings.Contains(text, sign) {
				return true
			}
		}
	}
	return false
}

// limitedInside tells whether an answer that looks like a success says that the rate
// limit is used up.
func limitedInside(resp *http.Response) bool {
	if resp.StatusCode != http.StatusOK {
		return false
	}
	var answer struct{ Errors []grievance }
	if err := json.Unmarshal(peek(resp), &answer); err != nil {
		return false
	}
	return slices.ContainsFunc(answer.Errors, func(g grievance) bool { return g.Type == "RATE_LIMITED" || g.Type == "RATE_LIMIT" })
}

// query asks GraphQL once and reads the data of the answer into data. An error that
// the answer holds fails the query unless tolerated takes it.
func (c *Client) query(ctx context.Context, text string, variables map[string]string, data any, tolerated func(grievance) bool) error {
	if c.noGraph.Load() {
		return errNoGraphQL
	}
	req, err := c.api.NewRequest(http.MethodPost, c.graph, struct {
		Query     string            `json:"query"`
		Variables map[string]string `json:"variables"`
	}{text, variables})
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []grievance     `json:"errors"`
	}
	_, err = c.api.Do(context.WithValue(ctx, asking{}, true), req, &answer)
	err = cause(err)
	switch code := status(err); {
	case code == http.StatusNotFound:
		c.noGraph.Store(true)
		return errNoGraphQL
	case overtaxed(code):
		return &tooMuch{err}
	case err != nil:
		return err
	}
	for _, g := range answer.Errors {
		switch {
		case g.overtaxing():
			return &tooMuch{&g}
		case tolerated(g):
		case g.about("NOT_FOUND", "repository"):
			return release.Refuse("check its name; to see a private repository the token needs permissions: contents: read", "%w", &g)
		case g.Type == "FORBIDDEN" || g.Type == "INSUFFICIENT_SCOPES":
			return release.Refuse(pullsRead, "%w", &g)
		default:
			return &g
		}
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return errors.New("reading the answer to the query: it holds no data")
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return fmt.Errorf("reading the answer to the query: %w", err)
	}
	return nil
}

// inBatches asks about all items, at most size at once. What GitHub could not cope
// with is asked again in batches of half the size, down to single items; a batch that
// stays too much even so, and any other failure, ends it.
func inBatches[T any](ctx context.Context, c *Client, items []T, size int, ask func(context.Context, []T) error) error {
	for faults := 0; len(items) > 0; {
		n := min(size, len(items))
		err := ask(ctx, items[:n])
		var heavy *tooMuch
		switch {
		case err == nil:
			items, faults = items[n:], 0
			continue
		case !errors.As(err, &heavy) || n == 1 && faults >= maxFaults:
			return err
		}
		faults++
		size = max(1, n/2)
		if err := c.wait(ctx, backoff(faults)); err != nil {
			return fmt.Errorf("waiting to ask GitHub for less: %w", err)
		}
	}
	return nil
}

// tell says once that GraphQL cannot be used, and what that costs.
func (c *Client) tell(format string, args ...any) {
	c.noticed.Do(func() {
		if c.notice != nil {
			c.notice("GraphQL cannot be used here, so " + fmt.Sprintf(format, args...))
		}
	})
}
