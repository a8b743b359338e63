package hub

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
)

// Access is what a token may do with one kind of things
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#permissions).
type Access int

// The accesses; each holds the ones before it.
const (
	None Access = iota
	Read
	Write
)

// Permissions are what a job's token may do; what is not named is None, as in a workflow
// that names any permission. What every token may do, such as reading a public
// repository, needs none of them.
type Permissions struct {
	Contents     Access // Write: releases, assets and notes, and drafts are visible; Read: a private repository is
	PullRequests Access // Read: pull requests of a private repository are visible
	Attestations Access // Write: attestations can be stored; Read: those of a private repository are visible
	Workflows    Access // Write: commits that change workflows may be tagged; the token of a real job never has it
}

// full are the rights of the token that the server starts with.
var full = Permissions{Contents: Write, PullRequests: Write, Attestations: Write, Workflows: Write}

// holder is a token with what it may do.
type holder struct {
	token  string
	rights Permissions
}

// Issue gives out a further token, of a job with these permissions. All tokens count
// together against the limits, as those of one repository's jobs do at GitHub.
func (s *Server) Issue(p Permissions) string {
	s.watching.Lock()
	defer s.watching.Unlock()
	token := "ghs_" + rand.Text()
	s.issued = append(s.issued, holder{token, p})
	return token
}

// WithholdAttestations decides whether all tokens lack the permission attestations:
// write from now on. Reading takes none in a public repository.
func (s *Server) WithholdAttestations(withhold bool) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.unattesting = withhold
}

// holder finds out who asks. It is not known when the request has no good token.
func (s *Server) holder(r *http.Request) (h holder, known bool) {
	given := []byte(r.Header.Get("Authorization"))
	s.watching.Lock()
	defer s.watching.Unlock()
	for _, one := range append([]holder{{s.token, full}}, s.issued...) {
		if subtle.ConstantTimeCompare(given, []byte("Bearer "+one.token)) == 1 {
			h, known = one, true
		}
	}
	if s.unattesting {
		h.rights.Attestations = min(h.rights.Attestations, Read)
	}
	return h, known
}

func (s *Server) authorised(r *http.Request) bool {
	_, known := s.holder(r)
	return known
}

// rights are what the request may do.
func (s *Server) rights(r *http.Request) Permissions {
	h, _ := s.holder(r)
	return h.rights
}

// issuedTo is the token of Issue that a request has, or empty.
func (s *Server) issuedTo(r *http.Request) string {
	if h, _ := s.holder(r); h.token != s.token {
		return h.token
	}
	return ""
}

// inaccessible is what a token hears that lacks a permission.
func inaccessible() reply {
	return failure(http.StatusForbidden, "Resource not accessible by integration")
}

// reading tells whether a request changes nothing.
func reading(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// contents asks for the permission contents: write to change something, and for read to
// see a private repository, which does not exist for others.
func (s *Server) contents(handle func(*http.Request) reply) func(*http.Request) reply {
	return func(r *http.Request) reply {
		switch held := s.rights(r).Contents; {
		case !reading(r) && held < Write:
			return inaccessible()
		case s.repo.Private && held < Read:
			return notFound()
		}
		return handle(r)
	}
}

// pulls asks for the permission pull-requests: read in a private repository.
func (s *Server) pulls(handle func(*http.Request) reply) func(*http.Request) reply {
	return func(r *http.Request) reply {
		if s.repo.Private && s.rights(r).PullRequests < Read {
			return inaccessible()
		}
		return handle(r)
	}
}

// attesting asks for the permission attestations: write to store something, and for
// read in a private repository.
func (s *Server) attesting(handle func(*http.Request) reply) func(*http.Request) reply {
	return func(r *http.Request) reply {
		held := s.rights(r).Attestations
		if !reading(r) && held < Write || s.repo.Private && held < Read {
			return inaccessible()
		}
		return handle(r)
	}
}

// seenBy tells whether somebody with these rights may know of a release: GitHub shows
// drafts to those who may push
// (https://docs.github.com/rest/releases/releases#list-releases).
func (p *page) seenBy(rights Permissions) bool { return !p.draft || rights.Contents >= Write }
