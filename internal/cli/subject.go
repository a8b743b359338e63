package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

// subject is what attest and verify are about, when it is no release.
type subject struct {
	release.Asset
	reference string // of an image; empty: it is a file
	access    image.Access
}

// isImage tells whether an argument names an image by its digest, and nothing here.
func isImage(argument string) bool {
	_, err := os.Lstat(argument)
	return err != nil && strings.Contains(argument, "@sha256:")
}

// subjectOf looks at what an argument names: an image by its digest, or a file.
func (a *app) subjectOf(ctx context.Context, argument string) (subject, error) {
	if !isImage(argument) {
		if info, err := os.Stat(argument); err != nil || !info.Mode().IsRegular() {
			return subject{}, release.Misuse("name a file, or an image by its digest, such as ghcr.io/owner/app@sha256:HEX", "subject %q: not a file", argument)
		}
		file, err := engine.Digest(ctx, argument)
		return subject{Asset: release.Asset{File: file}}, err
	}
	name, digest, _ := strings.Cut(argument, "@")
	parsed, err := release.ParseDigest(digest)
	if err != nil {
		return subject{}, release.Misuse("such as ghcr.io/owner/app@sha256:HEX", "subject %q: %w", argument, err)
	}
	access := a.registry()
	there, err := image.Exists(ctx, argument, access)
	if err != nil {
		return subject{}, err
	}
	if !there {
		return subject{}, release.Misuse("push it first", "subject %q: the registry does not have it", argument)
	}
	return subject{Asset: release.Asset{File: release.File{Name: name, Digest: parsed}}, reference: argument, access: access}, nil
}

// bundleNames are what the bundles about a file are called after it, by predicate type.
func bundleNames() map[string]string {
	return map[string]string{
		"":                       release.BundleSuffix,
		provenance.PredicateType: ".provenance" + release.BundleSuffix,
		provenance.SPDXType:      ".sbom" + release.BundleSuffix,
	}
}

// verifySubject checks what speaks for one file or image.
func (a *app) verifySubject(ctx context.Context, argument string) error {
	if a.values.Bool("rebuild") {
		return release.Misuse("", "--rebuild builds releases again; %q is none", argument)
	}
	if err := a.refuse("it is for releases, and a file or an image is none", "sign", "branches", "image", "tag"); err != nil {
		return err
	}
	if a.values.String("key") != "" {
		if err := a.refuse("a key proves no repository", "repository"); err != nil {
			return err
		}
	}
	s, err := a.subjectOf(ctx, argument)
	if err != nil {
		return err
	}
	want := sign.Identity{Repository: a.values.String("repository"), Workflow: a.values.String("workflow"), AnySource: true}
	if want.Repository == "" && a.values.String("key") == "" {
		if want.Repository, err = a.ownRepository(ctx); err != nil {
			return err
		}
	}
	evidence, err := evidenceOf(ctx, s)
	if err != nil {
		return err
	}
	findings, err := engine.VerifySubject(ctx, argument, s.Digest, evidence, engine.SubjectVerifier{
		Bundle: a.witness(ctx, want), Progress: a.reporter.Progress, Shared: s.reference != "",
	})
	if err != nil {
		return err
	}
	if err := a.printFindings(findings); err != nil {
		return err
	}
	return conclusion(argument, findings)
}

// evidenceOf are the bundles beside a subject.
func evidenceOf(ctx context.Context, s subject) ([]engine.Evidence, error) {
	var out []engine.Evidence
	if s.reference != "" {
		found, err := image.Referrers(ctx, s.reference, s.access)
		for _, r := range found {
			out = append(out, engine.Evidence{Name: string(r.Digest), Predicate: r.PredicateType, Bundle: r.Bundle, Err: r.Err})
		}
		return out, err
	}
	for predicate, suffix := range bundleNames() {
		text, err := readLimited(s.Path+suffix, maxKept)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("verifying %q: %w", s.Name, err)
		}
		out = append(out, engine.Evidence{Name: s.Name + suffix, Predicate: predicate, Bundle: text})
	}
	return out, nil
}

// witness verifies bundles about a subject.
func (a *app) witness(ctx context.Context, want sign.Identity) func([]byte, release.Digest) (engine.Witness, error) {
	trusts := &trusts{app: a}
	return witness(func(bundle []byte) (sign.Trust, error) { return trusts.of(ctx, bundle) }, want)
}

// witness verifies bundles with what trust says that they are verified with.
func witness(trust func(bundle []byte) (sign.Trust, error), want sign.Identity) func([]byte, release.Digest) (engine.Witness, error) {
	return func(bundle []byte, digest release.Digest) (engine.Witness, error) {
		trust, err := trust(bundle)
		if err != nil {
			return engine.Witness{}, err
		}
		if !sign.OriginOf(bundle).Statement {
			s, err := trust.VerifyBlob(bundle, digest, want)
			return engine.Witness{Signer: s.Signer()}, err
		}
		text, s, err := trust.VerifyStatement(bundle, digest, want)
		if err != nil {
			return engine.Witness{}, err
		}
		out := engine.Witness{Signer: s.Signer(), Identity: builderOf(s)}
		if out.Predicate, err = provenance.TypeOf(text); err == nil && out.Predicate == provenance.PredicateType {
			var statement provenance.Statement
			statement, err = provenance.Parse(text)
			out.Commit, out.Builder = statement.Commit(), statement.BuilderID()
		}
		return out, err
	}
}
