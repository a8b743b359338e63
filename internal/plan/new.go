package plan

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// How a release is signed.
const (
	SignKeyless = "keyless" // with the identity of the workflow, through Sigstore
	SignKey     = "key"     // with a key pair
	SignAll     = "all"     // of a configuration: as by default, and every file by itself
	SignNone    = "none"
)

// How the words of a prerelease have to be written.
const (
	StyleDotted = "dotted" // rc.1: numbers stand between dots, so that they sort as numbers
	StyleAny    = "any"    // whatever SemVer allows
)

// What the exported Go API counts for the version.
const (
	APICompare = "compare"
	APIIgnore  = "ignore" // the packages are not meant for others
)

// signing says whose signature a release carries.
func signing(cfg Config) (string, error) {
	switch {
	case !slices.Contains([]string{"", SignKeyless, SignKey, SignAll, SignNone}, cfg.Sign):
		return "", release.Misuse("", "sign %q: want keyless, key, all or none", cfg.Sign)
	case cfg.Key != "" && (cfg.Sign == SignKeyless || cfg.Sign == SignNone):
		return "", release.Misuse("leave one of the two out", "sign %q: there is a key to sign with", cfg.Sign)
	case cfg.Key == "" && cfg.Sign == SignKey:
		return "", release.Misuse("name it: --key FILE or --key env://NAME", "sign %q: there is no key", cfg.Sign)
	case cfg.Key != "":
		return SignKey, nil
	case cfg.Sign == SignNone:
		return SignNone, nil
	}
	return SignKeyless, nil
}

// New makes the plan of a release. The errors are release.Problems. A version that only
// the changes stand against has a plan, and a verdict that says so: what is known of the
// changes here need not be all.
func New(cfg Config, facts Facts) (Plan, error) {
	name, env, err := environment(cfg)
	if err != nil {
		return Plan{}, err
	}
	if cfg = env.within(cfg); cfg.Snapshot {
		name = "" // it goes nowhere
	}
	p := Plan{
		Schema: Schema, Project: ProjectName(cfg, facts), Repository: facts.Repository, Module: facts.Module,
		Commit: facts.Commit, Time: facts.Time.UTC(), Toolchain: facts.Toolchain,
		Snapshot: cfg.Snapshot, Draft: cfg.Draft, Notes: cfg.Notes,
		Include: cfg.Include, Prepare: cfg.Prepare, Environment: name, Promote: env.RequireSameCommit,
	}
	if err := CheckPolicy(cfg); err != nil {
		return Plan{}, err
	}
	if err := p.decideVersion(cfg, facts); err != nil {
		return Plan{}, err
	}
	env.present(&p)
	if !projectName.MatchString(p.Project) {
		return Plan{}, release.Misuse("letters, digits, dot, dash and underscore; in .pgo-release.yaml: project: NAME", "project %q: not a name", p.Project)
	}
	if cfg.Repository != "" {
		m := repositoryName.FindStringSubmatch(cfg.Repository)
		if m == nil || strings.Trim(m[2], ".") == "" {
			return Plan{}, release.Misuse("such as octo-org/app", "repository %q: want OWNER/NAME", cfg.Repository)
		}
		p.Repository = Repository{Owner: m[1], Name: m[2]}
	}
	for _, command := range cfg.Prepare {
		if forShell(command) {
			return Plan{}, release.Misuse("commands run without a shell; put this one into a script and name the script",
				"configuration: prepare: %q: it is written for a shell", command)
		}
	}
	if p.Sign, err = signing(cfg); err != nil {
		return Plan{}, err
	}
	p.SignAll = cfg.Sign == SignAll
	if p.Units, err = units(p, cfg, facts); err != nil {
		return Plan{}, err
	}
	if p.Files, err = packedFiles(cfg.Archives.Files, facts); err != nil {
		return Plan{}, err
	}
	if p.Images, err = imagePlans(p, cfg, facts); err != nil {
		return Plan{}, err
	}
	for i := range p.Images {
		if p.Images[i].Tags, err = env.imageTags(p); err != nil {
			return Plan{}, err
		}
	}
	return p, errors.Join(checkAssets(p), checkContents(p))
}

// ProjectName is what the configuration says, or the last element of the module path.
func ProjectName(cfg Config, facts Facts) string {
	if cfg.Project != "" {
		return cfg.Project
	}
	return BaseName(facts.Module.Path)
}

var (
	projectName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	repositoryName = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)$`)
)

// ErrNoVersion is wrapped by the error of New about a commit that has no version, where
// nobody named one.
var ErrNoVersion = errors.New("no version")

// decideVersion sets everything that follows from the tag.
func (p *Plan) decideVersion(cfg Config, facts Facts) error {
	if cfg.Snapshot {
		v, err := snapshot(facts)
		if err != nil {
			return err
		}
		p.Version, p.Tag = v.String(), v.Tag()
		p.Verdict = version.Verdict{Findings: []version.Finding{}, Prerelease: true, ImageTags: []string{v.String()}}
		return nil
	}
	if facts.Tag == "" {
		return release.Reject(
			"tag the commit (git tag v1.2.3), or say which version it is to be: --tag v1.2.3; `pgo-release check` proposes one",
			"%w: no tag of this module points at commit %s", ErrNoVersion, short(facts.Head))
	}
	if version.IsFloating(facts.Tag) {
		return release.Nothing("",
			"%s is a floating tag, nothing to release", facts.Tag)
	}
	if facts.Dirty != "" && facts.Commit == facts.Head {
		return release.Reject(
			"commit or stash the changes; `build --snapshot` builds the working tree as it is",
			"tracked files differ from commit %s:\n%s", short(facts.Head), strings.TrimRight(facts.Dirty, "\n"))
	}
	p.Verdict = version.Judge(PolicyInput(cfg, facts))
	if rejection := p.Verdict.RejectedForGood(); rejection != nil {
		return reject(rejection)
	}
	v, err := version.Parse(facts.Tag, facts.Prefix())
	if err != nil {
		return reject(err)
	}
	p.Version, p.Tag = v.String(), v.Tag()
	return nil
}

// CheckPolicy checks the words that choose how versions are judged. The error is a
// release.Problem of class Usage.
func CheckPolicy(cfg Config) error {
	for _, option := range []struct {
		name, value string
		known       []string
	}{
		{"version-policy", cfg.VersionPolicy, []string{string(version.Off), string(version.Warn), string(version.Standard), string(version.Strict)}},
		{"prerelease-style", cfg.PrereleaseStyle, []string{StyleDotted, StyleAny}},
		{"api", cfg.API, []string{APICompare, APIIgnore}},
	} {
		if option.value != "" && !slices.Contains(option.known, option.value) {
			return release.Misuse("", "%s %q: want %s", option.name, option.value, strings.Join(option.known, " or "))
		}
	}
	return nil
}

// PolicyInput is what the version policy judges: the configuration and what is known
// without asking anybody else.
func PolicyInput(cfg Config, facts Facts) version.Input {
	in := version.Input{
		Tag: facts.Tag, Commit: facts.Commit, Module: facts.Policy, Refs: facts.Refs, Shallow: facts.Shallow,
		Mode: version.Mode(cfg.VersionPolicy), AnyPrerelease: cfg.PrereleaseStyle == StyleAny,
		AllowRetracted: cfg.AllowRetracted, Previous: cfg.PreviousTag,
		Changes: facts.Changes, Moved: facts.Moved,
	}
	in.Module.Path, in.Module.Dir = facts.Module.Path, facts.Module.Dir
	return in
}

// snapshot is the version of a working tree: after the highest version, and named by
// its commit.
func snapshot(facts Facts) (version.Version, error) {
	base, err := version.Parse(facts.Prefix()+"v0.0.0", facts.Prefix())
	if err != nil {
		return version.Version{}, err
	}
	if highest, ok := version.Highest(version.Of(facts.Refs, facts.Prefix())); ok {
		base = highest
	}
	name := "snapshot.g" + short(facts.Head)
	if facts.Dirty != "" {
		name += ".dirty"
	}
	return base.Next(name)
}

func reject(err error) error {
	return &release.Problem{Class: release.Rejected, Err: err, Tip: release.HintOf(err)}
}

// maxAssets is how many assets GitHub takes for one release
// (https://docs.github.com/en/repositories/releasing-projects-on-github/about-releases).
const maxAssets = 1000

func checkAssets(p Plan) error {
	if n := p.Assets(); n > maxAssets {
		return release.Reject("name fewer platforms or builds", "the release would have %d assets; GitHub takes %d", n, maxAssets)
	}
	return nil
}

// checkContents refuses two files under one name in an archive or in an image.
func checkContents(p Plan) error {
	for _, u := range p.Units {
		for _, name := range p.Files {
			if strings.EqualFold(path.Base(name), u.Binary) {
				return release.Reject("give the binary another name: builds: [{binary: ...}]", "archive %s: the binary and %s have the same name", u.Archive, name)
			}
		}
	}
	for _, image := range p.Images {
		inside := map[string]string{}
		for _, u := range p.Units {
			if u.Target.OS != "linux" || !slices.Contains(image.Builds, u.Build) {
				continue
			}
			at := u.Target.ImagePlatform() + " " + u.Binary
			if other, ok := inside[at]; ok {
				return release.Reject("give the binaries names of their own, name one of the platforms, make several images (images: [{builds: [...]}, ...]), or none: image: {skip: true}",
					"image: %s and %s would be the same file of the same platform", other, u.Archive)
			}
			inside[at] = u.Archive
		}
	}
	return nil
}

// packedFiles are the commit's files that go into every archive: the matches in the
// module's directory, and of the standard ones in the repository's root where the
// module has none.
func packedFiles(patterns []string, facts Facts) ([]string, error) {
	match := func(dir string, patterns []string) ([]string, error) {
		var out []string
		for _, pattern := range patterns {
			full := path.Join(dir, pattern)
			for _, name := range facts.Files {
				ok, err := path.Match(full, name)
				if err != nil {
					return nil, release.Misuse("", "configuration: archives.files: pattern %q: %w", pattern, err)
				}
				if ok && !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
		return out, nil
	}
	var out []string
	if len(patterns) > 0 {
		for _, pattern := range patterns {
			found, err := match(facts.Module.Dir, []string{pattern})
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, release.Misuse("patterns are relative to the module and match committed files",
					"configuration: archives.files: %q matches no file of the commit", pattern)
			}
			out = append(out, found...)
		}
	} else {
		for _, pattern := range []string{"LICENSE*", "README*", "CHANGELOG*"} {
			found, err := match(facts.Module.Dir, []string{pattern})
			if err == nil && len(found) == 0 {
				found, err = match(".", []string{pattern})
			}
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	seen := map[string]string{}
	for _, name := range out {
		folded := strings.ToLower(path.Base(name)) // some systems do not know case
		if other, ok := seen[folded]; ok {
			return nil, release.Misuse("name the files to pack: archives: {files: [...]}",
				"archives: %q and %q would be unpacked to the same file", other, name)
		}
		seen[folded] = name
		if !packable(name) {
			return nil, release.Misuse("name the files to pack: archives: {files: [...]}", "archives: %q: not every system can unpack a file of that name", name)
		}
	}
	return out, nil
}

// short is a commit as people write it.
func short(commit string) string { return fmt.Sprintf("%.7s", commit) }
