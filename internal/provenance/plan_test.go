package provenance

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// again is a statement about a plan, as a verifier reads it.
func again(t *testing.T, p plan.Plan) Statement {
	t.Helper()
	run := exampleRun()
	run.Images = run.Images[:len(p.Images)]
	s, err := New(p, exampleAssets(), run)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Parse(text); err != nil {
		t.Fatal(err)
	}
	return s
}

// What a plan says about bytes comes back from the statement about it, and what it says
// about publishing does not.
func TestPlan(t *testing.T) {
	for name, change := range map[string]func(*plan.Plan){
		"as it is":  func(*plan.Plan) {},
		"no image":  func(p *plan.Plan) { p.Images = nil },
		"one image": func(p *plan.Plan) { p.Images = p.Images[:1] },
		"nothing beside": func(p *plan.Plan) {
			p.Include, p.Prepare, p.Files, p.Units = nil, nil, nil, p.Units[1:]
		},
		"in a directory": func(p *plan.Plan) {
			p.Module = plan.Module{Path: "github.com/octo-org/octo-repo/tools/x", Dir: "tools/x", Vendored: true}
			p.Tag = "tools/x/v1.2.3"
		},
		"for Windows": func(p *plan.Plan) {
			p.Units = append(p.Units, plan.Unit{
				Build: "hello", Main: ".", Target: release.Target{OS: "windows", Arch: "arm64"}, Binary: "hello.exe",
				Archive: "hello_1.2.3_windows_arm64.zip", Format: plan.FormatZip, SBOM: "hello_1.2.3_windows_arm64.zip.spdx.json",
			})
		},
		"empty lists": func(p *plan.Plan) {
			p.Units[0].Tags, p.Units[1].Env, p.Include, p.Prepare = []string{}, map[string]string{}, []string{}, []string{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := examplePlan()
			change(&want)
			s := again(t, want)
			got, err := s.Plan()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Confirm(got); err == nil || release.HintOf(err) == "" {
				t.Errorf("without the commit's time: %v", err)
			}
			got.Time = want.Time
			if err := s.Confirm(got); err != nil {
				t.Error(err)
			}
			a, b := shaping(t, want), shaping(t, got)
			if a != b {
				t.Errorf("got\n%s, want\n%s", b, a)
			}
		})
	}
}

// shaping is a plan without what is not recorded, as JSON.
func shaping(t *testing.T, p plan.Plan) string {
	t.Helper()
	p.Verdict, p.Notes, p.Draft = version.Verdict{}, plan.Notes{}, false
	for i := range p.Images {
		p.Images[i].Tags = nil
	}
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Nothing of a plan is left out of the statement by mistake: every field of a
// plan is either recorded or known not to be.
func TestPlanKnowsEveryField(t *testing.T) {
	for kind, known := range map[reflect.Type]int{
		reflect.TypeFor[plan.Plan](): 22, reflect.TypeFor[plan.Module](): 3,
		reflect.TypeFor[plan.Unit](): 10, reflect.TypeFor[plan.ImagePlan](): 14,
		reflect.TypeFor[plan.Base](): 3, reflect.TypeFor[plan.ImageFile](): 2,
	} {
		if n := kind.NumField(); n != known {
			t.Errorf("%s has %d fields, want %d: say in parametersOf and Plan what becomes of the new one", kind, n, known)
		}
	}
}

// A hostile statement is refused, whoever signed it.
func TestPlanRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*buildDefinition)
		want   string
	}{
		"build type":            {func(d *buildDefinition) { d.BuildType = "https://example.com/other" }, "build type"},
		"repository elsewhere":  {func(d *buildDefinition) { d.ExternalParameters.Repository = "https://example.com/a/b" }, "repository"},
		"repository, a command": {func(d *buildDefinition) { d.ExternalParameters.Repository = "ext::sh -c x" }, "repository"},
		"repository, a file":    {func(d *buildDefinition) { d.ExternalParameters.Repository = "file:///etc/x" }, "repository"},
		"repository, bare":      {func(d *buildDefinition) { d.ExternalParameters.Repository = "octo-org/octo-repo" }, "another way"},
		"repository of another": {func(d *buildDefinition) { d.ExternalParameters.Repository += "2" }, "resolvedDependencies"},
		"project":               {func(d *buildDefinition) { d.ExternalParameters.Project = "a/b" }, "project"},
		"directory above":       {func(d *buildDefinition) { d.ExternalParameters.Directory = "../.." }, "directory"},
		"directory, absolute":   {func(d *buildDefinition) { d.ExternalParameters.Directory = "/" }, "directory"},
		"tag":                   {func(d *buildDefinition) { d.ExternalParameters.Tag = "--upload-pack=x" }, "tag"},
		"no tag":                {func(d *buildDefinition) { d.ExternalParameters.Tag = "" }, "tag"},
		"tag of another":        {func(d *buildDefinition) { d.ExternalParameters.Tag = "v1.2.4" }, "archive"},
		"module":                {func(d *buildDefinition) { d.ExternalParameters.Module = "-x" }, "module"},
		"platform":              {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Platform = "linux" }, "platform"},
		"platform, a variable":  {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Platform = "linux/amd64\nGOFLAGS=x" }, "archive"},
		"platforms":             {func(d *buildDefinition) { d.ExternalParameters.Platforms = []string{"linux/amd64"} }, "another way"},
		"no builds":             {func(d *buildDefinition) { d.ExternalParameters.Builds = nil }, "no builds"},
		"main":                  {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Main = "../../x" }, "main"},
		"main, a flag":          {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Main = "-toolexec=x" }, "main"},
		"name":                  {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Name = "../x" }, "archive"},
		"archive":               {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Archive = "../x.tar.gz" }, "archive"},
		"archive, a format":     {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Archive += ".exe" }, "archive"},
		"binary":                {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Binary = "/usr/bin/x" }, "binary"},
		"variable":              {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Env = []string{"GOFLAGS=-toolexec=x"} }, "may not be set"},
		"variable of git":       {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Env = []string{"GIT_DIR=/"} }, "may not be set"},
		"variable, no value":    {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Env = []string{"A"} }, "NAME=value"},
		"variable twice":        {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Env = []string{"A=1", "A=2"} }, "another way"},
		"variables not sorted":  {func(d *buildDefinition) { d.ExternalParameters.Builds[0].Env = []string{"B=1", "A=2"} }, "another way"},
		"file":                  {func(d *buildDefinition) { d.ExternalParameters.Files[0] = "../../etc/passwd" }, "file"},
		"include":               {func(d *buildDefinition) { d.ExternalParameters.Include[0] = "../x" }, "include"},
		"prepare":               {func(d *buildDefinition) { d.ExternalParameters.Prepare[0] = "sh -c 'x'" }, "shell"},
		"image":                 {func(d *buildDefinition) { d.ExternalParameters.Images[0].Repository = "x" }, "image"},
		"image's platform":      {func(d *buildDefinition) { d.ExternalParameters.Images[0].Platforms[0] = "x" }, "image"},
		"image's base":          {func(d *buildDefinition) { d.ExternalParameters.Images[0].Base = "alpine:3" }, "base"},
		"another base":          {func(d *buildDefinition) { d.ResolvedDependencies[2].Digest["sha256"] = exampleOther.Hex() }, "resolvedDependencies"},
		"image's file":          {func(d *buildDefinition) { d.ExternalParameters.Images[0].Files[0].Source = "../x" }, "inside the repository"},
		"image's user":          {func(d *buildDefinition) { d.ExternalParameters.Images[0].User = "a b" }, "user"},
		"two images": {func(d *buildDefinition) {
			d.ExternalParameters.Images[1].Repository = d.ExternalParameters.Images[0].Repository
		}, "two"},
		"label twice": {func(d *buildDefinition) {
			d.ExternalParameters.Images[0].Labels = append(d.ExternalParameters.Images[0].Labels, label{"team", "x"})
		}, "another way"},
		"no dependencies":  {func(d *buildDefinition) { d.ResolvedDependencies = nil }, "commit"},
		"commit":           {func(d *buildDefinition) { d.ResolvedDependencies[0].Digest["gitCommit"] = "--output=x" }, "commit"},
		"a second digest":  {func(d *buildDefinition) { d.ResolvedDependencies[0].Digest["sha1"] = commit }, "resolvedDependencies"},
		"toolchain":        {func(d *buildDefinition) { d.ResolvedDependencies[1].Annotations["version"] = "path" }, "resolvedDependencies"},
		"toolchain, a way": {func(d *buildDefinition) { d.ResolvedDependencies[1].Annotations["version"] = "../go" }, "of Go"},
		"two toolchains": {func(d *buildDefinition) {
			d.ResolvedDependencies = append(d.ResolvedDependencies, d.ResolvedDependencies[1])
		}, "second toolchain"},
	} {
		t.Run(name, func(t *testing.T) {
			s := again(t, examplePlan())
			c.change(&s.doc.Predicate.BuildDefinition)
			text, err := json.Marshal(s.doc)
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Parse(text); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Plan(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v, want an error with %q", p, err, c.want)
			}
		})
	}
}

// What does not change a name changes the digest of the plan.
func TestConfirmRefuses(t *testing.T) {
	for name, change := range map[string]func(*buildDefinition){
		"ldflags":  func(d *buildDefinition) { d.ExternalParameters.Builds[0].Ldflags += " -X main.x=y" },
		"vendored": func(d *buildDefinition) { d.ExternalParameters.Vendored = true },
		"prepare":  func(d *buildDefinition) { d.ExternalParameters.Prepare = nil },
		"label":    func(d *buildDefinition) { d.ExternalParameters.Images[0].Labels[0].Value = "x" },
		"digest":   func(d *buildDefinition) { d.InternalParameters.ContentDigest = "" },
	} {
		s := again(t, examplePlan())
		change(&s.doc.Predicate.BuildDefinition)
		p, err := s.Plan()
		if err != nil {
			t.Fatal(name, err)
		}
		p.Time = examplePlan().Time
		if err := s.Confirm(p); err == nil || !strings.Contains(err.Error(), "has digest") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
