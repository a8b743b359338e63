package hub

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/history"
)

// maxCompared is how many commits a comparison shows that was not asked for pages.
const maxCompared = 250

// compare tells what lies between two commits
// (https://docs.github.com/rest/commits/commits#compare-two-commits). Its commits are
// in order, the oldest first; total_commits counts those of all pages. No file ever
// differs here.
func (s *Server) compare(r *http.Request) reply {
	base, head, found := strings.Cut(r.PathValue("basehead"), "...")
	from, to := s.commitOf(base), s.commitOf(head)
	if !found || from == "" || to == "" {
		return notFound()
	}
	before, after := s.reachable(from), s.reachable(to)
	var ahead []object
	behind, common := 0, ""
	for _, c := range s.repo.History {
		switch {
		case before[c.SHA] && after[c.SHA] && common == "":
			common = c.SHA
		case after[c.SHA] && !before[c.SHA]:
			ahead = append(ahead, s.commitJSON(c))
		case before[c.SHA] && !after[c.SHA]:
			behind++
		}
	}
	if common == "" {
		return notFound() // "No common ancestor"
	}
	slices.Reverse(ahead)
	status := "identical"
	switch {
	case len(ahead) > 0 && behind > 0:
		status = "diverged"
	case len(ahead) > 0:
		status = "ahead"
	case behind > 0:
		status = "behind"
	}
	web := s.webURL("/compare/" + r.PathValue("basehead"))
	body := object{
		"url": s.apiURL("/compare/" + r.PathValue("basehead")), "html_url": web, "permalink_url": web,
		"diff_url": web + ".diff", "patch_url": web + ".patch",
		"base_commit": s.commitJSON(s.commit(from)), "merge_base_commit": s.commitJSON(s.commit(common)),
		"status": status, "ahead_by": len(ahead), "behind_by": behind, "total_commits": len(ahead),
	}
	query := r.URL.Query()
	if !query.Has("page") && !query.Has("per_page") {
		body["commits"], body["files"] = append([]object{}, ahead[:min(len(ahead), maxCompared)]...), []object{}
		return ok(body)
	}
	out := s.paged(r, ahead)
	body["commits"] = out.body
	if page := query.Get("page"); page == "" || page == "1" {
		body["files"] = []object{}
	}
	return reply{status: http.StatusOK, header: out.header, body: body}
}

// commitOf is the commit of the history that a name means: a tag, the default branch
// or a full hash; empty when there is none.
func (s *Server) commitOf(name string) string {
	s.mu.Lock()
	sha := s.repo.Tags[name]
	s.mu.Unlock()
	switch {
	case sha != "":
	case name == s.repo.DefaultBranch:
		sha = s.repo.Head
	default:
		sha = name
	}
	return s.commit(sha).SHA
}

// commit finds a commit of the history.
func (s *Server) commit(sha string) history.Commit {
	if i := slices.IndexFunc(s.repo.History, func(c history.Commit) bool { return c.SHA == sha }); i >= 0 {
		return s.repo.History[i]
	}
	return history.Commit{}
}

// reachable is a commit and all before it. The history has children before parents.
func (s *Server) reachable(from string) map[string]bool {
	out := map[string]bool{from: true}
	for _, c := range s.repo.History {
		if out[c.SHA] {
			for _, parent := range c.Parents {
				out[parent] = true
			}
		}
	}
	return out
}

func (s *Server) commitJSON(c history.Commit) object {
	at := s.apiURL("/commits/" + c.SHA)
	who := object{"name": c.Author, "email": c.Email, "date": c.Time.UTC().Format(time.RFC3339)}
	message := c.Subject
	if c.Body != "" {
		message += "\n\n" + c.Body
	}
	parents := []object{}
	for _, sha := range c.Parents {
		parents = append(parents, object{"sha": sha, "url": s.apiURL("/commits/" + sha), "html_url": s.webURL("/commit/" + sha)})
	}
	return object{
		"sha": c.SHA, "node_id": "C_" + c.SHA, "url": at, "html_url": s.webURL("/commit/" + c.SHA), "comments_url": at + "/comments",
		"commit": object{
			"url": s.apiURL("/git/commits/" + c.SHA), "author": who, "committer": who, "message": message,
			"comment_count": 0, "tree": object{"sha": noCommit, "url": s.apiURL("/git/trees/" + noCommit)},
		},
		"author": nil, "committer": nil, "parents": parents,
	}
}
