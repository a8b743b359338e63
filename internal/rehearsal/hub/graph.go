package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/history"
)

// maxFirst is how many entries of a connection GitHub shows at once.
const maxFirst = 100

// graph is what somebody with these rights sees of the server.
type graph struct {
	*Server
	rights Permissions
}

// hidesPulls tells whether pull requests may not be seen.
func (s graph) hidesPulls() bool { return s.repo.Private && s.rights.PullRequests < Read }

// forbidden is what stands for them then.
func forbidden() *fault { return &fault{"FORBIDDEN", "Resource not accessible by integration"} }

// queryThing is the root of the graph.
func (s graph) queryThing() thing {
	return thing{"Query", map[string]any{
		"repository": resolver(func(arguments map[string]any) (any, *fault) {
			asked := fmt.Sprintf("%s/%s", arguments["owner"], arguments["name"])
			if !strings.EqualFold(asked, s.repo.Repository.String()) || s.repo.Private && s.rights.Contents < Read {
				return nil, &fault{"NOT_FOUND", fmt.Sprintf("Could not resolve to a Repository with the name '%s'.", asked)}
			}
			return s.repositoryThing(s.repo.Repository.String()), nil
		}),
		"search": resolver(s.search),
	}}
}

// repositoryThing is the repository, under the name that a pull request gives it.
func (s graph) repositoryThing(name string) thing {
	return thing{"Repository", map[string]any{
		"nameWithOwner": name,
		"pullRequest": resolver(func(arguments map[string]any) (any, *fault) {
			if s.hidesPulls() {
				return nil, forbidden()
			}
			for _, p := range s.repo.PullRequests {
				if int64(p.Number) == arguments["number"] {
					return s.pullThing(p), nil
				}
			}
			return nil, &fault{"NOT_FOUND", fmt.Sprintf("Could not resolve to a PullRequest with the number of %d.", arguments["number"])}
		}),
		"object": resolver(func(arguments map[string]any) (any, *fault) {
			oid, _ := arguments["oid"].(string)
			if !fullCommit.MatchString(oid) {
				return nil, &fault{"", fmt.Sprintf("Argument 'oid' on Field 'object' has an invalid value (%q). Expected type 'GitObjectID'.", oid)}
			}
			if !s.known(oid) {
				return nil, nil
			}
			return s.commitThing(oid), nil
		}),
	}}
}

func (s graph) commitThing(sha string) thing {
	return thing{"Commit", map[string]any{
		"oid": sha,
		"associatedPullRequests": resolver(func(arguments map[string]any) (any, *fault) {
			if s.hidesPulls() {
				return nil, forbidden()
			}
			var all []thing
			for _, p := range s.pullsOf(sha) {
				all = append(all, s.pullThing(p))
			}
			return connection("PullRequest", "associatedPullRequests", all, arguments)
		}),
	}}
}

func (s graph) pullThing(p history.PullRequest) thing {
	fields := map[string]any{
		"number": p.Number, "title": p.Title, "body": p.Body, "url": p.URL,
		"merged": !p.MergedAt.IsZero(), "mergedAt": timestamp(p.MergedAt), "mergeCommit": nil, "author": nil,
		"baseRepository": s.repositoryThing(s.base(p)),
		"labels": resolver(func(arguments map[string]any) (any, *fault) {
			var all []thing
			for _, name := range p.Labels {
				all = append(all, thing{"Label", map[string]any{"name": name}})
			}
			return connection("Label", "labels", all, arguments)
		}),
		"closingIssuesReferences": resolver(func(arguments map[string]any) (any, *fault) {
			var all []thing
			for _, issue := range p.Closes {
				web := issue.URL
				if web == "" {
					web = s.webURL(fmt.Sprintf("/issues/%d", issue.Number))
				}
				all = append(all, thing{"Issue", map[string]any{"number": issue.Number, "url": web}})
			}
			return connection("Issue", "closingIssuesReferences", all, arguments)
		}),
	}
	if p.URL == "" {
		fields["url"] = s.pullURL(p.Number)
	}
	if p.MergeCommit != "" && !p.MergedAt.IsZero() {
		fields["mergeCommit"] = s.commitThing(p.MergeCommit)
	}
	if p.Author != "" {
		kind := "User"
		if p.Bot {
			kind = "Bot"
		}
		// REST marks the login of a bot; GraphQL has a type for that.
		login := strings.TrimSuffix(p.Author, "[bot]")
		fields["author"] = thing{kind, map[string]any{"login": login, "url": s.URL() + login}}
	}
	return thing{"PullRequest", fields}
}

// base is the name of the repository that a pull request was made against.
func (s *Server) base(p history.PullRequest) string {
	if strings.Contains(p.Base, "/") {
		return p.Base
	}
	return s.repo.Repository.String()
}

// connection is the beginning of a list. GitHub insists on being told how much of it.
func connection(of, name string, all []thing, arguments map[string]any) (any, *fault) {
	shown, wrong := beginning(name, all, arguments)
	if wrong != nil {
		return nil, wrong
	}
	return thing{of + "Connection", map[string]any{"nodes": shown, "totalCount": len(all)}}, nil
}

func beginning(name string, all []thing, arguments map[string]any) ([]thing, *fault) {
	first, given := arguments["first"].(int64)
	switch {
	case !given:
		return nil, &fault{"MISSING_PAGINATION_BOUNDARIES", fmt.Sprintf("You must provide a `first` or `last` value to properly paginate the `%s` connection.", name)}
	case first < 0 || first > maxFirst:
		return nil, &fault{"EXCESSIVE_PAGINATION", fmt.Sprintf("Requesting %d records on the `%s` connection exceeds the `first` limit of %d records.", first, name, maxFirst)}
	}
	return all[:min(int(first), len(all)):len(all)], nil
}

// search finds pull requests. It understands the qualifiers that are in use, and says
// so when it meets another, where GitHub would look for a text.
func (s graph) search(arguments map[string]any) (any, *fault) {
	query, _ := arguments["query"].(string)
	var found []history.PullRequest
	if !s.hidesPulls() { // a search finds what can be seen, and does not tell of the rest
		found = slices.Clone(s.repo.PullRequests)
	}
	for term := range strings.FieldsSeq(query) {
		fits, understood := s.term(term)
		if !understood {
			return nil, &fault{"", fmt.Sprintf("This server does not understand the search term %q", term)}
		}
		found = slices.DeleteFunc(found, func(p history.PullRequest) bool { return !fits(p) })
	}
	var all []thing
	for _, p := range found {
		all = append(all, s.pullThing(p))
	}
	shown, wrong := beginning("search", all, arguments)
	if wrong != nil {
		return nil, wrong
	}
	return thing{"SearchResultItemConnection", map[string]any{"issueCount": len(all), "nodes": shown}}, nil
}

// term makes a condition of a part of a search.
func (s *Server) term(text string) (fits func(history.PullRequest) bool, understood bool) {
	name, value, _ := strings.Cut(text, ":")
	switch {
	case text == "is:pr":
		return func(history.PullRequest) bool { return true }, true
	case text == "is:merged":
		return func(p history.PullRequest) bool { return !p.MergedAt.IsZero() }, true
	case name == "repo":
		return func(p history.PullRequest) bool { return strings.EqualFold(s.base(p), value) }, true
	case name == "author":
		return func(p history.PullRequest) bool { return strings.EqualFold(p.Author, value) }, true
	case name == "merged" && strings.HasPrefix(value, "<"):
		before, err := time.Parse(time.RFC3339, value[1:])
		return func(p history.PullRequest) bool { return !p.MergedAt.IsZero() && p.MergedAt.Before(before) }, err == nil
	}
	return nil, false
}
