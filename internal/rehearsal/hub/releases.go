package hub

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is how many characters GitHub takes as the text of a release.
const maxBody = 125_000

// page is a release, published or draft.
type page struct {
	id          int64
	untagged    string // "untagged-…": its name while it has no page of its own
	tag         string
	target      string // target_commitish, as it was given
	name, body  string
	draft       bool
	prerelease  bool
	immutable   bool
	createdAt   time.Time
	publishedAt time.Time // zero: never
	late
}

// pageRequest is the body of create and update; nil: not sent.
type pageRequest struct {
	TagName         *string `json:"tag_name"`
	TargetCommitish *string `json:"target_commitish"`
	Name            *string `json:"name"`
	Body            *string `json:"body"`
	Draft           *bool   `json:"draft"`
	Prerelease      *bool   `json:"prerelease"`
	MakeLatest      *string `json:"make_latest"`
}

// withRelease runs handle for the release of that number, which whoever asks may see.
func (s *Server) withRelease(r *http.Request, number string, handle func(*page) reply) reply {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return notFound()
	}
	rights := s.rights(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.releases[id]
	if p == nil || !p.seenBy(rights) {
		return notFound()
	}
	return handle(p)
}

// sorted are the releases, newest first.
func (s *Server) sorted() []*page {
	return slices.SortedFunc(maps.Values(s.releases), func(a, b *page) int { return cmp.Compare(b.id, a.id) })
}

func (s *Server) listReleases(r *http.Request) reply {
	rights := s.rights(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []object
	for _, p := range s.sorted() {
		if p.seenBy(rights) && !p.missed(r) {
			all = append(all, s.releaseJSON(p))
		}
	}
	return s.paged(r, all)
}

// published is the release that users see under a tag, or nil.
func (s *Server) published(tag string) *page {
	for _, p := range s.releases {
		if p.tag == tag && !p.draft {
			return p
		}
	}
	return nil
}

func (s *Server) getReleaseByTag(tag string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.published(tag); p != nil {
		return ok(s.releaseJSON(p))
	}
	return notFound()
}

func (s *Server) getLatestRelease() reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.releases[s.latest]; p != nil && !p.draft && !p.prerelease {
		return ok(s.releaseJSON(p))
	}
	for _, p := range s.sorted() {
		if !p.draft && !p.prerelease {
			return ok(s.releaseJSON(p))
		}
	}
	return notFound()
}

func (s *Server) createRelease(r *http.Request) reply {
	var in pageRequest
	if bad := decode(r, &in); bad != nil {
		return *bad
	}
	if in.TagName == nil {
		return invalid("Release", "tag_name", "missing_field", "")
	}
	rights := s.rights(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	p := page{
		id: s.lastID, untagged: fmt.Sprintf("untagged-%020x", s.lastID*0x9e3779b1),
		target: s.repo.DefaultBranch, draft: true, createdAt: time.Now().UTC(),
		late: newLate(s.lag),
	}
	if in.Draft == nil {
		in.Draft = new(bool)
	}
	if bad := s.change(&p, in, rights); bad != nil {
		return *bad
	}
	s.releases[p.id] = &p
	return created(s.releaseJSON(&p))
}

func (s *Server) updateRelease(r *http.Request, number string) reply {
	var in pageRequest
	if bad := decode(r, &in); bad != nil {
		return *bad
	}
	rights := s.rights(r)
	return s.withRelease(r, number, func(p *page) reply { return s.update(p, in, rights) })
}

func (s *Server) update(p *page, in pageRequest, rights Permissions) reply {
	changed := *p
	if p.draft && in.TagName == nil {
		// GitHub forgets the tag of a draft that is edited without repeating it.
		changed.tag = p.untagged
	}
	if bad := s.change(&changed, in, rights); bad != nil {
		return *bad
	}
	*p = changed
	return ok(s.releaseJSON(p))
}

// tagName is what GitHub takes as a tag, roughly what git takes.
var tagName = regexp.MustCompile(`^[^\s~^:?*\[\\\x00-\x20\x7f]+$`)

// change applies a request to a release that is not stored yet, and publishes it when
// the request says so. The reply is nil when that worked; otherwise p is to be dropped.
func (s *Server) change(p *page, in pageRequest, rights Permissions) *reply {
	wasDraft := p.draft
	set(&p.tag, in.TagName)
	set(&p.target, in.TargetCommitish)
	set(&p.name, in.Name)
	set(&p.body, in.Body)
	set(&p.draft, in.Draft)
	set(&p.prerelease, in.Prerelease)
	var bad reply
	switch {
	case rights.Workflows < Write && s.changesWorkflows(p, in):
		bad = inaccessible()
	case !tagName.MatchString(p.tag) || strings.Contains(p.tag, ".."):
		bad = invalid("Release", "tag_name", "custom", "tag_name is not a valid tag")
	case len([]rune(p.body)) > maxBody:
		bad = invalid("Release", "body", "custom", fmt.Sprintf("body is too long (maximum is %d characters)", maxBody))
	case in.MakeLatest != nil && !slices.Contains([]string{"true", "false", "legacy"}, *in.MakeLatest):
		bad = invalid("Release", "make_latest", "invalid", "")
	case p.immutable && (p.draft || p.tag != s.releases[p.id].tag):
		bad = failure(http.StatusUnprocessableEntity, "Cannot change an immutable release.")
	case p.draft:
		return nil
	case p.prerelease && in.MakeLatest != nil && *in.MakeLatest == "true":
		bad = invalid("Release", "", "custom", "Latest release cannot be draft or prerelease.")
	default:
		return s.publish(p, wasDraft, in.MakeLatest)
	}
	return &bad
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// publish makes the release visible: it makes the tag where there is none, and the
// release the latest where it is to be.
func (s *Server) publish(p *page, wasDraft bool, makeLatest *string) *reply {
	var bad reply
	if other := s.published(p.tag); other != nil && other.id != p.id {
		bad = invalid("Release", "tag_name", "already_exists", "")
		return &bad
	}
	if s.burned[p.tag] {
		bad = invalid("Release", "tag_name", "custom", "tag_name was used by an immutable release")
		return &bad
	}
	if s.repo.Tags[p.tag] == "" {
		if s.restricts(p.tag) {
			bad = violation()
			return &bad
		}
		commit := s.resolve(p.target)
		if commit == "" {
			bad = invalid("Release", "target_commitish", "invalid", "")
			return &bad
		}
		s.repo.Tags[p.tag] = commit
	}
	if p.publishedAt.IsZero() {
		p.publishedAt = time.Now().UTC()
	}
	if wasDraft {
		p.immutable = s.repo.Immutable
	}
	choice := "false"
	if wasDraft && !p.prerelease {
		choice = "true"
	}
	set(&choice, makeLatest)
	switch {
	case choice == "true":
		s.latest = p.id
	case choice == "legacy", makeLatest != nil && s.latest == p.id:
		s.latest = 0
	}
	return nil
}

var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// resolve is the commit that a target_commitish names, or empty.
func (s *Server) resolve(target string) string {
	if target == s.repo.DefaultBranch {
		return s.repo.Head
	}
	if fullCommit.MatchString(target) && (s.repo.Commits == nil || s.repo.Commits[target]) {
		return target
	}
	return ""
}

func (s *Server) deleteRelease(p *page) reply {
	delete(s.releases, p.id)
	for id, a := range s.assets {
		if a.release == p.id {
			delete(s.assets, id)
		}
	}
	if p.immutable {
		s.burned[p.tag] = true
	}
	return noContent()
}

// generateNotes writes one line for every merged pull request: which of them lie
// between the tags is not known here.
func (s *Server) generateNotes(r *http.Request) reply {
	var in struct {
		TagName         string `json:"tag_name"`
		PreviousTagName string `json:"previous_tag_name"`
	}
	if bad := decode(r, &in); bad != nil {
		return *bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case in.TagName == "":
		return invalid("Release", "tag_name", "missing_field", "")
	case in.PreviousTagName != "" && s.repo.Tags[in.PreviousTagName] == "":
		return invalid("Release", "previous_tag_name", "invalid", "")
	}
	var text strings.Builder
	text.WriteString("## What's Changed\n")
	for _, pull := range s.repo.PullRequests {
		if !pull.MergedAt.IsZero() {
			fmt.Fprintf(&text, "* %s by @%s in %s\n", pull.Title, pull.Author, s.pullURL(pull.Number))
		}
	}
	link := "commits/" + in.TagName
	if in.PreviousTagName != "" {
		link = "compare/" + in.PreviousTagName + "..." + in.TagName
	}
	fmt.Fprintf(&text, "\n**Full Changelog**: %s%s/%s", s.URL(), s.repo.Repository, link)
	return ok(object{"name": in.TagName, "body": text.String()})
}
