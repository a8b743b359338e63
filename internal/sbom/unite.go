package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx"

	"github.com/org/pgo-release/internal/release"
)

// shortSum is how many digits of a digest an identifier has: two things that also share
// a name and a version do not get the same by chance.
const shortSum = 16

// union is what several documents hold together, everything once. Nothing in it refers
// to the archives, nor to the documents themselves.
type union struct {
	packages      []*spdx.Package
	files         []*spdx.File
	licences      []*spdx.OtherLicense
	relationships map[spdx.Relationship]bool
	creators      map[spdx.Creator]bool
	lists         map[string]bool // versions of SPDX's list of licences

	sums    map[string]string                  // fingerprint of what an identifier stands for
	origins map[spdx.ElementID]map[string]bool // what documents say about where they found a package
}

// unite reads documents that Describe made.
func unite(contents [][]byte) (*union, error) {
	if len(contents) == 0 {
		return nil, errors.New("no documents of archives")
	}
	documents := make([]*spdx.Document, len(contents))
	for i, content := range contents {
		var err error
		if documents[i], err = load(content); err != nil {
			return nil, fmt.Errorf("reading document %d: %w", i+1, err)
		}
	}
	if err := separate(documents); err != nil {
		return nil, err
	}
	u := &union{
		relationships: map[spdx.Relationship]bool{},
		creators:      map[spdx.Creator]bool{{CreatorType: "Tool", Creator: toolName}: true},
		lists:         map[string]bool{},
		sums:          map[string]string{},
		origins:       map[spdx.ElementID]map[string]bool{},
	}
	for _, d := range documents {
		if err := u.add(d); err != nil {
			return nil, fmt.Errorf("uniting %q with other documents: %w", d.DocumentName, err)
		}
	}
	for _, p := range u.packages {
		p.PackageSourceInfo = strings.Join(slices.Sorted(maps.Keys(u.origins[p.PackageSPDXIdentifier])), "; ")
	}
	return u, nil
}

// load reads a document with all that Describe writes.
func load(content []byte) (*spdx.Document, error) {
	if _, err := Parse(content); err != nil {
		return nil, err
	}
	// Without the library's method for documents, which makes relationships of fields
	// that Describe does not write, and panics on null among the packages.
	type plain spdx.Document
	var d spdx.Document
	if err := json.Unmarshal(content, (*plain)(&d)); err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(d.Packages, nil), slices.Contains(d.Files, nil),
		slices.Contains(d.OtherLicenses, nil), slices.Contains(d.Relationships, nil):
		return nil, errors.New("an element is null")
	case len(d.Snippets)+len(d.Annotations)+len(d.ExternalDocumentReferences) > 0:
		return nil, errors.New("snippets, annotations or external documents, which no document of an archive has")
	}
	return &d, nil
}

// separate gives licences that share an identifier and are not the same another one, in
// all that each document says.
func separate(documents []*spdx.Document) error {
	variants := map[string]map[string]bool{} // identifier → fingerprints
	for _, d := range documents {
		seen := map[string]bool{}
		for _, l := range d.OtherLicenses {
			id := l.LicenseIdentifier
			if seen[id] {
				return fmt.Errorf("reading %q: licence %q is there twice", d.DocumentName, id)
			}
			seen[id] = true
			sum, err := fingerprint(l)
			if err != nil {
				return err
			}
			if variants[id] == nil {
				variants[id] = map[string]bool{}
			}
			variants[id][sum] = true
		}
	}
	for _, d := range documents {
		names := map[string]string{}
		for _, l := range d.OtherLicenses {
			id := l.LicenseIdentifier
			if len(variants[id]) < 2 {
				continue
			}
			sum, err := fingerprint(l)
			if err != nil {
				return err
			}
			names[id] = id + "-" + sum[:shortSum]
			l.LicenseIdentifier = names[id]
		}
		if len(names) > 0 {
			renameLicences(d, names)
		}
	}
	return nil
}

// renameLicences changes the identifiers in all licence expressions of a document.
func renameLicences(d *spdx.Document, names map[string]string) {
	word := regexp.MustCompile(`[^\s()]+`)
	rename := func(expression string) string {
		return word.ReplaceAllStringFunc(expression, func(id string) string {
			if name, ok := names[id]; ok {
				return name
			}
			return id
		})
	}
	for _, p := range d.Packages {
		p.PackageLicenseConcluded = rename(p.PackageLicenseConcluded)
		p.PackageLicenseDeclared = rename(p.PackageLicenseDeclared)
		for i, l := range p.PackageLicenseInfoFromFiles {
			p.PackageLicenseInfoFromFiles[i] = rename(l)
		}
	}
	for _, f := range d.Files {
		f.LicenseConcluded = rename(f.LicenseConcluded)
		for i, l := range f.LicenseInfoInFiles {
			f.LicenseInfoInFiles[i] = rename(l)
		}
	}
}

// add takes what a document holds, and changes it.
func (u *union) add(d *spdx.Document) error {
	if c := d.CreationInfo; c != nil {
		for _, creator := range c.Creators {
			u.creators[creator] = true
		}
		u.lists[c.LicenseListVersion] = true
	}
	for _, l := range d.OtherLicenses {
		sum, err := fingerprint(l)
		if err != nil {
			return err
		}
		fresh, err := u.claim(l.LicenseIdentifier, sum)
		if err != nil {
			return err
		}
		if fresh {
			u.licences = append(u.licences, l)
		}
	}
	ids, err := u.addElements(d)
	if err != nil {
		return err
	}
	for _, r := range d.Relationships {
		from, known := ids[r.RefA]
		to, too := ids[r.RefB]
		if !known || !too {
			return fmt.Errorf("relationship %s of %q and %q: no such element", r.Relationship, r.RefA.ElementRefID, r.RefB.ElementRefID)
		}
		if from == "" || to == "" {
			continue
		}
		u.relate(from, r.Relationship, to, r.RelationshipComment)
	}
	return nil
}

// addElements takes packages and files, and returns the identifier of each by its former
// one. That of the document and of the archive is empty.
func (u *union) addElements(d *spdx.Document) (map[spdx.DocElementID]spdx.ElementID, error) {
	self := spdx.DocElementID{ElementRefID: documentID}
	ids := map[spdx.DocElementID]spdx.ElementID{self: ""}
	place := func(before, id spdx.ElementID) error {
		ref := spdx.DocElementID{ElementRefID: before}
		if _, twice := ids[ref]; twice {
			return fmt.Errorf("SPDXID %q is there twice", before)
		}
		ids[ref] = id
		return nil
	}
	described := map[spdx.DocElementID]bool{}
	for _, r := range d.Relationships {
		if r.RefA == self && r.Relationship == spdx.RelationshipDescribes {
			described[r.RefB] = true
		}
	}
	for _, p := range d.Packages {
		before, id := p.PackageSPDXIdentifier, spdx.ElementID("")
		root := described[spdx.DocElementID{ElementRefID: before}]
		if root != (p.PrimaryPackagePurpose == archive) {
			return nil, fmt.Errorf("package %q: want the document to describe one archive and nothing else", p.PackageName)
		}
		if !root {
			var err error
			if id, err = u.addPackage(p); err != nil {
				return nil, err
			}
		}
		if err := place(before, id); err != nil {
			return nil, err
		}
	}
	for _, f := range d.Files {
		before := f.FileSPDXIdentifier
		id, err := u.addFile(f)
		if err != nil {
			return nil, err
		}
		if err := place(before, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// addPackage takes a package where it has none that is equal, and gives it its identifier.
func (u *union) addPackage(p *spdx.Package) (spdx.ElementID, error) {
	origin := p.PackageSourceInfo
	p.PackageSPDXIdentifier, p.PackageSourceInfo = "", ""
	sum, err := fingerprint(p)
	if err != nil {
		return "", err
	}
	id := identifier("Package", p.PackageName, p.PackageVersion, sum[:shortSum])
	fresh, err := u.claim(string(id), sum)
	if err != nil {
		return "", err
	}
	if fresh {
		p.PackageSPDXIdentifier = id
		u.packages = append(u.packages, p)
		u.origins[id] = map[string]bool{}
	}
	if origin != "" {
		u.origins[id][origin] = true
	}
	return id, nil
}

// addFile takes a file where it has none that is equal, and gives it its identifier.
func (u *union) addFile(f *spdx.File) (spdx.ElementID, error) {
	digest, err := digestOfFile(f)
	if err != nil {
		return "", err
	}
	f.FileSPDXIdentifier = ""
	sum, err := fingerprint(f)
	if err != nil {
		return "", err
	}
	id := identifier("File", f.FileName, digest.Hex()[:shortSum])
	fresh, err := u.claim(string(id), sum)
	if err != nil {
		return "", err
	}
	if fresh {
		f.FileSPDXIdentifier = id
		u.files = append(u.files, f)
	}
	return id, nil
}

// digestOfFile is the SHA-256 of a file.
func digestOfFile(f *spdx.File) (release.Digest, error) {
	for _, c := range f.Checksums {
		if c.Algorithm == spdx.SHA256 {
			digest, err := release.ParseDigest(c.Value)
			if err != nil {
				return "", fmt.Errorf("file %q: %w", f.FileName, err)
			}
			return digest, nil
		}
	}
	return "", fmt.Errorf("file %q: no SHA-256 checksum", f.FileName)
}

// claim tells whether an identifier is new. It is an error that it stands for something
// with another fingerprint already.
func (u *union) claim(id, sum string) (bool, error) {
	before, known := u.sums[id]
	if known && before != sum {
		return false, fmt.Errorf("two different things would be %q", id)
	}
	u.sums[id] = sum
	return !known, nil
}

// relate adds a relationship; the comment may be empty.
func (u *union) relate(from spdx.ElementID, how string, to spdx.ElementID, comment string) {
	u.relationships[spdx.Relationship{
		RefA: spdx.DocElementID{ElementRefID: from}, RefB: spdx.DocElementID{ElementRefID: to},
		Relationship: how, RelationshipComment: comment,
	}] = true
}

// fingerprint is the SHA-256 of all that a document says of an element, hexadecimal.
func fingerprint(element any) (string, error) {
	content, err := json.Marshal(element)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// identifier makes an SPDXID of what it stands for. Parts that are empty are left out.
func identifier(parts ...string) spdx.ElementID {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return spdx.ElementID(strings.Map(func(r rune) rune {
		if r == '.' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return '-'
	}, strings.Join(parts, "-")))
}
