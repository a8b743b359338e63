// Package sbom writes and reads the software bill of materials of an archive: one
// SPDX 2.3 document in JSON that names the released module, the Go version that
// compiled it and every module in the binary, as the binary itself records them
// (debug/buildinfo), with licences from the local module cache. Of such documents it
// makes the one of a container image.
//
// A document depends on its subject and those licences alone: no path of the machine,
// no clock, no random identifier. It is made without network.
//
// Specification: https://spdx.github.io/spdx-spec/v2.3/.
package sbom

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // SPDX 2.3 asks for it beside SHA-256
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Subject is what a document describes: one archive with one binary.
type Subject struct {
	Binary  release.File // inside the archive; Path is where it lies on disk
	Archive release.File
	Project string
	Version string      // released version, without "v"
	Module  plan.Module // the binary's main module
	Source  string      // URL of the repository, or empty
	Time    time.Time   // when the document says that it was made
}

// Places are where a Describer finds what it needs beside the binary. Each may be empty.
type Places struct {
	ModuleCache string // with the licences of modules (GOMODCACHE)
	Vendor      string // the module's vendor directory, where they are looked for next
	Memory      string // what is known of licences' texts, from run to run; made where it is missing
}

// Describer makes documents. Its methods may be called from several goroutines.
type Describer struct {
	licences *licences
}

// New makes a Describer.
func New(p Places) *Describer {
	return &Describer{&licences{Places: p, matcher: newMatcher(p.Memory)}}
}

// Describe writes the document of s to path, complete or not at all, and returns it
// with its digest. The binary must still have the digest that s gives it, and must be
// built of s.Module; anything else is an error.
func (d *Describer) Describe(ctx context.Context, s Subject, path string) (release.File, error) {
	content, err := d.document(ctx, s)
	if err != nil {
		return release.File{}, fmt.Errorf("describing %q: %w", s.Archive.Name, err)
	}
	file, err := write(path, content)
	if err != nil {
		return release.File{}, fmt.Errorf("writing %q: %w", filepath.Base(path), err)
	}
	return file, nil
}

func (d *Describer) document(ctx context.Context, s Subject) ([]byte, error) {
	digests, err := verified(ctx, s.Binary)
	if err != nil {
		return nil, err
	}
	made, err := d.catalog(ctx, s)
	if err != nil {
		return nil, err
	}
	made.Artifacts.FileDigests = map[file.Coordinates][]file.Digest{location(s).Coordinates: digests}
	made.Artifacts.FileMetadata = map[file.Coordinates]file.Metadata{location(s).Coordinates: metadata(s)}
	return encode(*made, s)
}

// catalog asks syft what is in the binary. It asks the one cataloger that there is for
// programs, not syft.CreateSBOM: that builds a licence scanner before anything else, and
// looks for systems and other kinds of packages.
func (d *Describer) catalog(ctx context.Context, s Subject) (*sbom.SBOM, error) {
	packages, relationships, err := newCataloger(s, d.licences).Catalog(ctx, binaryResolver{s})
	if err := cmp.Or(context.Cause(ctx), err); err != nil {
		return nil, err
	}
	made := sbom.SBOM{
		Source:        binarySource(s),
		Artifacts:     sbom.Artifacts{Packages: pkg.NewCollection(packages...)},
		Relationships: relationships,
	}
	for _, p := range packages {
		made.Relationships = append(made.Relationships, artifact.Relationship{From: identity(made.Source.ID), To: p, Type: artifact.ContainsRelationship})
		for _, l := range p.Locations.ToSlice() {
			made.Relationships = append(made.Relationships, artifact.Relationship{
				From: p, To: l.Coordinates, Type: artifact.EvidentByRelationship, Data: map[string]string{"kind": l.Annotations[pkg.EvidenceAnnotationKey]},
			})
		}
	}
	return &made, nil
}

// identity is an element that is known by its identifier alone.
type identity artifact.ID

// ID implements artifact.Identifiable.
func (i identity) ID() artifact.ID { return artifact.ID(i) }

// verified reads a file once, makes sure that it is still the one that was hashed,
// and returns the digests that SPDX asks of a file.
func verified(ctx context.Context, f release.File) ([]file.Digest, error) {
	in, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // only read
	short, long := sha1.New(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(short, long), in); err != nil {
		return nil, err
	}
	if got := release.Sum(long); got != f.Digest {
		return nil, fmt.Errorf("verifying %q: its digest is %s, not %s", f.Name, got, f.Digest)
	}
	return []file.Digest{
		{Algorithm: "sha1", Value: hex.EncodeToString(short.Sum(nil))},
		{Algorithm: "sha256", Value: f.Digest.Hex()},
	}, context.Cause(ctx)
}

// write stores content under a temporary name first, so that path is never half.
func write(path string, content []byte) (_ release.File, err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".sbom-*")
	if err != nil {
		return release.File{}, err
	}
	defer func() {
		if err != nil {
			// The first error is the one to report; closing twice does no harm.
			_ = temporary.Close()
			_ = os.Remove(temporary.Name())
		}
	}()
	hash := sha256.New()
	if _, err := io.MultiWriter(temporary, hash).Write(content); err != nil {
		return release.File{}, err
	}
	const mode fs.FileMode = 0o644
	if err := temporary.Chmod(mode); err != nil {
		return release.File{}, err
	}
	if err := temporary.Close(); err != nil {
		return release.File{}, err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return release.File{}, err
	}
	return release.File{
		Name: filepath.Base(path), Path: path, Digest: release.Sum(hash), Size: int64(len(content)),
	}, nil
}
