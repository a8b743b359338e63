package hub

import "net/http"

// Lag makes lists stale: a release or an asset that is made from now on is missing from
// the next n listings of the releases, or of the assets of its release, and is there
// after that. Asking for it by its number or its tag finds it at once, and a release that
// is shown has all its assets. 0 ends it for what is made from then on. The pages of one
// listing agree: only its first page counts.
func (s *Server) Lag(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = n
}

// late is how many listings something is still missing from.
type late struct {
	left    int
	missing bool // from the listing under way
}

func newLate(n int) late { return late{left: n, missing: n > 0} }

// missed tells whether the listing that r asks for a page of lacks it.
func (l *late) missed(r *http.Request) bool {
	if page := r.URL.Query().Get("page"); page == "" || page == "1" {
		l.missing = l.left > 0
		if l.missing {
			l.left--
		}
	}
	return l.missing
}
