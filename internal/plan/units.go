package plan

import (
	"fmt"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/org/pgo-release/internal/release"
)

// defaultPlatforms are what a release is made for when nobody says otherwise.
var defaultPlatforms = []string{
	"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
}

// defaultLdflags strip the binary and set the variables that Go programs
// conventionally keep their version in.
var defaultLdflags = []string{
	"-s", "-w",
	"-X main.version={{.Version}}", "-X main.commit={{.Commit}}", "-X main.date={{.Date}}",
}

// The formats of archives.
const (
	FormatTarGz  = "tar.gz"
	FormatTarZst = "tar.zst"
	FormatZip    = "zip"
)

// Host is this machine as a platform.
func Host() string { return runtime.GOOS + "/" + runtime.GOARCH }

// units lists every build for every platform, in the order of the configuration.
func units(p Plan, cfg Config, facts Facts) ([]Unit, error) {
	builds, err := builds(cfg, facts)
	if err != nil {
		return nil, err
	}
	var out []Unit
	names := map[string]string{}
	for i, b := range builds {
		platforms := firstNonEmpty(b.Platforms, cfg.Platforms, defaultPlatforms)
		targets, err := targets(platforms, facts.Ports)
		if err != nil {
			return nil, err
		}
		if len(b.Platforms)+len(cfg.Platforms) == 0 { // nobody asked for the systems that it does not exist on
			targets = slices.DeleteFunc(targets, func(t release.Target) bool { return absent(facts, b.Main, t.OS) })
		}
		for _, t := range targets {
			u, err := unit(p, cfg.Archives, fmt.Sprintf("builds[%d]", i), b, t)
			if err != nil {
				return nil, err
			}
			of := fmt.Sprintf("%s for %s", b.Main, t)
			if other, ok := names[strings.ToLower(u.Archive)]; ok {
				return nil, release.Reject(
					"give the builds names of their own: builds: [{name: …, main: …}] in .pgo-release.yaml",
					"the archive %s would hold both %s and %s", u.Archive, other, of)
			}
			names[strings.ToLower(u.Archive)] = of
			out = append(out, u)
		}
	}
	return out, nil
}

// builds are the configured ones with their defaults, or one for each main package.
func builds(cfg Config, facts Facts) ([]Build, error) {
	if len(cfg.Builds) == 0 {
		var out []Build
		for _, m := range facts.Mains {
			out = append(out, Build{Name: m.Name, Main: m.Dir, Binary: m.Name})
		}
		if len(out) == 0 {
			return nil, release.Reject("say where it is: builds: [{main: ./path}] in .pgo-release.yaml",
				"module %s has no main package in its root or in cmd/*", facts.Module.Path)
		}
		return out, nil
	}
	out := slices.Clone(cfg.Builds)
	for i := range out {
		b := &out[i]
		where := fmt.Sprintf("configuration: builds[%d]", i)
		main, inside := mainDir(b.Main)
		if !inside {
			return nil, release.Misuse("such as ./cmd/app", "%s.main %q: want a directory inside the module", where, b.Main)
		}
		b.Main = main
		clean := path.Clean(main)
		if !holdsGo(facts, clean) {
			return nil, release.Reject("", "%s.main %q: commit %s has no Go files there", where, b.Main, short(facts.Commit))
		}
		if b.Binary == "" {
			b.Binary = path.Base(clean)
			if clean == "." {
				b.Binary = BaseName(facts.Module.Path)
			}
		}
		if b.Name == "" {
			b.Name = b.Binary
		}
	}
	return out, nil
}

// absent tells whether a main package that was found exists on other systems only.
func absent(facts Facts, dir, system string) bool {
	i := slices.IndexFunc(facts.Mains, func(m Main) bool { return m.Dir == dir })
	return i >= 0 && len(facts.Mains[i].Systems) > 0 && !slices.Contains(facts.Mains[i].Systems, system)
}

// holdsGo tells whether the commit has Go files in a directory of the module.
func holdsGo(facts Facts, dir string) bool {
	dir = path.Join(facts.Module.Dir, dir)
	return slices.ContainsFunc(facts.Files, func(name string) bool {
		return path.Dir(name) == dir && strings.HasSuffix(name, ".go")
	})
}

// targets parses platforms and checks them against the ports of the toolchain.
func targets(platforms, ports []string) ([]release.Target, error) {
	var out []release.Target
	for _, text := range platforms {
		t, err := release.ParseTarget(text)
		if err != nil {
			return nil, &release.Problem{Class: release.Rejected, Err: err}
		}
		if !slices.Contains(ports, t.Port()) {
			return nil, release.Reject("go tool dist list prints all of them"+nearest(t.Port(), ports),
				"platform %q: this version of Go cannot compile for it", text)
		}
		if slices.Contains(out, t) {
			return nil, release.Reject("name it once", "platform %q is named twice", text)
		}
		out = append(out, t)
	}
	return out, nil
}

// nearest suggests a port with the same architecture or system.
func nearest(port string, ports []string) string {
	system, arch, _ := strings.Cut(port, "/")
	alias := map[string]string{"macos": "darwin", "osx": "darwin", "win": "windows", "x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "x86": "386", "i386": "386"}
	if s, ok := alias[system]; ok {
		system = s
	}
	if a, ok := alias[arch]; ok {
		arch = a
	}
	if fixed := system + "/" + arch; fixed != port && slices.Contains(ports, fixed) {
		return "; did you mean " + fixed + "?"
	}
	return ""
}

// assetName is what GitHub keeps of an asset's name as it is.
var assetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func unit(p Plan, archives Archives, where string, b Build, t release.Target) (Unit, error) {
	format := archives.Format
	if format == "" {
		format = FormatTarGz
	}
	if t.OS == "windows" {
		format = FormatZip
		if archives.Windows != "" {
			format = archives.Windows
		}
	}
	if !slices.Contains([]string{FormatTarGz, FormatTarZst, FormatZip}, format) {
		return Unit{}, release.Misuse("", "configuration: archives: format %q: want tar.gz, tar.zst or zip", format)
	}
	f := fieldsOf(p, t)
	flags := firstNonEmpty(b.Ldflags, defaultLdflags)
	ldflags, err := expand(where+".ldflags", strings.Join(flags, " "), f)
	if err != nil {
		return Unit{}, err
	}
	env, err := expandMap(where+".env", b.Env, f)
	if err != nil {
		return Unit{}, err
	}
	for name := range env {
		if !settable(name) {
			return Unit{}, release.Misuse("platforms choose the target; what the go command compiles is decided by the plan",
				"configuration: %s.env: %q may not be set", where, name)
		}
	}
	u := Unit{
		Build: b.Name, Main: b.Main, Target: t, Binary: b.Binary + t.Exe(),
		Archive: archiveName(b.Name, p.Version, t, format), Format: format,
		Ldflags: ldflags, Tags: b.Tags, Env: env,
	}
	u.SBOM = u.Archive + release.SBOMSuffix
	for _, name := range []string{u.Archive, u.Binary} {
		if !assetName.MatchString(name) {
			return Unit{}, release.Reject("letters, digits, dot, dash and underscore are kept",
				"%s: GitHub would rename %q", where, name)
		}
	}
	return u, nil
}

// variable is the name of an environment variable; reserved are those that would make
// the go command compile something else than the plan says, or something else run.
var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	reserved = regexp.MustCompile(`^(?:GO(?:OS|ARCH|ARM|ARM64|AMD64|386|MIPS|MIPS64|PPC64|RISCV64|WASM|FLAGS|WORK|ENV|ROOT|PATH|CACHE|MODCACHE|TOOLCHAIN|PROXY|SUMDB|BIN|TMPDIR)|CGO_ENABLED|GIT_.*|PATH|HOME)$`)
)

// BaseName is the last element of a module path, without its major version: what the
// go command calls the program in the module's root.
func BaseName(modulePath string) string {
	base, _, ok := module.SplitPathVersion(modulePath)
	if !ok {
		base = modulePath
	}
	return path.Base(base)
}

func firstNonEmpty(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}
