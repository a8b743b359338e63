package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/release"
)

const (
	// patience is how long an attempt may take besides moving its bytes.
	patience = 30 * time.Second
	// slowest is the rate at which the bytes of an attempt have to move, per second.
	slowest = 128 << 10
	// usual is the length that a JSON answer is taken to have when it does not say.
	usual = 4 << 20

	maxAnswer = 64 << 20 // bytes of a JSON answer
	maxAsset  = 2 << 30  // bytes; GitHub takes no larger asset
	maxError  = 64 << 10 // bytes of an answer that is a failure

	maxFaults = 4               // how often a read is repeated after a fault
	maxLimits = 3               // how often a request waits for the rate limit
	maxPause  = 5 * time.Minute // the longest wait for the rate limit

	octetStream = "application/octet-stream"
)

// transport is the way to GitHub. Every attempt has a deadline and a bound on what it
// reads. Reads are repeated after faults; whatever the rate limit refused is sent
// again when GitHub says so (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
// The token goes to trusted origins only and is cut out of failures.
type transport struct {
	next     http.RoundTripper
	token    string
	trusted  []string // origins
	wait     func(context.Context, time.Duration) error
	now      func() time.Time
	waiting  func(text string) // may be nil
	pace     *pace             // nil: there are no limits
	patience time.Duration
	rate     int64 // bytes per second
}

// RoundTrip sends the request until it has an answer that is worth having.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	faults, limits := 0, 0
	for {
		if slices.Contains(t.trusted, origin(req.URL)) {
			if err := t.inTurn(req); err != nil {
				return nil, err
			}
		}
		resp, err := t.attempt(req, faults+limits > 0)
		var pause time.Duration
		switch {
		case err == nil && (limited(resp) || asks(req) && limitedInside(resp)) && (req.Body == nil || req.GetBody != nil):
			limits++
			if pause, err = limitPause(resp, limits, t.now()); err != nil {
				return nil, err
			}
			t.tellWait(pause, "GitHub's rate limit is used up")
		case faults < maxFaults && repeatable(req) && passing(req, resp, err):
			faults++
			pause = backoff(faults)
		default:
			if resp != nil {
				// go-github would remember them and refuse requests on its own.
				resp.Header.Del("X-Ratelimit-Remaining")
				resp.Header.Del("X-Ratelimit-Reset")
			}
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		if err := t.wait(req.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// backoff is the pause after the n-th failure in a row: 1 s, 2 s, 4 s, …
func backoff(n int) time.Duration { return time.Second << (n - 1) }

func repeatable(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead || asks(req)
}

// asking marks the context of a query of GraphQL, which is a POST that changes nothing.
type asking struct{}

func asks(req *http.Request) bool { return req.Context().Value(asking{}) != nil }

// passing tells whether a failure may be gone in a moment. A query that GitHub had no
// time for is no such thing: whoever asked has to ask for less.
func passing(req *http.Request, resp *http.Response, err error) bool {
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		return req.Context().Err() == nil && !errors.Is(err, errLong) && !errors.As(err, &untrusted)
	}
	if asks(req) && overtaxed(resp.StatusCode) {
		return false
	}
	return slices.Contains([]int{
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, resp.StatusCode)
}

var (
	errSlow = errors.New("it took too long")
	errLong = errors.New("it is longer than anything that GitHub sends")
)

// attempt sends the request once. Answers are read here, to their end; only the bytes of
// an asset are left to the caller. Both are bounded and have to arrive in time.
func (t *transport) attempt(req *http.Request, again bool) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	deadline := time.AfterFunc(t.patience+t.moving(req.ContentLength), func() { cancel(errSlow) })
	end := func() { deadline.Stop(); cancel(nil) }
	out := req.Clone(ctx)
	if again && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			end()
			return nil, err
		}
		out.Body = body
	}
	out.Header.Del("Authorization")
	if t.token != "" && slices.Contains(t.trusted, origin(req.URL)) {
		out.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		defer end()
		return nil, t.redact(inTime(ctx, err))
	}
	most, length := int64(maxAnswer), int64(usual)
	streams := req.Header.Get("Accept") == octetStream && resp.StatusCode < 400
	if streams {
		most, length = maxAsset, maxAsset
	}
	if resp.ContentLength >= 0 {
		length = resp.ContentLength
	}
	deadline.Reset(t.patience + t.moving(min(length, most)))
	body := resp.Body
	resp.Body = &bounded{
		Reader: body, left: most,
		in:    func(err error) error { return inTime(ctx, err) },
		close: func() error { defer end(); return body.Close() },
	}
	if at := resp.Header.Get("Location"); t.token != "" && strings.Contains(at, t.token) {
		resp.Header.Set("Location", strings.ReplaceAll(at, t.token, "***")) // it ends up in errors
	}
	if streams {
		return resp, nil
	}
	return t.whole(resp, resp.StatusCode >= 400 || asks(req))
}

// whole reads an answer to its end, so that one which breaks off is a fault like any
// other. Where the answer may hold messages for errors, the token is cut out.
func (t *transport) whole(resp *http.Response, messages bool) (*http.Response, error) {
	defer func(body io.Closer) { _ = body.Close() }(resp.Body)
	var text []byte
	if resp.StatusCode >= 400 {
		// Where a failure's text does not arrive, its status says enough.
		text, _ = io.ReadAll(io.LimitReader(resp.Body, maxError))
	} else {
		var err error
		if text, err = io.ReadAll(resp.Body); err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
	}
	if messages && t.token != "" {
		text = bytes.ReplaceAll(text, []byte(t.token), []byte("***"))
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, nil
}

// moving is how long so many bytes may take; a negative number is an unknown one.
func (t *transport) moving(n int64) time.Duration {
	return time.Duration(max(n, 0)/t.rate) * time.Second
}

// inTime makes of the error of a cancelled attempt the reason for cancelling it.
func inTime(ctx context.Context, err error) error {
	if reason := context.Cause(ctx); reason != nil {
		return reason
	}
	return err
}

func (t *transport) redact(err error) error {
	if t.token != "" && strings.Contains(err.Error(), t.token) {
		return errors.New(strings.ReplaceAll(err.Error(), t.token, "***"))
	}
	return err
}

// bounded is a body that fails when it is longer than it may be.
type bounded struct {
	io.Reader
	left  int64
	in    func(error) error
	close func() error
}

// Read fails once more bytes have come than were left.
func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errLong
	}
	if err != nil && err != io.EOF {
		err = b.in(err)
	}
	return n, err
}

// Close ends the attempt.
func (b *bounded) Close() error { return b.close() }

// limited tells whether the rate limit refused the request, which then was not carried
// out.
func limited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-Ratelimit-Remaining") == "0" || secondary(resp)
	}
	return false
}

// secondary finds the limits that show in the text only.
func secondary(resp *http.Response) bool {
	text := bytes.ToLower(peek(resp))
	return bytes.Contains(text, []byte("secondary rate limit")) || bytes.Contains(text, []byte("secondary-rate-limits"))
}

// peek reads a body, which attempt has bounded and read already, and puts it back.
func peek(resp *http.Response) []byte {
	text, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return text
}

// limitPause is how long to wait for the n-th time: as long as GitHub says, else a
// minute, doubled each time. Waiting too long, or too often, is an error that says
// until when.
func limitPause(resp *http.Response, n int, now time.Time) (time.Duration, error) {
	pause := time.Minute << (n - 1)
	reset, _ := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64)
	if after := resp.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
			pause = time.Duration(seconds) * time.Second
		} else if date, err := http.ParseTime(after); err == nil {
			pause = date.Sub(now)
		}
	} else if resp.Header.Get("X-Ratelimit-Remaining") == "0" && reset > 0 && reset < 1<<40 {
		pause = time.Unix(reset, 0).Sub(now)
	}
	pause = max(pause, time.Second)
	if pause <= maxPause && n <= maxLimits {
		return pause, nil
	}
	_ = resp.Body.Close()
	until := now.Add(pause).UTC().Format("2006-01-02 15:04:05 MST")
	return 0, &release.Problem{
		Err: fmt.Errorf("GitHub's rate limit is used up until %s", until),
		Tip: "run again after that; what was done is found and not done again",
	}
}
