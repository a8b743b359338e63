// Package provenance states how a release was made: an in-toto statement v1
// (https://in-toto.io/Statement/v1) whose predicate is SLSA provenance v1
// (https://slsa.dev/spec/v1.0/provenance). It is pure: it neither signs statements
// nor decides whether one may be believed.
//
// The build type says how the parameters are to be read:
//
//   - externalParameters are everything that the plan of the release says about the
//     bytes of its files, so that whoever has the commit can make them again: project,
//     repository, module, tag, platforms, builds with their flags, further files,
//     commands, the images; and the inputs of the run. The content of files that no
//     commit has (include) is not among them.
//   - internalParameters hold contentDigest, the digest of the part of the plan that
//     shapes bytes (plan.Plan.Content): the same digest means the same artifacts.
//   - resolvedDependencies are the commit first, then the Go toolchain, then the base
//     images (oci://NAME) in the order of the images, then every module, sorted by path and version, with the h1 sum of go.sum as a dirHash
//     (https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md). A
//     module without a sum is one whose source the commit holds.
//   - byproducts are the images: the repository of each in the plan, with the digest of its
//     index. They are no subjects, because they are no files; a statement of its own, which
//     says the same otherwise, has the image as its subject.
package provenance

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

const (
	// PredicateType is SLSA provenance v1.
	PredicateType = "https://slsa.dev/provenance/v1"
	// BuildType is how this program builds, as the package comment describes it.
	BuildType = "https://github.com/org/pgo-release/buildtypes/release/v1"
	// LocalBuilder is the builder of what was made outside of any workflow: whoever holds
	// the key that signed it, on a machine that nobody else vouches for.
	LocalBuilder = "https://github.com/org/pgo-release/builders/local/v1"
	// MaxSubjects is how many files one statement may speak of: verifiers take no more.
	MaxSubjects = 1024

	statementType = "https://in-toto.io/Statement/v1"
)

// Run is what a statement says about the run that made a release.
type Run struct {
	BuilderID    string            // URI of who built: the workflow (https://github.com/ and job_workflow_ref), or an id of its own where none ran
	Version      string            // of this program; may be empty
	InvocationID string            // URI of the run; may be empty
	Started      time.Time         // written in UTC, to the second
	Finished     time.Time         // not before Started
	Inputs       map[string]string // external parameters beyond the plan; never a secret
	Modules      []Module          // compiled into the binaries, in any order
	Images       []release.Image   // made beside the subjects, in the order of the plan
}

// Module is a Go module that was compiled in.
type Module struct {
	Path    string
	Version string // such as v1.2.3; empty: replaced by a directory of the repository
	Sum     string // as in go.sum, "h1:…"; empty: the repository holds the source, as it does when vendored
}

// New states that a run made the subjects, as planned. The subjects are sorted by
// name; their names must be unique, and there must be at least one and not more than
// MaxSubjects. The plan must say which repository, tag and commit it is for.
func New(p plan.Plan, subjects []release.Asset, run Run) (Statement, error) {
	content, err := p.Content()
	if err != nil {
		return Statement{}, fmt.Errorf("digesting the plan of %q: %w", p.Tag, err)
	}
	doc := document{Type: statementType, PredicateType: PredicateType}
	if doc.Subject, err = subjectsOf(subjects); err != nil {
		return Statement{}, err
	}
	dependencies, err := dependenciesOf(p, run.Modules)
	if err != nil {
		return Statement{}, err
	}
	details, err := detailsOf(run)
	if err != nil {
		return Statement{}, err
	}
	if details.Byproducts, err = byproductsOf(p, run.Images); err != nil {
		return Statement{}, err
	}
	doc.Predicate = predicate{
		BuildDefinition: buildDefinition{
			BuildType:            BuildType,
			ExternalParameters:   parametersOf(p, run.Inputs),
			InternalParameters:   internalParameters{ContentDigest: string(content)},
			ResolvedDependencies: dependencies,
		},
		RunDetails: details,
	}
	// What no verifier could read must not be signed: its entry would stay in the log.
	text, err := Statement{doc}.JSON()
	if err != nil {
		return Statement{}, err
	}
	return Parse(text)
}

// JSON is the statement in the form that is signed: compact, the same bytes for the
// same statement.
func (s Statement) JSON() ([]byte, error) {
	text, err := json.Marshal(s.doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the statement: %w", err)
	}
	return text, nil
}

func subjectsOf(assets []release.Asset) ([]subject, error) {
	var out []subject
	for _, a := range assets {
		digest, err := release.ParseDigest(string(a.Digest))
		if err != nil {
			return nil, fmt.Errorf("describing %q: %w", a.Name, err)
		}
		out = append(out, subject{Name: a.Name, Digest: map[string]string{"sha256": digest.Hex()}})
	}
	slices.SortFunc(out, func(a, b subject) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func parametersOf(p plan.Plan, inputs map[string]string) externalParameters {
	out := externalParameters{
		Project: p.Project, Repository: p.Repository.URL(), Tag: p.Tag,
		Module: p.Module.Path, Directory: p.Module.Dir, Vendored: p.Module.Vendored,
		Files: p.Files, Include: p.Include, Prepare: p.Prepare, Inputs: inputs,
	}
	for _, u := range p.Units {
		platform := u.Target.String()
		if !slices.Contains(out.Platforms, platform) {
			out.Platforms = append(out.Platforms, platform)
		}
		b := build{
			Name: u.Build, Main: u.Main, Platform: platform, Binary: u.Binary,
			Archive: u.Archive, Ldflags: u.Ldflags, Tags: u.Tags,
		}
		for _, name := range slices.Sorted(maps.Keys(u.Env)) {
			b.Env = append(b.Env, name+"="+u.Env[name])
		}
		out.Builds = append(out.Builds, b)
	}
	for _, i := range p.Images {
		out.Images = append(out.Images, imageOf(i))
	}
	return out
}

func imageOf(p plan.ImagePlan) image {
	out := image{
		Repository: p.Repository, Builds: p.Builds, Entrypoint: p.Entrypoint, Cmd: p.Cmd, User: p.User, Env: p.Env,
		Workdir: p.Workdir, Ports: p.Ports, Compression: p.Compression,
	}
	if p.Base != nil {
		out.Base = p.Base.Name + "@" + string(p.Base.Digest)
	}
	for _, target := range p.Platforms {
		out.Platforms = append(out.Platforms, target.String())
	}
	for _, f := range p.Files {
		out.Files = append(out.Files, file(f))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Labels)) {
		out.Labels = append(out.Labels, label{name, p.Labels[name]})
	}
	return out
}

// byproductsOf names the images that were made, which must be the planned ones: a release
// whose statement names none could not be told from one with another image.
func byproductsOf(p plan.Plan, made []release.Image) ([]descriptor, error) {
	if len(p.Images) != len(made) {
		return nil, fmt.Errorf("describing the images: %d, want the %d of the plan of %q", len(made), len(p.Images), p.Tag)
	}
	var out []descriptor
	for i, image := range made {
		digest, err := release.ParseDigest(string(image.Digest))
		if err == nil && image.Repository != p.Images[i].Repository {
			err = fmt.Errorf("want the one of the plan of %q", p.Tag)
		}
		if err != nil {
			return nil, fmt.Errorf("describing the image %q: %w", image.Repository, err)
		}
		out = append(out, descriptor{Name: image.Repository, Digest: map[string]string{"sha256": digest.Hex()}})
	}
	return out, nil
}

// commitForm is SHA-1 or SHA-256 as git writes them.
const commitForm = `^([0-9a-f]{40}|[0-9a-f]{64})$`

func dependenciesOf(p plan.Plan, modules []Module) ([]descriptor, error) {
	if p.Repository.URL() == "" || p.Tag == "" || p.Toolchain == "" {
		return nil, fmt.Errorf("describing the source: repository %q, tag %q and toolchain %q: want all three", p.Repository, p.Tag, p.Toolchain)
	}
	if !regexp.MustCompile(commitForm).MatchString(p.Commit) {
		return nil, fmt.Errorf("describing the source: commit %q: want the full hash", p.Commit)
	}
	out := []descriptor{
		{URI: "git+" + p.Repository.URL() + "@refs/tags/" + p.Tag, Digest: map[string]string{"gitCommit": p.Commit}},
		{Name: toolchainName, URI: modulePURL + "stdlib@" + strings.TrimPrefix(p.Toolchain, "go"), Annotations: map[string]string{"version": p.Toolchain}},
	}
	for _, image := range p.Images {
		if image.Base == nil {
			continue
		}
		base := descriptor{Name: image.Base.Name, URI: baseScheme + image.Base.Name, Digest: map[string]string{"sha256": image.Base.Digest.Hex()}}
		if !slices.ContainsFunc(out, func(d descriptor) bool { return reflect.DeepEqual(d, base) }) {
			out = append(out, base)
		}
	}
	modules = slices.Clone(modules)
	slices.SortFunc(modules, func(a, b Module) int {
		return strings.Compare(a.Path+"@"+a.Version, b.Path+"@"+b.Version)
	})
	for _, m := range slices.Compact(modules) {
		if m.Path == "" || m.Version == "" && m.Sum != "" {
			return nil, fmt.Errorf("describing module %q: version %q, sum %q: want a path, and a version with a sum", m.Path, m.Version, m.Sum)
		}
		d := descriptor{Name: m.Path, URI: modulePURL + m.Path}
		if m.Version != "" {
			d.URI += "@" + m.Version
		}
		if m.Sum != "" {
			sum, err := dirHash(m.Sum)
			if err != nil {
				return nil, fmt.Errorf("describing module %q: %w", m.Path, err)
			}
			d.Digest = map[string]string{"dirHash": sum}
		}
		out = append(out, d)
	}
	return out, nil
}

// dirHash is an h1 sum as in-toto writes it: in hexadecimal and without "h1:".
func dirHash(sum string) (string, error) {
	text, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("sum %q: want h1: and base64, as in go.sum", sum)
	}
	return hex.EncodeToString(raw), nil
}

func detailsOf(run Run) (runDetails, error) {
	id, err := url.Parse(run.BuilderID)
	if err != nil || !id.IsAbs() {
		return runDetails{}, fmt.Errorf("describing the run: builder id %q: want an absolute URI", run.BuilderID)
	}
	if run.Started.IsZero() || run.Finished.Before(run.Started) {
		return runDetails{}, fmt.Errorf("describing the run: it started at %s and finished at %s", run.Started, run.Finished)
	}
	who := builder{ID: run.BuilderID}
	if run.Version != "" {
		who.Version = map[string]string{versionName: run.Version}
	}
	return runDetails{
		Builder: who,
		Metadata: metadata{
			InvocationID: run.InvocationID,
			StartedOn:    run.Started.UTC().Truncate(time.Second),
			FinishedOn:   run.Finished.UTC().Truncate(time.Second),
		},
	}, nil
}
