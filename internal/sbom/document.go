package sbom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/anchore/packageurl-go"
	"github.com/anchore/syft/syft/format/common/spdxhelpers"
	"github.com/anchore/syft/syft/sbom"
	"github.com/spdx/tools-golang/spdx"

	"github.com/org/pgo-release/internal/release"
)

// What documents say of their making. The version of syft is written down here, since
// build information does not have it in every kind of build; a test compares it with
// go.mod.
const (
	toolName  = "pgo-release"
	syftTool  = "syft-v1.52.0"
	namespace = "https://github.com/org/pgo-release/spdx/"
)

// The primary package purposes that tell the main module, the archive and images apart
// from dependencies.
const (
	application = "APPLICATION"
	archive     = "ARCHIVE"
	container   = "CONTAINER"
)

// moduleVersion is the version of the main module in the form of Go modules.
func moduleVersion(s Subject) string { return "v" + s.Version }

// purl is the package URL of a Go module, in the form that syft gives dependencies.
func purl(path, version string) string {
	dir, name := "", path
	if i := strings.LastIndex(path, "/"); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, dir, name, version, nil, "").ToString()
}

// namespaceOf is the URI that no other document has.
func namespaceOf(project, version, name string, digest release.Digest) string {
	return namespace + url.PathEscape(project) + "/" + url.PathEscape(version) + "/" + url.PathEscape(name+"-"+digest.Hex())
}

// encode makes the document of what syft found: everything that syft takes from the
// clock or from chance is set, everything that has an order is sorted.
func encode(made sbom.SBOM, s Subject) ([]byte, error) {
	d := spdxhelpers.ToFormatModel(made)
	d.DocumentName = s.Archive.Name
	d.DocumentNamespace = namespaceOf(s.Project, s.Version, s.Archive.Name, s.Binary.Digest)
	d.CreationInfo.Created = s.Time.UTC().Format(time.RFC3339)
	d.CreationInfo.Creators = []spdx.Creator{
		{CreatorType: "Tool", Creator: toolName},
		{CreatorType: "Tool", Creator: syftTool},
	}
	for _, p := range d.Packages {
		switch {
		case p.PackageName == s.Module.Path:
			p.PrimaryPackagePurpose = application
			p.PackageHomePage = s.Source
		case strings.HasPrefix(string(p.PackageSPDXIdentifier), "DocumentRoot-"):
			p.PrimaryPackagePurpose = archive
			p.PackageFileName = s.Archive.Name
			p.PackageHomePage = s.Source
		}
		slices.SortFunc(p.PackageExternalReferences, func(a, b *spdx.PackageExternalReference) int {
			return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.RefType, b.RefType), cmp.Compare(a.Locator, b.Locator))
		})
	}
	return serialize(d)
}

// serialize writes a document after sorting its elements, in the one form that all
// documents have.
func serialize(d *spdx.Document) ([]byte, error) {
	slices.SortFunc(d.Packages, func(a, b *spdx.Package) int {
		return cmp.Or(cmp.Compare(a.PackageName, b.PackageName), cmp.Compare(a.PackageVersion, b.PackageVersion),
			cmp.Compare(a.PackageSPDXIdentifier, b.PackageSPDXIdentifier))
	})
	slices.SortFunc(d.Files, func(a, b *spdx.File) int {
		return cmp.Or(cmp.Compare(a.FileName, b.FileName), cmp.Compare(a.FileSPDXIdentifier, b.FileSPDXIdentifier))
	})
	slices.SortFunc(d.OtherLicenses, func(a, b *spdx.OtherLicense) int {
		return cmp.Compare(a.LicenseIdentifier, b.LicenseIdentifier)
	})
	slices.SortFunc(d.Relationships, func(a, b *spdx.Relationship) int {
		return cmp.Or(cmp.Compare(a.RefA.ElementRefID, b.RefA.ElementRefID), cmp.Compare(a.Relationship, b.Relationship),
			cmp.Compare(a.RefB.ElementRefID, b.RefB.ElementRefID), cmp.Compare(a.RelationshipComment, b.RelationshipComment))
	})
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(d)
	return out.Bytes(), err
}
