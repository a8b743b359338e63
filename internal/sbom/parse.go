package sbom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// MaxSize is the size of a document that Parse reads at most, in bytes.
const MaxSize = 64 << 20

// Document is what a verifier needs of an SPDX document.
type Document struct {
	SPDXVersion string // "SPDX-2.3"
	Name        string
	Namespace   string
	Archive     release.Digest // of the archive that the document describes
	Module      string         // path of the main module
	Version     string         // of the main module, with "v"
	Toolchain   string         // such as "go1.26.8"
	Packages    []Package      // modules in the binary, the main one and the standard library included; sorted by name, then version
}

// Package is one package of a document.
type Package struct {
	Name     string
	Version  string // empty: a local directory replaces the module
	Checksum string // SHA-256 of the module's content, hexadecimal, as go.sum's h1 has it in base64; empty: not known
}

// document is the part of an SPDX 2.3 document in JSON that Parse looks at.
type document struct {
	ID            string         `json:"SPDXID"`
	SPDXVersion   string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Packages      []element      `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type element struct {
	ID        string `json:"SPDXID"`
	Name      string `json:"name"`
	Version   string `json:"versionInfo"`
	Purpose   string `json:"primaryPackagePurpose"`
	Checksums []struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	} `json:"checksums"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// Parse reads a document that Describe made. The content may come from anybody: it is
// bounded by MaxSize, and what is missing or there twice is an error.
func Parse(content []byte) (Document, error) {
	d, err := parse(content)
	if err != nil {
		return Document{}, fmt.Errorf("parsing SPDX document: %w", err)
	}
	return d, nil
}

func parse(content []byte) (Document, error) {
	if len(content) > MaxSize {
		return Document{}, fmt.Errorf("%d bytes; %d are read at most", len(content), MaxSize)
	}
	var d document
	decoder := json.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&d); err != nil {
		return Document{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Document{}, errors.New("data after the document")
	}
	switch {
	case d.SPDXVersion != "SPDX-2.3":
		return Document{}, fmt.Errorf("spdxVersion %.80q: want SPDX-2.3", d.SPDXVersion)
	case d.ID != "SPDXRef-DOCUMENT":
		return Document{}, fmt.Errorf("SPDXID %.80q: want SPDXRef-DOCUMENT", d.ID)
	case d.DataLicense != "CC0-1.0":
		return Document{}, fmt.Errorf("dataLicense %.80q: want CC0-1.0", d.DataLicense)
	case d.Name == "":
		return Document{}, errors.New("no name")
	case d.Namespace == "":
		return Document{}, errors.New("no documentNamespace")
	}
	out := Document{SPDXVersion: d.SPDXVersion, Name: d.Name, Namespace: d.Namespace}
	if err := out.take(d); err != nil {
		return Document{}, err
	}
	return out, nil
}

// take sorts the packages into what they are to the document.
func (out *Document) take(d document) error {
	root, err := d.described()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range d.Packages {
		if e.ID == "" || e.Name == "" {
			return fmt.Errorf("package %.200q: want a name and an SPDXID", e.Name)
		}
		if seen[e.ID] {
			return fmt.Errorf("package %.200q: SPDXID %.200q is there twice", e.Name, e.ID)
		}
		seen[e.ID] = true
		checksum, err := e.sha256()
		if err != nil {
			return err
		}
		if e.ID == root {
			if out.Archive, err = release.ParseDigest(checksum); err != nil {
				return fmt.Errorf("package %.200q: %w", e.Name, err)
			}
			continue
		}
		switch {
		case e.Purpose == application && out.Module != "", e.Name == stdlib && out.Toolchain != "":
			return fmt.Errorf("package %.200q: there is another one of its kind", e.Name)
		case e.Purpose == application:
			out.Module, out.Version = e.Name, e.Version
		case e.Name == stdlib:
			out.Toolchain = e.Version
		}
		out.Packages = append(out.Packages, Package{Name: e.Name, Version: e.Version, Checksum: checksum})
	}
	slices.SortFunc(out.Packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Checksum, b.Checksum))
	})
	switch {
	case out.Archive == "":
		return fmt.Errorf("no package %.200q, which the document is said to describe", root)
	case out.Module == "" || out.Version == "":
		return errors.New("no main module with a version")
	case !strings.HasPrefix(out.Toolchain, "go"):
		return fmt.Errorf("version %.80q of Go: want one such as go1.26.0", out.Toolchain)
	}
	return nil
}

// described is the identifier of the one package that the document describes.
func (d document) described() (string, error) {
	root := ""
	for _, r := range d.Relationships {
		if r.From != d.ID || r.Type != "DESCRIBES" {
			continue
		}
		if root != "" && root != r.To {
			return "", fmt.Errorf("the document describes both %.200q and %.200q", root, r.To)
		}
		root = r.To
	}
	if root == "" {
		return "", errors.New("the document describes nothing")
	}
	return root, nil
}

// sha256 is the one SHA-256 of a package, hexadecimal, or empty.
func (e element) sha256() (string, error) {
	sum := ""
	for _, c := range e.Checksums {
		if c.Algorithm != "SHA256" {
			continue
		}
		digest, err := release.ParseDigest(c.Value)
		if err != nil {
			return "", fmt.Errorf("package %.200q: %w", e.Name, err)
		}
		if sum != "" {
			return "", fmt.Errorf("package %.200q: two SHA-256 checksums", e.Name)
		}
		sum = digest.Hex()
	}
	return sum, nil
}
