package cli

import (
	"context"
	"fmt"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// pages is GitHub as Ship sees it.
type pages struct {
	client *github.Client
	again  bool // the release is made anew, in the place of a draft that may be of another commit
}

func (p pages) Open(ctx context.Context, pl plan.Plan, body string) (engine.Page, error) {
	page, err := p.client.Open(ctx, github.Draft{
		Tag: pl.Tag, Commit: pl.Commit, Title: pl.Title(), Body: body, Prerelease: pl.Verdict.Prerelease,
		Again: p.again, Rewrite: func(found github.Page) bool {
			_, edited := notes.Marked(found.Body)
			return p.again && !edited && body != ""
		},
	})
	return enginePage(page), err
}

func (p pages) Put(ctx context.Context, page engine.Page, file release.File, held []release.Published, replace bool) (bool, error) {
	return p.client.Put(ctx, githubPage(page), file, held, replace)
}

func (p pages) Assets(ctx context.Context, page engine.Page) ([]release.Published, error) {
	return p.client.Assets(ctx, githubPage(page))
}

func (p pages) Settle(ctx context.Context, page engine.Page, own []release.Asset) (engine.Page, error) {
	var files []release.File
	for _, a := range own {
		files = append(files, a.File)
	}
	settled, err := p.client.Settle(ctx, githubPage(page), files)
	return enginePage(settled), err
}

func (p pages) Publish(ctx context.Context, page engine.Page, pl plan.Plan) (engine.Page, error) {
	published, err := p.client.Publish(ctx, githubPage(page), pl.Commit, pl.Verdict.Latest, pl.Verdict.Prerelease)
	return enginePage(published), err
}

func enginePage(p github.Page) engine.Page {
	return engine.Page{ID: p.ID, Tag: p.Tag, URL: p.URL, Draft: p.Draft, Frozen: p.Immutable}
}

func githubPage(p engine.Page) github.Page {
	return github.Page{ID: p.ID, Tag: p.Tag, URL: p.URL, Draft: p.Draft, Immutable: p.Frozen}
}

// registry is an OCI registry as Ship sees it.
type registry struct {
	access   image.Access
	bases    image.Access // to registries of base images
	progress task.Progress
}

func (r registry) Push(ctx context.Context, img release.Image) error {
	if img.Layout == "" { // it was found there
		return nil
	}
	return image.Push(ctx, img, r.access, r.bases)
}

func (r registry) Attach(ctx context.Context, img release.Image) error {
	for _, b := range img.Bundles { // one after the other: see image.Attach
		if _, err := image.Attach(ctx, img.Reference(), b.Content, b.Predicate, r.access); err != nil {
			return err
		}
	}
	return nil
}

func (r registry) Free(ctx context.Context, img release.Image, tags []string) error {
	return image.Free(ctx, img, tags, r.access)
}

func (r registry) Tag(ctx context.Context, img release.Image, version string, tags []string) ([]string, error) {
	tagged, err := image.Tag(ctx, img, version, tags, r.access)
	var names []string
	for _, t := range tagged {
		if t.Newer == "" {
			names = append(names, t.Reference)
			continue
		}
		r.progress(task.Event{Phase: engine.PhaseShip, Task: "image tags", State: task.Warning,
			Text: fmt.Sprintf("%s names %s, which is newer than %s, and stays", t.Reference, t.Newer, version)})
	}
	return names, err
}
