package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

var update = flag.Bool("update", false, "write the generated files anew")

// generated compares a file of the repository with what it is generated from.
func generated(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: go test ./internal/config -update", path)
	}
}

func TestGenerated(t *testing.T) {
	action, err := config.ActionYAML()
	if err != nil {
		t.Fatal(err)
	}
	generated(t, filepath.Join("..", "..", "action.yml"), action)
	schema, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "schema.json", schema)

	path := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- options -->\n", "<!-- /options -->\n"
	before, rest, ok := bytes.Cut(readme, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		t.Fatal("README.md has no place for the table of options")
	}
	generated(t, path, fmt.Appendf(nil, "%s%s%s%s%s", before, begin, config.OptionTable(), end, after))
}

func TestParse(t *testing.T) {
	got, err := config.Parse("x.yaml", []byte(`
project: app
platforms: [linux/amd64, linux/arm/v7]
builds:
  - main: ./cmd/app
    name: app
    ldflags: ["-s"]
    env: {A: b}
include: [web/dist]
prepare: [go generate ./...]
archives: {format: tar.zst, windows: zip, files: [LICENSE]}
image: {skip: true, repository: ghcr.io/o/r, labels: {team: core}}
sign: none
notes: {exclude-labels: [x], exclude-authors: [y]}
`))
	want := plan.Config{
		Project: "app", Platforms: []string{"linux/amd64", "linux/arm/v7"},
		Builds:  []plan.Build{{Main: "./cmd/app", Name: "app", Ldflags: []string{"-s"}, Env: map[string]string{"A": "b"}}},
		Include: []string{"web/dist"}, Prepare: []string{"go generate ./..."},
		Archives: plan.Archives{Format: "tar.zst", Windows: "zip", Files: []string{"LICENSE"}},
		Image:    plan.Image{Skip: true, Repository: "ghcr.io/o/r", Labels: map[string]string{"team": "core"}},
		Sign:     "none", Notes: plan.Notes{ExcludeLabels: []string{"x"}, ExcludeAuthors: []string{"y"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		if got, err := config.Parse("x.yaml", []byte(empty)); err != nil || !reflect.DeepEqual(got, plan.Config{}) {
			t.Errorf("%q: %+v, %v", empty, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"platform: []\n":                          `x.yaml:1:1: unknown key "platform" | did you mean platforms?`,
		"builds:\n  - main: .\n    ldflag: []\n":  `x.yaml:3:5: unknown key "ldflag" | did you mean ldflags?`,
		"image:\n  Repo: x\n":                     `x.yaml:2:3: unknown key "Repo" | known here: skip, repository, labels`,
		"notes: {exclude_labels: [x]}\n":          `x.yaml:1:9: unknown key "exclude_labels" | did you mean exclude-labels?`,
		"sign: none\nsign: none\n":                "x.yaml:2:1: ",
		"platforms: linux/amd64: x\n":             "x.yaml:1:",
		"platforms: {a: b}\n":                     "x.yaml:1:",
		"builds: [\n":                             "x.yaml:1:",
		"sign: none\n---\nsign: none\n":           "it holds 2 documents | keep one",
		"tag: v1.2.3\n":                           `x.yaml:1:1: unknown key "tag"`,
		"sign: [none]\n":                          "x.yaml:1:",
		"- a\n":                                   "x.yaml:1:",
		"a: &a [*a]\n":                            "x.yaml",
		strings.Repeat("#", 1<<20) + "\nproject:": "more than 1048576 bytes",
	} {
		_, err := config.Parse("x.yaml", []byte(text))
		if got := fmt.Sprintf("%v | %s", err, release.HintOf(err)); err == nil || !strings.Contains(got, want) || release.ClassOf(err) != release.Usage {
			t.Errorf("%.40q: %s\nwant %s", text, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(filepath.Join(dir, "none"), false); err != nil {
		t.Error(err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		if _, err := config.Load(path, true); release.ClassOf(err) != release.Usage {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"sign: none\n", "builds: [{main: ., nam: x}]", "a: &a [*a]", "\t", "<<: {}", "? a", "!!binary x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := config.Parse("x.yaml", text); err != nil && release.ClassOf(err) != release.Usage {
			t.Errorf("%v is no problem of usage", err)
		}
	})
}

func resolve(t *testing.T, command string, flags, env map[string]string) config.Values {
	t.Helper()
	v, err := config.Resolve(command, flags, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestResolve(t *testing.T) {
	env := map[string]string{
		"INPUT_TAG": "v1.0.0", "INPUT_WORKING-DIRECTORY": "sub", "INPUT_PLATFORMS": "linux/amd64\n linux/arm64 ,", "INPUT_SIGN": "",
		"GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "s3cret", "NO_COLOR": "1",
	}
	v := resolve(t, "release", map[string]string{"tag": "v2.0.0"}, env)
	for name, want := range map[string]string{
		"tag": "v2.0.0 flag", "directory": "sub input", "repository": "o/r environment", "sign": " default",
		"token": "s3cret environment", "no-color": "true environment", "draft": "false default",
	} {
		if got := v.String(name) + " " + string(v.Source(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := v.List("platforms"); !reflect.DeepEqual(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms %q", got)
	}
	if got := v.Path("config"); got != filepath.Join("sub", config.DefaultFile) {
		t.Errorf("config %q", got)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); strings.Contains(text, "s3cret") {
		t.Errorf("the token is in %s", text)
	}
	if got := v.Secrets(); !reflect.DeepEqual(got, []string{"s3cret"}) {
		t.Errorf("secrets %q", got)
	}
	cfg := config.Apply(plan.Config{Builds: []plan.Build{{Main: ".", Platforms: []string{"js/wasm"}}}}, v)
	if cfg.Tag != "v2.0.0" || cfg.Repository != "o/r" || cfg.Builds[0].Platforms != nil || len(cfg.Platforms) != 2 {
		t.Errorf("%+v", cfg)
	}
}

func TestResolveRefuses(t *testing.T) {
	for name, flags := range map[string]map[string]string{
		`flag --sign: "gpg": want keyless or none`: {"sign": "gpg"},
		`flag --draft: "maybe"`:                    {"draft": "maybe"},
		"--quiet and --verbose":                    {"quiet": "true", "verbose": "true"},
		"flag --snapshot: release does not take":   {"snapshot": "true"},
	} {
		_, err := config.Resolve("release", flags, func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), name) || release.ClassOf(err) != release.Usage {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// The table is whole: no name twice, no input without a flag, help for everything.
func TestOptions(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range config.Options() {
		if seen[o.Name] || o.Help == "" || strings.HasSuffix(o.Help, ".") || o.Name != strings.ToLower(o.Name) {
			t.Errorf("option %+v", o)
		}
		seen[o.Name] = true
		if o.Secret && o.Default != "" {
			t.Errorf("secret %s has a default", o.Name)
		}
	}
}
