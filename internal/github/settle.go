package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// yield settles what happens when two runs make a draft at the same time: both see
// both, the older draft stays, and whoever made the other takes it back, still empty. A
// run that found this one at once may even have published it.
func (c *Client) yield(ctx context.Context, own Page) (Page, error) {
	pages, err := c.pages(ctx, own.Tag)
	if err != nil {
		return Page{}, err
	}
	if len(pages) == 0 || pages[0].Draft && pages[0].ID > own.ID { // the list lags
		return own, nil
	}
	if pages[0].ID == own.ID {
		return pages[0], nil
	}
	return pages[0], c.withdraw(ctx, own.ID, nil)
}

// Settle gives the page that becomes the release of page's tag: the published one, or
// else the oldest draft. Where that is not page, which runs at the same time make when
// GitHub's lists lag, and page is a draft with the same text that holds no file but own
// ones, page is deleted. Other drafts stay, whatever they hold: another run may be about
// to publish them.
func (c *Client) Settle(ctx context.Context, page Page, own []release.File) (Page, error) {
	winner, err := c.winner(ctx, page)
	if err == nil && winner.ID != page.ID {
		var now Page
		if now, err = c.reread(ctx, page.ID); err == nil && now.twin(winner) {
			err = c.withdraw(ctx, page.ID, own)
		} else if status(err) == http.StatusNotFound {
			err = nil
		}
	}
	if err != nil {
		return Page{}, fmt.Errorf("settling the release of tag %q: %w", page.Tag, err)
	}
	return winner, nil
}

// winner is the page that becomes the release of page's tag.
func (c *Client) winner(ctx context.Context, page Page) (Page, error) {
	pages, err := c.pages(ctx, page.Tag)
	if err != nil {
		return Page{}, err
	}
	if !slices.ContainsFunc(pages, func(p Page) bool { return p.ID == page.ID }) { // the list may lag
		own, err := c.reread(ctx, page.ID)
		switch {
		case err == nil && own.Tag == page.Tag:
			pages = append(pages, own)
			slices.SortFunc(pages, order)
		case err != nil && status(err) != http.StatusNotFound:
			return Page{}, err
		}
	}
	public, err := c.published(ctx, page.Tag) // which no list decides
	switch {
	case err != nil:
		return Page{}, err
	case public != nil:
		return *public, nil
	case len(pages) == 0:
		return Page{}, errors.New("it is gone")
	case slices.ContainsFunc(pages, func(p Page) bool { return !pages[0].twin(p) }):
		return Page{}, tooMany(pages)
	}
	return pages[0], nil
}

// withdraw deletes a draft that another page takes the place of, where it holds own files
// only.
func (c *Client) withdraw(ctx context.Context, id int64, own []release.File) error {
	held, err := c.assetsOf(ctx, Page{ID: id})
	if status(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range held {
		name := strings.TrimSuffix(a.name, temporarySuffix)
		if !slices.ContainsFunc(own, func(f release.File) bool { return f.Name == name }) {
			return nil
		}
	}
	// Read last, so that little can happen until it is gone.
	page, err := c.reread(ctx, id)
	if err == nil && page.Draft {
		_, err = c.call(ctx, http.MethodDelete, fmt.Sprintf("releases/%d", id), nil, nil)
	}
	if status(err) == http.StatusNotFound {
		return nil
	}
	return err
}
