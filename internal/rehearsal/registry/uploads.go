package registry

import (
	"cmp"
	"io"
	"net/http"
	"path"
	"slices"

	"github.com/org/pgo-release/internal/rehearsal/answer"
)

// Upload is the upload of a blob that a client completed.
type Upload struct {
	Digest string // under which it was stored
	Bytes  int64  // that came, in requests that were answered with success
}

// Received are the uploads that were completed so far, ordered by digest: one element for
// each of them, also where the registry had the blob already. Blobs that were mounted
// from another repository were not uploaded.
func (s *Server) Received() []Upload {
	s.watching.Lock()
	defer s.watching.Unlock()
	return slices.SortedFunc(slices.Values(s.received), func(a, b Upload) int {
		return cmp.Or(cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Bytes, b.Bytes))
	})
}

// count adds up what is uploaded.
func (s *Server) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !pushes(r) {
			next.ServeHTTP(w, r)
			return
		}
		counted := r.Clone(r.Context())
		body := &counter{ReadCloser: r.Body}
		counted.Body = body
		answer.Record(w, func(status int) {
			if status == http.StatusCreated || status == http.StatusAccepted {
				_, _ = io.Copy(io.Discard, body) // the store leaves what it has already
				s.note(r, body.read)
			}
		}, func(w http.ResponseWriter) { next.ServeHTTP(w, counted) })
	})
}

// note adds a request that succeeded: uploads are begun by POST, continued by PATCH
// and completed by PUT, or all of it is one POST.
func (s *Server) note(r *http.Request, read int64) {
	upload, digest := path.Clean(r.URL.Path), r.URL.Query().Get("digest")
	s.watching.Lock()
	defer s.watching.Unlock()
	switch {
	case r.Method == http.MethodPatch:
		s.partial[upload] += read
	case digest != "": // manifests have none in their query
		s.received = append(s.received, Upload{Digest: digest, Bytes: s.partial[upload] + read})
		delete(s.partial, upload)
	}
}

// counter counts what is read of a body.
type counter struct {
	io.ReadCloser
	read int64
}

// Read counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	return n, err
}
