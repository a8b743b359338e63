package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

var update = flag.Bool("update", false, "write the golden files anew")

const commit = "0123456789abcdef0123456789abcdef01234567"

func facts() plan.Facts {
	return plan.Facts{
		Repository: plan.Repository{Owner: "Octo", Name: "app"},
		Module:     plan.Module{Path: "github.com/Octo/app", Dir: "."},
		Head:       commit, Commit: commit, Tag: "v1.2.3",
		Time:      time.Date(2026, 3, 1, 12, 30, 15, 0, time.FixedZone("", 3600)),
		Refs:      []version.Ref{{Tag: "v1.2.2", Commit: "a"}, {Tag: "v1.2.3", Commit: commit}, {Tag: "v1.3.0-rc.1", Commit: "b"}, {Tag: "nightly", Commit: "c"}},
		Mains:     []plan.Main{{Dir: ".", Name: "app"}, {Dir: "./cmd/appctl", Name: "appctl"}},
		Ports:     []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm", "linux/arm64", "windows/amd64", "windows/arm64"},
		Files:     []string{"LICENSE", "README.md", "cmd/appctl/main.go", "docs/LICENSE", "go.mod", "main.go"},
		Toolchain: "go1.26.8",
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs (go test ./internal/plan -update writes it anew):\n%s", path, got)
	}
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		config plan.Config
		change func(*plan.Facts)
	}{
		"zero": {},
		"full": {config: plan.Config{
			Project: "suite", Draft: true, Sign: plan.SignNone, Include: []string{"web/dist"}, Prepare: []string{"go generate ./..."},
			Builds: []plan.Build{{
				Main: "cmd/appctl", Name: "ctl", Platforms: []string{"linux/arm/v7", "windows/amd64"},
				Ldflags: []string{"-X main.v={{.Version}}", "-X main.on={{.Os}}-{{.Arch}}"}, Tags: []string{"netgo"}, Env: map[string]string{"STAMP": "{{.Date}}"},
			}},
			Archives: plan.Archives{Format: plan.FormatTarZst, Files: []string{"docs/*"}},
			Image:    plan.Image{Repository: "registry.example/suite", Labels: map[string]string{"tag": "{{.Tag}}"}, Cmd: []string{"help"}, Files: map[string]string{"/opt/": "docs"}},
		}},
		"nested": {config: plan.Config{Platforms: []string{"linux/amd64"}}, change: func(f *plan.Facts) {
			f.Module = plan.Module{Path: "github.com/Octo/app/tools/x", Dir: "tools/x"}
			f.Tag, f.Refs = "tools/x/v0.2.0-rc.1", []version.Ref{{Tag: "v9.0.0", Commit: "a"}, {Tag: "tools/x/v0.1.0", Commit: "b"}}
			f.Mains = []plan.Main{{Dir: ".", Name: "x"}}
			f.Files = []string{"LICENSE", "tools/x/README.md", "tools/x/main.go"}
		}},
		"snapshot": {config: plan.Config{Snapshot: true, Platforms: []string{"linux/amd64"}}, change: func(f *plan.Facts) {
			f.Dirty, f.Tag = " M main.go\n", ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts()
			if c.change != nil {
				c.change(&f)
			}
			p, err := plan.New(c.config, f)
			if err != nil {
				t.Fatal(err)
			}
			text, err := p.Text()
			if err != nil {
				t.Fatal(err)
			}
			json, err := p.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", []byte(text))
			golden(t, name+".json", json)
		})
	}
}

func TestRejected(t *testing.T) {
	for name, c := range map[string]struct {
		config plan.Config
		change func(*plan.Facts)
		class  release.Class
		want   []string // parts of the message and its hint
	}{
		"no tag": {
			change: func(f *plan.Facts) { f.Tag = "" }, class: release.Rejected,
			want: []string{"no version: no tag of this module points at commit 0123456", "--tag v1.2.3"}},
		"bad tag": {
			change: func(f *plan.Facts) { f.Tag = "v1.2.0.0" }, class: release.Rejected,
			want: []string{`T02: tag "v1.2.0.0"`}},
		"floating tag": {
			change: func(f *plan.Facts) { f.Tag = "v1.2" }, class: release.Idle,
			want: []string{"v1.2 is a floating tag, nothing to release"}},
		"policy and style": {
			change: func(f *plan.Facts) { f.Tag = "v1.2.2-rc1" }, class: release.Rejected,
			want: []string{"T04: tag", "O03: tag", "T04: use v1.2.2-rc.1", "O03: use v1.2.4"}},
		"an unknown policy": {config: plan.Config{VersionPolicy: "loose"}, class: release.Usage, want: []string{"want off or warn or standard or strict"}},
		"an unknown style":  {config: plan.Config{PrereleaseStyle: "loose"}, class: release.Usage, want: []string{"want dotted or any"}},
		"dirty": {
			change: func(f *plan.Facts) { f.Dirty = " M main.go\n" }, class: release.Rejected,
			want: []string{"tracked files differ from commit 0123456:\n M main.go", "build --snapshot"}},
		"major": {
			change: func(f *plan.Facts) { f.Tag = "v2.0.0" }, class: release.Rejected,
			want: []string{`G01: tag "v2.0.0"`, "github.com/Octo/app/v2"}},
		"no main": {
			change: func(f *plan.Facts) { f.Mains = nil }, class: release.Rejected,
			want: []string{"no main package", "builds: [{main: ./path}]"}},
		"unknown port": {
			config: plan.Config{Platforms: []string{"linux/x86_64"}}, class: release.Rejected,
			want: []string{`platform "linux/x86_64"`, "did you mean linux/amd64?"}},
		"unknown variant": {
			config: plan.Config{Platforms: []string{"linux/arm/v9"}}, class: release.Rejected,
			want: []string{"v5, v6, v7"}},
		"platform twice": {
			config: plan.Config{Platforms: []string{"linux/amd64", "linux/amd64"}}, class: release.Rejected,
			want: []string{"named twice"}},
		"collision": {
			change: func(f *plan.Facts) { f.Mains = append(f.Mains, plan.Main{Dir: "./cmd/app", Name: "app"}) }, class: release.Rejected,
			want: []string{"app_1.2.3_linux_amd64.tar.gz would hold both . for linux/amd64 and ./cmd/app for linux/amd64"}},
		"collision by case": {
			change: func(f *plan.Facts) { f.Mains = append(f.Mains, plan.Main{Dir: "./cmd/App", Name: "App"}) }, class: release.Rejected,
			want: []string{"would hold both"}},
		"template field": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Ldflags: []string{"{{.Versoin}}"}}}}, class: release.Usage,
			want: []string{"builds[0].ldflags", "Versoin", "{{.Version}}"}},
		"template syntax": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Env: map[string]string{"A": "{{.Version"}}}}, class: release.Usage,
			want: []string{"builds[0].env.A"}},
		"template loops": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Ldflags: []string{`{{define "x"}}aaaaaaaaaaaaaaaa{{template "x"}}{{end}}{{template "x"}}`}}}}, class: release.Usage,
			want: []string{"builds[0].ldflags"}},
		"main outside": {
			config: plan.Config{Builds: []plan.Build{{Main: "../other"}}}, class: release.Usage,
			want: []string{"a directory inside the module"}},
		"main missing": {
			config: plan.Config{Builds: []plan.Build{{Main: "./cmd/none"}}}, class: release.Rejected,
			want: []string{`builds[0].main "./cmd/none"`, "no Go files"}},
		"name": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Name: "a b"}}}, class: release.Rejected,
			want: []string{`GitHub would rename "a b_`}},
		"files": {
			config: plan.Config{Archives: plan.Archives{Files: []string{"NOTICE"}}}, class: release.Usage,
			want: []string{`"NOTICE" matches no file`}},
		"image": {
			config: plan.Config{Image: plan.Image{Repository: "ghcr.io/Octo/app"}}, class: release.Usage,
			want: []string{"use ghcr.io/octo/app"}},
		"image with tag": {
			config: plan.Config{Image: plan.Image{Repository: "ghcr.io/o/app:1.0"}}, class: release.Usage,
			want: []string{"without tag"}},
		"image without registry": {
			config: plan.Config{Image: plan.Image{Repository: "foo"}}, class: release.Usage, want: []string{"want REGISTRY/PATH"}},
		"image outside": {
			config: plan.Config{Image: plan.Image{Repository: "ghcr.io/o/../app"}}, class: release.Usage, want: []string{"want REGISTRY/PATH"}},
		"project": {
			config: plan.Config{Project: "a\n::error::b"}, class: release.Usage, want: []string{"not a name"}},
		"repository": {
			config: plan.Config{Repository: "../x"}, class: release.Usage, want: []string{"want OWNER/NAME"}},
		"repository dots": {
			config: plan.Config{Repository: "a/.."}, class: release.Usage, want: []string{"want OWNER/NAME"}},
		"shell in prepare": {
			config: plan.Config{Prepare: []string{"sh -c 'echo x'"}}, class: release.Usage, want: []string{"written for a shell", "put this one into a script"}},
		"line in prepare": {
			config: plan.Config{Prepare: []string{"true\n::error::x"}}, class: release.Usage, want: []string{"written for a shell"}},
		"target by environment": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Env: map[string]string{"GOARCH": "arm64"}}}}, class: release.Usage,
			want: []string{`builds[0].env: "GOARCH" may not be set`}},
		"binary and file": {
			config: plan.Config{Builds: []plan.Build{{Main: ".", Binary: "license"}}}, class: release.Rejected, want: []string{"have the same name"}},
		"two of a name in the image": {
			config: plan.Config{Platforms: []string{"linux/amd64"}, Builds: []plan.Build{{Main: ".", Name: "a", Binary: "x"}, {Main: "./cmd/appctl", Name: "b", Binary: "x"}}},
			class:  release.Rejected, want: []string{"would be the same file of the same platform"}},
		"two variants of one platform": {
			config: plan.Config{Platforms: []string{"linux/arm", "linux/arm/v7"}}, class: release.Rejected, want: []string{"the same platform"}},
		"files that differ by case": {
			change: func(f *plan.Facts) { f.Files = append(f.Files, "readme.md"); slices.Sort(f.Files) },
			config: plan.Config{Archives: plan.Archives{Files: []string{"*.md"}}}, class: release.Usage, want: []string{"unpacked to the same file"}},
		"sign": {
			config: plan.Config{Sign: "gpg"}, class: release.Usage, want: []string{"keyless, key, all or none"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts()
			if c.change != nil {
				c.change(&f)
			}
			_, err := plan.New(c.config, f)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := release.ClassOf(err); got != c.class {
				t.Errorf("class %d, want %d: %v", got, c.class, err)
			}
			text := err.Error() + "\n" + release.HintOf(err)
			for _, part := range c.want {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in:\n%s", part, text)
				}
			}
		})
	}
}

// Without platforms, a program is made for the systems that it exists on.
func TestSystems(t *testing.T) {
	f := facts()
	f.Mains = []plan.Main{{Dir: ".", Name: "app", Systems: []string{"linux"}}}
	for want, cfg := range map[int]plan.Config{2: {}, 1: {Platforms: []string{"windows/amd64"}}} {
		p, err := plan.New(cfg, f)
		if err != nil || len(p.Units) != want {
			t.Errorf("%d units, want %d: %v", len(p.Units), want, err)
		}
	}
}

// What is published, and how, does not change what is made.
func TestContent(t *testing.T) {
	content := func(change func(*plan.Config)) release.Digest {
		t.Helper()
		cfg := plan.Config{Platforms: []string{"linux/amd64"}}
		change(&cfg)
		p, err := plan.New(cfg, facts())
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Content()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := content(func(*plan.Config) {})
	if got := content(func(c *plan.Config) { c.Draft, c.Sign = true, plan.SignNone }); got != base {
		t.Error("publishing changes the content's digest")
	}
	if got := content(func(c *plan.Config) { c.Builds = []plan.Build{{Main: ".", Tags: []string{"x"}}} }); got == base {
		t.Error("a build tag does not change the content's digest")
	}
}
