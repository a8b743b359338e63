package plan

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// Schema names the form of a plan's JSON; it changes when a reader would have to.
const Schema = "https://github.com/org/pgo-release/schema/plan/v1"

// Plan is everything that a release makes and publishes. It is never changed after
// New made it.
type Plan struct {
	Schema     string     `json:"schema"`
	Project    string     `json:"project"`
	Repository Repository `json:"repository,omitzero"`
	Module     Module     `json:"module"`
	Version    string     `json:"version"` // without "v"
	Tag        string     `json:"tag"`
	Commit     string     `json:"commit"`
	Time       time.Time  `json:"commitTime"`
	Toolchain  string     `json:"toolchain"`
	Snapshot   bool       `json:"snapshot,omitempty"`
	Draft      bool       `json:"draft,omitempty"`
	// Environment is what is released to.
	Environment string `json:"environment,omitempty"`
	// Promote demands that an earlier run has made the release, of the same commit.
	Promote bool        `json:"promote,omitempty"`
	Sign    string      `json:"sign"`              // SignKeyless, SignKey or SignNone
	SignAll bool        `json:"signAll,omitempty"` // a bundle beside every archive and SBOM, too
	Include []string    `json:"include,omitempty"`
	Prepare []string    `json:"prepare,omitempty"`
	Units   []Unit      `json:"units"`
	Files   []string    `json:"files"` // packed beside each binary: relative to the repository, sorted
	Images  []ImagePlan `json:"images,omitempty"`
	Notes   Notes       `json:"notes,omitzero"`

	Verdict version.Verdict `json:"verdict"` // of the version policy, as far as git alone can tell
}

// Unit is one build for one target, with every name that it will have.
type Unit struct {
	Build   string            `json:"build"`
	Main    string            `json:"main"` // directory of the package, relative to the module
	Target  release.Target    `json:"platform"`
	Binary  string            `json:"binary"`
	Archive string            `json:"archive"`
	Format  string            `json:"format"`
	SBOM    string            `json:"sbom"`
	Ldflags string            `json:"ldflags"`
	Tags    []string          `json:"tags,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

// Assets is how many files the release page will hold.
func (p Plan) Assets() int {
	n := 2*len(p.Units) + 1
	if p.Sign != SignNone {
		n += 2
	}
	if p.SignAll {
		n += 2 * len(p.Units)
	}
	return n
}

// Title is the name of the release.
func (p Plan) Title() string { return p.Tag }

// JSON is the plan as `plan --json` prints it: indented, with a final newline.
func (p Plan) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	return append(text, '\n'), err
}

// Digest identifies the whole plan.
func (p Plan) Digest() (release.Digest, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(text)
	return release.Sum(h), nil
}

// Content identifies what shapes the bytes of the artifacts, and nothing else: two
// plans with the same content make the same archives, whatever they are published as.
func (p Plan) Content() (release.Digest, error) {
	p.Verdict, p.Draft, p.Sign, p.SignAll, p.Notes = version.Verdict{}, false, "", false, Notes{}
	p.Environment, p.Promote = "", false
	p.Images = slices.Clone(p.Images)
	for i := range p.Images {
		p.Images[i].Tags = nil
	}
	return p.Digest()
}
