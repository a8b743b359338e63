package release

import (
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Digest is a SHA-256 in the form "sha256:<64 lower-case hexadecimal digits>".
type Digest string

const digestPrefix = "sha256:"

// Sum is the digest of what was written to a sha256.New hash.
func Sum(h hash.Hash) Digest { return Digest(digestPrefix + hex.EncodeToString(h.Sum(nil))) }

// ParseDigest reads a digest, with or without its prefix.
func ParseDigest(s string) (Digest, error) {
	text := strings.TrimPrefix(s, digestPrefix)
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 || strings.ToLower(text) != text {
		return "", fmt.Errorf("digest %q: want 64 lower-case hexadecimal digits of SHA-256", s)
	}
	return Digest(digestPrefix + text), nil
}

// Hex is the digest without its prefix.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), digestPrefix) }

// Kind says what a file is to a release.
type Kind string

// The kinds of files, as release.json names them.
const (
	KindArchive    Kind = "archive"
	KindSBOM       Kind = "sbom"
	KindChecksums  Kind = "checksums"
	KindBundle     Kind = "bundle"     // a Sigstore bundle over checksums.txt or another asset
	KindNotes      Kind = "notes"      // the whole release notes, where the page has a part of them
	KindProvenance Kind = "provenance" // a Sigstore bundle that holds an in-toto statement
)

// The names of the files that a release carries besides its archives and SBOMs.
const (
	ChecksumsName       = "checksums.txt"
	ChecksumsBundleName = "checksums.txt.sigstore.json"
	ProvenanceName      = "provenance.sigstore.json"
	NotesName           = "RELEASE_NOTES.md"
	SBOMSuffix          = ".spdx.json"     // after the archive's name
	BundleSuffix        = ".sigstore.json" // after the name of what a bundle signs
)

// ReportName is the file that describes a run, beside what it made; it is no asset.
const ReportName = "release.json"

// File is a file that was written: its digest and size were taken while its bytes
// went out, and are never taken again.
type File struct {
	Name   string // base name, as users see it
	Path   string // where the bytes lie on this machine
	Digest Digest
	Size   int64
}

// Unit is what was made of one build for one target.
type Unit struct {
	Build   string
	Target  Target
	Binary  File // inside the archive; not an asset itself
	Archive File
	SBOM    File
}

// Platform is one manifest of an image.
type Platform struct {
	Target Target
	Digest Digest // of the manifest
}

// Image is an OCI image index that was written to a layout on disk.
type Image struct {
	Repository string // registry and path, such as ghcr.io/owner/app
	Layout     string // directory of the OCI layout, which other images may share; empty: the registry has the image
	Base       string // reference, by digest, that has the layers which the layout lacks; empty: it lacks none
	Digest     Digest // of the index
	Platforms  []Platform
	Bundles    []Bundle // about the index; empty where nothing is signed
}

// Bundle is a Sigstore bundle about an image.
type Bundle struct {
	Predicate string // type of the statement in it
	Content   []byte
}

// Reference is the image by its digest.
func (i Image) Reference() string { return i.Repository + "@" + string(i.Digest) }

// Made is everything that a release is built of, before anything is signed. Units
// are in the order of the plan.
type Made struct {
	Units     []Unit
	Checksums File
	Images    []Image // in the order of the plan
}

// Signed is what was made, with its bundles; there are none where the plan signs
// nothing.
type Signed struct {
	Made
	Bundle     *File  // over Checksums
	Bundles    []File // over every archive and SBOM, in the order of Subjects; empty where Checksums stands for them
	Provenance *File  // statement about every archive and SBOM, and Checksums
	Notes      *File  // the whole release notes where they are too long for the page; else nil
}

// Asset is a file of a release with what it is.
type Asset struct {
	File
	Kind   Kind
	Target *Target // of archives and SBOMs
}

// Subjects are the files that checksums.txt and the provenance speak of: every
// archive and SBOM, in the order of the units.
func (m Made) Subjects() []Asset {
	var out []Asset
	for i := range m.Units {
		u := &m.Units[i]
		out = append(out,
			Asset{File: u.Archive, Kind: KindArchive, Target: &u.Target},
			Asset{File: u.SBOM, Kind: KindSBOM, Target: &u.Target})
	}
	return out
}

// Assets are all files that may be published, and no other may.
func (s Signed) Assets() []Asset {
	out := append(s.Subjects(), Asset{File: s.Checksums, Kind: KindChecksums})
	if s.Bundle != nil {
		out = append(out, Asset{File: *s.Bundle, Kind: KindBundle})
	}
	for _, bundle := range s.Bundles {
		out = append(out, Asset{File: bundle, Kind: KindBundle})
	}
	if s.Provenance != nil {
		out = append(out, Asset{File: *s.Provenance, Kind: KindProvenance})
	}
	if s.Notes != nil {
		out = append(out, Asset{File: *s.Notes, Kind: KindNotes})
	}
	return out
}

// Replaced is s with a bundle of the same name in the place of its own.
func (s Signed) Replaced(bundle File) Signed {
	for _, own := range []**File{&s.Bundle, &s.Provenance} {
		if *own != nil && (*own).Name == bundle.Name {
			*own = &bundle
		}
	}
	s.Bundles = slices.Clone(s.Bundles)
	for i, own := range s.Bundles {
		if own.Name == bundle.Name {
			s.Bundles[i] = bundle
		}
	}
	return s
}

// Signs is what a bundle of s speaks of, by the bundle's name: the one file that it
// signs, or the subjects of the provenance, in order; nil for any other name.
func (s Signed) Signs(bundle string) []Asset {
	subjects := append(s.Subjects(), Asset{File: s.Checksums, Kind: KindChecksums})
	if bundle == ProvenanceName {
		return subjects
	}
	for _, a := range subjects {
		if a.Name+BundleSuffix == bundle {
			return []Asset{a}
		}
	}
	return nil
}

// Published is an asset as the release page holds it. One whose bytes never all arrived
// has no digest.
type Published struct {
	ID     int64  `json:"-"` // on GitHub
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"`
}

// TakenError says that a page holds other bytes under the name of a file.
type TakenError struct{ By Published }

func (e *TakenError) Error() string {
	return fmt.Sprintf("the name is taken by an asset with digest %s", e.By.Digest)
}

// Pushed is an image as its registry holds it.
type Pushed struct {
	Repository string
	Digest     Digest
	Tags       []string // full references, sorted
	Private    bool     // not everybody can pull it, though everybody sees the repository
}

// Reference is the image by its digest.
func (p Pushed) Reference() string { return p.Repository + "@" + string(p.Digest) }

// Receipt is what publishing left behind.
type Receipt struct {
	ID     int64       // of the release
	URL    string      // the release's page
	Draft  bool        // it is not public
	Assets []Published // sorted by name
	Images []Pushed    // in the order of the plan
}
