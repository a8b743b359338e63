package provenance

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/release"
)

// Statement is an in-toto statement with SLSA provenance. It comes from New or Parse.
type Statement struct{ doc document }

// document is a statement as it is written.
type document struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string             `json:"buildType"`
	ExternalParameters   externalParameters `json:"externalParameters"`
	InternalParameters   internalParameters `json:"internalParameters"`
	ResolvedDependencies []descriptor       `json:"resolvedDependencies"`
}

type externalParameters struct {
	Project    string            `json:"project"`
	Repository string            `json:"repository"`
	Module     string            `json:"module"`
	Directory  string            `json:"directory"`
	Vendored   bool              `json:"vendored,omitempty"`
	Tag        string            `json:"tag"`
	Platforms  []string          `json:"platforms"`
	Builds     []build           `json:"builds"`
	Files      []string          `json:"files,omitempty"`
	Include    []string          `json:"include,omitempty"`
	Prepare    []string          `json:"prepare,omitempty"`
	Images     []image           `json:"images,omitempty"`
	Inputs     map[string]string `json:"inputs,omitempty"`
}

// build is one program for one platform. The environment is a list, as NAME=value,
// because its names may differ in case alone, which no object of a statement may.
type build struct {
	Name     string   `json:"name"`
	Main     string   `json:"main"`
	Platform string   `json:"platform"`
	Binary   string   `json:"binary"`
	Archive  string   `json:"archive"`
	Ldflags  string   `json:"ldflags,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Env      []string `json:"env,omitempty"`
}

// image is what the image is made of, beside the programs of its platforms. Labels
// are a list because their names may differ in case alone.
type image struct {
	Repository  string   `json:"repository"`
	Platforms   []string `json:"platforms,omitempty"`
	Builds      []string `json:"builds,omitempty"`
	Base        string   `json:"base,omitempty"` // NAME@sha256:HEX
	Entrypoint  []string `json:"entrypoint,omitempty"`
	Cmd         []string `json:"cmd,omitempty"`
	User        string   `json:"user,omitempty"`
	Env         []string `json:"env,omitempty"`
	Workdir     string   `json:"workdir,omitempty"`
	Ports       []string `json:"ports,omitempty"`
	Files       []file   `json:"files,omitempty"`
	Compression string   `json:"compression,omitempty"`
	Labels      []label  `json:"labels,omitempty"`
}

// file is a file of the repository in an image.
type file struct {
	Path   string `json:"path"`
	Source string `json:"source"`
}

type label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type internalParameters struct {
	ContentDigest string `json:"contentDigest"`
}

type descriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type runDetails struct {
	Builder    builder      `json:"builder"`
	Metadata   metadata     `json:"metadata"`
	Byproducts []descriptor `json:"byproducts,omitempty"`
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// versionName is what this program is called among the versions of a builder.
const versionName = "pgo-release"

type metadata struct {
	InvocationID string    `json:"invocationId,omitempty"`
	StartedOn    time.Time `json:"startedOn,omitzero"`
	FinishedOn   time.Time `json:"finishedOn,omitzero"`
}

const toolchainName = "go"

// modulePURL is what the URI of a module begins with
// (https://github.com/package-url/purl-spec).
const modulePURL = "pkg:golang/"

// baseScheme is what the URI of a base image begins with.
const baseScheme = "oci://"

// Subjects are the digests of the files that the statement speaks of, by name.
func (s Statement) Subjects() map[string]release.Digest {
	out := make(map[string]release.Digest, len(s.doc.Subject))
	for _, sub := range s.doc.Subject {
		// Parse has seen that each is one.
		if digest, err := release.ParseDigest(sub.Digest["sha256"]); err == nil {
			out[sub.Name] = digest
		}
	}
	return out
}

// BuildType says how the statement's parameters are to be read; BuildType (the
// constant) of statements that New made.
func (s Statement) BuildType() string { return s.doc.Predicate.BuildDefinition.BuildType }

// BuilderID is the URI of who built.
func (s Statement) BuilderID() string { return s.doc.Predicate.RunDetails.Builder.ID }

// BuilderVersion is the version of this program that built; empty where it is not named.
func (s Statement) BuilderVersion() string {
	return s.doc.Predicate.RunDetails.Builder.Version[versionName]
}

// InvocationID is the URI of the run, or empty.
func (s Statement) InvocationID() string { return s.doc.Predicate.RunDetails.Metadata.InvocationID }

// Repository is the URL of the repository that was asked for.
func (s Statement) Repository() string {
	return s.doc.Predicate.BuildDefinition.ExternalParameters.Repository
}

// Tag is the tag that was asked for.
func (s Statement) Tag() string { return s.doc.Predicate.BuildDefinition.ExternalParameters.Tag }

// Module is the path of the module that was built, or empty.
func (s Statement) Module() string { return s.doc.Predicate.BuildDefinition.ExternalParameters.Module }

// Image is an image that was made: where it was to be pushed, and the digest of its index.
type Image struct {
	Repository string
	Digest     release.Digest
	Files      []string // paths in it of files that are configured, sorted
}

// Images are the images that were made, in the order of the plan; nil where the statement
// does not name exactly one digest for each that was planned.
func (s Statement) Images() []Image {
	var out []Image
	byproducts := s.doc.Predicate.RunDetails.Byproducts
	for _, planned := range s.doc.Predicate.BuildDefinition.ExternalParameters.Images {
		var found []release.Digest
		for _, d := range byproducts {
			if digest, err := release.ParseDigest(d.Digest["sha256"]); d.Name == planned.Repository && err == nil {
				found = append(found, digest)
			}
		}
		if planned.Repository == "" || len(found) != 1 {
			return nil
		}
		image := Image{Repository: planned.Repository, Digest: found[0]}
		for _, f := range planned.Files {
			image.Files = append(image.Files, f.Path)
		}
		slices.Sort(image.Files)
		out = append(out, image)
	}
	return out
}

// Commit is the full hash of the commit that was built: of the first dependency,
// which must be a git repository. It is empty where the statement names none.
func (s Statement) Commit() string {
	dependencies := s.doc.Predicate.BuildDefinition.ResolvedDependencies
	if len(dependencies) == 0 || !strings.HasPrefix(dependencies[0].URI, "git+") {
		return ""
	}
	return dependencies[0].Digest["gitCommit"]
}

// Source is the URI of the first dependency, such as
// git+https://github.com/owner/name@refs/tags/v1.2.3; empty where there is none.
func (s Statement) Source() string {
	if dependencies := s.doc.Predicate.BuildDefinition.ResolvedDependencies; len(dependencies) > 0 {
		return dependencies[0].URI
	}
	return ""
}

// Toolchain is the version of Go that compiled, such as "go1.26.8", or empty.
func (s Statement) Toolchain() string {
	for _, d := range s.doc.Predicate.BuildDefinition.ResolvedDependencies {
		if d.Name == toolchainName {
			return d.Annotations["version"]
		}
	}
	return ""
}

// Planned is how many images were planned.
func (s Statement) Planned() int {
	return len(s.doc.Predicate.BuildDefinition.ExternalParameters.Images)
}

// Bases are the digests of the images that others were built on, by name.
func (s Statement) Bases() map[string]release.Digest {
	out := map[string]release.Digest{}
	for _, i := range s.doc.Predicate.BuildDefinition.ExternalParameters.Images {
		name, text, ok := strings.Cut(i.Base, "@")
		if digest, err := release.ParseDigest(text); ok && err == nil {
			out[name] = digest
		}
	}
	return out
}

// Modules are the modules that were compiled in, as Run has them.
func (s Statement) Modules() []Module {
	var out []Module
	for _, d := range s.doc.Predicate.BuildDefinition.ResolvedDependencies {
		named, ok := strings.CutPrefix(d.URI, modulePURL)
		if !ok || d.Name == toolchainName {
			continue
		}
		m := Module{Path: d.Name}
		m.Version, _ = strings.CutPrefix(strings.TrimPrefix(named, d.Name), "@")
		if raw, err := hex.DecodeString(d.Digest["dirHash"]); err == nil && len(raw) > 0 {
			m.Sum = "h1:" + base64.StdEncoding.EncodeToString(raw)
		}
		out = append(out, m)
	}
	return out
}

// ContentDigest is plan.Plan.Content of the plan that was executed, or empty.
func (s Statement) ContentDigest() release.Digest {
	return release.Digest(s.doc.Predicate.BuildDefinition.InternalParameters.ContentDigest)
}
