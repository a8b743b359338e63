package hub

import (
	"net/http"
	"slices"
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
		answer := &recorder{ResponseWriter: w, record: func(status int) {
			call.Status = status
			s.watching.Lock()
			defer s.watching.Unlock()
			s.calls = append(s.calls, call)
		}}
		completed := false
		defer func() {
			if answer.recorded {
				return
			}
			if completed {
				answer.note(http.StatusOK)
			} else {
				answer.note(0)
			}
		}()
		s.serve(handler, answer, r)
		completed = true
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

// recorder notes the status before the client can see it, so that whoever has an
// answer finds it in Calls.
type recorder struct {
	http.ResponseWriter
	record   func(status int)
	recorded bool
}

func (r *recorder) note(status int) {
	if !r.recorded {
		r.recorded = true
		r.record(status)
	}
}

// WriteHeader notes a final status.
func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.note(status)
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes the status that is meant when none was written.
func (r *recorder) Write(p []byte) (int, error) {
	r.note(http.StatusOK)
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
