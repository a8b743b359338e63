package sbom

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/license"
	"github.com/anchore/syft/syft/pkg"
	"golang.org/x/mod/module"
)

// licences finds the licences of modules, each once for all documents: the texts in
// the module's root, which is where its authors declare them. What lies deeper may
// not be in the binary at all.
type licences struct {
	scanner     context.Context // as syft hands it on
	moduleCache string          // may be empty
	vendorDir   string          // may be empty
	found       sync.Map        // module@version → func() []pkg.License
}

// licenceName is what the texts are called: LICENSE, LICENCE.md, COPYING,
// UNLICENSE, LICENSE-APACHE-2.0.txt, MIT-LICENSE and the like.
var licenceName = regexp.MustCompile(`(?i)^((mit|bsd|apache)[-._])?(un)?(licen[cs]e|copying)([-._][a-z0-9._-]*)?$`)

// isLicence tells texts from source code of such a name.
func isLicence(name string) bool {
	return licenceName.MatchString(name) && !strings.EqualFold(filepath.Ext(name), ".go")
}

// maxLicence is how much of a text is read, in bytes.
const maxLicence = 1 << 20

// of returns the licences of a module as both declared and concluded, or none.
func (l *licences) of(path, version string) []pkg.License {
	find, _ := l.found.LoadOrStore(path+"@"+version, sync.OnceValue(func() []pkg.License {
		for _, dir := range l.dirs(path, version) {
			if found := l.in(dir); len(found) > 0 {
				return found
			}
		}
		return nil
	}))
	return find.(func() []pkg.License)()
}

// dirs are where the module may lie.
func (l *licences) dirs(path, version string) []string {
	escapedPath, err := module.EscapePath(path)
	if err != nil {
		return nil
	}
	var out []string
	if escapedVersion, err := module.EscapeVersion(version); err == nil && l.moduleCache != "" {
		out = append(out, filepath.Join(l.moduleCache, escapedPath+"@"+escapedVersion))
	}
	if l.vendorDir != "" {
		out = append(out, filepath.Join(l.vendorDir, path))
	}
	return out
}

// in reads the licences of a directory; what cannot be read has none, as a module
// that is not there.
func (l *licences) in(dir string) []pkg.License {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil
	}
	var out []pkg.License
	for _, e := range entries {
		if !e.Type().IsRegular() || !isLicence(e.Name()) {
			continue
		}
		text, err := read(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		where := file.NewLocation(e.Name())
		for _, found := range pkg.NewLicensesFromReadCloserWithContext(l.scanner, file.NewLocationReadCloser(where, io.NopCloser(bytes.NewReader(text)))) {
			found.Locations = file.NewLocationSet()
			declared := found
			declared.Type = license.Declared
			out = append(out, found, declared)
		}
	}
	return out
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, maxLicence))
}
