package sbom

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"

	stereoscope "github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/pkg/cataloger/golang"
	"github.com/anchore/syft/syft/source"
)

// stdlib is what syft calls the standard library: its version is the Go version.
const stdlib = "stdlib"

// cataloger is syft's cataloger of Go binaries, with the main module under its
// released version (build information has another one, or none, where the binary was
// not built from a clean checkout of the tag) and with licences.
type cataloger struct {
	pkg.Cataloger
	subject  Subject
	licences *licences
}

func newCataloger(s Subject, l *licences) *cataloger {
	// The zero value is closed: no network, no environment, no guesses about versions.
	return &cataloger{Cataloger: golang.NewGoModuleBinaryCataloger(golang.CatalogerConfig{}), subject: s, licences: l}
}

// Catalog implements pkg.Cataloger.
func (c *cataloger) Catalog(ctx context.Context, resolver file.Resolver) ([]pkg.Package, []artifact.Relationship, error) {
	packages, relationships, partly := c.Cataloger.Catalog(ctx, resolver)
	main, err := c.main(packages)
	if err == nil {
		// The cataloger also fails for what it looks for beside modules and does not
		// find, such as the kind of cryptography in a stripped Windows binary. What
		// counts is that no module is missing.
		err = c.complete(packages)
	}
	if err != nil {
		return nil, nil, errors.Join(err, partly)
	}
	for i := range packages {
		p := &packages[i]
		// The identifier stays: it must not depend on what lies in a module cache. Nor
		// may the main module, which can lie in one and not in another.
		if p != main && p.Licenses.Empty() {
			found, err := c.licences.of(p.Name, p.Version)
			if err != nil {
				return nil, nil, err
			}
			p.Licenses = pkg.NewLicenseSet(found...)
		}
	}
	before := main.ID()
	main.Version = moduleVersion(c.subject)
	main.PURL = purl(main.Name, main.Version)
	main.SetID()
	for i := range relationships {
		relationships[i].From = replaced(relationships[i].From, before, *main)
		relationships[i].To = replaced(relationships[i].To, before, *main)
	}
	return packages, relationships, nil
}

// main finds the main module, and fails where the binary is not what it should be.
func (c *cataloger) main(packages []pkg.Package) (*pkg.Package, error) {
	var main *pkg.Package
	var toolchain bool
	for i := range packages {
		p := &packages[i]
		info, ok := p.Metadata.(pkg.GolangBinaryBuildinfoEntry)
		switch {
		case !ok:
		case p.Name == stdlib && info.MainModule == "":
			toolchain = true
		case p.Name == info.MainModule && main != nil:
			return nil, fmt.Errorf("%q holds more than one program", c.subject.Binary.Name)
		case p.Name == info.MainModule:
			main = p
		}
	}
	switch want := c.subject.Module.Path; {
	case main == nil:
		return nil, fmt.Errorf("%q has no build information of Go", c.subject.Binary.Name)
	case main.Name != want:
		return nil, fmt.Errorf("%q was built of module %s, not of %s", c.subject.Binary.Name, main.Name, want)
	case !toolchain:
		return nil, fmt.Errorf("%q does not say which version of Go compiled it", c.subject.Binary.Name)
	}
	return main, nil
}

// complete compares the packages with the modules that the binary itself lists.
func (c *cataloger) complete(packages []pkg.Package) error {
	info, err := buildinfo.ReadFile(c.subject.Binary.Path)
	if err != nil {
		return fmt.Errorf("reading the build information of %q: %w", c.subject.Binary.Name, err)
	}
	names := map[string]bool{}
	for _, p := range packages {
		names[p.Name] = true
	}
	for _, module := range info.Deps {
		// A module that another one replaces goes by the name of that one; where a
		// directory replaces it, by its own.
		if !names[module.Path] && (module.Replace == nil || !names[module.Replace.Path]) {
			return fmt.Errorf("%q: syft did not find its module %s", c.subject.Binary.Name, module.Path)
		}
	}
	return nil
}

func replaced(end artifact.Identifiable, id artifact.ID, by pkg.Package) artifact.Identifiable {
	if end.ID() == id {
		return by
	}
	return end
}

// binarySource is the archive, as syft describes what it looks into.
func binarySource(s Subject) source.Description {
	return source.Description{
		ID:      s.Archive.Digest.Hex(),
		Name:    s.Archive.Name,
		Version: moduleVersion(s),
		Metadata: source.FileMetadata{
			Path:    s.Archive.Name,
			Digests: []file.Digest{{Algorithm: "sha256", Value: s.Archive.Digest.Hex()}},
		},
	}
}

func location(s Subject) file.Location { return file.NewLocation(s.Binary.Name) }

func metadata(s Subject) file.Metadata {
	return file.Metadata{
		FileInfo: stereoscope.ManualInfo{NameValue: s.Binary.Name, SizeValue: s.Binary.Size, ModeValue: 0o755},
		Path:     s.Binary.Name,
		Type:     stereoscope.TypeRegular,
		MIMEType: "application/x-executable",
	}
}

// binaryResolver gives syft the binary when it looks for executables, and nothing
// when it looks for anything else, such as a Linux distribution.
type binaryResolver struct{ subject Subject }

// FileContentsByLocation implements file.Resolver.
func (b binaryResolver) FileContentsByLocation(l file.Location) (io.ReadCloser, error) {
	if l.RealPath != b.subject.Binary.Name {
		return nil, errors.New("no such file")
	}
	return os.Open(b.subject.Binary.Path)
}

// HasPath implements file.Resolver.
func (b binaryResolver) HasPath(path string) bool { return path == b.subject.Binary.Name }

// FilesByPath implements file.Resolver.
func (b binaryResolver) FilesByPath(...string) ([]file.Location, error) { return nil, nil }

// FilesByGlob implements file.Resolver.
func (b binaryResolver) FilesByGlob(...string) ([]file.Location, error) { return nil, nil }

// FilesByMIMEType implements file.Resolver: syft asks it for executables alone.
func (b binaryResolver) FilesByMIMEType(...string) ([]file.Location, error) {
	return []file.Location{location(b.subject)}, nil
}

// RelativeFileByPath implements file.Resolver.
func (b binaryResolver) RelativeFileByPath(file.Location, string) *file.Location { return nil }

// AllLocations implements file.Resolver.
func (b binaryResolver) AllLocations(context.Context) <-chan file.Location {
	all := make(chan file.Location, 1)
	all <- location(b.subject)
	close(all)
	return all
}

// FileMetadataByLocation implements file.Resolver.
func (b binaryResolver) FileMetadataByLocation(file.Location) (file.Metadata, error) {
	return metadata(b.subject), nil
}
