package sbom

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/anchore/packageurl-go"
	"github.com/spdx/tools-golang/spdx"

	"github.com/org/pgo-release/internal/release"
)

// ImageSubject is the image that a document describes: an OCI index.
type ImageSubject struct {
	Repository string         // registry and path, such as ghcr.io/owner/app
	Digest     release.Digest // of the index
	Project    string
	Version    string    // released version, without "v"
	Source     string    // URL of the repository, or empty
	Time       time.Time // when the document says that it was made
	Base       string    // NAME@sha256:HEX, the image it is built on; empty: the base that the product carries
}

// documentID is how a document refers to itself.
const documentID = spdx.ElementID("DOCUMENT")

// noAssertion is what SPDX calls what nobody knows.
const noAssertion = "NOASSERTION"

// Image makes the SPDX document of an image from the documents that Describe made of the
// archives whose programs it holds. The order of those does not matter. It is an error
// that there are none, or that Parse refuses one. Parse is not made for the result, which
// may have several main modules.
//
// The image is a package of its own, which the document describes and which contains
// every other package. In the place of the archives stand all that they hold: every
// package that the documents describe in the same way once, however many programs it
// was found in; every program; and what relates them, such as each program that a module
// was found in. Licences that share an identifier and are not the same get another.
// Identifiers are made of what they stand for, so that a package has the same one in
// every image.
//
// A base is a package which the image contains and descends from; what is in it is not
// known here. Of the base that the product carries the document says nothing: its time
// zones do not say of which version they are, nor its CA certificates under which
// licence.
func Image(s ImageSubject, documents [][]byte) ([]byte, error) {
	content, err := s.describe(documents)
	if err != nil {
		return nil, fmt.Errorf("describing image %q: %w", s.Repository, err)
	}
	return content, nil
}

func (s ImageSubject) describe(documents [][]byte) ([]byte, error) {
	root, err := imagePackage("DocumentRoot-Image", s.Repository, s.Digest)
	if err != nil {
		return nil, err
	}
	root.PackageSPDXIdentifier = identifier("DocumentRoot-Image", s.Repository)
	root.PackageVersion = "v" + s.Version
	root.PackageHomePage = s.Source
	all, err := unite(documents)
	if err != nil {
		return nil, err
	}
	if s.Base != "" {
		name, digest, _ := strings.Cut(s.Base, "@")
		base, err := imagePackage("Image", name, release.Digest(digest))
		if err != nil {
			return nil, fmt.Errorf("reading the reference of the base %q: %w", s.Base, err)
		}
		all.packages = append(all.packages, base)
		all.relate(root.PackageSPDXIdentifier, spdx.RelationshipDescendantOf, base.PackageSPDXIdentifier, "")
	}
	for _, p := range all.packages {
		all.relate(root.PackageSPDXIdentifier, spdx.RelationshipContains, p.PackageSPDXIdentifier, "")
	}
	all.packages = append(all.packages, root)
	all.relate(documentID, spdx.RelationshipDescribes, root.PackageSPDXIdentifier, "")
	return serialize(s.document(all))
}

// document is what unites all, under the name of the image.
func (s ImageSubject) document(all *union) *spdx.Document {
	d := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    documentID,
		DocumentName:      s.Repository,
		DocumentNamespace: namespaceOf(s.Project, s.Version, s.Repository, s.Digest),
		CreationInfo: &spdx.CreationInfo{
			Created: s.Time.UTC().Format(time.RFC3339),
			Creators: slices.SortedFunc(maps.Keys(all.creators), func(a, b spdx.Creator) int {
				return cmp.Or(cmp.Compare(a.CreatorType, b.CreatorType), cmp.Compare(a.Creator, b.Creator))
			}),
		},
		Packages:      all.packages,
		Files:         all.files,
		OtherLicenses: all.licences,
	}
	// Licences of another list may not be on this one.
	if lists := slices.Collect(maps.Keys(all.lists)); len(lists) == 1 {
		d.CreationInfo.LicenseListVersion = lists[0]
	}
	for r := range all.relationships {
		d.Relationships = append(d.Relationships, &r)
	}
	return d
}

// imagePackage is the package of an image by its digest, which is also its version.
func imagePackage(kind, repository string, digest release.Digest) (*spdx.Package, error) {
	if repository == "" {
		return nil, errors.New("no repository")
	}
	if parsed, err := release.ParseDigest(string(digest)); err != nil || parsed != digest {
		return nil, fmt.Errorf("digest %q: want sha256: and 64 lower-case hexadecimal digits", digest)
	}
	where := packageurl.Qualifiers{{Key: "repository_url", Value: repository}}
	return &spdx.Package{
		PackageName:             repository,
		PackageSPDXIdentifier:   identifier(kind, repository, digest.Hex()[:shortSum]),
		PackageVersion:          string(digest),
		PackageSupplier:         &spdx.Supplier{Supplier: noAssertion},
		PackageDownloadLocation: noAssertion,
		PackageChecksums:        []spdx.Checksum{{Algorithm: spdx.SHA256, Value: digest.Hex()}},
		PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared:  noAssertion,
		PackageCopyrightText:    noAssertion,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: spdx.CategoryPackageManager,
			RefType:  spdx.PackageManagerPURL,
			Locator:  packageurl.NewPackageURL(packageurl.TypeOCI, "", path.Base(repository), string(digest), where, "").ToString(),
		}},
		PrimaryPackagePurpose: container,
	}, nil
}
