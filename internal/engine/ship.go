package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Page is a release page, or the draft of one.
type Page struct {
	ID     int64
	Tag    string
	URL    string
	Draft  bool
	Frozen bool // no asset can be added any more
}

// Releases is where release pages live.
type Releases interface {
	// Open finds the page of the plan's tag, published or draft, or makes a draft.
	Open(ctx context.Context, p plan.Plan, body string) (Page, error)
	// Assets reads back what the page holds, sorted by name.
	Assets(ctx context.Context, page Page) ([]release.Published, error)
	// Put makes the page, which holds what Assets told, hold exactly this file under its
	// name; uploaded is false when it already did. Where it holds other bytes they are
	// replaced, or, without replace, the error is a *release.TakenError.
	Put(ctx context.Context, page Page, file release.File, held []release.Published, replace bool) (uploaded bool, err error)
	// Settle gives the page that becomes the release: this one, or the one of another
	// run at the same time. This one is taken back then, where it holds own files only.
	Settle(ctx context.Context, page Page, own []release.Asset) (Page, error)
	// Publish makes the draft public, and the tag with it where there is none.
	Publish(ctx context.Context, page Page, p plan.Plan) (Page, error)
}

// Registry is where images live.
type Registry interface {
	// Push stores the image under its digest, without any tag.
	Push(ctx context.Context, image release.Image) error
	// Attach stores the image's bundles beside it.
	Attach(ctx context.Context, image release.Image) error
	// Free demands that those of the tags that are exact versions name this image or nothing.
	Free(ctx context.Context, image release.Image, tags []string) error
	// Tag makes tags name the pushed image, and gives those that do as full references,
	// sorted. One that names a newer version stays.
	Tag(ctx context.Context, image release.Image, version string, tags []string) ([]string, error)
}

// Shipper are the edges of Ship.
type Shipper struct {
	Releases Releases
	Registry Registry // may be nil when the plan has no image
	// Keep is asked about a bundle that the page holds in the place of this run's, which
	// another run put there. Where that one is as good it takes this one's place on this
	// machine, and is given; else nil.
	Keep func(ctx context.Context, held release.Published, own release.Asset) (*release.File, error)
	// Verify checks, before anything is public, what is about to become it.
	Verify   func(ctx context.Context, receipt release.Receipt) error
	Progress task.Progress
}

const (
	// uploads is how many assets are sent at once: GitHub's secondary limits count
	// content-creating calls (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
	uploads = 4
	// maxPages is how many pages Ship goes to, one after the other, when other runs of
	// the same release are at work.
	maxPages = 3
	// maxReads is how often a page is read back that lacks what was uploaded.
	maxReads = 4
)

// Ship publishes what was signed. Everything is stored where nobody sees it, the
// assets in a draft and the image by digest, read back and verified; then the draft is
// published and the image tagged. A run that failed is finished by running again: a
// page that is public already keeps its assets, which must be the ones made now, and
// what may follow publishing is done.
//
// Runs of the same release at the same time end with one page. They make the same
// files; bundles, which no two runs make alike, are those of the run that was first.
func Ship(ctx context.Context, p plan.Plan, signed release.Signed, body string, s Shipper) (release.Receipt, error) {
	assets := signed.Assets()
	for round := 1; ; round++ {
		page, err := s.Releases.Open(ctx, p, body)
		if err != nil {
			return release.Receipt{}, err
		}
		receipt, moved, err := s.ship(ctx, page, p, signed.Images, assets)
		if err != nil && page.Draft && ctx.Err() == nil { // maybe because of another run
			now, lost := s.Releases.Settle(ctx, page, assets)
			moved = lost == nil && (now.ID != page.ID || !now.Draft && !errors.As(err, new(committed)))
		}
		if !moved {
			return receipt, err
		}
		if round == maxPages {
			return receipt, cmp.Or(err, fmt.Errorf("finding the page of the release: it was another one %d times; other runs are at work", round))
		}
	}
}

// ship is Ship with one page; moved tells that the release is to be on another.
func (s Shipper) ship(ctx context.Context, page Page, p plan.Plan, images []release.Image, assets []release.Asset) (_ release.Receipt, moved bool, err error) {
	receipt := release.Receipt{ID: page.ID, URL: page.URL, Draft: page.Draft}
	if receipt.Assets, err = s.fill(ctx, page, assets); err != nil {
		return receipt, false, err
	}
	for i, image := range images {
		receipt.Images = append(receipt.Images, release.Pushed{Repository: image.Repository, Digest: image.Digest})
		if err := s.push(ctx, image, p.Images[i].Tags); err != nil {
			return receipt, false, err
		}
	}
	if err := s.Verify(ctx, receipt); err != nil {
		return receipt, false, err
	}
	if page.Draft {
		now, err := s.Releases.Settle(ctx, page, assets)
		if err != nil || now.ID != page.ID || !now.Draft {
			return receipt, err == nil, err
		}
	}
	if ctx.Err() != nil { // whoever interrupts before the commit point finds nothing public
		return receipt, false, context.Cause(ctx)
	}
	if receipt, err = s.publish(ctx, page, p, receipt, assets); err == nil {
		err = s.tag(ctx, p, images, receipt.Images)
	}
	if err != nil {
		err = committed{err}
	}
	return receipt, false, err
}

// push stores an image and what is stated about it, where nobody is led to it.
func (s Shipper) push(ctx context.Context, image release.Image, tags []string) error {
	return task.Track(ctx, s.Progress, PhaseShip, imageTask(image), 0, func(stage func(string)) (string, error) {
		stage("pushing")
		if err := s.Registry.Push(ctx, image); err != nil {
			return "", err
		}
		if err := s.Registry.Free(ctx, image, tags); err != nil {
			return "", err
		}
		stage("attaching")
		return image.Reference(), s.Registry.Attach(ctx, image)
	})
}

// imageTask is what the work on an image is called.
func imageTask(image release.Image) string { return "image " + image.Repository }

// tag lets the tags of the plan name the images, all at once, and keeps in pushed which do.
// What stands in the way of one image's is no reason to leave another without.
func (s Shipper) tag(ctx context.Context, p plan.Plan, images []release.Image, pushed []release.Pushed) error {
	errs := make([]error, len(images))
	var group sync.WaitGroup
	for i, image := range images {
		if len(p.Images[i].Tags) == 0 {
			continue
		}
		group.Go(func() {
			errs[i] = task.Track(ctx, s.Progress, PhaseShip, "tags of "+imageTask(image), 0, func(stage func(string)) (_ string, err error) {
				stage("tagging")
				pushed[i].Tags, err = s.Registry.Tag(ctx, image, p.Version, p.Images[i].Tags)
				return strings.Join(pushed[i].Tags, ", "), err
			})
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// committed is an error of the commit point, or after it.
type committed struct{ error }

// Unwrap gives the cause.
func (c committed) Unwrap() error { return c.error }

// publish is the commit point. What is public then is read back.
func (s Shipper) publish(ctx context.Context, page Page, p plan.Plan, receipt release.Receipt, assets []release.Asset) (release.Receipt, error) {
	if p.Draft && page.Draft {
		return receipt, nil
	}
	err := task.Track(ctx, s.Progress, PhaseShip, "release", 0, func(stage func(string)) (string, error) {
		stage("publishing")
		if !page.Draft {
			return "published before", nil
		}
		published, err := s.Releases.Publish(ctx, page, p)
		if err != nil {
			return "", err
		}
		receipt.URL, receipt.Draft = published.URL, false
		receipt.Assets, err = s.readBack(ctx, published, assets)
		return published.URL, err
	})
	return receipt, err
}

// fill makes a page hold the assets, and reads it back. What a public page holds stays;
// what it lacks is added. Bundles of another run that are as good take the place of those
// in assets.
func (s Shipper) fill(ctx context.Context, page Page, assets []release.Asset) ([]release.Published, error) {
	held, err := s.Releases.Assets(ctx, page)
	if err != nil {
		return nil, err
	}
	changed := false
	var mu sync.Mutex
	err = task.Each(ctx, uploads, len(assets), func(ctx context.Context, i int) error {
		there := slices.ContainsFunc(held, func(h release.Published) bool { return h.Name == assets[i].Name })
		if !page.Draft && (there || assets[i].Kind == release.KindNotes || page.Frozen) {
			return s.agree(ctx, held, &assets[i])
		}
		return task.Track(ctx, s.Progress, PhaseShip, assets[i].Name, len(assets), func(stage func(string)) (string, error) {
			stage("uploading")
			text, err := s.put(ctx, page, held, &assets[i])
			if text == "" {
				mu.Lock()
				defer mu.Unlock()
				changed = true
			}
			return text, err
		})
	})
	if err != nil {
		return nil, err
	}
	if changed || compare(assets, held, page.Draft) != nil {
		return s.readBack(ctx, page, assets)
	}
	return held, nil
}

// put stores one asset; the text is empty where its bytes were sent.
func (s Shipper) put(ctx context.Context, page Page, held []release.Published, asset *release.Asset) (string, error) {
	uploaded, err := s.Releases.Put(ctx, page, asset.File, held, !vouches(*asset))
	var taken *release.TakenError
	if errors.As(err, &taken) {
		kept, keepErr := s.Keep(ctx, taken.By, *asset)
		if keepErr != nil {
			return "", keepErr
		}
		if kept != nil {
			asset.File = *kept
			return "kept that of another run", nil
		}
		uploaded, err = s.Releases.Put(ctx, page, asset.File, held, true)
	}
	if err == nil && !uploaded {
		return "already there", nil
	}
	return "", err
}

// agree takes over the bundle of the run that published.
func (s Shipper) agree(ctx context.Context, held []release.Published, asset *release.Asset) error {
	i := slices.IndexFunc(held, func(h release.Published) bool { return h.Name == asset.Name && h.Digest != asset.Digest })
	if i < 0 || !vouches(*asset) {
		return nil
	}
	kept, err := s.Keep(ctx, held[i], *asset)
	if kept != nil {
		asset.File = *kept
	}
	return err
}

// vouches tells whether an asset is a signature over others, which no two runs make alike.
func vouches(a release.Asset) bool {
	return a.Kind == release.KindBundle || a.Kind == release.KindProvenance
}

// readBack reads what a page holds and compares it. GitHub's lists lag: what is missing
// is looked for again.
func (s Shipper) readBack(ctx context.Context, page Page, assets []release.Asset) ([]release.Published, error) {
	for try := 1; ; try++ {
		held, err := s.Releases.Assets(ctx, page)
		if err != nil {
			return nil, err
		}
		err = compare(assets, held, page.Draft)
		if err == nil {
			return held, nil
		}
		if try == maxReads || !lacks(assets, held) {
			return nil, fmt.Errorf("reading back %s: %w", page.URL, err)
		}
		select {
		case <-time.After(time.Second << (try - 1)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// lacks tells whether an asset is not listed.
func lacks(assets []release.Asset, held []release.Published) bool {
	return slices.ContainsFunc(assets, func(a release.Asset) bool {
		return !slices.ContainsFunc(held, func(h release.Published) bool { return h.Name == a.Name })
	})
}

// compare demands that the page holds what was signed: a draft exactly that; a public
// page may hold more. Notes are text that people may go on editing: those of a run before
// are as good.
func compare(assets []release.Asset, held []release.Published, draft bool) error {
	var errs []error
	want := map[string]release.Asset{}
	for _, a := range assets {
		want[a.Name] = a
	}
	found := map[string]bool{}
	for _, h := range held {
		w, ok := want[h.Name]
		switch {
		case found[h.Name]:
			errs = append(errs, fmt.Errorf("asset %q is there twice", h.Name))
		case !ok && draft && h.Name != release.NotesName:
			errs = append(errs, fmt.Errorf("asset %q is not of this release; delete it there", h.Name))
		case ok && w.Digest != h.Digest && (draft || w.Kind != release.KindNotes):
			errs = append(errs, fmt.Errorf("asset %q has digest %s, want %s", h.Name, h.Digest, w.Digest))
		}
		found[h.Name] = true
	}
	for _, a := range assets {
		if !found[a.Name] && (draft || a.Kind != release.KindNotes) {
			errs = append(errs, fmt.Errorf("asset %q is missing", a.Name))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(errs...); err != nil {
		return &release.Problem{Class: release.Rejected, Err: err, Tip: differences(draft)}
	}
	return nil
}

// differences says what mends a page that holds something else.
func differences(draft bool) string {
	if draft {
		return "look at the draft, delete there what is not of this release, and run again"
	}
	return "what is public is not changed: look at the page; the way on is the next version"
}
