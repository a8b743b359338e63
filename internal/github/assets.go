package github

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/org/pgo-release/internal/release"
)

// Assets lists the assets of a release, sorted by name
// (https://docs.github.com/rest/releases/assets#list-release-assets). Where GitHub does
// not say an asset's digest, its bytes are downloaded and hashed. An asset whose bytes
// never all arrived has an empty digest.
func (c *Client) Assets(ctx context.Context, page Page) ([]release.Published, error) {
	fail := func(err error) ([]release.Published, error) {
		return nil, fmt.Errorf("listing the assets of release %q: %w", page.Tag, err)
	}
	assets, err := c.assetsOf(ctx, page)
	if err != nil {
		return fail(err)
	}
	var out []release.Published
	for _, a := range assets {
		if err := c.identify(ctx, &a); err != nil {
			return fail(err)
		}
		out = append(out, release.Published{ID: a.id, Name: a.name, Digest: a.digest, Size: a.size})
	}
	slices.SortFunc(out, func(a, b release.Published) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// identify fills in the digest of a complete asset where GitHub does not say it.
func (c *Client) identify(ctx context.Context, a *asset) error {
	if !a.complete || a.digest != "" {
		return nil
	}
	return c.read(ctx, a, io.Discard)
}

// Download writes the bytes of an asset, as Assets listed it, to w
// (https://docs.github.com/rest/releases/assets#get-a-release-asset) and fails when
// they are not as many as listed or have another digest. After a failure w may hold a
// part of them.
func (c *Client) Download(ctx context.Context, held release.Published, w io.Writer) error {
	a := known(held)
	err := errors.New("not all of its bytes were ever uploaded")
	if a.complete {
		err = c.read(ctx, &a, w)
	}
	if err != nil {
		return fmt.Errorf("downloading asset %q: %w", line(held.Name), err)
	}
	return nil
}

// known is an asset that was listed before.
func known(held release.Published) asset {
	return asset{id: held.ID, name: held.Name, complete: held.Digest != "", digest: held.Digest, size: held.Size}
}

// read copies the bytes of an asset to w and checks them; an unknown digest becomes
// known. A download that breaks off is begun again, and what w has is skipped.
func (c *Client) read(ctx context.Context, a *asset, w io.Writer) error {
	hash := sha256.New()
	out := &tally{w: io.MultiWriter(hash, w), most: a.size}
	for try := 1; ; try++ {
		err := c.continueReading(ctx, *a, out)
		if err == nil {
			break
		}
		if out.failed || try == maxTries || !unsure(ctx, err) {
			return err
		}
		if err := c.wait(ctx, backoff(try)); err != nil {
			return err
		}
	}
	switch digest := release.Sum(hash); {
	case out.n != a.size:
		return fmt.Errorf("reading asset %q: %d bytes came, want %d", line(a.name), out.n, a.size)
	case a.digest == "":
		a.digest = digest
	case a.digest != digest:
		return fmt.Errorf("reading asset %q: its bytes have the digest %s, GitHub says %s", line(a.name), digest, a.digest)
	}
	return nil
}

// continueReading downloads an asset and writes what out does not have yet.
func (c *Client) continueReading(ctx context.Context, a asset, out *tally) error {
	req, err := c.api.NewRequest(http.MethodGet, c.path(fmt.Sprintf("releases/assets/%d", a.id)), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", octetStream)
	resp, err := c.api.BareDo(ctx, req)
	if err != nil {
		return cause(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.CopyN(io.Discard, resp.Body, out.n); err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return err
}

// tally counts what it passes on, and takes no more than most bytes.
type tally struct {
	w       io.Writer
	n, most int64
	failed  bool // w would not take the bytes, or there are too many: trying again is no use
}

// Write passes p on.
func (t *tally) Write(p []byte) (int, error) {
	if t.n+int64(len(p)) > t.most {
		t.failed = true
		return 0, fmt.Errorf("more than the %d bytes came that GitHub says", t.most)
	}
	n, err := t.w.Write(p)
	t.n += int64(n)
	t.failed = t.failed || err != nil
	return n, err
}
