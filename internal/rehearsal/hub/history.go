package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/history"
)

func (s *Server) getRepository(r *http.Request) reply {
	out := s.repositoryJSON()
	out["permissions"].(object)["push"] = s.rights(r).Contents >= Write
	return ok(out)
}

// getTagRef answers with what the tag points at: a commit, or a tag object.
func (s *Server) getTagRef(r *http.Request) reply {
	tag := r.PathValue("tag")
	s.mu.Lock()
	commit := s.repo.Tags[tag]
	s.mu.Unlock()
	if commit == "" {
		return notFound()
	}
	at := s.gitObject("commit", commit)
	if sha := s.repo.Annotated[tag]; sha != "" {
		at = s.gitObject("tag", sha)
	}
	return ok(object{
		"ref": "refs/tags/" + tag, "node_id": "REF_" + tag,
		"url": s.apiURL("/git/refs/tags/" + tag), "object": at,
	})
}

func (s *Server) gitObject(kind, sha string) object {
	return object{"type": kind, "sha": sha, "url": s.apiURL("/git/" + kind + "s/" + sha)}
}

func (s *Server) getTagObject(r *http.Request) reply {
	sha := r.PathValue("sha")
	for tag, of := range s.repo.Annotated {
		if of != sha {
			continue
		}
		s.mu.Lock()
		commit := s.repo.Tags[tag]
		s.mu.Unlock()
		return ok(object{
			"tag": tag, "sha": sha, "node_id": "TA_" + tag, "url": s.apiURL("/git/tags/" + sha), "message": tag,
			"tagger": object{"name": "Tagger", "email": "tagger@example.com", "date": "2020-01-01T00:00:00Z"},
			"object": s.gitObject("commit", commit),
		})
	}
	return notFound()
}

// getCommit answers for every commit that exists, with what a commit has to have.
func (s *Server) getCommit(r *http.Request) reply {
	sha := r.PathValue("sha")
	if !fullCommit.MatchString(sha) || s.repo.Commits != nil && !s.repo.Commits[sha] {
		return notFound()
	}
	who := object{"name": "Author", "email": "author@example.com", "date": "2020-01-01T00:00:00Z"}
	return ok(object{
		"sha": sha, "node_id": "C_" + sha, "url": s.apiURL("/git/commits/" + sha), "html_url": s.webURL("/commit/" + sha),
		"author": who, "committer": who, "message": s.commit(sha).Subject, "parents": []object{},
		"tree":         object{"sha": sha, "url": s.apiURL("/git/trees/" + sha)},
		"verification": object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil},
	})
}

func (s *Server) getPull(r *http.Request) reply {
	for _, p := range s.repo.PullRequests {
		if strconv.Itoa(p.Number) != r.PathValue("number") {
			continue
		}
		out := s.pullJSON(p)
		out["merged"], out["merged_by"] = !p.MergedAt.IsZero(), nil
		out["mergeable"], out["mergeable_state"], out["maintainer_can_modify"] = nil, "unknown", false
		for _, count := range []string{"additions", "changed_files", "comments", "commits", "deletions", "review_comments"} {
			out[count] = 0
		}
		return ok(out)
	}
	return notFound()
}

func (s *Server) listPullsOf(r *http.Request) reply {
	sha := r.PathValue("sha")
	if !s.known(sha) {
		return failure(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
	}
	var all []object
	for _, p := range s.pullsOf(sha) {
		all = append(all, s.pullJSON(p))
	}
	return s.paged(r, all)
}

// pullsOf are the pull requests that brought a commit: as their merge commit, or as one
// of the commits of a rebase.
func (s *Server) pullsOf(sha string) []history.PullRequest {
	var out []history.PullRequest
	for _, p := range s.repo.PullRequests {
		if p.MergeCommit == sha || slices.Contains(s.repo.Brought[sha], p.Number) {
			out = append(out, p)
		}
	}
	return out
}

// known tells whether the repository has a commit.
func (s *Server) known(sha string) bool { return s.repo.Commits == nil || s.repo.Commits[sha] }

func (s *Server) pullURL(number int) string { return s.webURL("/pull/" + strconv.Itoa(number)) }

// noCommit stands where a commit is required and none is known.
const noCommit = "0000000000000000000000000000000000000000"

func (s *Server) pullJSON(p history.PullRequest) object {
	api, web := s.apiURL(fmt.Sprintf("/pulls/%d", p.Number)), s.pullURL(p.Number)
	issue := s.apiURL(fmt.Sprintf("/issues/%d", p.Number))
	if p.URL != "" {
		web = p.URL
	}
	state := "closed"
	if p.MergedAt.IsZero() {
		state = "open"
	}
	var user any
	if p.Author != "" {
		user = s.user(p.Author, p.Bot)
	}
	labels := []object{}
	for i, name := range p.Labels {
		labels = append(labels, object{
			"id": i + 1, "node_id": fmt.Sprintf("LA_%d", i+1), "url": s.apiURL("/labels/" + name),
			"name": name, "description": "", "color": "ededed", "default": false,
		})
	}
	opened := "2020-01-01T00:00:00Z"
	out := object{
		"id": p.Number, "node_id": fmt.Sprintf("PR_%d", p.Number), "number": p.Number, "state": state, "locked": false,
		"title": p.Title, "body": nullable(p.Body), "user": user, "labels": labels, "draft": false,
		"url": api, "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch", "issue_url": issue,
		"commits_url": api + "/commits", "review_comments_url": api + "/comments",
		"review_comment_url": s.apiURL("/pulls/comments{/number}"), "comments_url": issue + "/comments",
		"statuses_url": s.apiURL("/statuses/" + noCommit),
		"created_at":   opened, "updated_at": opened, "closed_at": timestamp(p.MergedAt), "merged_at": timestamp(p.MergedAt),
		"merge_commit_sha": nullable(p.MergeCommit), "milestone": nil, "assignee": nil, "assignees": []object{},
		"requested_reviewers": []object{}, "requested_teams": []object{},
		"head": s.branch("topic", p.Base), "base": s.branch(s.repo.DefaultBranch, p.Base),
		"author_association": "CONTRIBUTOR", "auto_merge": nil,
	}
	links := object{}
	for name, field := range map[string]string{
		"self": "url", "html": "html_url", "issue": "issue_url", "comments": "comments_url", "commits": "commits_url",
		"review_comments": "review_comments_url", "review_comment": "review_comment_url", "statuses": "statuses_url",
	} {
		links[name] = object{"href": out[field]}
	}
	out["_links"] = links
	return out
}

// branch is one side of a pull request. The repository is this one, under the name
// that the pull request gives it.
func (s *Server) branch(name, repository string) object {
	repo := s.repositoryJSON()
	delete(repo, "network_count") // told of the repository itself only
	delete(repo, "subscribers_count")
	if owner, short, found := strings.Cut(repository, "/"); found {
		repo["full_name"], repo["name"], repo["owner"] = repository, short, s.user(owner, false)
	}
	owner := repo["owner"].(object)
	return object{
		"label": fmt.Sprintf("%s:%s", owner["login"], name), "ref": name, "sha": noCommit,
		"repo": repo, "user": owner,
	}
}
