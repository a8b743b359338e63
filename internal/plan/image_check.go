package plan

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/release"
)

// check judges what an image is made of, wherever the plan comes from.
func (i ImagePlan) check() error {
	if !imageRepository.MatchString(i.Repository) {
		return errors.New("want REGISTRY/PATH in lower case, without tag")
	}
	if len(i.Platforms) == 0 || len(i.Entrypoint) == 0 || path.Dir(i.Entrypoint[0]) != BinDir {
		return fmt.Errorf("entrypoint %q for %d platforms: want a program in %s", i.Entrypoint, len(i.Platforms), BinDir)
	}
	if i.Compression != CompressionGzip && i.Compression != CompressionZstd {
		return fmt.Errorf("compression %q: want %s or %s", i.Compression, CompressionGzip, CompressionZstd)
	}
	if !imageUser.MatchString(i.User) {
		return fmt.Errorf("user %q: want USER or USER:GROUP", i.User)
	}
	if i.Workdir != "" && !inImage(i.Workdir) && i.Workdir != "/" {
		return fmt.Errorf("workdir %q: want an absolute path", i.Workdir)
	}
	for _, env := range i.Env {
		name, _, ok := strings.Cut(env, "=")
		if !ok || !variable.MatchString(name) || !plain(env) {
			return fmt.Errorf("environment %q: want a variable with a value", env)
		}
	}
	for _, port := range i.Ports {
		m := imagePort.FindStringSubmatch(port)
		if m == nil {
			return fmt.Errorf("port %q: want NUMBER or NUMBER/PROTOCOL, of tcp, udp and sctp", port)
		}
		if n, err := strconv.Atoi(m[1]); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %q: want 1 to 65535", port)
		}
	}
	for _, arg := range slices.Concat(i.Entrypoint, i.Cmd) {
		if !plain(arg) {
			return fmt.Errorf("argument %q: want text", arg)
		}
	}
	if b := i.Base; b != nil {
		if _, err := release.ParseDigest(string(b.Digest)); err != nil || !baseName.MatchString(b.Name) {
			return fmt.Errorf("base %q: want a name and a digest", b.Name)
		}
	}
	return i.checkFiles()
}

// checkFiles demands that files lie beside the programs and beside each other.
func (i ImagePlan) checkFiles() error {
	seen := map[string]bool{}
	for _, f := range i.Files {
		switch {
		case !inImage(f.Path):
			return fmt.Errorf("file %q: want an absolute path", f.Path)
		case f.Path == BinDir, strings.HasPrefix(f.Path, BinDir+"/"), strings.HasPrefix(BinDir, f.Path+"/"):
			return fmt.Errorf("file %q: %s is for programs", f.Path, BinDir)
		case reservedPaths.MatchString(f.Path), i.Base == nil && baseFiles.MatchString(f.Path):
			return fmt.Errorf("file %q: something else is there in a container", f.Path)
		case i.Base != nil && owned.MatchString(f.Path):
			// A layer says whose a directory is, for those below too.
			return fmt.Errorf("file %q: on a base, directories there may belong to others; choose one below /etc, /opt, /srv or /usr", f.Path)
		case strings.HasPrefix(path.Base(f.Path), ".wh."):
			return fmt.Errorf("file %q: in a layer, that name removes another", f.Path)
		case i.Base != nil && often.MatchString(f.Path):
			// A directory of that name would take the link's place, and all below it away.
			return fmt.Errorf("file %q: its directory is a link in many images; name the place that it leads to", f.Path)
		case !inTree(f.Source) || f.Source == ".":
			return fmt.Errorf("file %q: want a path inside the repository", f.Source)
		case seen[f.Path]:
			return fmt.Errorf("file %q: there are two", f.Path)
		}
		seen[f.Path] = true
	}
	for _, f := range i.Files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("file %q: there is one inside of it, %q", dir, f.Path)
			}
		}
	}
	return nil
}

// often are paths below what is a link in many images (https://wiki.debian.org/UsrMerge).
var often = regexp.MustCompile(`^/(bin|sbin|lib|lib32|lib64|libx32|var/run|var/lock)/`)

// The places where files cannot be, or whose directories may be others'.
var (
	reservedPaths = regexp.MustCompile(`^/(dev|proc|sys)(/|$)`)
	owned         = regexp.MustCompile(`^/(home|root|run|tmp|var)(/|$)`)
	// baseFiles are the directories of the product's base, and what lies below its files.
	baseFiles = regexp.MustCompile(`^/(etc|etc/ssl|etc/ssl/certs|home|home/nonroot|root|tmp|usr|usr/share|usr/share/zoneinfo)$|^/etc/(passwd|group|nsswitch\.conf|ssl/certs/ca-certificates\.crt)/`)
)

// inImage tells whether a path is a plain absolute one.
func inImage(name string) bool {
	return strings.HasPrefix(name, "/") && name != "/" && path.Clean(name) == name && plain(name)
}

// plain tells whether a text can stand in an image's configuration.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
