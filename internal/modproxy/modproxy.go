// Package modproxy asks the public Go module proxy what it already serves. A version
// that the proxy has from another commit can never be changed for its consumers: their
// checksums would not hold. Asking never makes the proxy fetch a version.
package modproxy

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

const (
	deadline = 10 * time.Second // of one question
	maxInfo  = 64 << 10         // bytes of an answer; a real one has about 300
	maxHops  = 3                // redirects, all on the proxy's own host
)

// Proxy is the first module proxy that the go command would ask.
type Proxy struct {
	Transport http.RoundTripper // nil: http.DefaultTransport

	base url.URL
}

// New reads a value of GOPROXY as the go command does (https://go.dev/ref/mod#environment-variables);
// empty means its default. ok is false when no proxy comes first in it: "off",
// "direct", a directory, or what is no URL.
func New(goproxy string) (proxy Proxy, ok bool) {
	if goproxy == "" {
		goproxy = "https://proxy.golang.org"
	}
	for first := range strings.FieldsFuncSeq(goproxy, func(r rune) bool { return r == ',' || r == '|' }) {
		first = strings.TrimSpace(first)
		if first == "" {
			continue
		}
		// The go command takes a host without a scheme for an https one.
		if strings.ContainsAny(first, ".:/") && !strings.Contains(first, ":/") && first[0] != '/' {
			first = "https://" + first
		}
		u, err := url.Parse(first)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return Proxy{}, false
		}
		return Proxy{base: *u}, true
	}
	return Proxy{}, false
}

// String names the proxy's host, without the credentials that its URL may hold.
func (p Proxy) String() string { return p.base.Scheme + "://" + p.base.Host }

// Private tells whether patterns (GONOPROXY, which defaults to GOPRIVATE) cover the
// module: then no proxy may be asked about it.
func Private(patterns, modulePath string) bool {
	return module.MatchPrefixPatterns(patterns, modulePath)
}

// Commit is the commit that the proxy made a version from. served is false when the
// proxy does not hold the version. commit is empty when the proxy holds the version
// and does not say where from. It ends after ten seconds at the latest.
func (p Proxy) Commit(ctx context.Context, modulePath, version string) (commit string, served bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	commit, served, err = p.ask(ctx, modulePath, version)
	if err != nil {
		return "", false, fmt.Errorf("asking %s for %q: %w", p, modulePath+"@"+version, err)
	}
	return commit, served, nil
}

func (p Proxy) ask(ctx context.Context, modulePath, version string) (string, bool, error) {
	target, err := p.url(modulePath, version)
	if err != nil {
		return "", false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return "", false, bare(err)
	}
	request.Header.Set("Disable-Module-Fetch", "true")
	client := http.Client{Transport: p.Transport, CheckRedirect: sameHost}
	response, err := client.Do(request)
	if err != nil {
		return "", false, bare(err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return "", false, nil
	default:
		return "", false, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxInfo+1))
	if err != nil {
		return "", false, bare(err)
	}
	if len(body) > maxInfo {
		return "", false, fmt.Errorf("the answer has more than %d bytes", maxInfo)
	}
	commit, err := parseInfo(body, version)
	return commit, err == nil, err
}

// url is where the proxy answers from what it holds, and nothing else.
func (p Proxy) url(modulePath, version string) (string, error) {
	escapedPath, err := module.EscapePath(modulePath)
	if err != nil {
		return "", err
	}
	escapedVersion, err := module.EscapeVersion(version)
	if err != nil {
		return "", err
	}
	u := p.base
	if strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/cached-only") { // the user asked for it
		return u.JoinPath(escapedPath, "@v", escapedVersion+".info").String(), nil
	}
	return u.JoinPath("cached-only", escapedPath, "@v", escapedVersion+".info").String(), nil
}

// sameHost keeps a proxy from sending the question, and the credentials of its URL, to
// anybody else.
func sameHost(request *http.Request, via []*http.Request) error {
	first := via[0].URL
	if request.URL.Host != first.Host || request.URL.Scheme != first.Scheme {
		return fmt.Errorf("redirected to %q", request.URL.Scheme+"://"+request.URL.Host)
	}
	if len(via) > maxHops {
		return fmt.Errorf("redirected more than %d times", maxHops)
	}
	return nil
}

// bare is an error of the HTTP client without the URL, which may hold a user's name.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// parseInfo is the commit in the proxy's description of a version, or "" where it
// names none.
func parseInfo(body []byte, version string) (string, error) {
	var info struct {
		Version string
		Origin  struct{ Hash string }
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return "", fmt.Errorf("parsing the answer: %w", err)
	}
	if info.Version != version {
		return "", fmt.Errorf("the answer is about version %.100q", info.Version)
	}
	hash := info.Origin.Hash
	if hash == "" {
		return "", nil
	}
	_, err := hex.DecodeString(hash)
	if err != nil || len(hash) != 40 && len(hash) != 64 || hash != strings.ToLower(hash) {
		return "", fmt.Errorf("the answer names commit %.100q", hash)
	}
	return hash, nil
}
