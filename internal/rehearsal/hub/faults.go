package hub

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Fault is what Inject takes: it wraps the handler that would answer a request. The
// ready ones below hold no state but what they say, and fit any HTTP server.
type Fault = func(next http.Handler) http.Handler

// Before502 answers with 502 and does nothing else.
func Before502(http.Handler) http.Handler {
	return answering(failure(http.StatusBadGateway, "Server Error"))
}

// After502 carries the request out and answers with 502.
func After502(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(newCaptured(), r)
		Before502(nil).ServeHTTP(w, r)
	})
}

// Cut cuts the connection before anything is done.
func Cut(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// CutAfter carries the request out and cuts the connection without an answer.
func CutAfter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(newCaptured(), r)
		panic(http.ErrAbortHandler)
	})
}

// CutMidway lets the first half of the body through and cuts the connection: of an
// upload a starter stays. A request without a body is cut before anything is done.
func CutMidway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			r.Body = io.NopCloser(&broken{io.LimitReader(r.Body, max(0, r.ContentLength/2))})
			next.ServeHTTP(newCaptured(), r)
		}
		panic(http.ErrAbortHandler)
	})
}

// broken ends as the body of a request does whose connection is lost.
type broken struct{ io.Reader }

// Read reads what came before that.
func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Slow carries the request out and sends the body of the answer byte by byte, evenly over
// d; an answer without a body comes after d. It ends early when the client goes.
func Slow(d time.Duration) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := newCaptured()
			next.ServeHTTP(answer, r)
			begin, body := time.Now(), answer.body.Bytes()
			if len(body) == 0 {
				if until(r, begin.Add(d)) {
					answer.send(w, nil)
				}
				return
			}
			answer.send(w, nil)
			flush := http.NewResponseController(w).Flush
			for i := range body {
				part := float64(i+1) / float64(len(body))
				if flush() != nil || !until(r, begin.Add(time.Duration(part*float64(d)))) {
					return
				}
				if _, err := w.Write(body[i : i+1]); err != nil {
					return
				}
			}
		})
	}
}

// until waits; it is false when the client has gone before.
func until(r *http.Request, at time.Time) bool {
	pause := time.Until(at)
	if pause <= 0 {
		return r.Context().Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// TooMany refuses with 429, as a secondary rate limit does, and with Retry-After: after
// seconds
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit).
func TooMany(after int) Fault {
	out := failure(http.StatusTooManyRequests, tooFast)
	out.header = map[string]string{"Retry-After": strconv.Itoa(after)}
	return func(http.Handler) http.Handler { return answering(out) }
}

// Unauthorized refuses with 401, as if the token had expired.
func Unauthorized(http.Handler) http.Handler {
	return answering(failure(http.StatusUnauthorized, "Bad credentials"))
}

var digestField = regexp.MustCompile(`"digest":\s*"[^"]*"`)

// NullDigests answers as GitHub does about assets that it has no digest of: every field
// "digest" of a JSON answer that is a text is null.
func NullDigests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := newCaptured()
		next.ServeHTTP(answer, r)
		body := answer.body.Bytes()
		if strings.HasPrefix(answer.header.Get("Content-Type"), "application/json") {
			body = digestField.ReplaceAll(body, []byte(`"digest":null`))
			answer.header.Del("Content-Length")
		}
		answer.send(w, body)
	})
}

// Only lets the requests that match meet the fault; others pass.
func Only(match func(*http.Request) bool, fault Fault) Fault {
	return func(next http.Handler) http.Handler {
		met := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) {
				met.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Nth lets the n-th request that comes through it meet the fault, counted from 0; others
// pass. Inside Only it counts the requests that match.
func Nth(n int, fault Fault) Fault {
	var seen atomic.Int64 // outside: a fault wraps its handler anew for every request
	return Only(func(*http.Request) bool { return seen.Add(1) == int64(n)+1 }, fault)
}

// answering is a handler that takes the request and gives this answer.
func answering(out reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		drain(r)
		out.write(w)
	})
}

// captured is an answer that nobody was given yet.
type captured struct {
	header http.Header
	status int // 0: none was written
	body   bytes.Buffer
}

func newCaptured() *captured { return &captured{header: http.Header{}} }

// Header is that of the answer.
func (c *captured) Header() http.Header { return c.header }

// WriteHeader keeps the first final status.
func (c *captured) WriteHeader(status int) {
	if c.status == 0 && status >= 200 {
		c.status = status
	}
}

// Write keeps a part of the body.
func (c *captured) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(p)
}

// send gives the answer, with this body.
func (c *captured) send(w http.ResponseWriter, body []byte) {
	c.WriteHeader(http.StatusOK)
	for name, values := range c.header {
		w.Header()[name] = values
	}
	w.WriteHeader(c.status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}
