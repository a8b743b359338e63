package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/org/pgo-release/internal/release"
)

// Access is how a registry is reached. The zero value uses the credentials that the
// docker command would use, and HTTPS.
type Access struct {
	// Token authenticates at ghcr.io, with any user name, and on loopback, where a
	// rehearsal runs. It is a token of GitHub: it is sent nowhere else.
	Token string
	User  string // goes with Token; may be empty

	// Insecure allows plain HTTP to hosts that are not loopback.
	Insecure  bool
	Transport http.RoundTripper // nil: the standard one, with its proxies

	anonymous bool // without credentials
}

// How long one call may take, whatever the caller's context says.
const (
	callTimeout     = 5 * time.Minute
	transferTimeout = 30 * time.Minute
)

// jobs is how many blobs go over the network at once.
const jobs = 4

// ghcr is the host of GitHub's registry.
const ghcr = "ghcr.io"

// NotFoundError says that a registry has nothing under a reference.
type NotFoundError struct{ Reference string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("%q: no such image", e.Reference) }

// CheckPush asks the registry whether images may be pushed to a repository: it begins an
// upload and takes that back, which leaves nothing. The error is a release.Problem of
// class Authorisation where they may not.
func CheckPush(ctx context.Context, repository string, a Access) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	parsed, err := name.NewRepository(repository, a.naming()...)
	if err != nil {
		return fmt.Errorf("checking that images may be pushed: %w", err)
	}
	ref := parsed.Tag("latest") // never written: the library wants a reference
	inner := a.Transport
	if inner == nil {
		inner = remote.DefaultTransport
	}
	for try := 1; ; try++ { // the library repeats no call of these
		err = remote.CheckPushPermission(ref, a.keychain(parsed), bound{ctx, &guard{inner, a.Insecure, a.Token}})
		var e *transport.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &e) && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden):
			return release.Refuse(hint(parsed), "checking that images may be pushed to %q: %w", repository, err)
		case try == maxChecks, !passing(err):
			return fmt.Errorf("checking that images may be pushed to %q: %w", repository, err)
		}
		select {
		case <-time.After(time.Second << (try - 1)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// maxChecks is how often a registry is asked that does not answer, or not well.
const maxChecks = 3

// passing tells whether a failure may be gone in a moment.
func passing(err error) bool {
	var e *transport.Error
	return !errors.As(err, &e) || e.Temporary() || e.StatusCode >= http.StatusInternalServerError
}

// bound gives requests a context, which the library lacks; but for those that take back
// what was begun, which may follow the answer.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete {
		return b.next.RoundTrip(r)
	}
	return b.next.RoundTrip(r.WithContext(b.ctx))
}

// Digest returns the digest of what a reference, with a tag or a digest, names. The
// error is a *NotFoundError where the registry has nothing there.
func Digest(ctx context.Context, ref string, a Access) (release.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	parsed, err := name.ParseReference(ref, a.naming()...)
	if err != nil {
		return "", fmt.Errorf("reading image: %w", err)
	}
	options := a.options(ctx, parsed.Context())
	d, err := remote.Head(parsed, options...)
	if err != nil && !answered(err) {
		// Some registries leave out of HEAD what they say in GET.
		var got *remote.Descriptor
		if got, err = remote.Get(parsed, options...); err == nil {
			d = &got.Descriptor
		}
	}
	if err != nil {
		return "", explain("reading image", parsed, err)
	}
	return release.ParseDigest(d.Digest.String())
}

// naming makes names complete: registry and tag or digest are never guessed.
func (a Access) naming() []name.Option {
	options := []name.Option{name.StrictValidation}
	if a.Insecure {
		options = append(options, name.Insecure)
	}
	return options
}

func (a Access) digest(repository string, digest release.Digest) (name.Digest, error) {
	return name.NewDigest(repository+"@"+string(digest), a.naming()...)
}

func (a Access) options(ctx context.Context, repository name.Repository) []remote.Option {
	inner := a.Transport
	if inner == nil {
		inner = remote.DefaultTransport
	}
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(&guard{inner, a.Insecure, a.Token}),
		remote.WithUserAgent("pgo-release"),
		remote.WithJobs(jobs),
	}
	return append(options, remote.WithAuthFromKeychain(a.keychain(repository)))
}

// keychain has the credentials for a repository.
func (a Access) keychain(repository name.Repository) authn.Keychain {
	host := repository.RegistryStr()
	if a.anonymous {
		return only{authn.Anonymous}
	}
	if a.Token == "" || host != ghcr && !loopback(host) {
		return authn.DefaultKeychain
	}
	return only{&authn.Basic{Username: cmp.Or(a.User, "x-access-token"), Password: a.Token}}
}

// only is a keychain of one key.
type only struct{ authn.Authenticator }

// Resolve implements authn.Keychain.
func (o only) Resolve(authn.Resource) (authn.Authenticator, error) { return o.Authenticator, nil }

// guard refuses plain HTTP where it was not asked for: the library would use it with
// every host that looks like one of a private network, credentials included. To ghcr.io
// it is never used. And it keeps GitHub's token from other hosts.
type guard struct {
	inner    http.RoundTripper
	insecure bool
	token    string // for ghcr.io and loopback alone
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	own := r.URL.Host == ghcr || loopback(r.URL.Host)
	if r.URL.Scheme == "http" && !loopback(r.URL.Host) && (!g.insecure || r.URL.Host == ghcr) {
		return nil, fmt.Errorf("refusing plain HTTP to %q", r.URL.Host)
	}
	// A registry says itself where its tokens are given out.
	if _, password, ok := r.BasicAuth(); ok && g.token != "" && password == g.token && !own {
		return nil, fmt.Errorf("refusing to show GitHub's token to %q", r.URL.Host)
	}
	return g.inner.RoundTrip(r)
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// answered tells whether err is what a registry said, and not what became of it.
func answered(err error) bool {
	var e *transport.Error
	return errors.As(err, &e)
}

// explain turns what a registry answered into errors that say what to do.
func explain(doing string, ref name.Reference, err error) error {
	if err == nil {
		return nil
	}
	var e *transport.Error
	if errors.As(err, &e) {
		switch e.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return release.Refuse(hint(ref.Context()), "%s %q: %w", doing, ref, err)
		case http.StatusNotFound:
			return fmt.Errorf("%s %w (%w)", doing, &NotFoundError{ref.String()}, err)
		}
	}
	return fmt.Errorf("%s %q: %w", doing, ref, err)
}

func hint(repository name.Repository) string {
	if host := repository.RegistryStr(); host != ghcr && !loopback(host) {
		return "log in to " + host + " with docker login (docker/login-action in a workflow)"
	}
	return "the job needs `permissions: packages: write`; where the package exists already, its settings " +
		"must give this repository the role Write (package settings, Manage Actions access)"
}
