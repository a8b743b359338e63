package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// maxListings bounds the pages of a list of referrers.
const maxListings = 32

// referring are the options for calls that read or write referrers.
func (a Access) referring(ctx context.Context, repository name.Repository) []remote.Option {
	if a.Transport == nil {
		a.Transport = remote.DefaultTransport
	}
	a.Transport = &referral{inner: a.Transport}
	return a.options(ctx, repository)
}

// referral is a way to a registry on which the referrers API answers as the
// distribution specification says, or is not there. The library falls back to a tag
// after some of the ways to say the latter, not the same ones when it reads and when it
// writes, and ghcr.io has a way of its own: it sends whoever asks to github.com, which
// may answer anything. The library also takes the first page of a list for all of it.
// Documents are bounded.
type referral struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *referral) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet {
		return resp, err
	}
	switch path.Base(path.Dir(r.URL.Path)) {
	case "manifests":
		resp.Body = &brief{resp.Body, maxDocument}
	case "referrers":
		switch {
		case absent(r, resp):
			_ = resp.Body.Close()
			return answered404(resp), nil
		case resp.StatusCode == http.StatusOK:
			return t.whole(r, resp)
		}
	}
	return resp, nil
}

// absent tells whether an answer means that there is no referrers API.
func absent(r *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusOK:
		mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		return err != nil || mediaType != string(types.OCIImageIndex)
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := resp.Location()
		return err != nil || to.Host != r.URL.Host
	}
	return slices.Contains([]int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented,
	}, resp.StatusCode)
}

func answered404(resp *http.Response) *http.Response {
	out := *resp
	out.StatusCode, out.Status = http.StatusNotFound, "404 Not Found"
	out.Header, out.Body, out.ContentLength = http.Header{}, http.NoBody, 0
	return &out
}

// whole makes one answer of all pages of a list.
func (t *referral) whole(r *http.Request, resp *http.Response) (*http.Response, error) {
	first, left := resp, int64(maxDocument)
	var text []byte
	var all v1.IndexManifest
	for page := 1; ; page++ {
		var err error
		text, err = io.ReadAll(&brief{resp.Body, left})
		_ = resp.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the list of referrers: %w", err)
		}
		left -= int64(len(text))
		next := following(resp.Header)
		if page == 1 && next == "" {
			break
		}
		var some v1.IndexManifest
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, fmt.Errorf("reading the list of referrers: %w", err)
		}
		some.Manifests = append(all.Manifests, some.Manifests...)
		all = some
		if next == "" {
			if text, err = json.Marshal(all); err != nil {
				return nil, err
			}
			break
		}
		if page == maxListings {
			return nil, fmt.Errorf("reading the list of referrers: it has more than %d pages", maxListings)
		}
		if resp, err = t.follow(r, next); err != nil {
			return nil, fmt.Errorf("reading the list of referrers: %w", err)
		}
	}
	out := *first
	out.Header = first.Header.Clone()
	out.Header.Set("Content-Type", string(types.OCIImageIndex)) // the library wants it to the letter
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return &out, nil
}

// follow asks for a further page, with the credentials of the first and so of the same
// host alone.
func (t *referral) follow(r *http.Request, next string) (*http.Response, error) {
	to, err := r.URL.Parse(next)
	if err != nil || to.Host != r.URL.Host || to.Scheme != r.URL.Scheme {
		return nil, fmt.Errorf("its next page is at %.200q: want one on %s", next, r.URL.Host)
	}
	request := r.Clone(r.Context())
	request.URL = to
	resp, err := t.inner.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("its next page: %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return resp, nil
}

// following is the address of the next page, or empty.
func following(h http.Header) string {
	for link := range strings.SplitSeq(h.Get("Link"), ",") {
		at, rel, _ := strings.Cut(link, ";")
		if rel = strings.ReplaceAll(strings.TrimSpace(rel), `"`, ""); rel != "rel=next" {
			continue
		}
		if u, err := url.Parse(strings.Trim(strings.TrimSpace(at), "<>")); err == nil {
			return u.String()
		}
	}
	return ""
}

// brief is a body that fails when it is longer than it may be.
type brief struct {
	io.ReadCloser
	left int64
}

// Read fails once more bytes have come than were left.
func (b *brief) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("more than the %d bytes that are read at most", maxDocument)
	}
	return n, err
}
