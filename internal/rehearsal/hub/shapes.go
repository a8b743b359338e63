package hub

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The objects below have every field that GitHub's description of its API requires
// (https://github.com/github/rest-api-description), so that clients which read more
// than the product does are served too.

// apiURL is the address of something below the repository in the API.
func (s *Server) apiURL(path string) string {
	return s.URL() + "repos/" + s.repo.Repository.String() + path
}

// webURL is the address of a page of the repository.
func (s *Server) webURL(path string) string {
	return s.URL() + s.repo.Repository.String() + path
}

func timestamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// nullable is null for an empty text.
func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// shown is how a release is called in addresses: a draft has no page under its tag.
func (p *page) shown() string {
	if p.draft {
		return p.untagged
	}
	return p.tag
}

func (s *Server) downloadURL(p *page, a *asset) string {
	return s.webURL("/releases/download/" + p.shown() + "/" + url.PathEscape(a.name))
}

func (s *Server) releaseJSON(p *page) object {
	at := fmt.Sprintf("/releases/%d", p.id)
	assets := []object{}
	for _, a := range s.assetsOf(p) {
		assets = append(assets, s.assetJSON(p, a))
	}
	archive := func(kind string) any {
		if p.draft {
			return nil
		}
		return s.apiURL("/" + kind + "/" + p.tag)
	}
	return object{
		"id": p.id, "node_id": fmt.Sprintf("RE_%d", p.id),
		"url": s.apiURL(at), "assets_url": s.apiURL(at + "/assets"),
		"upload_url":  fmt.Sprintf("%srepos/%s%s/assets{?name,label}", s.UploadURL(), s.repo.Repository, at),
		"html_url":    s.webURL("/releases/tag/" + p.shown()),
		"tarball_url": archive("tarball"), "zipball_url": archive("zipball"),
		"tag_name": p.tag, "target_commitish": p.target, "name": nullable(p.name), "body": p.body,
		"draft": p.draft, "prerelease": p.prerelease, "immutable": p.immutable,
		"created_at": timestamp(p.createdAt), "published_at": timestamp(p.publishedAt), "updated_at": timestamp(p.createdAt),
		"author": s.user("github-actions[bot]", true), "assets": assets,
	}
}

func (s *Server) assetJSON(p *page, a *asset) object {
	return object{
		"id": a.id, "node_id": fmt.Sprintf("RA_%d", a.id), "url": s.apiURL(fmt.Sprintf("/releases/assets/%d", a.id)),
		"browser_download_url": s.downloadURL(p, a),
		"name":                 a.name, "label": a.label, "state": a.state, "content_type": a.contentType,
		"size": a.size, "digest": nullable(string(a.digest)), "download_count": a.downloads,
		"created_at": timestamp(a.createdAt), "updated_at": timestamp(a.updatedAt),
		"uploader": s.user("github-actions[bot]", true),
	}
}

// user is an account; the one of the repository's owner has the owner's number.
func (s *Server) user(login string, bot bool) object {
	kind, id := "User", int64(2)
	if bot {
		kind = "Bot"
	}
	if login == s.repo.Repository.Owner {
		id = s.repo.OwnerID
	}
	web, api := s.URL()+url.PathEscape(login), s.URL()+"users/"+url.PathEscape(login)
	out := object{
		"login": login, "id": id, "node_id": "U_" + login, "avatar_url": web + ".png", "gravatar_id": "",
		"url": api, "html_url": web, "type": kind, "site_admin": false,
		"following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "events_url": api + "/events{/privacy}",
	}
	for _, name := range []string{"followers", "subscriptions", "organizations", "repos", "received_events"} {
		out[name+"_url"] = api + "/" + name
	}
	return out
}

// repositoryLinks are the *_url fields of a repository and what follows its address.
const repositoryLinks = `archive /{archive_format}{/ref}
assignees /assignees{/user}
blobs /git/blobs{/sha}
branches /branches{/branch}
collaborators /collaborators{/collaborator}
comments /comments{/number}
commits /commits{/sha}
compare /compare/{base}...{head}
contents /contents/{+path}
contributors /contributors
deployments /deployments
downloads /downloads
events /events
forks /forks
git_commits /git/commits{/sha}
git_refs /git/refs{/sha}
git_tags /git/tags{/sha}
hooks /hooks
issue_comment /issues/comments{/number}
issue_events /issues/events{/number}
issues /issues{/number}
keys /keys{/key_id}
labels /labels{/name}
languages /languages
merges /merges
milestones /milestones{/number}
notifications /notifications{?since,all,participating}
pulls /pulls{/number}
releases /releases{/id}
stargazers /stargazers
statuses /statuses/{sha}
subscribers /subscribers
subscription /subscription
tags /tags
teams /teams
trees /git/trees{/sha}`

func (s *Server) repositoryJSON() object {
	name := s.repo.Repository
	visibility := "public"
	if s.repo.Private {
		visibility = "private"
	}
	long := s.api.listener.Addr().String() + "/" + name.String()
	out := object{
		"id": s.repo.ID, "node_id": fmt.Sprintf("R_%d", s.repo.ID), "name": name.Name, "full_name": name.String(),
		"owner": s.user(name.Owner, false), "private": s.repo.Private, "visibility": visibility,
		"default_branch": s.repo.DefaultBranch, "html_url": s.webURL(""), "url": s.apiURL(""),
		"clone_url": s.webURL(".git"), "git_url": "git://" + long + ".git", "ssh_url": "ssh://git@" + long + ".git",
		"svn_url": s.webURL(""), "mirror_url": nil, "description": nil, "homepage": nil, "language": nil, "license": nil,
		"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z", "pushed_at": "2020-01-01T00:00:00Z",
		"permissions": object{"admin": false, "maintain": false, "push": true, "triage": false, "pull": true},
	}
	for _, flag := range []string{"fork", "archived", "disabled", "has_projects", "has_wiki", "has_pages", "has_downloads", "has_discussions"} {
		out[flag] = false
	}
	out["has_issues"] = true
	for _, count := range []string{"forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size", "open_issues", "open_issues_count", "network_count", "subscribers_count"} {
		out[count] = 0
	}
	for link := range strings.Lines(repositoryLinks) {
		field, path, _ := strings.Cut(strings.TrimSpace(link), " ")
		out[field+"_url"] = s.apiURL(path)
	}
	return out
}
