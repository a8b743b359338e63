package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sbom"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
)

// resolveBases asks the registries what the base images of the configuration are.
func (s *session) resolveBases(ctx context.Context) error {
	names := s.config.Bases()
	if len(names) == 0 {
		return nil
	}
	var targets []release.Target
	for _, port := range s.facts.Ports { // whatever is planned is among these
		targets = append(targets, release.Variants(port)...)
	}
	s.facts.Bases = map[string]plan.BaseFacts{}
	for _, name := range names {
		found, err := image.Resolve(ctx, name, targets, s.app.registry())
		if err != nil {
			return err
		}
		s.facts.Bases[name] = found
		if !strings.Contains(name, "@") {
			s.reporter.Progress(task.Event{Phase: "plan", State: task.Warning,
				Text: fmt.Sprintf("the base image %s may be another one tomorrow: pin it, as %s@%s", name, name, found.Digest)})
		}
	}
	return nil
}

// buildImages puts the binaries of every linux platform into the images. root is where the
// files lie that are configured.
func (s *session) buildImages(ctx context.Context, p plan.Plan, root string, units []release.Unit, dir string) ([]release.Image, error) {
	var specs []image.Spec
	for _, i := range p.Images {
		spec := image.Spec{Plan: i, Time: p.Time, Root: root}
		for _, target := range i.Platforms {
			b := image.Binary{Target: target}
			for _, u := range unitsOf(i, units) {
				if u.Target == target {
					b.Files = append(b.Files, u.Binary)
				}
			}
			spec.Binaries = append(spec.Binaries, b)
		}
		specs = append(specs, spec)
	}
	return image.Build(ctx, specs, dir, s.app.registry())
}

// unitsOf are the units whose programs an image holds.
func unitsOf(p plan.ImagePlan, units []release.Unit) []release.Unit {
	var out []release.Unit
	for _, u := range units {
		if slices.Contains(p.Builds, u.Build) && slices.Contains(p.Platforms, u.Target) {
			out = append(out, u)
		}
	}
	return out
}

// remake makes the images of a page's programs again, and gives those that its provenance
// names.
func (s *session) remake(ctx context.Context, o outside, page github.Page, units []release.Unit, dir string, statement provenance.Statement) (_ []release.Image, err error) {
	root := ""
	if slices.ContainsFunc(s.plan.Images, func(i plan.ImagePlan) bool { return len(i.Files) > 0 }) {
		checkout, cloning := s.repo.Clone(ctx, s.plan)
		if cloning != nil {
			return nil, cloning
		}
		defer func() { err = errors.Join(err, checkout.Remove()) }()
		root = checkout.Root
	}
	made, err := s.buildImages(ctx, s.plan, root, units, dir)
	if err != nil && ctx.Err() == nil && slices.ContainsFunc(s.plan.Images, func(i plan.ImagePlan) bool { return i.Base != nil }) {
		// The base may be gone, and what was made on it need not be.
		if there, ok, _ := pushedImages(ctx, o.registry, statement.Images()); ok {
			return there, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return sameImages(ctx, o.registry, page, made, statement)
}

// pushedImages are the named images, where their registries have all of them.
func pushedImages(ctx context.Context, access image.Access, named []provenance.Image) (_ []release.Image, ok bool, err error) {
	var out []release.Image
	for _, n := range named {
		there, err := image.Exists(ctx, n.Repository+"@"+string(n.Digest), access)
		if err != nil || !there {
			return nil, false, err
		}
		out = append(out, release.Image{Repository: n.Repository, Digest: n.Digest})
	}
	return out, len(out) > 0, nil
}

// sameImages are the images that the provenance names: those that were made of the programs
// here, or else, where an earlier pgo-release made them with another base, what the
// registry holds, whose programs are verified like everything else.
func sameImages(ctx context.Context, access image.Access, page github.Page, made []release.Image, statement provenance.Statement) ([]release.Image, error) {
	named := statement.Images()
	if len(named) != len(made) {
		return nil, foreign(page, fmt.Errorf("%s: it names %d images, want %d", release.ProvenanceName, len(named), len(made)))
	}
	same := func(n provenance.Image, m release.Image) bool { return n.Digest == m.Digest }
	if slices.EqualFunc(named, made, same) {
		return made, nil
	}
	there, ok, err := pushedImages(ctx, access, named)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, foreign(page, fmt.Errorf("%s: it names other images than follow of the programs, and the registry does not have them", release.ProvenanceName))
	}
	return there, os.RemoveAll(made[0].Layout)
}

// exhibits are the statements about an image: its signature, what is in it, and the
// provenance of the release; each with the bundle that an earlier run attached.
func (s *session) exhibits(ctx context.Context, o outside, made release.Made, img release.Image, state func(context.Context, []release.Asset, []release.Image) ([]byte, error)) ([]engine.Exhibit, error) {
	there, err := beside(ctx, img, o.registry)
	if err != nil {
		return nil, err
	}
	subject := release.Asset{File: release.File{Name: img.Repository, Digest: img.Digest}}
	signature := engine.Exhibit{Predicate: provenance.SignatureType}
	if signature.Statement, err = provenance.AttestSignature(subject); err != nil {
		return nil, err
	}
	document, err := s.describeImage(made, img)
	if err != nil {
		return nil, err
	}
	bill := engine.Exhibit{Predicate: provenance.SPDXType}
	if bill.Statement, err = provenance.AttestSPDX(subject, document); err != nil {
		return nil, err
	}
	for _, e := range []*engine.Exhibit{&signature, &bill} {
		e.Kept = s.keptBeside(o, there, img, e.Predicate, func(text []byte, _ sign.Signature) error {
			if !bytes.Equal(text, e.Statement) {
				return errors.New("it says something else")
			}
			return nil
		})
	}
	source := engine.Exhibit{Predicate: provenance.PredicateType}
	source.Kept = s.keptBeside(o, there, img, source.Predicate, func(text []byte, by sign.Signature) error {
		statement, err := provenance.Parse(text)
		if err != nil {
			return err
		}
		return (&kept{session: s}).says(statement, by, []release.Asset{subject}, made.Images)
	})
	if source.Kept == nil { // to make one takes a certificate
		if source.Statement, err = state(ctx, []release.Asset{subject}, made.Images); err != nil {
			return nil, err
		}
	}
	return []engine.Exhibit{signature, bill, source}, nil
}

// describeImage is the SPDX document of an image.
func (s *session) describeImage(made release.Made, img release.Image) ([]byte, error) {
	about := sbom.ImageSubject{
		Repository: img.Repository, Digest: img.Digest, Project: s.plan.Project, Version: s.plan.Version,
		Source: s.plan.Repository.URL(), Time: s.plan.Time,
	}
	var documents [][]byte
	for _, p := range s.plan.Images {
		if p.Repository != img.Repository {
			continue
		}
		if p.Base != nil {
			about.Base = p.Base.Reference()
		}
		for _, u := range unitsOf(p, made.Units) {
			text, err := readLimited(u.SBOM.Path, sbom.MaxSize)
			if err != nil {
				return nil, fmt.Errorf("reading SBOM %q: %w", u.SBOM.Name, err)
			}
			documents = append(documents, text)
		}
	}
	return sbom.Image(about, documents)
}

// beside is what earlier runs attached to the image, or others.
func beside(ctx context.Context, img release.Image, access image.Access) ([]image.Referrer, error) {
	found, err := image.Referrers(ctx, img.Reference(), access)
	if errors.As(err, new(*image.NotFoundError)) || release.ClassOf(err) == release.Authorisation { // as some registries say of what is not there
		return nil, nil
	}
	return found, err
}

// keptBeside is a bundle beside the image that holds as a new one would, and whose
// statement says what it has to; nil: there is none.
func (s *session) keptBeside(o outside, there []image.Referrer, img release.Image, predicate string, says func(text []byte, by sign.Signature) error) []byte {
	for _, r := range there {
		if r.Err != nil || r.PredicateType != predicate {
			continue
		}
		if text, by, err := o.trust.VerifyStatement(r.Bundle, img.Digest, o.want); err == nil && says(text, by) == nil {
			return r.Bundle
		}
	}
	return nil
}

// attested demands of an image in its registry that its signature, its SPDX document and
// its provenance hold.
func attested(ctx context.Context, reference string, digest release.Digest, access image.Access, v engine.SubjectVerifier) ([]engine.Finding, error) {
	evidence, err := evidenceOf(ctx, subject{reference: reference, access: access})
	if err != nil {
		return nil, err
	}
	v.Shared = true
	findings, err := engine.VerifySubject(ctx, reference, digest, evidence, v)
	if err != nil {
		return nil, err
	}
	for _, rule := range []string{engine.RuleSBOM, engine.RuleProvenance} {
		holds := false
		for _, f := range findings {
			holds = holds || f.Rule == rule && f.Err == nil && !f.Note
		}
		if !holds {
			findings = append(findings, engine.Finding{Rule: rule, Subject: reference, Err: errors.New("nothing beside the image holds")})
		}
	}
	return findings, nil
}

// hidden finds out which of the images that were pushed not everybody can pull, though
// everybody sees the repository: ghcr.io makes packages private when they are first
// pushed, and only people can change that.
func (s *session) hidden(ctx context.Context, o outside, report *dist.Report) error {
	for i := range report.Images {
		img := &report.Images[i]
		if !strings.HasPrefix(img.Repository, "ghcr.io/") {
			continue
		}
		public, err := image.Public(ctx, img.Repository+"@"+string(img.Digest), o.registry)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || public {
			continue // it is a hint: what cannot be asked is not worth an error
		}
		info, err := o.github.Repository(ctx)
		if err != nil || info.Private {
			continue
		}
		img.Private = true
		s.reporter.Progress(task.Event{Phase: engine.PhaseShip, Task: "image " + img.Repository, State: task.Warning,
			Text: "the package is private: " + visibility(s.plan.Repository, img.Repository)})
	}
	return nil
}

// visibility says how a package of ghcr.io is made public.
func visibility(r plan.Repository, repository string) string {
	owner, name, _ := strings.Cut(strings.TrimPrefix(repository, "ghcr.io/"), "/")
	page := "https://github.com/" + owner + "?tab=packages"
	if strings.EqualFold(owner, r.Owner) {
		page = r.URL() + "/pkgs/container/" + strings.ReplaceAll(name, "/", "%2F")
	}
	return "to let everybody pull it, choose Package settings, Change visibility, Public on " + page
}

// allAttested demands of the images that were looked at in their registries what attested
// demands of one, for the release that a verified provenance is about.
func (a *app) allAttested(ctx context.Context, claim engine.Claim, statement provenance.Statement, trusts *trusts) (out []engine.Finding, err error) {
	if claim.Unsigned || statement.Commit() == "" {
		return nil, nil
	}
	want := sign.Identity{
		Repository: claim.Repository, Commit: statement.Commit(), Tag: claim.Tag, Branches: claim.Branches, Workflow: a.values.String("workflow"),
	}
	for _, i := range inRegistries(claim, statement) {
		digest := i.Digest
		if digest == "" {
			if digest, err = image.Digest(ctx, i.Reference, a.registry()); err != nil {
				out = append(out, engine.Finding{Rule: engine.RuleSignature, Subject: i.Reference, Err: err})
				continue
			}
		}
		repository, _, named := strings.Cut(i.Reference, "@")
		if at := strings.LastIndex(repository, ":"); !named && at > strings.LastIndex(repository, "/") {
			repository = repository[:at]
		}
		more, err := attested(ctx, repository+"@"+string(digest), digest, a.registry(), engine.SubjectVerifier{
			Bundle:   witness(func(bundle []byte) (sign.Trust, error) { return trusts.of(ctx, bundle) }, want),
			Progress: a.reporter.Progress,
		})
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			more = []engine.Finding{{Rule: engine.RuleSignature, Subject: i.Reference, Err: err}}
		}
		out = append(out, more...)
	}
	return out, nil
}

// inRegistries are the images that are looked at and lie in a registry: a layout has
// nothing beside its images.
func inRegistries(claim engine.Claim, statement provenance.Statement) []engine.ClaimedImage {
	var out []engine.ClaimedImage
	for _, i := range claim.Images {
		if _, err := os.Stat(i.Reference); err != nil {
			out = append(out, i)
		}
	}
	if claim.Named {
		for _, i := range statement.Images() {
			out = append(out, engine.ClaimedImage{Reference: i.Repository + "@" + string(i.Digest), Digest: i.Digest})
		}
	}
	return out
}
