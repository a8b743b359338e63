package provenance

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Plan is the plan that the statement records, as far as it shapes the bytes of a
// release; its Time is the commit's, which the caller has to add (see Confirm). The
// tags of the image, the verdict about the version and the rules of the notes are not
// recorded.
//
// A statement is data, whoever signed it: it is refused when it is of another build
// type, when plan.Plan.Check refuses what it says, and when New would have written
// anything of the plan in another way.
func (s Statement) Plan() (plan.Plan, error) {
	if s.BuildType() != BuildType {
		return plan.Plan{}, fmt.Errorf("reading the plan in the provenance: build type %q: want %q", s.BuildType(), BuildType)
	}
	p, err := s.plan()
	if err == nil {
		err = p.Check()
	}
	if err == nil {
		err = s.written(p)
	}
	if err != nil {
		return plan.Plan{}, fmt.Errorf("reading the plan in the provenance: %w", err)
	}
	return p, nil
}

// plan takes the statement at its word.
func (s Statement) plan() (plan.Plan, error) {
	e := s.doc.Predicate.BuildDefinition.ExternalParameters
	owner, name, _ := strings.Cut(strings.TrimPrefix(e.Repository, "https://github.com/"), "/")
	p := plan.Plan{
		Schema: plan.Schema, Project: e.Project, Repository: plan.Repository{Owner: owner, Name: name},
		Module: plan.Module{Path: e.Module, Dir: e.Directory, Vendored: e.Vendored},
		Tag:    e.Tag, Version: strings.TrimPrefix(e.Tag[strings.LastIndex(e.Tag, "/")+1:], "v"),
		Commit: s.Commit(), Toolchain: s.Toolchain(), Sign: plan.SignKeyless,
		Include: e.Include, Prepare: e.Prepare, Files: e.Files,
	}
	for _, b := range e.Builds {
		u, err := b.unit(p.Version)
		if err != nil {
			return plan.Plan{}, fmt.Errorf("build %q: %w", b.Name, err)
		}
		p.Units = append(p.Units, u)
	}
	for _, i := range e.Images {
		image, err := i.plan()
		if err != nil {
			return plan.Plan{}, fmt.Errorf("image %q: %w", i.Repository, err)
		}
		p.Images = append(p.Images, image)
	}
	return p, nil
}

// plan is the plan of an image without its tags.
func (i image) plan() (plan.ImagePlan, error) {
	out := plan.ImagePlan{
		Repository: i.Repository, Builds: i.Builds, Entrypoint: i.Entrypoint, Cmd: i.Cmd, User: i.User, Env: i.Env,
		Workdir: i.Workdir, Ports: i.Ports, Compression: i.Compression, Labels: map[string]string{},
	}
	if i.Base != "" {
		name, digest, _ := strings.Cut(i.Base, "@")
		out.Base = &plan.Base{Name: name, Digest: release.Digest(digest)}
	}
	for _, text := range i.Platforms {
		target, err := release.ParseTarget(text)
		if err != nil {
			return plan.ImagePlan{}, err
		}
		out.Platforms = append(out.Platforms, target)
	}
	for _, f := range i.Files {
		out.Files = append(out.Files, plan.ImageFile(f))
	}
	for _, l := range i.Labels {
		out.Labels[l.Name] = l.Value
	}
	return out, nil
}

// unit is the build of a release with the version. The format is what the archive's
// name says beyond its build, version and platform.
func (b build) unit(version string) (plan.Unit, error) {
	target, err := release.ParseTarget(b.Platform)
	if err != nil {
		return plan.Unit{}, err
	}
	u := plan.Unit{
		Build: b.Name, Main: b.Main, Target: target, Binary: b.Binary,
		Archive: b.Archive, SBOM: b.Archive + release.SBOMSuffix, Ldflags: b.Ldflags, Tags: b.Tags,
		Format: strings.TrimPrefix(b.Archive, b.Name+"_"+version+"_"+target.Suffix()+"."),
	}
	for _, entry := range b.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			return plan.Unit{}, fmt.Errorf("environment %q: want NAME=value", entry)
		}
		if u.Env == nil {
			u.Env = map[string]string{}
		}
		u.Env[name] = value
	}
	return u, nil
}

// written demands that New writes the plan as the statement has it: then nothing was
// said twice, left out or in another form, and nothing was overlooked.
func (s Statement) written(p plan.Plan) error {
	definition := s.doc.Predicate.BuildDefinition
	if !reflect.DeepEqual(parametersOf(p, definition.ExternalParameters.Inputs), definition.ExternalParameters) {
		return errors.New("externalParameters: this program writes the same plan in another way")
	}
	source, err := dependenciesOf(p, nil)
	if err != nil {
		return err
	}
	if got := definition.ResolvedDependencies; len(got) < len(source) || !reflect.DeepEqual(got[:len(source)], source) {
		return errors.New("resolvedDependencies: want the tag with its commit, then the toolchain")
	}
	if slices.ContainsFunc(definition.ResolvedDependencies[len(source):], func(d descriptor) bool { return d.Name == toolchainName }) {
		return errors.New("resolvedDependencies: a second toolchain")
	}
	return nil
}

// Confirm tells whether a plan is the one that was executed: whether its content has
// the digest that the statement records. The error is a release.Problem.
func (s Statement) Confirm(p plan.Plan) error {
	content, err := p.Content()
	if err != nil {
		return fmt.Errorf("digesting the plan of %q: %w", p.Tag, err)
	}
	if content == s.ContentDigest() {
		return nil
	}
	return &release.Problem{
		Err: fmt.Errorf("confirming the plan of %q: its content has digest %q, and the provenance says %q", p.Tag, content, s.ContentDigest()),
		Tip: "another version of pgo-release may have made the release; verify it with that one",
	}
}
