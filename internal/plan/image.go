package plan

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// Image says what a container image is made of, and where it goes. Of several images,
// each element begins with what the configuration says of all.
type Image struct {
	Skip        bool              `yaml:"skip" json:"skip,omitempty" jsonschema:"description=Make no image"`
	Repository  string            `yaml:"repository" json:"repository,omitempty" jsonschema:"description=Registry and path; default: ghcr.io/OWNER/NAME\\, and of several images ghcr.io/OWNER/NAME/BINARY for each that is not the project's own,example=ghcr.io/owner/app"`
	Builds      []string          `yaml:"builds" json:"builds,omitempty" jsonschema:"description=Names of the builds whose programs the image holds; default: all"`
	Base        string            `yaml:"base" json:"base,omitempty" jsonschema:"description=Image to build on\\, best with its digest; default: CA certificates\\, time zones and a user that is not root,example=gcr.io/distroless/static@sha256:HEX"`
	Entrypoint  []string          `yaml:"entrypoint" json:"entrypoint,omitempty" jsonschema:"description=Name of the program and arguments that always come first; default: the project's program"`
	Cmd         []string          `yaml:"cmd" json:"cmd,omitempty" jsonschema:"description=Arguments for when none are given"`
	User        string            `yaml:"user" json:"user,omitempty" jsonschema:"description=User\\, or user:group\\, by number or by a name that the base knows; default: 65532:65532,example=root"`
	Env         map[string]string `yaml:"env" json:"env,omitempty" jsonschema:"description=Environment; may use the fields of ldflags"`
	Workdir     string            `yaml:"workdir" json:"workdir,omitempty" jsonschema:"description=Directory that the program starts in; default: the base's\\, or the user's home"`
	Ports       []string          `yaml:"ports" json:"ports,omitempty" jsonschema:"description=Ports that the program listens on,example=8080/tcp"`
	Files       map[string]string `yaml:"files" json:"files,omitempty" jsonschema:"description=Committed files beside the programs: path in the image → file or directory\\, relative to the module"`
	Labels      map[string]string `yaml:"labels" json:"labels,omitempty" jsonschema:"description=Labels and annotations beside the standard org.opencontainers.image ones; may use the fields of ldflags"`
	Compression string            `yaml:"compression" json:"compression,omitempty" jsonschema:"enum=gzip,enum=zstd,description=Of the layers; zstd needs containerd 1.5 or Docker 23 to pull; default: gzip"`
}

// over is i where it says something, and otherwise all.
func (i Image) over(all Image) Image {
	merge := func(own, all map[string]string) map[string]string {
		out := maps.Clone(all)
		if out == nil {
			return own
		}
		maps.Copy(out, own)
		return out
	}
	return Image{
		Repository: i.Repository, Builds: firstNonEmpty(i.Builds, all.Builds), Base: cmp.Or(i.Base, all.Base),
		Entrypoint: firstNonEmpty(i.Entrypoint, all.Entrypoint), Cmd: firstNonEmpty(i.Cmd, all.Cmd),
		User: cmp.Or(i.User, all.User), Env: merge(i.Env, all.Env), Workdir: cmp.Or(i.Workdir, all.Workdir),
		Ports: firstNonEmpty(i.Ports, all.Ports), Files: merge(i.Files, all.Files), Labels: merge(i.Labels, all.Labels),
		Compression: cmp.Or(i.Compression, all.Compression),
	}
}

// ImagePlan is an image that linux units become.
type ImagePlan struct {
	Repository string           `json:"repository"`
	Tags       []string         `json:"tags"` // that name it; exact version first, where they follow from the version
	Platforms  []release.Target `json:"platforms"`
	Builds     []string         `json:"builds"` // whose programs it holds
	Base       *Base            `json:"base,omitempty"`
	Entrypoint []string         `json:"entrypoint"`
	Cmd        []string         `json:"cmd,omitempty"`
	User       string           `json:"user"`
	Env        []string         `json:"env,omitempty"`     // NAME=value, sorted
	Workdir    string           `json:"workdir,omitempty"` // empty: the base's
	Ports      []string         `json:"ports,omitempty"`   // number/protocol, sorted
	Files      []ImageFile      `json:"files,omitempty"`   // sorted by Path
	// Compression of the layers that are made: CompressionGzip or CompressionZstd.
	Compression string            `json:"compression"`
	Labels      map[string]string `json:"labels"`
}

// Base is the image that another is built on.
type Base struct {
	Name   string         `json:"name"` // as configured, without digest
	Digest release.Digest `json:"digest"`
	Moving bool           `json:"-"` // the configuration has no digest: what it names may change
}

// Reference is the base by its digest alone, which is what is fetched.
func (b Base) Reference() string {
	repository := b.Name
	if at := strings.LastIndex(repository, ":"); at > strings.LastIndex(repository, "/") {
		repository = repository[:at]
	}
	return repository + "@" + string(b.Digest)
}

// BaseFacts are what a registry has under the name of a base.
type BaseFacts struct {
	Base
	Platforms []release.Target // that it can be the base for, of those that were asked for
}

// ImageFile is a committed file in an image.
type ImageFile struct {
	Path   string `json:"path"`   // in the image, absolute
	Source string `json:"source"` // relative to the repository
}

// Compressions of layers.
const (
	CompressionGzip = "gzip"
	CompressionZstd = "zstd"
)

const (
	// BinDir is where an image holds the binaries.
	BinDir = "/usr/local/bin"
	// nonroot is the user and group of images by default.
	nonroot = "65532:65532"
	// nonrootHome is where they start, unless a base says otherwise.
	nonrootHome = "/home/nonroot"
)

// Bases are the base images that a configuration names, sorted.
func (c Config) Bases() []string {
	var out []string
	for _, i := range c.images() {
		if i.Base != "" && !slices.Contains(out, i.Base) {
			out = append(out, i.Base)
		}
	}
	slices.Sort(out)
	return out
}

// images are the configured images, each with what is said of all; none where they are
// to be skipped.
func (c Config) images() []Image {
	switch {
	case c.Image.Skip:
		return nil
	case len(c.Images) == 0:
		one := c.Image.over(Image{})
		return []Image{one}
	}
	var out []Image
	for _, i := range c.Images {
		out = append(out, i.over(c.Image))
	}
	return out
}

// imagePlans are the images of the units; none where there is nothing to put into one, or
// nowhere to push it.
func imagePlans(p Plan, cfg Config, facts Facts) ([]ImagePlan, error) {
	root := cfg.Image.Repository
	if root == "" && p.Repository.Owner != "" {
		root = "ghcr.io/" + strings.ToLower(p.Repository.String())
		if version.Prefix(p.Module.Dir, p.Module.Path) != "" { // a module of its own line of versions
			root += "/" + strings.ToLower(p.Project)
		}
	}
	var out []ImagePlan
	seen := map[string]bool{}
	for i, image := range cfg.images() {
		if slices.ContainsFunc(cfg.Images, func(i Image) bool { return i.Skip }) {
			return nil, release.Misuse("leave the image out of the list, or skip all: image: {skip: true}", "configuration: images: one of several cannot be skipped")
		}
		made, err := imagePlan(p, image, root, facts)
		if err != nil {
			return nil, err
		}
		if made == nil {
			if len(cfg.Images) == 0 {
				return nil, nil
			}
			return nil, release.Misuse("", "configuration: images: element %d: there is nothing to put into it: no build for linux, or no repository", i+1)
		}
		if seen[made.Repository] {
			return nil, release.Misuse("give each a repository of its own: images: [{repository: ghcr.io/owner/app, builds: [app]}, ...]",
				"configuration: images: two go to %s", made.Repository)
		}
		seen[made.Repository] = true
		out = append(out, *made)
	}
	return out, nil
}

// imagePlan is one image, below the repository root unless it names another; nil where
// there is nothing to put into it, or nowhere to push it.
func imagePlan(p Plan, cfg Image, root string, facts Facts) (*ImagePlan, error) {
	image := &ImagePlan{Cmd: cfg.Cmd, User: cmp.Or(cfg.User, nonroot), Workdir: cfg.Workdir, Compression: cmp.Or(cfg.Compression, CompressionGzip)}
	if err := image.programs(p, cfg); err != nil || len(image.Platforms) == 0 {
		return nil, err
	}
	if image.Repository = cfg.Repository; image.Repository == "" {
		image.Repository = root
		if entry := path.Base(image.Entrypoint[0]); root != "" && len(cfg.Builds) > 0 && entry != p.Project {
			image.Repository = root + "/" + strings.ToLower(entry)
		}
	}
	if image.Repository == "" {
		return nil, nil
	}
	if !imageRepository.MatchString(image.Repository) {
		hint := "such as ghcr.io/owner/app"
		if lower := strings.ToLower(image.Repository); imageRepository.MatchString(lower) {
			hint = "use " + lower
		}
		return nil, release.Misuse(hint, "image repository %q: want REGISTRY/PATH in lower case, without tag", image.Repository)
	}
	env, err := expandMap("image.env", cfg.Env, fieldsOf(p, release.Target{}))
	if err != nil {
		return nil, err
	}
	for name, value := range env {
		image.Env = append(image.Env, name+"="+value)
	}
	slices.Sort(image.Env)
	for _, port := range cfg.Ports {
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		image.Ports = append(image.Ports, port)
	}
	slices.Sort(image.Ports)
	image.Ports = slices.Compact(image.Ports)
	if image.Files, err = imageFiles(cfg.Files, facts); err != nil {
		return nil, err
	}
	if err := image.onBase(cfg.Base, facts); err != nil {
		return nil, err
	}
	if image.Labels, err = image.labels(p, cfg.Labels); err != nil {
		return nil, err
	}
	if err := image.check(); err != nil {
		return nil, release.Misuse("", "configuration: image %s: %w", image.Repository, err)
	}
	return image, nil
}

// programs decides which programs the image holds, which of them it starts, and for which
// platforms: an image that cannot start is no use.
func (i *ImagePlan) programs(p Plan, cfg Image) error {
	entry := ""
	var known []string
	for _, u := range p.Units {
		if !slices.Contains(known, u.Build) {
			known = append(known, u.Build)
		}
		if u.Target.OS != "linux" || len(cfg.Builds) > 0 && !slices.Contains(cfg.Builds, u.Build) {
			continue
		}
		if !slices.Contains(i.Builds, u.Build) {
			i.Builds = append(i.Builds, u.Build)
		}
		if entry == "" || u.Binary == p.Project {
			entry = u.Binary
		}
	}
	for _, name := range cfg.Builds {
		if !slices.Contains(known, name) {
			return release.Misuse("there is "+strings.Join(known, ", "), "configuration: image: build %q: not known", name)
		}
	}
	if len(cfg.Entrypoint) > 0 {
		entry = strings.TrimPrefix(cfg.Entrypoint[0], BinDir+"/")
	}
	i.Entrypoint = []string{path.Join(BinDir, entry)}
	if len(cfg.Entrypoint) > 1 {
		i.Entrypoint = append(i.Entrypoint, cfg.Entrypoint[1:]...)
	}
	var programs []string
	for _, u := range p.Units {
		if u.Target.OS != "linux" || !slices.Contains(i.Builds, u.Build) {
			continue
		}
		programs = append(programs, u.Binary)
		if u.Binary == entry && !slices.Contains(i.Platforms, u.Target) {
			i.Platforms = append(i.Platforms, u.Target)
		}
	}
	if len(programs) > 0 && len(i.Platforms) == 0 {
		slices.Sort(programs)
		return release.Misuse("it holds "+strings.Join(slices.Compact(programs), ", "), "configuration: image: entrypoint %q: no program of the image", cfg.Entrypoint[0])
	}
	return nil
}

// onBase decides what the image is built on.
func (i *ImagePlan) onBase(base string, facts Facts) error {
	if base == "" {
		if i.Workdir == "" {
			i.Workdir = "/"
			if i.User == nonroot || strings.HasPrefix(i.User, "nonroot") {
				i.Workdir = nonrootHome // which others cannot enter
			}
		}
		for _, id := range strings.Split(i.User, ":") {
			if !slices.Contains([]string{"root", "nonroot"}, id) && !numeric.MatchString(id) {
				return release.Misuse("name it by its number, or name a base that knows it", "configuration: image: user %q: there are root and nonroot", id)
			}
		}
		return nil
	}
	found, ok := facts.Bases[base]
	if !ok {
		return release.Misuse("such as gcr.io/distroless/static@sha256:HEX", "configuration: image: base %q: not known", base)
	}
	for _, target := range i.Platforms {
		if !slices.Contains(found.Platforms, target) {
			return release.Reject("name another base, or fewer platforms", "image base %s@%s: it has nothing for %s", found.Name, found.Digest, target)
		}
	}
	i.Base = &found.Base
	return nil
}

// Unchosen are the platforms that container engines do not choose by themselves: with a
// variant of amd64 or arm64, where there is none without.
func (i ImagePlan) Unchosen() []release.Target {
	var out []release.Target
	for _, t := range i.Platforms {
		plain, err := release.ParseTarget(t.Port())
		same := func(other release.Target) bool { return other.ImagePlatform() == plain.ImagePlatform() }
		if err == nil && (t.Arch == "amd64" || t.Arch == "arm64") && !slices.ContainsFunc(i.Platforms, same) {
			out = append(out, t)
		}
	}
	return out
}

// On is the image on another content of its base.
func (i ImagePlan) On(digest release.Digest) ImagePlan {
	base := *i.Base
	base.Digest = digest
	i.Base = &base
	i.Labels = maps.Clone(i.Labels)
	i.Labels[LabelBaseDigest] = string(digest)
	return i
}

// Labels that more than people read
// (https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md).
const (
	LabelVersion    = "org.opencontainers.image.version"
	LabelRevision   = "org.opencontainers.image.revision" // the commit
	LabelSource     = "org.opencontainers.image.source"   // what links a package of ghcr.io to its repository
	LabelBaseName   = "org.opencontainers.image.base.name"
	LabelBaseDigest = "org.opencontainers.image.base.digest"
)

// labels are the standard ones (https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md)
// and those of the configuration.
func (i *ImagePlan) labels(p Plan, own map[string]string) (map[string]string, error) {
	const standard = "org.opencontainers.image."
	out := map[string]string{
		standard + "title": p.Project, LabelVersion: p.Version, LabelRevision: p.Commit,
		standard + "created": fieldsOf(p, release.Target{}).Date,
	}
	if url := p.Repository.URL(); url != "" {
		out[LabelSource], out[standard+"url"] = url, url
	}
	if i.Base != nil {
		out[LabelBaseName], out[LabelBaseDigest] = i.Base.Name, string(i.Base.Digest)
	}
	for _, name := range []string{LabelVersion, LabelRevision, LabelBaseName, LabelBaseDigest} {
		if _, ok := own[name]; ok {
			return nil, release.Misuse("leave it out: tags are moved by what it says", "configuration: image.labels: %q is set by the release", name)
		}
	}
	own, err := expandMap("image.labels", own, fieldsOf(p, release.Target{}))
	maps.Copy(out, own)
	return out, err
}

// imageFiles are the committed files that go into an image, by their paths there.
func imageFiles(wanted map[string]string, facts Facts) ([]ImageFile, error) {
	var out []ImageFile
	for _, at := range slices.Sorted(maps.Keys(wanted)) {
		source, ok := mainDir(wanted[at])
		source = path.Join(facts.Module.Dir, source)
		before := len(out)
		for _, name := range facts.Files {
			rest, below := strings.CutPrefix(name, source+"/")
			switch {
			case !ok:
			case name == source && strings.HasSuffix(at, "/"):
				out = append(out, ImageFile{path.Join(at, path.Base(name)), name})
			case name == source:
				out = append(out, ImageFile{path.Clean(at), name})
			case below, source == ".":
				out = append(out, ImageFile{path.Join(at, rest), name})
			}
		}
		if len(out) == before {
			return nil, release.Misuse("name committed files and directories, relative to the module", "configuration: image.files: %q: no file of the commit", wanted[at])
		}
	}
	slices.SortFunc(out, func(a, b ImageFile) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// imageRepository is a registry with a dot or a port in its name, and a path as the
// OCI distribution specification writes it.
var imageRepository = regexp.MustCompile(
	`^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?|[a-z0-9-]+:[0-9]+|localhost)(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+$`)

// The forms of what an image's configuration holds.
var (
	numeric   = regexp.MustCompile(`^[0-9]{1,10}$`)
	imageUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	imagePort = regexp.MustCompile(`^([0-9]{1,5})/(?:tcp|udp|sctp)$`)
	baseName  = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9.:_/-]*$`)
)
