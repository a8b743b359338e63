package plan_test

import (
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// checked is a plan that New made, of a configuration that uses everything.
func checked(t *testing.T) plan.Plan {
	t.Helper()
	p, err := plan.New(plan.Config{
		Project: "suite", Include: []string{"web/dist", "data/*.txt"}, Prepare: []string{"go generate ./..."},
		Builds: []plan.Build{
			{Main: "cmd/appctl", Name: "ctl", Platforms: []string{"linux/arm/v7", "windows/amd64"}, Env: map[string]string{"STAMP": "{{.Date}}"}},
			{Main: ".", Binary: "app"},
		},
		Archives: plan.Archives{Format: plan.FormatTarZst, Files: []string{"docs/*", "README.md"}},
	}, facts())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What New makes is what Check takes.
func TestCheckTakesNew(t *testing.T) {
	if err := checked(t).Check(); err != nil {
		t.Error(err)
	}
	p, err := plan.New(plan.Config{}, facts())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	f := facts()
	f.Module, f.Tag, f.Refs = plan.Module{Path: "github.com/Octo/app/tools/x/v2", Dir: "tools/x/v2"}, "tools/x/v2.0.0-rc1", nil
	f.Files = []string{"LICENSE", "tools/x/v2/main.go"}
	if p, err = plan.New(plan.Config{PrereleaseStyle: plan.StyleAny}, f); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*plan.Plan)
		want   string
	}{
		"project":              {func(p *plan.Plan) { p.Project = "../suite" }, "project"},
		"repository":           {func(p *plan.Plan) { p.Repository.Name = "app.git/../x" }, "repository"},
		"owner as a flag":      {func(p *plan.Plan) { p.Repository.Owner = "--upload-pack=x" }, "repository"},
		"nothing but dots":     {func(p *plan.Plan) { p.Repository.Name = ".." }, "repository"},
		"module":               {func(p *plan.Plan) { p.Module.Path = "example.com/x\n" }, "module"},
		"directory above":      {func(p *plan.Plan) { p.Module.Dir = "../x" }, "directory"},
		"directory, absolute":  {func(p *plan.Plan) { p.Module.Dir = "/etc" }, "directory"},
		"directory of git":     {func(p *plan.Plan) { p.Module.Dir = "a/.git" }, "directory"},
		"directory, backslash": {func(p *plan.Plan) { p.Module.Dir = `..\x` }, "directory"},
		"commit as a flag":     {func(p *plan.Plan) { p.Commit = "--output=x" }, "full hash"},
		"short commit":         {func(p *plan.Plan) { p.Commit = p.Commit[:12] }, "full hash"},
		"toolchain as a flag":  {func(p *plan.Plan) { p.Toolchain = "-x" }, "of Go"},
		"toolchain, a path":    {func(p *plan.Plan) { p.Toolchain = "go1.26/../../x" }, "of Go"},
		"snapshot":             {func(p *plan.Plan) { p.Snapshot = true }, "snapshot"},
		"tag":                  {func(p *plan.Plan) { p.Tag = "v1.2" }, "T02"},
		"tag of another":       {func(p *plan.Plan) { p.Tag = "x/v1.2.3" }, "tag"},
		"version of another":   {func(p *plan.Plan) { p.Version = "1.2.4" }, "version"},
		"prepare for a shell":  {func(p *plan.Plan) { p.Prepare = []string{"cp a b; rm c"} }, "shell"},
		"include above":        {func(p *plan.Plan) { p.Include[0] = "web/../../x" }, "include"},
		"include, absolute":    {func(p *plan.Plan) { p.Include[0] = "/etc/passwd" }, "include"},
		"include everything":   {func(p *plan.Plan) { p.Include[0] = "." }, "include"},
		"include of git":       {func(p *plan.Plan) { p.Include[0] = ".GIT/config" }, "include"},
		"file above":           {func(p *plan.Plan) { p.Files[0] = "../LICENSE" }, "file"},
		"file, absolute":       {func(p *plan.Plan) { p.Files[0] = "/LICENSE" }, "file"},
		"file of git":          {func(p *plan.Plan) { p.Files[0] = ".git/config" }, "file"},
		"file, a stream":       {func(p *plan.Plan) { p.Files[0] = "LICENSE:x" }, "file"},
		"file twice":           {func(p *plan.Plan) { p.Files[1] = "docs/readme.md" }, "same place"},
		"files not sorted":     {func(p *plan.Plan) { p.Files[0], p.Files[1] = p.Files[1], p.Files[0] }, "sorted"},
		"file as the binary":   {func(p *plan.Plan) { p.Files[0] = "APP" }, "same name"},
		"no builds":            {func(p *plan.Plan) { p.Units = nil }, "no builds"},
		"main above":           {func(p *plan.Plan) { p.Units[0].Main = "./../x" }, "main"},
		"main as a flag":       {func(p *plan.Plan) { p.Units[0].Main = "-toolexec=x" }, "main"},
		"main, absolute":       {func(p *plan.Plan) { p.Units[0].Main = "/x" }, "main"},
		"main, a module":       {func(p *plan.Plan) { p.Units[0].Main = "example.com/x@latest" }, "main"},
		"main, a pattern":      {func(p *plan.Plan) { p.Units[0].Main = "./..." }, "main"},
		"main, not plain":      {func(p *plan.Plan) { p.Units[0].Main = "./a/../b" }, "main"},
		"format":               {func(p *plan.Plan) { p.Units[0].Format = "sh" }, "format"},
		"archive of another":   {func(p *plan.Plan) { p.Units[0].Archive = "ctl_9.9.9_linux_armv7.tar.zst" }, "archive"},
		"build with separator": {func(p *plan.Plan) { rename(p, "../ctl") }, "asset"},
		"build as a flag":      {func(p *plan.Plan) { rename(p, "-ctl") }, "asset"},
		"no build's name":      {func(p *plan.Plan) { rename(p, "") }, "asset"},
		"one archive twice":    {func(p *plan.Plan) { p.Units = append(p.Units, p.Units[0]) }, "twice"},
		"SBOM":                 {func(p *plan.Plan) { p.Units[0].SBOM = "x.json" }, "SBOM"},
		"binary, a path":       {func(p *plan.Plan) { p.Units[0].Binary = "../ctl" }, "binary"},
		"binary without .exe":  {func(p *plan.Plan) { p.Units[1].Binary = "ctl" }, "binary"},
		"target in a variable": {func(p *plan.Plan) { p.Units[0].Env = map[string]string{"GOOS": "plan9"} }, "may not be set"},
		"cgo in a variable":    {func(p *plan.Plan) { p.Units[0].Env = map[string]string{"CGO_ENABLED": "1"} }, "may not be set"},
		"variable with equals": {func(p *plan.Plan) { p.Units[0].Env = map[string]string{"A=B": "1"} }, "may not be set"},
		"image":                {func(p *plan.Plan) { p.Images[0].Repository = "ghcr.io/x:tag" }, "image"},
		"too many":             {many, "GitHub takes"},
	} {
		t.Run(name, func(t *testing.T) {
			p := checked(t)
			c.change(&p)
			if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// rename gives the first build another name, and its archive the one that follows.
func rename(p *plan.Plan, name string) {
	u := &p.Units[0]
	u.Archive = name + strings.TrimPrefix(u.Archive, u.Build)
	u.Build, u.SBOM = name, u.Archive+release.SBOMSuffix
}

// many makes more units than a release may have.
func many(p *plan.Plan) {
	u := p.Units[0]
	p.Units = nil
	for range 600 {
		u.Build, u.Binary = u.Build+"x", u.Binary+"x"
		u.Archive = u.Build + "_1.2.3_linux_armv7.tar.zst"
		u.SBOM = u.Archive + release.SBOMSuffix
		p.Units = append(p.Units, u)
	}
}
