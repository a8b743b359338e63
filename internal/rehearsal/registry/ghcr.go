package registry

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// StartGHCR brings up a registry that behaves as ghcr.io does:
//
//   - It has no referrers API.
//   - Every request needs a bearer token, which /token gives
//     (https://distribution.github.io/distribution/spec/auth/token/): to whoever has
//     token as a password, under any user name, one for everything that was asked for;
//     to anybody without a password one that pulls public packages; to others none.
//   - A package is private until it is published.
//   - No chunk of an upload may be larger than 4 MiB; a blob that is sent whole may.
//   - Names are lower-case.
//
// An empty token is refused.
func StartGHCR(token string) (*Server, error) {
	if token == "" {
		return nil, errors.New("starting the registry: the token is empty")
	}
	return start(false, &access{passwords: map[string]bool{token: true}, tokens: map[string]grant{}, public: map[string]bool{}})
}

// Publish makes a package public, now or from its first push on: anybody may pull it.
// The repository is without the host, such as octo/hello. Everything is public in
// registries that StartGHCR did not start.
func (s *Server) Publish(repository string) {
	if s.access == nil {
		return
	}
	s.access.guard.Lock()
	defer s.access.guard.Unlock()
	s.access.public[repository] = true
}

// Admit lets whoever has another token push and pull, as the one that StartGHCR was given.
func (s *Server) Admit(token string) {
	if s.access == nil {
		return
	}
	s.access.guard.Lock()
	defer s.access.guard.Unlock()
	s.access.passwords[token] = true
}

// access is who may do what.
type access struct {
	guard     sync.Mutex // guards what follows
	passwords map[string]bool
	tokens    map[string]grant
	public    map[string]bool // repositories
}

// grant is what a bearer token is good for.
type grant struct {
	anonymous bool
	scopes    map[string][]string // actions by repository
}

// covers tells whether each of the actions, separated by commas, was granted.
func (g grant) covers(repository, actions string) bool {
	for action := range strings.SplitSeq(actions, ",") {
		if !slices.Contains(g.scopes[repository], action) {
			return false
		}
	}
	return true
}

const pull, push = "pull", "push,pull"

var (
	scoped = regexp.MustCompile(`^/v2/(.+)/(?:manifests/[^/]+|blobs/[^/]+|blobs/uploads/[^/]+|referrers/[^/]+|tags/list)$`)
	// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
	named = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
)

// admit gives tokens, and lets those requests pass that theirs allows.
func (a *access) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clean := path.Clean("/" + r.URL.Path) // as the store reads it
		switch {
		case clean == "/token":
			a.exchange(w, r)
			return
		case clean != "/v2" && !strings.HasPrefix(clean, "/v2/"):
			next.ServeHTTP(w, r)
			return
		}
		repository, actions := "", pull
		if match := scoped.FindStringSubmatch(clean); match != nil {
			repository = match[1]
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				actions = push
			}
		}
		held, ok := a.held(r)
		switch {
		case !ok:
			challenge(w, r, repository, actions)
		case repository == "": // nobody's, so that every token will do
			next.ServeHTTP(w, r)
		case !named.MatchString(repository):
			problem(w, r, http.StatusBadRequest, "NAME_INVALID", "invalid repository name")
		case held.anonymous && actions == push:
			denied(w, r)
		case !a.allows(held, repository, actions):
			challenge(w, r, repository, actions)
		default:
			next.ServeHTTP(w, a.mount(held, r))
		}
	})
}

// held is what the token of a request is good for; false: it has none that was given out.
func (a *access) held(r *http.Request) (grant, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return grant{}, false
	}
	a.guard.Lock()
	defer a.guard.Unlock()
	held, ok := a.tokens[token]
	return held, ok
}

func (a *access) allows(held grant, repository, actions string) bool {
	a.guard.Lock()
	defer a.guard.Unlock()
	return held.covers(repository, actions) && (!held.anonymous || a.public[repository])
}

// mount takes from a request the wish for another repository's blob where the token
// may not read there: what remains begins an ordinary upload.
func (a *access) mount(held grant, r *http.Request) *http.Request {
	query := r.URL.Query()
	from := query.Get("from")
	if r.Method != http.MethodPost || from == "" || a.allows(held, from, pull) {
		return r
	}
	query.Del("mount")
	query.Del("from")
	plain := r.Clone(r.Context())
	plain.URL.RawQuery = query.Encode()
	return plain
}

// challenge says which token a request needs, and where to get one.
func challenge(w http.ResponseWriter, r *http.Request, repository, actions string) {
	scheme := "http"
	if r.Header.Get(schemeHeader) == "https" {
		scheme = "https"
	}
	if repository == "" {
		repository = "user/image" // ghcr.io's own words
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="ghcr.io",scope=%q`,
		scheme+"://"+r.Host+"/token", "repository:"+repository+":"+actions))
	problem(w, r, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

// exchange gives a token.
func (a *access) exchange(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // clients that would rather POST try GET then
		w.Header().Set("Allow", http.MethodGet)
		problem(w, r, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
		return
	}
	given := grant{anonymous: r.Header.Get("Authorization") == "", scopes: map[string][]string{}}
	_, password, _ := r.BasicAuth()
	a.guard.Lock()
	known := a.passwords[password]
	a.guard.Unlock()
	if !given.anonymous && !known {
		problem(w, r, http.StatusForbidden, "DENIED", "denied")
		return
	}
	for _, asked := range r.URL.Query()["scope"] {
		for scope := range strings.FieldsSeq(asked) {
			if resource, ok := strings.CutPrefix(scope, "repository:"); ok {
				repository, actions, _ := strings.Cut(resource, ":")
				given.scopes[repository] = append(given.scopes[repository], strings.Split(actions, ",")...)
			}
		}
	}
	token := rand.Text()
	a.guard.Lock()
	a.tokens[token] = given
	a.guard.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

// maxChunk is what ghcr.io takes at once of a blob that comes in pieces.
const maxChunk = 4 << 20

// limited refuses chunks that are too large.
func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch || r.Header.Get("Content-Range") == "" {
			next.ServeHTTP(w, r)
			return
		}
		// A length need not be given, and nothing of a refused chunk may be stored.
		start, err := io.ReadAll(io.LimitReader(r.Body, maxChunk+1))
		if err == nil && len(start) > maxChunk {
			problem(w, r, http.StatusRequestedRangeNotSatisfiable, "REQUESTED_RANGE_NOT_SATISFIABLE",
				"the request body is too large and exceeds the maximum permissible limit of 4.00MiB")
			return
		}
		whole := r.Clone(r.Context())
		whole.Body = io.NopCloser(io.MultiReader(bytes.NewReader(start), r.Body)) // which repeats its error
		next.ServeHTTP(w, whole)
	})
}
