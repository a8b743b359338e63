package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/pgo-release/internal/release"
)

// answer is a request that GitHub did not carry out.
type answer struct {
	method, path string
	status       int
	text         string   // GitHub's message, on one line
	codes        []string // of the fields that it finds fault with: already_exists, …
}

func (a *answer) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", a.method, a.path, a.status, http.StatusText(a.status))
	if a.text != "" {
		text += ": " + a.text
	}
	return text
}

// writes tells whether the request would have changed something.
func (a *answer) writes() bool {
	return a.method != http.MethodGet && a.method != http.MethodHead && !a.asks()
}

// asks tells whether the request was a query of GraphQL.
func (a *answer) asks() bool {
	return a.method == http.MethodPost && strings.HasSuffix(a.path, "/graphql")
}

// attests tells whether the request was about the attestation store.
func (a *answer) attests() bool { return attestationPath.MatchString(a.path) }

// exists tells whether the request wanted a name that is taken.
func (a *answer) exists() bool {
	return slices.Contains(a.codes, "already_exists")
}

// attestationPath is where the attestations are, whatever lies before it. A repository
// may have that name too.
var attestationPath = regexp.MustCompile(`/(repos/[^/]+/[^/]+|repositories/[0-9]+)/attestations(/|$)`)

const pullsRead = "give the job permissions: pull-requests: read"

// remedy is the permission that is missing, or empty when that is not what it is about.
// GitHub says 404 where it does not want to tell that something exists.
func (a *answer) remedy() string {
	switch {
	case a.status == http.StatusUnauthorized:
		return "the token is missing, wrong or expired; in a workflow: with: token: ${{ github.token }}"
	case a.attests() && a.writes() && (a.status == http.StatusForbidden || a.status == http.StatusNotFound):
		return "give the job permissions: attestations: write; for a private repository GitHub has attestations in some plans only"
	case a.attests() && a.status == http.StatusForbidden:
		return "give the job permissions: attestations: read"
	case a.writes() && (a.status == http.StatusForbidden || a.status == http.StatusNotFound):
		return "give the job permissions: contents: write"
	case a.status == http.StatusForbidden && (a.asks() || strings.Contains(a.path, "/pulls")):
		return pullsRead
	case a.status == http.StatusForbidden:
		return "give the job permissions: contents: read"
	}
	return ""
}

// cause makes of what go-github returns an error to wrap: short, on one line, and a
// release.Problem where a permission is missing.
func cause(err error) error {
	var refused *gh.ErrorResponse
	var oneTime *gh.TwoFactorAuthError
	if errors.As(err, &oneTime) {
		refused = (*gh.ErrorResponse)(oneTime)
	} else if !errors.As(err, &refused) {
		var outer *url.Error
		if errors.As(err, &outer) {
			return outer.Err // without the address, which the caller has named better
		}
		return err
	}
	a := &answer{status: refused.Response.StatusCode}
	if req := refused.Response.Request; req != nil {
		a.method, a.path = req.Method, req.URL.Path
	}
	words := []string{refused.Message}
	for _, e := range refused.Errors {
		a.codes = append(a.codes, e.Code)
		if e.Message != "" {
			words = append(words, e.Message)
		} else {
			words = append(words, e.Field+" "+e.Code)
		}
	}
	a.text = line(strings.Join(words, ": "))
	if tip := a.remedy(); tip != "" {
		return release.Refuse(tip, "%w", a)
	}
	return a
}

// maxText bounds how much of a message is shown, in runes.
const maxText = 300

// line makes foreign text harmless in a log: one line, nothing that steers a terminal.
func line(text string) string {
	runes := []rune(strings.TrimSpace(text))
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	if len(runes) > maxText {
		runes = append(runes[:maxText], '…')
	}
	return string(runes)
}

// status is the status of the answer in the chain of err; 0 without one.
func status(err error) int {
	var a *answer
	if errors.As(err, &a) {
		return a.status
	}
	return 0
}

// unsure tells whether a write that failed so may have happened all the same.
func unsure(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var a *answer
	if errors.As(err, &a) {
		return a.status >= 500 || a.status == http.StatusRequestTimeout
	}
	var decided *release.Problem
	return !errors.As(err, &decided)
}

// maxTries bounds how often a write is attempted.
const maxTries = 4

// settle brings a write about: after a failure that leaves its outcome open, look says
// whether it happened, and only when it did not is it tried again.
func settle[T any](ctx context.Context, c *Client, write func() (T, error), look func() (T, bool, error)) (T, error) {
	for try := 1; ; try++ {
		out, err := write()
		if err == nil || try == maxTries || !unsure(ctx, err) {
			return out, err
		}
		if err := c.wait(ctx, backoff(try)); err != nil {
			return out, err
		}
		out, done, err := look()
		if done || err != nil {
			return out, err
		}
	}
}
