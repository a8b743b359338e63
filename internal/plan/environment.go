package plan

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// The environments that every project has.
const (
	Production = "production" // the default one
	Staging    = "staging"    // a draft, for production to publish
)

// Environment is what a release to an environment does otherwise. What it leaves out is as
// the rest of the configuration says.
type Environment struct {
	Draft             *bool    `yaml:"draft" json:"draft,omitempty" jsonschema:"description=Leave the release a draft: no git tag is made and nobody sees it"`
	Prerelease        *bool    `yaml:"prerelease" json:"prerelease,omitempty" jsonschema:"description=Show the release as a prerelease\\, whatever its version; it is never the latest then"`
	ImageTags         []string `yaml:"image-tags" json:"image-tags,omitempty" jsonschema:"description=Tags of the image\\, instead of those that follow from the version; may use the fields of ldflags,example=edge"`
	Sign              string   `yaml:"sign" json:"sign,omitempty" jsonschema:"enum=keyless,enum=key,enum=all,enum=none,description=How the release is signed"`
	RequireSameCommit bool     `yaml:"require-same-commit" json:"require-same-commit,omitempty" jsonschema:"description=Publish nothing but what an earlier run made of the same commit and left as a draft"`
	Notes             *Notes   `yaml:"notes" json:"notes,omitempty" jsonschema:"description=The release notes\\, instead of those of the file"`
}

// builtIn are the environments that need no configuration.
func builtIn() map[string]Environment {
	draft := true
	return map[string]Environment{
		Production: {},
		Staging:    {Draft: &draft, ImageTags: []string{Staging}},
	}
}

// environment finds the profile of the configuration's environment, which GitHub names
// without regard to case. What the file says of a built-in one is put on top of it.
func environment(cfg Config) (name string, out Environment, err error) {
	name = cmp.Or(cfg.Environment, Production)
	known := slices.Sorted(maps.Keys(builtIn()))
	found := false
	for _, k := range known {
		if strings.EqualFold(k, name) {
			name, out, found = k, builtIn()[k], true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(cfg.Environments)) {
		if !slices.Contains(known, k) {
			known = append(known, k)
		}
		if !strings.EqualFold(k, name) {
			continue
		}
		own := cfg.Environments[k]
		out, found = Environment{
			Draft: cmp.Or(own.Draft, out.Draft), Prerelease: own.Prerelease, ImageTags: own.ImageTags,
			Sign: own.Sign, RequireSameCommit: own.RequireSameCommit, Notes: own.Notes,
		}, true
		if own.ImageTags == nil {
			out.ImageTags = builtIn()[strings.ToLower(name)].ImageTags
		}
	}
	if !found {
		slices.Sort(known)
		return "", Environment{}, release.Misuse("there is "+strings.Join(known, ", ")+"; more go into .pgo-release.yaml: environments: {NAME: {...}}",
			"environment %q: not known", name)
	}
	return name, out, nil
}

// within is the configuration with what the environment says otherwise.
func (e Environment) within(cfg Config) Config {
	if e.Draft != nil {
		cfg.Draft = cfg.Draft || *e.Draft
	}
	if e.Sign != "" && cfg.Key == "" {
		cfg.Sign = e.Sign
	}
	if e.Notes != nil {
		cfg.Notes = *e.Notes
	}
	return cfg
}

// present sets how the environment presents the version.
func (e Environment) present(p *Plan) {
	if e.Prerelease == nil {
		return
	}
	p.Verdict.Prerelease = *e.Prerelease
	if *e.Prerelease {
		p.Verdict.Latest, p.Verdict.ImageTags, p.Verdict.GitTags = false, []string{p.Version}, nil
	}
}

// imageTags are the tags that the image gets. Those of a version are for what is public.
func (e Environment) imageTags(p Plan) ([]string, error) {
	switch {
	case e.ImageTags == nil && p.Draft:
		return []string{}, nil
	case e.ImageTags == nil:
		return p.Verdict.ImageTags, nil
	}
	out := []string{}
	for _, text := range e.ImageTags {
		tag, err := expand("environments."+p.Environment+".image-tags", text, fieldsOf(p, release.Target{}))
		if err != nil {
			return nil, err
		}
		if !imageTag.MatchString(tag) {
			return nil, release.Misuse("letters, digits, dots, dashes and underscores, at most 128 of them", "environment %q: image tag %q: not a tag", p.Environment, tag)
		}
		if !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out, nil
}

// imageTag is a tag as the OCI distribution specification writes it.
var imageTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
