package provenance

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

var update = flag.Bool("update", false, "write the golden files")

const commit = "3c1a5b6d7e8f90123456789abcdef0123456789a"

// The digests of the indexes of the example's images, and of the base of one.
const (
	exampleImage = release.Digest("sha256:abababababababababababababababababababababababababababababababab")
	exampleOther = release.Digest("sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd")
	exampleBase  = release.Digest("sha256:efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef")
)

func examplePlan() plan.Plan {
	return plan.Plan{
		Schema: plan.Schema, Project: "hello",
		Repository: plan.Repository{Owner: "octo-org", Name: "octo-repo"},
		Module:     plan.Module{Path: "github.com/octo-org/octo-repo", Dir: "."},
		Version:    "1.2.3", Tag: "v1.2.3", Commit: commit,
		Time: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), Toolchain: "go1.26.3",
		Verdict: version.Verdict{Latest: true}, Sign: plan.SignKeyless,
		Include: []string{"web/dist/**"}, Prepare: []string{"go generate ./..."},
		Files: []string{"LICENSE", "README.md"},
		Units: []plan.Unit{
			{
				Build: "hello", Main: "./cmd/hello", Target: release.Target{OS: "linux", Arch: "amd64"},
				Binary: "hello", Archive: "hello_1.2.3_linux_amd64.tar.gz", Format: plan.FormatTarGz,
				SBOM: "hello_1.2.3_linux_amd64.tar.gz.spdx.json", Ldflags: "-s -w -X main.version=1.2.3",
				Tags: []string{"netgo"}, Env: map[string]string{"GOEXPERIMENT": "", "goexperiment": "x"},
			},
			{
				Build: "hello", Main: "./cmd/hello", Target: release.Target{OS: "linux", Arch: "arm", Variant: "v7"},
				Binary: "hello", Archive: "hello_1.2.3_linux_armv7.tar.gz", Format: plan.FormatTarGz,
				SBOM: "hello_1.2.3_linux_armv7.tar.gz.spdx.json", Ldflags: "-s -w -X main.version=1.2.3",
			},
		},
		Images: []plan.ImagePlan{{
			Repository: "ghcr.io/octo-org/octo-repo", Tags: []string{"1.2.3"}, Entrypoint: []string{"/usr/local/bin/hello", "serve"}, Cmd: []string{"--port", "80"},
			Platforms: []release.Target{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm", Variant: "v7"}}, Builds: []string{"hello"},
			Base: &plan.Base{Name: "docker.io/library/alpine:3", Digest: exampleBase}, User: "root", Env: []string{"A=b=c", "B="}, Workdir: "/srv",
			Ports: []string{"53/udp", "80/tcp"}, Files: []plan.ImageFile{{Path: "/etc/app.yaml", Source: "conf/app.yaml"}}, Compression: plan.CompressionZstd,
			Labels: map[string]string{"org.opencontainers.image.version": "1.2.3", "team": "core", "Team": "", "a=b": "c"},
		}, {
			Repository: "ghcr.io/octo-org/octo-repo/other", Entrypoint: []string{"/usr/local/bin/hello"}, Builds: []string{"hello"},
			Platforms: []release.Target{{OS: "linux", Arch: "amd64"}}, User: "65532:65532", Compression: plan.CompressionGzip, Labels: map[string]string{},
		}},
	}
}

func exampleAssets() []release.Asset {
	var out []release.Asset
	for i, name := range []string{
		"hello_1.2.3_linux_armv7.tar.gz", "checksums.txt", "hello_1.2.3_linux_amd64.tar.gz.spdx.json",
		"hello_1.2.3_linux_amd64.tar.gz", "hello_1.2.3_linux_armv7.tar.gz.spdx.json",
	} {
		digest := release.Digest("sha256:" + strings.Repeat(fmt.Sprint(i+1), 64))
		out = append(out, release.Asset{File: release.File{Name: name, Digest: digest}})
	}
	return out
}

func exampleRun() Run {
	started := time.Date(2026, 8, 1, 14, 0, 0, 123, time.FixedZone("", 2*60*60))
	return Run{
		BuilderID:    "https://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1.2.3",
		Version:      "v1.0.0",
		InvocationID: "https://github.com/octo-org/octo-repo/actions/runs/7234567890/attempts/1",
		Started:      started, Finished: started.Add(42 * time.Second),
		Inputs: map[string]string{"draft": "true", "args": "release"},
		Images: []release.Image{
			{Repository: "ghcr.io/octo-org/octo-repo", Digest: exampleImage}, {Repository: "ghcr.io/octo-org/octo-repo/other", Digest: exampleOther},
		},
		Modules: []Module{
			{Path: "golang.org/x/mod", Version: "v0.41.0", Sum: "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48="},
			{Path: "github.com/octo-org/local"},
			{Path: "example.com/vendored", Version: "v1.0.0"},
			{Path: "golang.org/x/mod", Version: "v0.41.0", Sum: "h1:Khu2En+0gcYPZ2kuIihfswbzxv/mIHXgzPZ018Oty48="},
		},
	}
}

func example(t testing.TB) Statement {
	t.Helper()
	s, err := New(examplePlan(), exampleAssets(), exampleRun())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGolden(t *testing.T) {
	text, err := example(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := example(t).JSON()
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("the same statement twice, two texts (%v)", err)
	}
	// Its value is the plan's business; that it is the right one, TestAccessors tells.
	text = bytes.Replace(text, []byte(example(t).ContentDigest()), []byte("CONTENT"), 1)
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	golden := filepath.Join("testdata", "statement.json")
	if *update {
		if err := os.WriteFile(golden, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(indented.Bytes(), want) {
		t.Errorf("differs from %s (write it with -update):\n%s", golden, indented.Bytes())
	}
}

func TestAccessors(t *testing.T) {
	content, err := examplePlan().Content()
	if err != nil {
		t.Fatal(err)
	}
	text, err := example(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"build type":     {s.BuildType(), BuildType},
		"builder":        {s.BuilderID(), exampleRun().BuilderID},
		"version":        {s.BuilderVersion(), "v1.0.0"},
		"invocation":     {s.InvocationID(), exampleRun().InvocationID},
		"commit":         {s.Commit(), commit},
		"source":         {s.Source(), "git+https://github.com/octo-org/octo-repo@refs/tags/v1.2.3"},
		"repository":     {s.Repository(), "https://github.com/octo-org/octo-repo"},
		"tag":            {s.Tag(), "v1.2.3"},
		"toolchain":      {s.Toolchain(), "go1.26.3"},
		"content digest": {string(s.ContentDigest()), string(content)},
		"module":         {s.Module(), "github.com/octo-org/octo-repo"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	want := map[string]release.Digest{}
	for _, a := range exampleAssets() {
		want[a.Name] = a.Digest
	}
	if got := s.Subjects(); !maps.Equal(got, want) {
		t.Errorf("subjects %v, want %v", got, want)
	}
	if got := s.Images(); !reflect.DeepEqual(got, exampleImages()) {
		t.Errorf("images %+v", got)
	}
	if got := s.Bases(); s.Planned() != 2 || len(got) != 1 || got["docker.io/library/alpine:3"] != exampleBase {
		t.Errorf("%d planned, bases %v", s.Planned(), got)
	}
	modules := exampleRun().Modules[:3] // each once
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	if got := s.Modules(); !slices.Equal(got, modules) {
		t.Errorf("modules %+v, want %+v", got, modules)
	}
}

// exampleImages are what the example says of its images.
func exampleImages() []Image {
	return []Image{
		{Repository: "ghcr.io/octo-org/octo-repo", Digest: exampleImage, Files: []string{"/etc/app.yaml"}},
		{Repository: "ghcr.io/octo-org/octo-repo/other", Digest: exampleOther},
	}
}

// The images are the byproducts that have the names of the plan's: a statement that does
// not name exactly one for each names none.
func TestImages(t *testing.T) {
	without := func(p *plan.Plan, r *Run) { p.Images, r.Images = nil, nil }
	for name, c := range map[string]struct {
		of     func(*plan.Plan, *Run)
		change func(*document)
		want   bool
	}{
		"as written": {nil, func(*document) {}, true},
		"among others": {nil, func(d *document) {
			d.Predicate.RunDetails.Byproducts = append(d.Predicate.RunDetails.Byproducts, descriptor{Name: "log"})
		}, true},
		"no image":        {without, func(*document) {}, false},
		"no byproduct":    {nil, func(d *document) { d.Predicate.RunDetails.Byproducts = nil }, false},
		"of another name": {nil, func(d *document) { d.Predicate.RunDetails.Byproducts[0].Name = "ghcr.io/evil/x" }, false},
		"in no plan":      {nil, func(d *document) { d.Predicate.BuildDefinition.ExternalParameters.Images = nil }, false},
		"without digest":  {nil, func(d *document) { d.Predicate.RunDetails.Byproducts[0].Digest = nil }, false},
		"other digest":    {nil, func(d *document) { d.Predicate.RunDetails.Byproducts[0].Digest = map[string]string{"sha256": "AB"} }, false},
		"named twice": {nil, func(d *document) {
			d.Predicate.RunDetails.Byproducts = append(d.Predicate.RunDetails.Byproducts, d.Predicate.RunDetails.Byproducts[0])
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, run := examplePlan(), exampleRun()
			if c.of != nil {
				c.of(&p, &run)
			}
			s, err := New(p, exampleAssets(), run)
			if err != nil {
				t.Fatal(err)
			}
			c.change(&s.doc)
			text, err := s.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Parse(text); err != nil {
				t.Fatal(err)
			}
			if got := s.Images(); c.want != reflect.DeepEqual(got, exampleImages()) || !c.want && got != nil {
				t.Errorf("images %+v", got)
			}
		})
	}
}

// TestConforms reads the statement with the code that the specifications publish.
func TestConforms(t *testing.T) {
	text, err := example(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, text)
}

func conforms(t *testing.T, text []byte) {
	t.Helper()
	var statement intoto.Statement
	if err := protojson.Unmarshal(text, &statement); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil {
		t.Error(err)
	}
	inner, err := protojson.Marshal(statement.GetPredicate())
	if err != nil {
		t.Fatal(err)
	}
	var predicate slsa.Provenance
	if err := protojson.Unmarshal(inner, &predicate); err != nil {
		t.Fatal(err)
	}
	if err := predicate.Validate(); err != nil {
		t.Error(err)
	}
	for _, d := range slices.Concat(predicate.GetBuildDefinition().GetResolvedDependencies(), predicate.GetRunDetails().GetByproducts()) {
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", d.GetUri(), err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	many := make([]release.Asset, MaxSubjects+1)
	for i := range many {
		many[i] = release.Asset{File: release.File{Name: fmt.Sprint("f", i), Digest: exampleAssets()[0].Digest}}
	}
	if _, err := New(examplePlan(), many[:MaxSubjects], exampleRun()); err != nil {
		t.Error("the most subjects:", err)
	}
	for name, c := range map[string]struct {
		change func(*plan.Plan, *[]release.Asset, *Run)
		want   string
	}{
		"no subject":          {func(_ *plan.Plan, a *[]release.Asset, _ *Run) { *a = nil }, "0 subjects"},
		"too many subjects":   {func(_ *plan.Plan, a *[]release.Asset, _ *Run) { *a = many }, "1025 subjects"},
		"one name twice":      {func(_ *plan.Plan, a *[]release.Asset, _ *Run) { (*a)[1].Name = (*a)[0].Name }, "named twice"},
		"subject unnamed":     {func(_ *plan.Plan, a *[]release.Asset, _ *Run) { (*a)[0].Name = "" }, "no name"},
		"digest":              {func(_ *plan.Plan, a *[]release.Asset, _ *Run) { (*a)[0].Digest = "sha256:12" }, "digest"},
		"repository":          {func(p *plan.Plan, _ *[]release.Asset, _ *Run) { p.Repository = plan.Repository{} }, "repository"},
		"tag":                 {func(p *plan.Plan, _ *[]release.Asset, _ *Run) { p.Tag = "" }, "tag"},
		"toolchain":           {func(p *plan.Plan, _ *[]release.Asset, _ *Run) { p.Toolchain = "" }, "toolchain"},
		"short commit":        {func(p *plan.Plan, _ *[]release.Asset, _ *Run) { p.Commit = "3c1a5b6" }, "full hash"},
		"builder":             {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.BuilderID = "me" }, "absolute URI"},
		"no start":            {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Started = time.Time{} }, "started"},
		"end before start":    {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Finished = r.Started.Add(-1) }, "finished"},
		"module sum":          {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Modules[0].Sum = "h1:AAAA" }, "golang.org/x/mod"},
		"module unnamed":      {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Modules[0].Path = "" }, "want a path"},
		"sum, no version":     {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Modules[0].Version = "" }, "want a path"},
		"no image":            {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Images = nil }, "describing the image"},
		"image, not planned":  {func(p *plan.Plan, _ *[]release.Asset, _ *Run) { p.Images = p.Images[:1] }, "describing the image"},
		"another image":       {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Images[1].Repository = "ghcr.io/octo-org/other" }, "describing the image"},
		"image's digest":      {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Images[1].Digest = "sha256:12" }, "describing the image"},
		"inputs but for case": {func(_ *plan.Plan, _ *[]release.Asset, r *Run) { r.Inputs["DRAFT"] = "" }, "stands twice"},
	} {
		t.Run(name, func(t *testing.T) {
			p, assets, run := examplePlan(), exampleAssets(), exampleRun()
			c.change(&p, &assets, &run)
			if _, err := New(p, assets, run); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
