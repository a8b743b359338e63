package sigstore

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Fault wraps the handler of a service so that it misbehaves.
type Fault func(next http.Handler) http.Handler

// Inject puts a fault before a service, from its next request on; nil takes it away.
func (s *Stack) Inject(name string, fault Fault) {
	svc := s.services[name]
	h := svc.healthy
	if fault != nil {
		h = fault(h)
	}
	svc.handler.Store(&h)
}

// Status answers every request with a status code and does nothing.
func Status(code int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "injected", code)
		})
	}
}

// Slow waits before the service answers, or until the client has gone.
func Slow(d time.Duration) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

// Down cuts the connection of every request.
func Down(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Lost lets the service do its work and cuts the connection instead of answering.
func Lost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(nowhere{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
}

// Skewed lets the clock of Fulcio or of the timestamp authority go fast by d; a
// negative one lets it go slow.
func Skewed(d time.Duration) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), skew{}, d)))
		})
	}
}

// skew is the key of a request's context under which Skewed leaves its duration.
type skew struct{}

// now is the time by the clock of the service that answers a request.
func now(r *http.Request) time.Time {
	d, _ := r.Context().Value(skew{}).(time.Duration)
	return time.Now().Add(d)
}

// First applies a fault to the first n requests and to no other.
func First(n int64, fault Fault) Fault {
	return func(next http.Handler) http.Handler {
		var seen atomic.Int64
		broken := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen.Add(1) <= n {
				broken.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}
