package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

// adopt takes over the files of a page that holds all of them, published or draft, and
// gives the provenance that says how they were made; nil where there is no such page, or
// the user wants everything made again. The plan is then that of the Go that compiled.
func (s *session) adopt(ctx context.Context, o outside, page *github.Page) (signed release.Signed, made *provenance.Statement, err error) {
	if page == nil || s.values.Bool("rebuild") {
		return release.Signed{}, nil, nil
	}
	held, err := o.github.Assets(ctx, *page)
	if err != nil {
		return release.Signed{}, nil, err
	}
	if !engine.Adoptable(s.plan, held) || lacksNotes(*page, held) {
		return release.Signed{}, nil, s.unfinished(ctx, o, *page, held)
	}
	if err := s.dist.Renew(); err != nil {
		return release.Signed{}, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.dist.Remove())
		}
	}()
	layout := engine.Layout{
		Root: string(s.dist), Binaries: s.dist.Join(dist.BinariesDir), Image: s.dist.Join(dist.ImageDir),
	}
	var proven proof
	signed, err = engine.Adopt(ctx, s.plan, layout, s.adopter(o, *page, held, &proven))
	if err != nil {
		return release.Signed{}, nil, err
	}
	return signed, &proven.statement, nil
}

// lacksNotes tells whether the text of a draft points at an asset that is not there.
func lacksNotes(page github.Page, held []release.Published) bool {
	return page.Draft && strings.Contains(page.Body, release.NotesName) &&
		!slices.ContainsFunc(held, func(h release.Published) bool { return h.Name == release.NotesName && h.Digest != "" })
}

// adopter wires the workers to the edges of Adopt.
func (s *session) adopter(o outside, page github.Page, held []release.Published, proven *proof) engine.Adopter {
	listed := map[string]release.Published{}
	for _, h := range held {
		listed[h.Name] = h
	}
	return engine.Adopter{
		Fetch: func(ctx context.Context, name, path string) (release.File, error) {
			reader, writer := io.Pipe()
			go func() { writer.CloseWithError(o.github.Download(ctx, listed[name], writer)) }()
			file, err := pack.Copy(path, reader)
			return file, errors.Join(err, reader.Close())
		},
		Trusted: func(ctx context.Context, dir string) error {
			err := s.trusted(ctx, o, dir, proven)
			if err != nil && ctx.Err() == nil {
				return foreign(page, err)
			}
			return err
		},
		Extract: extract, Progress: s.reporter.Progress,
		Images: func(ctx context.Context, p plan.Plan, units []release.Unit, dir string) ([]release.Image, error) {
			return s.remake(ctx, o, page, units, dir, proven.statement)
		},
	}
}

// foreign says that a page is not this plan's.
func foreign(page github.Page, err error) error {
	if !page.Draft {
		return release.Reject("what is public is not changed; the way on is the next version", "taking over the release %s: %w", page.URL, err)
	}
	return release.Reject("to publish that draft, release the commit that it was made of (push the tag there); to make it anew in its place: --rebuild, or delete the draft",
		"taking over the draft %s: %w", page.URL, err)
}

// unfinished demands of a draft that is to be finished that what it holds is of this
// plan, as far as its provenance says, which is not believed for any other purpose.
func (s *session) unfinished(ctx context.Context, o outside, page github.Page, held []release.Published) error {
	if page.Immutable {
		return foreign(page, errors.New("it is immutable, and not all of its files are there"))
	}
	i := slices.IndexFunc(held, func(h release.Published) bool { return h.Name == release.ProvenanceName && h.Digest != "" })
	if i < 0 || !page.Draft || held[i].Size > maxKept {
		return nil
	}
	var text bytes.Buffer
	if err := o.github.Download(ctx, held[i], &text); err != nil {
		return err
	}
	statement, err := provenance.Parse(sign.Unverified(text.Bytes()))
	if err != nil {
		return nil // it is made anew
	}
	if err := ofPlan(statement, s.plan); err != nil {
		return foreign(page, err)
	}
	return nil
}

// asMade is the plan with what a statement says that it was then: the Go that compiled,
// and the base images whose names have no digest. The bytes are there.
func asMade(p plan.Plan, statement provenance.Statement) plan.Plan {
	p.Toolchain = cmp.Or(statement.Toolchain(), p.Toolchain)
	bases := statement.Bases()
	p.Images = slices.Clone(p.Images)
	for i, image := range p.Images {
		if image.Base == nil || !image.Base.Moving || bases[image.Base.Name] == "" {
			continue
		}
		p.Images[i] = image.On(bases[image.Base.Name])
	}
	return p
}

// ofPlan demands that a statement speaks of the plan, as it was then.
func ofPlan(statement provenance.Statement, p plan.Plan) error {
	content, err := asMade(p, statement).Content()
	if err != nil {
		return err
	}
	switch got := statement.ContentDigest(); {
	case statement.Commit() != p.Commit:
		return fmt.Errorf("%s: it was made of commit %q, want %s", release.ProvenanceName, statement.Commit(), p.Commit)
	case statement.BuildType() != provenance.BuildType || got != content:
		return fmt.Errorf("%s: it was made by another plan: content digest %q, want %q", release.ProvenanceName, got, content)
	}
	return nil
}

// trusted verifies what was fetched, and that the provenance, which it gives in proven,
// speaks of this plan.
func (s *session) trusted(ctx context.Context, o outside, dir string, proven *proof) error {
	claim := engine.Claim{
		Repository: s.plan.Repository.String(), Tag: s.plan.Tag, Version: s.plan.Version, Commit: s.plan.Commit, Branches: o.want.Branches,
	}
	findings, err := engine.Verify(ctx, dir, claim, s.verifier(o.trust, nil, proven))
	if err != nil {
		return err
	}
	if failed := engine.Failed(findings); len(failed) > 0 {
		return fmt.Errorf("%s: %s: %w", failed[0].Rule, failed[0].Subject, failed[0].Err)
	}
	if err := ofPlan(proven.statement, s.plan); err != nil {
		return err
	}
	s.plan = asMade(s.plan, proven.statement)
	return nil
}

// extract stores the executable of a unit, which lies in an archive.
func extract(ctx context.Context, archive release.File, u plan.Unit, path string) (file release.File, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return release.File{}, err
	}
	found := false
	err = pack.Entries(archive.Path, u.Format, maxExecutable, func(name string, content io.Reader) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if name != u.Binary {
			return nil
		}
		found = true
		file, err = pack.Copy(path, content)
		return errors.Join(err, os.Chmod(path, 0o755))
	})
	if err == nil && !found {
		err = errors.New("it is not in there")
	}
	return file, err
}
