package hub

import (
	"net/http"
	"slices"

	"github.com/org/pgo-release/internal/rehearsal/answer"
)

// Inject puts a fault before every request that comes from now on, on all three
// hosts: the fault answers itself, or passes the request to next, or both. nil removes
// it. http.ErrAbortHandler, as a panic, cuts the connection without an answer.
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

// watch lets the fault go first and records how each request was answered.
func (s *Server) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.watching.Lock()
		fault := s.fault
		s.watching.Unlock()
		handler := next
		if fault != nil {
			handler = fault(next)
		}
		call := Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Token: s.issuedTo(r)}
		answer.Record(w, func(status int) {
			call.Status = status
			s.watching.Lock()
			defer s.watching.Unlock()
			s.calls = append(s.calls, call)
		}, func(w http.ResponseWriter) { s.serve(handler, w, r) })
	})
}

// serve lets a handler answer, unless too many requests are under way.
func (s *Server) serve(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	if metered(r) {
		if refusal := s.enter(); refusal != nil {
			drain(r)
			refusal.write(w)
			return
		}
		defer s.leave()
	}
	handler.ServeHTTP(w, r)
}
