package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/module"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// Check judges a plan that New did not make, such as one that was read from a
// provenance, by the rules that New has for its own: no name in it leads out of the
// repository, is taken for a flag or for another file, or differs from what New would
// have made of it. What only the commit or the toolchain can tell is not asked: which
// files, packages and ports there are.
func (p Plan) Check() error {
	if err := p.checkNames(); err != nil {
		return err
	}
	for _, command := range p.Prepare {
		if forShell(command) {
			return fmt.Errorf("prepare %q: it is written for a shell", command)
		}
	}
	for _, pattern := range p.Include {
		if !inTree(pattern) || pattern == "." {
			return fmt.Errorf("include %q: want a path inside the module", pattern)
		}
	}
	if err := checkFiles(p.Files); err != nil {
		return err
	}
	if len(p.Units) == 0 {
		return errors.New("no builds")
	}
	seen := map[string]bool{}
	for _, u := range p.Units {
		if err := p.checkUnit(u); err != nil {
			return fmt.Errorf("build %q for %s: %w", u.Build, u.Target, err)
		}
		folded := strings.ToLower(u.Archive)
		if seen[folded] {
			return fmt.Errorf("build %q for %s: archive %q is named twice", u.Build, u.Target, u.Archive)
		}
		seen[folded] = true
	}
	repositories := map[string]bool{}
	for _, image := range p.Images {
		if err := image.check(); err != nil {
			return fmt.Errorf("image %q: %w", image.Repository, err)
		}
		if repositories[image.Repository] {
			return fmt.Errorf("image %q: there are two", image.Repository)
		}
		repositories[image.Repository] = true
	}
	return errors.Join(checkAssets(p), checkContents(p))
}

// The forms of what git and the go command name.
var (
	fullCommit = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	toolchain  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 .:,+_-]*$`)
)

// checkNames judges what the plan is about.
func (p Plan) checkNames() error {
	owner := repositoryName.FindStringSubmatch(p.Repository.String())
	switch {
	case !projectName.MatchString(p.Project):
		return fmt.Errorf("project %q: not a name", p.Project)
	case owner == nil || strings.Trim(owner[2], ".") == "":
		return fmt.Errorf("repository %q: want OWNER/NAME", p.Repository)
	case module.CheckImportPath(p.Module.Path) != nil:
		return fmt.Errorf("module %q: not the path of a module", p.Module.Path)
	case !inTree(p.Module.Dir) || strings.ContainsAny(p.Module.Dir, `\`):
		return fmt.Errorf("directory %q: want a path inside the repository", p.Module.Dir)
	case !fullCommit.MatchString(p.Commit):
		return fmt.Errorf("commit %q: want the full hash", p.Commit)
	case !toolchain.MatchString(p.Toolchain):
		return fmt.Errorf("version %q of Go: want one such as go1.26.8", p.Toolchain)
	case p.Snapshot:
		return errors.New("a snapshot is no release")
	}
	v, err := version.Parse(p.Tag, version.Prefix(p.Module.Dir, p.Module.Path))
	if err != nil {
		return err
	}
	if v.Tag() != p.Tag || v.String() != p.Version {
		return fmt.Errorf("tag %q, version %q: want %q and %q", p.Tag, p.Version, v.Tag(), v)
	}
	return nil
}

// checkUnit judges one unit: its names follow from build, version and platform.
func (p Plan) checkUnit(u Unit) error {
	formats := []string{FormatTarGz, FormatTarZst, FormatZip}
	main, inside := mainDir(u.Main)
	switch {
	case !inside || main != u.Main || strings.Contains(main, "..."):
		return fmt.Errorf("main %q: want a directory inside the module", u.Main)
	case !slices.Contains(formats, u.Format):
		return fmt.Errorf("archive %q: want one in the format %s", u.Archive, strings.Join(formats, ", "))
	case u.Archive != archiveName(u.Build, p.Version, u.Target, u.Format):
		return fmt.Errorf("archive %q: want %q", u.Archive, archiveName(u.Build, p.Version, u.Target, u.Format))
	case u.SBOM != u.Archive+release.SBOMSuffix:
		return fmt.Errorf("SBOM %q: want %q", u.SBOM, u.Archive+release.SBOMSuffix)
	case !assetName.MatchString(u.Archive):
		return fmt.Errorf("archive %q: not the name of an asset", u.Archive)
	case !assetName.MatchString(u.Binary) || !strings.HasSuffix(u.Binary, u.Target.Exe()):
		return fmt.Errorf("binary %q: not the name of a program", u.Binary)
	}
	for name := range u.Env {
		if !settable(name) {
			return fmt.Errorf("environment: %q may not be set", name)
		}
	}
	return nil
}

// checkFiles judges what is packed beside every binary.
func checkFiles(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		folded := strings.ToLower(path.Base(name))
		switch {
		case !inTree(name) || name == "." || !packable(name):
			return fmt.Errorf("file %q: want a path inside the repository that every system can unpack", name)
		case seen[folded]:
			return fmt.Errorf("file %q: another one would be unpacked to the same place", name)
		}
		seen[folded] = true
	}
	if !slices.IsSorted(names) {
		return errors.New("files: they are not sorted")
	}
	return nil
}

// inTree tells whether a path is a plain one below the directory that it is relative
// to, and not git's own.
func inTree(name string) bool {
	return fs.ValidPath(name) && !strings.ContainsFunc(name, unicode.IsControl) &&
		!slices.Contains(strings.Split(strings.ToLower(name), "/"), ".git")
}

// forShell tells whether a command needs a shell to mean what it says.
func forShell(command string) bool {
	return strings.ContainsAny(command, "'\"`$|&;<>") || strings.ContainsFunc(command, unicode.IsControl)
}

// packable tells whether every system can unpack a file of that name.
func packable(name string) bool {
	return !strings.ContainsFunc(name, unicode.IsControl) && !strings.ContainsAny(name, `:\`)
}

// settable tells whether a build may set the environment variable.
func settable(name string) bool {
	return variable.MatchString(name) && !reserved.MatchString(name)
}

// mainDir is a directory of the module in the form that the go command takes for one
// ("." or "./cmd/app"), and whether it lies inside the module.
func mainDir(name string) (string, bool) {
	clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if name == "" || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", false
	}
	if clean != "." {
		clean = "./" + clean
	}
	return clean, true
}

// archiveName is what the archive of a build is called.
func archiveName(build, version string, t release.Target, format string) string {
	return fmt.Sprintf("%s_%s_%s.%s", build, version, t.Suffix(), format)
}
