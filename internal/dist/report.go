package dist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// ReportSchema names the form of release.json; it changes when a reader would have to.
const ReportSchema = "https://github.com/org/pgo-release/schema/release/v1"

// Report is release.json: what a run made, and what it published. It describes the
// run and is no asset of the release.
type Report struct {
	Schema     string     `json:"schema"`
	Project    string     `json:"project"`
	Repository string     `json:"repository,omitempty"` // owner/name
	Version    string     `json:"version"`
	Tag        string     `json:"tag"`
	Commit     string     `json:"commit"`
	Date       time.Time  `json:"date"` // of the commit, UTC
	Toolchain  string     `json:"toolchain"`
	Plan       string     `json:"planDigest"`    // of the whole plan
	Content    string     `json:"contentDigest"` // of what shapes the artifacts
	Artifacts  []Artifact `json:"artifacts"`
	Images     []Image    `json:"images,omitempty"`  // in the order of the plan
	Release    *Release   `json:"release,omitempty"` // nil: nothing was published
}

// Artifact is a file of the release.
type Artifact struct {
	Name   string          `json:"name"`
	Kind   release.Kind    `json:"kind"`
	Target *release.Target `json:"platform,omitempty"`
	Size   int64           `json:"size"` // bytes
	SHA256 string          `json:"sha256"`
}

// Image is an image of the release.
type Image struct {
	Repository string          `json:"repository"`
	Digest     release.Digest  `json:"digest"`
	Platforms  []ImagePlatform `json:"platforms"`
	Tags       []string        `json:"tags,omitempty"`    // full references; empty: not published
	Private    bool            `json:"private,omitempty"` // not everybody can pull it, though everybody sees the repository
}

// ImagePlatform is one manifest of the image.
type ImagePlatform struct {
	Target release.Target `json:"platform"`
	Digest release.Digest `json:"digest"`
}

// Release is the page that was published.
type Release struct {
	ID    int64  `json:"id"`
	URL   string `json:"url"`
	Draft bool   `json:"draft,omitempty"`
}

// NewReport describes what was made; Publish adds what came of it.
func NewReport(p plan.Plan, s release.Signed) (Report, error) {
	whole, err := p.Digest()
	if err != nil {
		return Report{}, fmt.Errorf("describing the plan: %w", err)
	}
	content, err := p.Content()
	if err != nil {
		return Report{}, fmt.Errorf("describing the plan: %w", err)
	}
	r := Report{
		Schema: ReportSchema, Project: p.Project, Repository: p.Repository.String(), Version: p.Version,
		Tag: p.Tag, Commit: p.Commit, Date: p.Time, Toolchain: p.Toolchain,
		Plan: string(whole), Content: string(content),
	}
	for _, a := range s.Assets() {
		r.Artifacts = append(r.Artifacts, Artifact{
			Name: a.Name, Kind: a.Kind, Target: a.Target, Size: a.Size, SHA256: a.Digest.Hex(),
		})
	}
	for _, i := range s.Images {
		image := Image{Repository: i.Repository, Digest: i.Digest}
		for _, m := range i.Platforms {
			image.Platforms = append(image.Platforms, ImagePlatform(m))
		}
		r.Images = append(r.Images, image)
	}
	return r, nil
}

// Publish is the report with the receipt of publishing.
func (r Report) Publish(receipt release.Receipt) Report {
	r.Release = &Release{ID: receipt.ID, URL: receipt.URL, Draft: receipt.Draft}
	r.Images = slices.Clone(r.Images)
	for i, pushed := range receipt.Images {
		r.Images[i].Tags, r.Images[i].Private = pushed.Tags, pushed.Private
	}
	return r
}

// JSON is the report as it is written: indented, with a final newline.
func (r Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// Write puts release.json into the directory.
func (d Dir) Write(r Report) error {
	text, err := r.JSON()
	if err == nil {
		err = os.WriteFile(d.Join(release.ReportName), text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing %q: %w", d.Join(release.ReportName), err)
	}
	return nil
}

// maxReport bounds release.json when it is read, in bytes.
const maxReport = 16 << 20

// Read parses the directory's release.json. One of another schema is refused, and so is
// what is no file: a pipe would be waited for.
func (d Dir) Read() (Report, error) {
	path := d.Join(release.ReportName)
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a file")
	}
	if err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	if len(text) > maxReport {
		return Report{}, fmt.Errorf("reading %q: more than %d bytes", path, maxReport)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	var r Report
	if err := json.Unmarshal(text, &head); err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	if head.Schema != ReportSchema {
		return Report{}, fmt.Errorf("reading %q: schema %q: want %q", path, head.Schema, ReportSchema)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("reading %q: %w", path, err)
	}
	return r, nil
}
