// Package hub is a GitHub on loopback: a server that keeps one repository's releases,
// assets, attestations, tags, commits and pull requests in memory and answers as
// GitHub's REST and GraphQL APIs do (https://docs.github.com/rest,
// https://docs.github.com/graphql), so that a release can be rehearsed without anything
// leaving the machine.
//
// It listens three times, because GitHub uses three kinds of hosts: the API with the
// pages of the web site, the uploads, and the store that asset downloads are
// redirected to. The API and the uploads want the server's token, or one that it issued;
// the store takes no token, and refuses requests that carry one.
//
// It is as friendly as can be, unless it is told to be as unfriendly as GitHub can be: by
// tokens with few permissions (Issue), limits (Limit, Throttle), lists that lag (Lag),
// protections (RestrictTags, ChangeWorkflows) and faults (Inject).
//
// Everything is forgotten when the server is closed.
package hub

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
)

// Repo is the repository as it is when the server starts. Start copies it.
type Repo struct {
	Repository    plan.Repository
	ID, OwnerID   int64 // 0: 1
	Private       bool
	Immutable     bool                  // releases freeze when they are published
	DefaultBranch string                // empty: "main"
	Head          string                // commit of the default branch
	Tags          map[string]string     // tag → commit
	Annotated     map[string]string     // tag of Tags → tag object, 40 hexadecimal digits; others are lightweight
	Commits       map[string]bool       // the commits that exist, so that a tag can be made there; nil: any
	History       []history.Commit      // for comparisons: the newest first, children before parents
	PullRequests  []history.PullRequest // one without MergedAt is open
	Store         string                // directory for the bytes of assets, which stay there; empty: memory
	Brought       map[string][]int      // commit → numbers of pull requests that brought it, besides those whose MergeCommit it is
}

// Server is a running hub. Its methods may be called from several goroutines.
type Server struct {
	token   string
	api     site // with the web pages
	uploads site
	objects site
	serving sync.WaitGroup

	schema   *ast.Schema // of GraphQL
	repo     Repo        // never changes, but for Tags
	mu       sync.Mutex  // guards repo.Tags and what follows
	releases map[int64]*page
	assets   map[int64]*asset
	lastID   int64
	latest   int64           // release that was made the latest; 0: the newest is
	burned   map[string]bool // tags of deleted immutable releases
	lag      int             // listings that miss what is made now

	restricted []string        // patterns of tags that nobody may make
	workflows  map[string]bool // commits that change workflows

	attestations []attestation // oldest first

	storing sync.RWMutex // held for reading while an asset is stored
	closed  bool         // nothing is stored any more

	watching    sync.Mutex // guards what follows; apart, because faults run handlers
	fault       func(http.Handler) http.Handler
	calls       []Call
	budget      *budget // nil: there is no rate limit
	throttles   []*throttle
	present     int // requests under way
	issued      []holder
	unattesting bool // no token may write attestations
}

// Call is a request that was answered.
type Call struct {
	Method string
	Path   string // unescaped, without the query
	Query  string // as it was sent
	Status int    // 0: the connection was cut without an answer
	Token  string // the token of Issue that the request had; empty: that of Token, another, or none
}

// site is one listener.
type site struct {
	listener net.Listener
	server   *http.Server
}

func (s site) url() string { return "http://" + s.listener.Addr().String() + "/" }

var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Start serves the repository on free ports of 127.0.0.1 until Close.
func Start(repo Repo) (*Server, error) {
	if !plainName.MatchString(repo.Repository.Owner) || !plainName.MatchString(repo.Repository.Name) {
		return nil, fmt.Errorf("starting a GitHub on loopback: repository %q: want owner/name", repo.Repository)
	}
	schema, err := loadSchema()
	if err != nil {
		return nil, fmt.Errorf("starting a GitHub on loopback: %w", err)
	}
	s := &Server{
		token:    "ghs_" + rand.Text(),
		schema:   schema,
		repo:     completed(repo),
		releases: map[int64]*page{},
		assets:   map[int64]*asset{},
		burned:   map[string]bool{},
	}
	handlers := []struct {
		at      *site
		handler http.Handler
	}{{&s.api, s.apiRoutes()}, {&s.uploads, s.uploadRoutes()}, {&s.objects, s.objectRoutes()}}
	for _, h := range handlers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("starting a GitHub on loopback: %w", errors.Join(err, s.Close()))
		}
		*h.at = site{listener, &http.Server{
			Handler:           s.watch(h.handler),
			ReadHeaderTimeout: 10 * time.Second,
			// What goes wrong in a request is the client's to report.
			ErrorLog: log.New(io.Discard, "", 0),
		}}
	}
	for _, h := range handlers {
		at := *h.at
		s.serving.Go(func() { _ = at.server.Serve(at.listener) })
	}
	return s, nil
}

func completed(r Repo) Repo {
	r.Tags = maps.Clone(r.Tags)
	if r.Tags == nil {
		r.Tags = map[string]string{}
	}
	r.Annotated = maps.Clone(r.Annotated)
	r.Commits = maps.Clone(r.Commits)
	r.History = slices.Clone(r.History)
	r.PullRequests = slices.Clone(r.PullRequests)
	r.Brought = maps.Clone(r.Brought)
	if r.ID == 0 {
		r.ID = 1
	}
	if r.OwnerID == 0 {
		r.OwnerID = 1
	}
	if r.DefaultBranch == "" {
		r.DefaultBranch = "main"
	}
	return r
}

// URL is the base of the API, with a final slash; the web pages lie under it too.
func (s *Server) URL() string { return s.api.url() }

// UploadURL is the base of the uploads, with a final slash.
func (s *Server) UploadURL() string { return s.uploads.url() }

// Token is what requests to the API and to the uploads must carry, as
// "Authorization: Bearer <token>", unless it is one of Issue. It may do everything. It is
// random and means nothing anywhere else.
func (s *Server) Token() string { return s.token }

// Close cuts all connections and frees the ports. It returns the first error.
func (s *Server) Close() error {
	var first error
	for _, at := range []site{s.api, s.uploads, s.objects} {
		if at.server == nil {
			continue
		}
		if err := at.server.Close(); err != nil && first == nil {
			first = err
		}
		// A server that never served does not know its listener.
		_ = at.listener.Close()
	}
	s.serving.Wait()
	s.storing.Lock()
	defer s.storing.Unlock()
	s.closed = true
	return first
}
