package sbom

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/anchore/syft/syft/license"
	"github.com/anchore/syft/syft/pkg"
	"golang.org/x/mod/module"
)

// licences finds the licences of modules, each once for all documents: the texts in
// the module's root, which is where its authors declare them. What lies deeper may
// not be in the binary at all.
type licences struct {
	Places
	matcher *matcher
	found   sync.Map // module@version → func() ([]pkg.License, error)
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
func (l *licences) of(path, version string) ([]pkg.License, error) {
	find, _ := l.found.LoadOrStore(path+"@"+version, sync.OnceValues(func() ([]pkg.License, error) {
		for _, dir := range l.dirs(path, version) {
			if found, err := l.in(dir); len(found) > 0 || err != nil {
				return found, err
			}
		}
		return nil, nil
	}))
	return find.(func() ([]pkg.License, error))()
}

// dirs are where the module may lie.
func (l *licences) dirs(path, version string) []string {
	escapedPath, err := module.EscapePath(path)
	if err != nil {
		return nil
	}
	var out []string
	if escapedVersion, err := module.EscapeVersion(version); err == nil && l.ModuleCache != "" {
		out = append(out, filepath.Join(l.ModuleCache, escapedPath+"@"+escapedVersion))
	}
	if l.Vendor != "" {
		out = append(out, filepath.Join(l.Vendor, path))
	}
	return out
}

// in reads the licences of a directory.
func (l *licences) in(dir string) ([]pkg.License, error) {
	var out []pkg.License
	for _, text := range texts(dir) {
		matched, err := l.matcher.match(text)
		if err != nil {
			return nil, err
		}
		for _, found := range matched {
			declared := found
			declared.Type = license.Declared
			out = append(out, found, declared)
		}
	}
	return out, nil
}

// texts are those of a directory, in the order of their names; what cannot be read has
// none, as a module that is not there.
func texts(dir string) [][]byte {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil
	}
	var out [][]byte
	for _, e := range entries {
		if !e.Type().IsRegular() || !isLicence(e.Name()) {
			continue
		}
		if text, err := read(filepath.Join(dir, e.Name())); err == nil {
			out = append(out, text)
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
