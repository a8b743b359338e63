// Package answer notes how the servers of a rehearsal answer.
package answer

import "net/http"

// Record lets serve answer, and tells record the status: before the client can see it, so
// that whoever has an answer finds it noted. It is 0 where serve panics without an answer.
func Record(w http.ResponseWriter, record func(status int), serve func(w http.ResponseWriter)) {
	r := &recorder{ResponseWriter: w, record: record}
	status := 0
	defer func() { r.note(status) }()
	serve(r)
	status = http.StatusOK
}

// recorder notes the first status that is final.
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
