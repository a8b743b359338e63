package action

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/org/pgo-release/internal/release"
)

// permission is what a workflow lacks when it gets no identity token.
const permission = "add to the job:\npermissions:\n  id-token: write"

// tokenTimeout bounds one request for a token.
const tokenTimeout = 30 * time.Second

// Permitted tells whether the job may have identity tokens, as far as its environment
// says. A missing permission is a release.Problem of class Authorisation.
func Permitted(getenv func(string) string) error {
	if getenv("ACTIONS_ID_TOKEN_REQUEST_URL") == "" || getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") == "" {
		return release.Refuse(permission, "asking for an identity token: the job may not have one")
	}
	return nil
}

// Token asks the runner for tokens that prove the identity of the workflow to an
// audience (https://docs.github.com/en/actions/concepts/security/openid-connect). The
// client may be nil. A missing permission is a release.Problem of class Authorisation.
func Token(getenv func(string) string, client *http.Client) func(ctx context.Context, audience string) (string, error) {
	if client == nil {
		client = &http.Client{Timeout: tokenTimeout}
	}
	return func(ctx context.Context, audience string) (string, error) {
		if err := Permitted(getenv); err != nil {
			return "", err
		}
		// The library's error says what the endpoint answered and not with which status.
		watched := *client
		status := &statusTransport{next: client.Transport}
		watched.Transport = status
		token, err := githubactions.New(
			githubactions.WithGetenv(getenv), githubactions.WithWriter(io.Discard), githubactions.WithHTTPClient(&watched),
		).GetIDToken(ctx, audience)
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("asking for an identity token: %w", context.Cause(ctx))
		case status.code == http.StatusUnauthorized || status.code == http.StatusForbidden:
			return "", release.Refuse(permission, "asking for an identity token: the endpoint says %d %s", status.code, http.StatusText(status.code))
		case err != nil && status.code != 0 && status.code != http.StatusOK:
			return "", fmt.Errorf("asking for an identity token: the endpoint says %d %s", status.code, http.StatusText(status.code))
		case err != nil:
			return "", fmt.Errorf("asking for an identity token: %s", strings.ReplaceAll(err.Error(), getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "***"))
		case token == "":
			return "", fmt.Errorf("asking for an identity token: the endpoint's answer holds none")
		}
		return token, nil
	}
}

// statusTransport remembers the status of the last answer.
type statusTransport struct {
	next http.RoundTripper
	code int
}

func (s *statusTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	next := s.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request)
	if err == nil {
		s.code = response.StatusCode
	}
	return response, err
}
