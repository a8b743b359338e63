package registry

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"

	"github.com/org/pgo-release/internal/rehearsal/answer"
)

// Call is a request that was answered.
type Call struct {
	Method string
	Path   string // unescaped, without the query
	Status int    // 0: the connection was cut without an answer
}

// Inject puts a fault before every request that comes from now on: the fault answers
// itself, or passes the request to next, or both. nil removes it. http.ErrAbortHandler,
// as a panic, cuts the connection without an answer.
func (s *Server) Inject(fault func(next http.Handler) http.Handler) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.fault = fault
}

// Calls are the requests that were answered so far, in the order of their answers;
// requests that a fault answered are among them.
func (s *Server) Calls() []Call {
	s.watching.Lock()
	defer s.watching.Unlock()
	return slices.Clone(s.calls)
}

// RefusePushes decides whether pushes are refused from now on: what begins or continues
// the upload of a blob, and what writes a manifest, is answered as ghcr.io answers a
// token without packages: write
// (https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes).
// Reading goes on.
func (s *Server) RefusePushes(refuse bool) {
	s.watching.Lock()
	defer s.watching.Unlock()
	s.refusing = refuse
}

var pushed = regexp.MustCompile(`^/v2/.+/(blobs/uploads(/.*)?|manifests/[^/]+)$`)

func pushes(r *http.Request) bool {
	return slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, r.Method) && pushed.MatchString(r.URL.Path)
}

// refuse is RefusePushes.
func (s *Server) refuse(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.watching.Lock()
		refusing := s.refusing
		s.watching.Unlock()
		if refusing && pushes(r) {
			denied(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// denied refuses a push.
func denied(w http.ResponseWriter, r *http.Request) {
	problem(w, r, http.StatusForbidden, "DENIED", "permission_denied: write_package")
}

// problem ends a request with an error of the distribution specification.
func problem(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	// An answer to half of a request would cut the connection under the client.
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

// watch lets the fault go first and records how each request was answered.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	s.watching.Lock()
	fault := s.fault
	s.watching.Unlock()
	handler := s.handler
	if fault != nil {
		handler = fault(handler)
	}
	call := Call{Method: r.Method, Path: r.URL.Path}
	answer.Record(w, func(status int) {
		call.Status = status
		s.watching.Lock()
		defer s.watching.Unlock()
		s.calls = append(s.calls, call)
	}, func(w http.ResponseWriter) { handler.ServeHTTP(w, r) })
}
