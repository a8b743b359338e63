package github

// go-github v60 dates from February 2024. It does not know the digest of an asset nor
// that a release can be immutable, and gives an asset's size as an int; so releases and
// assets are read and written here, with types of our own, through its NewRequest and
// Do. So are attestations, of which it knows nothing. Everything else goes through its
// services.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/pgo-release/internal/release"
)

// releaseJSON is what is read of a release
// (https://docs.github.com/rest/releases/releases#get-a-release).
type releaseJSON struct {
	ID              int64  `json:"id"`
	TagName         string `json:"tag_name"`
	TargetCommitish string `json:"target_commitish"`
	HTMLURL         string `json:"html_url"`
	UploadURL       string `json:"upload_url"`
	Name            string `json:"name"`
	Body            string `json:"body"`
	Draft           bool   `json:"draft"`
	Prerelease      bool   `json:"prerelease"`
	Immutable       bool   `json:"immutable"`
}

// releaseEdit is what is written of a release. TagName is not optional: GitHub renames
// a draft that is edited without it.
type releaseEdit struct {
	TagName         string `json:"tag_name"`
	TargetCommitish string `json:"target_commitish,omitempty"`
	Name            string `json:"name,omitempty"`
	Body            string `json:"body,omitempty"`
	Draft           *bool  `json:"draft,omitempty"`
	Prerelease      *bool  `json:"prerelease,omitempty"`
	MakeLatest      string `json:"make_latest,omitempty"`
}

// assetJSON is what is read of an asset
// (https://docs.github.com/rest/releases/assets#get-a-release-asset).
type assetJSON struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"`
}

// assetEdit is what is written of an asset.
type assetEdit struct {
	Name string `json:"name"`
}

// asset is a file of a release.
type asset struct {
	id       int64
	name     string
	complete bool           // all its bytes have arrived
	digest   release.Digest // empty: GitHub does not say
	size     int64
}

func (a assetJSON) asset() (asset, error) {
	if a.ID <= 0 || a.Name == "" || a.Size < 0 || a.Size > maxAsset {
		return asset{}, fmt.Errorf("reading asset %q: id %d and size %d make no sense", line(a.Name), a.ID, a.Size)
	}
	out := asset{id: a.ID, name: a.Name, complete: a.State == "uploaded", size: a.Size}
	if digest, err := release.ParseDigest(a.Digest); err == nil {
		out.digest = digest // any other algorithm is as good as none
	}
	return out, nil
}

func (r releaseJSON) page() (Page, error) {
	u, err := url.Parse(r.HTMLURL)
	if r.ID <= 0 || r.TagName == "" || err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return Page{}, fmt.Errorf("reading release %d: the tag %q and the address %q make no sense", r.ID, line(r.TagName), line(r.HTMLURL))
	}
	return Page{
		ID: r.ID, Tag: r.TagName, URL: r.HTMLURL, Draft: r.Draft, Body: r.Body, Prerelease: r.Prerelease, Immutable: r.Immutable,
		title: r.Name, target: r.TargetCommitish, upload: r.UploadURL,
	}, nil
}

// call sends JSON to a path below the repository and reads JSON; body and into may be
// nil.
func (c *Client) call(ctx context.Context, method, path string, body, into any) (*gh.Response, error) {
	req, err := c.api.NewRequest(method, c.path(path), body)
	if err != nil {
		return nil, err
	}
	resp, err := c.api.Do(ctx, req, into)
	if err != nil {
		return nil, cause(err)
	}
	return resp, nil
}

// path is a path below the repository, relative to the base of the API.
func (c *Client) path(rest string) string {
	return "repos/" + c.repo.Owner + "/" + c.repo.Name + "/" + rest
}

// escaped is a tag as a part of a path; GitHub wants its slashes as they are.
func escaped(tag string) string {
	parts := strings.Split(tag, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// maxPages bounds how much of a list is read: GitHub shows the first 10,000 entries of
// any, 100 a page.
const maxPages = 100

// each reads all pages of a list and hands its entries on one by one.
func each[T any](ctx context.Context, c *Client, path string, entry func(T) error) error {
	for page := 1; page <= maxPages; {
		var some []T
		resp, err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s?per_page=100&page=%d", path, page), nil, &some)
		if err != nil {
			return err
		}
		for _, e := range some {
			if err := entry(e); err != nil {
				return err
			}
		}
		if resp.NextPage <= page {
			break
		}
		page = resp.NextPage
	}
	return nil
}

// assetsOf lists the assets of a release, in GitHub's order.
func (c *Client) assetsOf(ctx context.Context, page Page) ([]asset, error) {
	var out []asset
	err := each(ctx, c, fmt.Sprintf("releases/%d/assets", page.ID), func(a assetJSON) error {
		parsed, err := a.asset()
		out = append(out, parsed)
		return err
	})
	return out, err
}
