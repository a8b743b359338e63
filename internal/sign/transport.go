package sign

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxAttempts    = 4
	firstWait      = time.Second // doubled from attempt to attempt
	longestWait    = 30 * time.Second
	attemptTimeout = 30 * time.Second
	maxAnswer      = 4 << 20 // bytes
	maxExcerpt     = 300     // bytes of an answer that an error quotes
)

// transport is the http.RoundTripper to one service during one call. It retries what
// may pass (no connection, 429, 5xx), reads answers whole, and turns every status of
// 400 and more into a serviceError, so that the libraries above it, which lose the
// reason, see only success.
type transport struct {
	// Stored, because the libraries above make their requests without one.
	ctx     context.Context
	service string // name for people
	passed  int    // status that the caller understands; 0: none
	secret  string // that the service is told, and that no error may quote; empty: none
	base    http.RoundTripper
	wait    func(context.Context, time.Duration) error
}

// RoundTrip implements http.RoundTripper. Its errors are of type *serviceError.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		if err = errors.Join(err, req.Body.Close()); err != nil {
			return nil, &serviceError{service: t.service, host: req.URL.Host, cause: err}
		}
	}
	pause := firstWait
	for attempt := 1; ; attempt++ {
		resp, failure := t.once(req, body)
		if failure == nil {
			return resp, nil
		}
		failure.attempts = attempt
		if attempt == maxAttempts || t.ctx.Err() != nil || req.Context().Err() != nil || !failure.passes() {
			return nil, failure
		}
		if err := t.wait(t.ctx, min(max(pause, failure.after), longestWait)); err != nil {
			failure.stopped = err
			return nil, failure
		}
		pause *= 2
	}
}

// once is one attempt.
func (t *transport) once(req *http.Request, body []byte) (*http.Response, *serviceError) {
	ctx, cancel := context.WithTimeout(t.ctx, attemptTimeout)
	defer cancel()
	defer context.AfterFunc(req.Context(), cancel)()
	attempt := req.Clone(ctx)
	attempt.Body, attempt.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		attempt.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		attempt.Body, attempt.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	failure := &serviceError{service: t.service, host: req.URL.Host}
	resp, err := t.base.RoundTrip(attempt)
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		_ = resp.Body.Close() // it has been read as far as it matters
		if err == nil && len(answer) > maxAnswer {
			err = errTooLong
		}
	}
	if err != nil {
		failure.cause = err
		if cause := context.Cause(t.ctx); cause != nil {
			failure.cause = cause
		}
		return nil, failure
	}
	if resp.StatusCode >= 400 && resp.StatusCode != t.passed {
		failure.status, failure.text = resp.StatusCode, excerpt(t.without(answer))
		failure.after = retryAfter(resp.Header.Get("Retry-After"))
		return nil, failure
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	return resp, nil
}

// without is an answer without the secret, which a service may repeat.
func (t *transport) without(answer []byte) []byte {
	if t.secret == "" {
		return answer
	}
	return bytes.ReplaceAll(answer, []byte(t.secret), []byte("***"))
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// serviceError is a service that did not do what it was asked.
type serviceError struct {
	service, host string
	status        int           // 0: there was no answer
	text          string        // what it said
	after         time.Duration // how long it asks to be left alone
	cause         error         // why there was no answer
	stopped       error         // why no further attempt was made; nil: enough were
	attempts      int
}

func (e *serviceError) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "asking %s at %q: ", e.service, e.host)
	if e.status != 0 {
		fmt.Fprintf(&out, "%d %s", e.status, http.StatusText(e.status))
		if e.text != "" {
			out.WriteString(": " + e.text)
		}
	} else {
		out.WriteString(e.cause.Error())
	}
	if e.attempts > 1 {
		fmt.Fprintf(&out, " (%d attempts)", e.attempts)
	}
	if e.stopped != nil {
		out.WriteString("; waiting to ask again: " + e.stopped.Error())
	}
	return out.String()
}

// Unwrap gives what stood in the way.
func (e *serviceError) Unwrap() []error {
	var out []error
	for _, err := range []error{e.cause, e.stopped} {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}

// Hint says what to do about a service that is down.
func (e *serviceError) Hint() string {
	if !e.passes() || errors.Is(e, context.Canceled) {
		return ""
	}
	return "nothing was published; run it again when " + e.service + " answers (the public services: https://status.sigstore.dev)"
}

// passes tells whether another attempt may succeed.
func (e *serviceError) passes() bool {
	if e.status != 0 {
		return e.status == http.StatusTooManyRequests || e.status >= 500
	}
	var untrusted *tls.CertificateVerificationError
	return !errors.As(e.cause, &untrusted) && !errors.Is(e.cause, errTooLong)
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3); 0 where it says nothing.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// excerpt is the beginning of an answer on one line, fit for a terminal and a log.
func excerpt(answer []byte) string {
	var shaped struct{ Message string }
	text := string(answer)
	if json.Unmarshal(answer, &shaped) == nil && shaped.Message != "" {
		text = shaped.Message
	}
	if len(text) > maxExcerpt {
		text = text[:maxExcerpt] + "…"
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, ""))
	return strings.Join(strings.Fields(text), " ")
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
