package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Page is a release page, or the draft of one.
type Page struct {
	ID    int64
	Tag   string
	URL   string
	Draft bool
}

// Releases is where release pages live.
type Releases interface {
	// Open finds the page of the plan's tag, published or draft, or makes a draft.
	Open(ctx context.Context, p plan.Plan, body string) (Page, error)
	// Put makes the page hold exactly this file under its name; uploaded is false when
	// it already did.
	Put(ctx context.Context, page Page, file release.File) (uploaded bool, err error)
	// Assets reads back what the page holds, sorted by name.
	Assets(ctx context.Context, page Page) ([]release.Published, error)
	// Publish makes the draft public, and the tag with it where there is none.
	Publish(ctx context.Context, page Page, p plan.Plan) (Page, error)
}

// Registry is where images live.
type Registry interface {
	// Push stores the image under its digest, without any tag.
	Push(ctx context.Context, image release.Image) error
	// Tag makes tags name the pushed image and returns full references, sorted.
	Tag(ctx context.Context, image release.Image, tags []string) ([]string, error)
}

// Shipper are the edges of Ship.
type Shipper struct {
	Releases Releases
	Registry Registry // may be nil when the plan has no image
	Progress task.Progress
}

// uploads is how many assets are sent at once: GitHub's secondary limits count
// content-creating calls (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
const uploads = 4

// Ship publishes what was signed. Everything is stored where nobody sees it, the
// assets in a draft and the image by digest, and read back; then the draft is
// published and the image tagged. A run that failed is finished by running again: a
// page that is public already keeps its assets, which must be the ones made now (but
// for bundles, which no two runs make alike), and what may follow publishing is done.
func Ship(ctx context.Context, p plan.Plan, signed release.Signed, body string, s Shipper) (release.Receipt, error) {
	page, err := s.Releases.Open(ctx, p, body)
	if err != nil {
		return release.Receipt{}, err
	}
	if page.Draft { // what is public stays as it is
		if err := s.upload(ctx, page, signed.Assets()); err != nil {
			return release.Receipt{}, err
		}
	}
	held, err := s.Releases.Assets(ctx, page)
	if err != nil {
		return release.Receipt{}, err
	}
	if err := compare(signed, held, page.Draft); err != nil {
		return release.Receipt{}, fmt.Errorf("reading back %s: %w", page.URL, err)
	}
	receipt := release.Receipt{ID: page.ID, URL: page.URL, Assets: held}
	if signed.Image != nil {
		receipt.ImageDigest = signed.Image.Digest
		err := task.Track(ctx, s.Progress, PhaseShip, "image", 0, func(stage func(string)) (string, error) {
			stage("pushing")
			return signed.Image.Repository + "@" + string(signed.Image.Digest), s.Registry.Push(ctx, *signed.Image)
		})
		if err != nil {
			return release.Receipt{}, err
		}
	}
	if p.Draft {
		return receipt, nil
	}
	if ctx.Err() != nil { // whoever interrupts before the commit point finds nothing public
		return release.Receipt{}, context.Cause(ctx)
	}
	return s.publish(ctx, page, p, signed, receipt)
}

// publish is the commit point, and what may only follow it.
func (s Shipper) publish(ctx context.Context, page Page, p plan.Plan, signed release.Signed, receipt release.Receipt) (release.Receipt, error) {
	err := task.Track(ctx, s.Progress, PhaseShip, "release", 0, func(stage func(string)) (string, error) {
		stage("publishing")
		if !page.Draft {
			return "published before", nil
		}
		published, err := s.Releases.Publish(ctx, page, p)
		receipt.URL = published.URL
		return published.URL, err
	})
	if err != nil || signed.Image == nil {
		return receipt, err
	}
	err = task.Track(ctx, s.Progress, PhaseShip, "image tags", 0, func(stage func(string)) (string, error) {
		stage("tagging")
		receipt.ImageTags, err = s.Registry.Tag(ctx, *signed.Image, p.Image.Tags)
		return strings.Join(p.Image.Tags, ", "), err
	})
	return receipt, err
}

func (s Shipper) upload(ctx context.Context, page Page, assets []release.Asset) error {
	return task.Each(ctx, uploads, len(assets), func(ctx context.Context, i int) error {
		return task.Track(ctx, s.Progress, PhaseShip, assets[i].Name, len(assets), func(stage func(string)) (string, error) {
			stage("uploading")
			uploaded, err := s.Releases.Put(ctx, page, assets[i].File)
			if !uploaded && err == nil {
				return "already there", nil
			}
			return "", err
		})
	})
}

// compare demands that the page holds what was signed: a draft exactly that; a public
// page may hold more, and the bundles of the run that published it. Notes are text that
// people may go on editing: those of a run before are as good.
func compare(signed release.Signed, held []release.Published, draft bool) error {
	var errs []error
	want := map[string]release.Asset{}
	for _, a := range signed.Assets() {
		want[a.Name] = a
	}
	found := map[string]bool{}
	for _, h := range held {
		w, ok := want[h.Name]
		bundle := w.Kind == release.KindBundle || w.Kind == release.KindProvenance || w.Kind == release.KindNotes
		switch {
		case found[h.Name]:
			errs = append(errs, fmt.Errorf("asset %q is there twice", h.Name))
		case !ok && draft && h.Name != release.NotesName:
			errs = append(errs, fmt.Errorf("asset %q is not of this release; delete it there", h.Name))
		case ok && w.Digest != h.Digest && (draft || !bundle):
			errs = append(errs, fmt.Errorf("asset %q has digest %s, want %s", h.Name, h.Digest, w.Digest))
		}
		found[h.Name] = true
	}
	for _, a := range signed.Assets() {
		if !found[a.Name] && (draft || a.Kind != release.KindNotes) {
			errs = append(errs, fmt.Errorf("asset %q is missing", a.Name))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
