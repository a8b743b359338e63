package github

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// temporarySuffix follows the name of an asset whose bytes are to replace another's. It
// is always the same, so that a later run finds what an earlier one left.
const temporarySuffix = ".replacing"

// Final is the name that an asset is to have in the end: that of an asset which is to
// replace another is not.
func Final(name string) string { return strings.TrimSuffix(name, temporarySuffix) }

// step is one change on the way to the asset that is wanted.
type step int

const (
	finished        step = iota
	upload               // under the asset's own name, which is free
	uploadTemporary      // beside the asset that is to be replaced
	rename               // the temporary asset takes the name
	deleteCurrent
	deleteTemporary
)

// pair are the two assets that matter to a file: the one that has its name, and the
// one that is to replace it. nil: there is none.
type pair struct{ current, temporary *asset }

// next decides what to do. An asset with other bytes goes only when the new ones are
// complete beside it; one whose bytes never all arrived holds nothing and goes at once.
func (p pair) next(file release.File) step {
	is := func(a *asset) bool {
		return a != nil && a.complete && a.digest == file.Digest && a.size == file.Size
	}
	switch {
	case is(p.current) && p.temporary == nil:
		return finished
	case is(p.current):
		return deleteTemporary
	case p.current != nil && !p.current.complete:
		return deleteCurrent
	case p.temporary != nil && !p.temporary.complete:
		return deleteTemporary
	case p.current == nil && is(p.temporary):
		return rename
	case p.current == nil:
		return upload
	case is(p.temporary):
		return deleteCurrent
	case p.temporary != nil:
		return deleteTemporary
	}
	return uploadTemporary
}

// maxSteps bounds the changes for one file; the longest way without faults has five.
const maxSteps = 16

// Put makes the release hold the file as an asset of its name and digest, and does
// nothing when it does. held is what Assets listed; the assets are listed again only
// where that turns out to be out of date. uploaded tells whether the file's bytes were
// sent. An asset with other bytes is replaced: the new bytes are stored beside it and
// checked before it goes; without replace it stays, and the error is a *release.TakenError. An
// immutable release that would have to change is a Problem of class Rejected, and so is
// a name that GitHub does not keep
// (https://docs.github.com/rest/releases/assets#upload-a-release-asset).
func (c *Client) Put(ctx context.Context, page Page, file release.File, held []release.Published, replace bool) (uploaded bool, err error) {
	if uploaded, err = c.converge(ctx, page, file, held, replace); err != nil {
		return uploaded, fmt.Errorf("storing asset %q: %w", file.Name, err)
	}
	return uploaded, nil
}

func (c *Client) converge(ctx context.Context, page Page, file release.File, held []release.Published, replace bool) (uploaded bool, err error) {
	assets := among(held, file)
	faults := 0
	for range maxSteps {
		next := assets.next(file)
		if next == finished {
			return uploaded, nil
		}
		if other := assets.current; !replace && other != nil && other.complete && next != deleteTemporary {
			return uploaded, &release.TakenError{By: release.Published{ID: other.id, Name: other.name, Digest: other.digest, Size: other.size}}
		}
		if page.Immutable {
			return false, frozen(page)
		}
		if next == deleteCurrent && assets.current.complete {
			if err := c.stillDraft(ctx, page); err != nil {
				return uploaded, err
			}
		}
		sends := next == upload || next == uploadTemporary
		err := c.take(ctx, next, page, file, &assets)
		if sends && (err == nil || unsure(ctx, err)) {
			uploaded = true
		}
		if err == nil {
			continue
		}
		if faults++; faults == maxTries || !outdated(ctx, err) {
			return uploaded, c.gone(ctx, page, err)
		}
		if err := c.wait(ctx, backoff(faults)); err != nil {
			return uploaded, err
		}
		if assets, err = c.look(ctx, page, file); err != nil {
			return uploaded, c.gone(ctx, page, err)
		}
	}
	return uploaded, fmt.Errorf("GitHub does not keep these bytes: it holds %s, want %s", assets, file.Digest)
}

// gone says of a failure to find something whether it was the page.
func (c *Client) gone(ctx context.Context, page Page, err error) error {
	if status(err) != http.StatusNotFound {
		return err
	}
	if _, now := c.reread(ctx, page.ID); status(now) == http.StatusNotFound {
		return &release.Problem{Err: fmt.Errorf("release %d of tag %q is gone: somebody deleted it", page.ID, page.Tag), Tip: "run again to make it anew"}
	}
	return err
}

// stillDraft demands that nobody published the page since it was looked at: what is
// public keeps its assets.
func (c *Client) stillDraft(ctx context.Context, page Page) error {
	now, err := c.reread(ctx, page.ID)
	switch {
	case err != nil:
		return err
	case page.Draft && !now.Draft:
		return &release.Problem{Err: fmt.Errorf("%s was published meanwhile, with other bytes", now.URL)}
	}
	return nil
}

// String describes the asset that has the name.
func (p pair) String() string {
	if p.current == nil {
		return "none"
	}
	return fmt.Sprintf("%s (%d bytes)", p.current.digest, p.current.size)
}

// outdated tells whether a change that failed so may have happened, or was decided on a
// state that has passed: GitHub's lists lag behind, another run may be at work, and the
// upload host at times does not find releases that exist.
func outdated(ctx context.Context, err error) bool {
	var a *answer
	if errors.As(err, &a) && ctx.Err() == nil && (a.status == http.StatusNotFound || a.exists()) {
		return true
	}
	return unsure(ctx, err)
}

// look reads the state that next decides on.
func (c *Client) look(ctx context.Context, page Page, file release.File) (pair, error) {
	held, err := c.Assets(ctx, page)
	return among(held, file), err
}

// among finds the two assets that matter to a file.
func among(held []release.Published, file release.File) pair {
	var out pair
	for _, h := range held {
		a := known(h)
		switch h.Name {
		case file.Name:
			out.current = &a
		case file.Name + temporarySuffix:
			out.temporary = &a
		}
	}
	return out
}

// take makes one change and notes in assets what it led to.
func (c *Client) take(ctx context.Context, next step, page Page, file release.File, assets *pair) error {
	switch next {
	case upload:
		stored, err := c.upload(ctx, page, file, file.Name)
		if err == nil {
			assets.current = stored
		}
		return err
	case uploadTemporary:
		stored, err := c.upload(ctx, page, file, file.Name+temporarySuffix)
		if err == nil {
			assets.temporary = stored
		}
		return err
	case rename:
		named, err := c.rename(ctx, *assets.temporary, file.Name)
		if err == nil {
			*assets = pair{current: named}
		}
		return err
	case deleteCurrent:
		err := c.remove(ctx, *assets.current)
		if err == nil {
			assets.current = nil
		}
		return err
	}
	err := c.remove(ctx, *assets.temporary)
	if err == nil {
		assets.temporary = nil
	}
	return err
}

// remove deletes an asset (https://docs.github.com/rest/releases/assets#delete-a-release-asset).
func (c *Client) remove(ctx context.Context, a asset) error {
	_, err := c.call(ctx, http.MethodDelete, fmt.Sprintf("releases/assets/%d", a.id), nil, nil)
	return err
}

// rename gives an asset another name
// (https://docs.github.com/rest/releases/assets#update-a-release-asset).
func (c *Client) rename(ctx context.Context, a asset, name string) (*asset, error) {
	var renamed assetJSON
	path := fmt.Sprintf("releases/assets/%d", a.id)
	if _, err := c.call(ctx, http.MethodPatch, path, assetEdit{Name: name}, &renamed); err != nil {
		return nil, err
	}
	if renamed.Name != name {
		return nil, renamedByGitHub(name, renamed.Name)
	}
	a.name = name
	return &a, nil
}

func renamedByGitHub(want, got string) error {
	return release.Reject("use letters, digits, dots, dashes and underscores only",
		"GitHub does not keep the name %q: it made %q of it", want, line(got))
}

// upload sends the bytes of a file and returns what GitHub stored. Where they are not the
// ones that were made, it never sends the last of them; what GitHub then has begun to store
// holds nothing, and the next Put takes it away.
func (c *Client) upload(ctx context.Context, page Page, file release.File, name string) (*asset, error) {
	to, err := c.uploadURL(ctx, page)
	if err != nil {
		return nil, err
	}
	content, err := os.Open(file.Path)
	if err != nil {
		return nil, &release.Problem{Err: err, Tip: madeAgain}
	}
	defer func() { _ = content.Close() }()
	if info, err := content.Stat(); err != nil || info.Size() != file.Size {
		return nil, changed(file)
	}
	body := func() (io.ReadCloser, error) {
		return io.NopCloser(&unchanged{file: file, content: io.NewSectionReader(content, 0, file.Size), hash: sha256.New()}), nil
	}
	first, _ := body()
	req, err := c.api.NewUploadRequest(to+"?name="+url.QueryEscape(name), first, file.Size, octetStream)
	if err != nil {
		return nil, err
	}
	req.GetBody = body // the rate limit may refuse the first
	var stored assetJSON
	if _, err := c.api.Do(ctx, req, &stored); err != nil {
		return nil, cause(err)
	}
	a, err := stored.asset()
	if err != nil {
		return nil, err
	}
	if a.name != name {
		return nil, errors.Join(renamedByGitHub(name, a.name), c.remove(ctx, a))
	}
	return &a, c.identify(ctx, &a)
}

// madeAgain is what helps when a file is not there any more.
const madeAgain = "delete dist/ and run again"

func changed(file release.File) error {
	return &release.Problem{Err: fmt.Errorf("reading %q: it changed since it was made", file.Path), Tip: madeAgain}
}

// unchanged reads a file, and fails instead of giving the last bytes of one that does
// not hold what it held when it was made: so that it is read once, and what changed never
// arrives as a whole.
type unchanged struct {
	file    release.File
	content io.Reader
	hash    hash.Hash
	read    int64
}

// Read implements io.Reader.
func (u *unchanged) Read(p []byte) (int, error) {
	n, err := u.content.Read(p)
	_, _ = u.hash.Write(p[:n])
	u.read += int64(n)
	if u.read == u.file.Size && release.Sum(u.hash) != u.file.Digest || u.read < u.file.Size && err == io.EOF {
		return 0, changed(u.file)
	}
	return n, err
}

// uploadURL is where the assets of a release go. GitHub says it as a template whose
// variables follow in braces; it has to lie on the host that gets the token.
func (c *Client) uploadURL(ctx context.Context, page Page) (string, error) {
	if to, known := c.uploadsAt.Load(page.ID); known {
		return to.(string), nil
	}
	if page.upload == "" {
		now, err := c.reread(ctx, page.ID)
		if err != nil {
			return "", err
		}
		if page = now; page.Immutable {
			return "", frozen(page)
		}
	}
	to, _, _ := strings.Cut(page.upload, "{")
	u, err := url.Parse(to)
	if err != nil || origin(u) != origin(c.uploads) || u.RawQuery != "" {
		return "", &release.Problem{Err: fmt.Errorf("GitHub wants uploads at %q, want an address on %s", line(to), origin(c.uploads))}
	}
	c.uploadsAt.Store(page.ID, to)
	return to, nil
}

func frozen(page Page) error {
	return release.Reject("its tag cannot be used again either: release a new version",
		"release %q is immutable and does not hold these bytes", page.Tag)
}
