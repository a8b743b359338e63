package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

var update = flag.Bool("update", false, "write the generated files anew")

// made is an image by its digest: the commit of a release names one in action.yml, in the
// place of the Dockerfile.
var made = regexp.MustCompile(`(?m)^  image: docker://ghcr\.io/[a-z0-9./_-]+@sha256:[0-9a-f]{64}$`)

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
	if got = made.ReplaceAll(got, []byte("  image: Dockerfile")); !bytes.Equal(got, want) {
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
	for name, table := range map[string]string{"options": config.OptionTable(), "outputs": config.OutputTable()} {
		readme, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->\n")
		before, rest, ok := bytes.Cut(readme, begin)
		_, after, closed := bytes.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("README.md has no place for the table of %s", name)
		}
		generated(t, path, slices.Concat(before, begin, []byte(table), end, after))
	}
}

// README shows the workflow that is linted.
func TestWorkflowInReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	workflow, err := os.ReadFile(filepath.Join("..", "..", "testdata", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, slices.Concat([]byte("```yaml\n"), workflow, []byte("```\n"))) {
		t.Error("README.md shows another workflow than testdata/workflows/release.yml")
	}
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
image:
  skip: true
  repository: ghcr.io/o/r
  base: alpine:3
  entrypoint: [app, serve]
  cmd: [--port, "80"]
  user: root
  env: {A: b}
  workdir: /srv
  ports: ["80", 53/udp]
  files: {/etc/app.yaml: conf/app.yaml}
  labels: {team: core}
  compression: zstd
images: [{builds: [app]}, {builds: [ctl], repository: ghcr.io/o/ctl}]
sign: none
notes: {exclude-labels: [x], exclude-authors: [y]}
`))
	want := plan.Config{
		Project: "app", Platforms: []string{"linux/amd64", "linux/arm/v7"},
		Builds:  []plan.Build{{Main: "./cmd/app", Name: "app", Ldflags: []string{"-s"}, Env: map[string]string{"A": "b"}}},
		Include: []string{"web/dist"}, Prepare: []string{"go generate ./..."},
		Archives: plan.Archives{Format: "tar.zst", Windows: "zip", Files: []string{"LICENSE"}},
		Image: plan.Image{
			Skip: true, Repository: "ghcr.io/o/r", Base: "alpine:3", Entrypoint: []string{"app", "serve"}, Cmd: []string{"--port", "80"}, User: "root",
			Env: map[string]string{"A": "b"}, Workdir: "/srv", Ports: []string{"80", "53/udp"}, Files: map[string]string{"/etc/app.yaml": "conf/app.yaml"},
			Labels: map[string]string{"team": "core"}, Compression: plan.CompressionZstd,
		},
		Images: []plan.Image{{Builds: []string{"app"}}, {Builds: []string{"ctl"}, Repository: "ghcr.io/o/ctl"}},
		Sign:   "none", Notes: plan.Notes{ExcludeLabels: []string{"x"}, ExcludeAuthors: []string{"y"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "~\n", "\ufeff", "image:\nbuilds:\n# - main: .\nproject: ~\n", "# c\n---\n"} {
		if got, err := config.Parse("x.yaml", []byte(empty)); err != nil || !reflect.DeepEqual(got, plan.Config{}) {
			t.Errorf("%q: %+v, %v", empty, got, err)
		}
	}
}

// The forms in which YAML writes a value are one value.
func TestParseForms(t *testing.T) {
	for _, text := range []string{
		"\ufeffproject: app\n", "\"project\": 'app'\n", "{project: app}\n", "# c\n---\nproject: app # c\n...\n", "project: app\r\n",
		"project: >-\n  app\n", "%YAML 1.2\n---\nproject: app\n", "project: app\n---\n",
	} {
		if got, err := config.Parse("x.yaml", []byte(text)); err != nil || got.Project != "app" {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// What is wrong is named with its place, and with what may have been meant.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"platform: []\n":                         `x.yaml:1:1: unknown key "platform" | did you mean platforms?`,
		"builds:\n  - main: .\n    ldflag: []\n": `x.yaml:3:5: unknown key "ldflag" | did you mean ldflags?`,
		"image:\n  Repo: x\n":                    `x.yaml:2:3: unknown key "Repo" | did you mean repository?`,
		"image:\n  colour: x\n":                  `x.yaml:2:3: unknown key "colour" | known here: skip, repository, builds, base, entrypoint, cmd, user, env, workdir, ports, files, labels, compression`,
		"notes: {exclude_labels: [x]}\n":         `x.yaml:1:9: unknown key "exclude_labels" | did you mean exclude-labels?`,
		"zz: 1\nyy: 2\nxx: 3\n":                  `x.yaml:1:1: unknown key "zz"`,
		"\r\nprojekt: a\r\n":                     `x.yaml:2:1: unknown key "projekt" | did you mean project?`,
		"tag: v1.2.3\n":                          `x.yaml:1:1: unknown key "tag" | tag is no key of the file but an option: --tag`,

		"sign: none\nsign: none\n":                         `x.yaml:2:1: mapping key "sign" already defined at [1:1]`,
		"builds: [{main: ., main: x}]\n":                   `x.yaml:1:20: mapping key "main" already defined`,
		"image: {labels: {a: b, \"a\": c}}\n":              `x.yaml:1:`,
		"sign: none\n---\nsign: none\n":                    "x.yaml:2:1: a second document begins | keep one",
		"1: x\nsign: none\n":                               "x.yaml:1:1: want text as key, found 1",
		"sign: none\ntrue: x\n":                            "x.yaml:2:1: want text as key, found true",
		"image: {labels: {~: x}}\n":                        "x.yaml:1:18: image.labels: want text as key, found nothing",
		"? [a, b]\n: x\n":                                  "x.yaml:",
		"project: 1.20\n":                                  `x.yaml:1:10: project: want text, found 1.20 | put it into quotes: "1.20"`,
		"project: [none]\n":                                "x.yaml:1:10: project: want text, found a list",
		"project: {a: b}\n":                                "x.yaml:1:11: project: want text, found keys with values",
		"builds:\n- main: .\n  env:\n    CGO_ENABLED: 0\n": `x.yaml:4:18: builds[0].env.CGO_ENABLED: want text, found 0 | put it into quotes: "0"`,
		"builds:\n- main: .\n  env:\n    A:\n    B: c\n":   "builds[0].env.A: want text, found nothing",
		"platforms: linux/amd64\n":                         "x.yaml:1:12: platforms: want a list, found text | a list of one is [linux/amd64]",
		"platforms: [linux/amd64, true]\n":                 "x.yaml:1:26: platforms[1]: want text, found true",
		"platforms: [null]\n":                              "x.yaml:1:13: platforms[0]: want text, found nothing",
		"image: {skip: 1}\n":                               "x.yaml:1:15: image.skip: want true or false, found 1",
		"image: no\n":                                      "x.yaml:1:8: image: want keys with values, found text",
		"builds: [.]\n":                                    "x.yaml:1:10: builds[0]: want keys with values, found text",
		"- a\n":                                            "x.yaml:1:1: want keys with values, found a list",
		"hello\n":                                          "x.yaml:1:1: want keys with values, found text",
		"platforms: &a [x]\nbuilds: [{main: ., platforms: *a}]\n": "x.yaml:1:12: anchors (&) are not used in this file",
		"project: *a\n":                           "x.yaml:1:10: aliases (*) are not used in this file",
		"image: {<<: {skip: true}}\n":             "merge keys (<<) are not used in this file",
		"project: !!str 12\n":                     "x.yaml:1:10: tags (!) are not used in this file",
		"project: \"a\\0b\"\n":                    "x.yaml:1:10: project: it holds the control character U+0000",
		"sign: none\nproject: é\xff\n":            "x.yaml:2:11: this is not UTF-8",
		"platforms: linux/amd64: x\n":             "x.yaml:1:",
		"builds: [\n":                             "x.yaml:1:",
		"image:\n\tskip: true\n":                  "x.yaml:2:1: ",
		strings.Repeat("#", 1<<20) + "\nproject:": "x.yaml:1:1048577: the file has more than 1048576 bytes",
		strings.Repeat("[", 30_000):               "x.yaml:1:20001: the file has more than 20000 keys",
	} {
		_, err := config.Parse("x.yaml", []byte(text))
		message, _, _ := strings.Cut(fmt.Sprint(err), "\n")
		if got := message + " | " + release.HintOf(err); err == nil || !strings.Contains(got, want) || release.ClassOf(err) != release.Usage {
			t.Errorf("%.60q: %s\nwant %s", text, got, want)
		}
	}
}

// .github/release.yml is read as GitHub does: what it does not know is left out.
func TestCategories(t *testing.T) {
	got, err := config.Categories("release.yml", []byte(`changelog:
  exclude: {labels: [skip], authors: [octocat]}
  more: true
  categories:
    - title: Breaking
      labels: [breaking, "*"]
      exclude:
        labels: [no]
        authors: [app]
other: 1
`))
	want := &notes.Categories{
		Exclude: notes.Exclusion{Labels: []string{"skip"}, Authors: []string{"octocat"}},
		Categories: []notes.Category{{
			Title: "Breaking", Labels: []string{"breaking", "*"}, Exclude: notes.Exclusion{Labels: []string{"no"}, Authors: []string{"app"}},
		}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := config.Categories("release.yml", nil); err != nil || !reflect.DeepEqual(got, &notes.Categories{}) {
		t.Errorf("an empty file: %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"changelog: [": `reading "release.yml": [1:`,
		"changelog:\n  categories:\n  - labels: []": `reading "release.yml": category 1 has no title`,
		"changelog:\n  exclude: {labels: {a: b}}":   `reading "release.yml": [2:`,
		"#" + strings.Repeat("x", 64<<10):           `reading "release.yml": 65537 bytes, want at most 65536`,
	} {
		_, err := config.Categories("release.yml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || release.ClassOf(err) != release.Usage {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
	}
}

// The line that is wrong is shown, as far as it fits.
func TestExcerpt(t *testing.T) {
	for text, want := range map[string]string{
		"builds:\n  - main: .\n    ldflag: []\n":          "    3 |     ldflag: []\n      |     ^",
		"image: {repository: \"\t\", é: x}\n":             "    1 | image: {repository: \" \", é: x}\n      |                          ^",
		"project: [" + strings.Repeat("x", 80) + ", ü]\n": "    1 | project: [" + strings.Repeat("x", 39) + "\n      |          ^",
		"archives: {format: " + strings.Repeat("x", 80) + ", ü: " + strings.Repeat("y", 80) + "}\n": "    1 | " + strings.Repeat("x", 58) +
			", ü: " + strings.Repeat("y", 37) + "\n      | " + strings.Repeat(" ", 60) + "^",
	} {
		_, err := config.Parse("x.yaml", []byte(text))
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v\nwant\n%s", err, want)
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
		`flag --sign: "gpg": want keyless or key or all or none`: {"sign": "gpg"},
		`flag --draft: "maybe"`:                                  {"draft": "maybe"},
		"--quiet and --verbose":                                  {"quiet": "true", "verbose": "true"},
		"--key and --workflow: a key proves no workflow":         {"key": "cosign.key", "workflow": "https://github.com/o/r/.github/workflows/r.yml"},
		"--key and --branches: a key proves no workflow":         {"key": "cosign.key", "branches": "main"},
		"flag --snapshot: release does not take":                 {"snapshot": "true"},
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
