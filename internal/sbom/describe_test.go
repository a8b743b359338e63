package sbom

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func TestGolden(t *testing.T) {
	s := compile(t, plain())
	got := describe(t, describer(t, "", ""), s)
	// What the compiler decides is not what is tested here.
	for _, r := range []struct{ pattern, name string }{
		{s.Binary.Digest.Hex(), "BINARY-SHA256"},
		{s.Archive.Digest.Hex(), "ARCHIVE-SHA256"},
		{`"[0-9a-f]{40}"`, `"BINARY-SHA1"`},
		{regexp.QuoteMeta(runtime.Version()), "GOVERSION"},
		{regexp.QuoteMeta(runtime.Version()[len("go"):]), "GO.VERSION"},
		{`-[0-9a-f]{16}"`, `-ID"`},
		{`"licenseListVersion": "[0-9.]+`, `"licenseListVersion": "X.Y`},
	} {
		got = regexp.MustCompile(r.pattern).ReplaceAllString(got, r.name)
	}
	golden := filepath.Join("testdata", "hello.spdx.json")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the document changed; go test -update writes %s anew:\n%s", golden, got)
	}
}

func TestDependencies(t *testing.T) {
	s := compile(t, dependent(t))
	content := describe(t, describer(t, moduleCache(t), ""), s)
	d, err := Parse([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	version := required(t)[semver]
	want := Document{
		SPDXVersion: "SPDX-2.3",
		Name:        "hello_1.2.3_linux_amd64.tar.gz",
		Namespace:   "https://github.com/org/pgo-release/spdx/hello/1.2.3/hello_1.2.3_linux_amd64.tar.gz-" + s.Binary.Digest.Hex(),
		Archive:     s.Archive.Digest,
		Module:      "example.com/hello", Version: "v1.2.3", Toolchain: runtime.Version(),
		Packages: []Package{
			{Name: "example.com/hello", Version: "v1.2.3"},
			{Name: "example.com/lib"},
			{Name: semver, Version: version, Checksum: sumOf(t, semver, version)},
			{Name: "stdlib", Version: runtime.Version()},
		},
	}
	if !slices.Equal(d.Packages, want.Packages) {
		t.Errorf("packages %+v, want %+v", d.Packages, want.Packages)
	}
	if d.Packages = want.Packages; d.Name != want.Name || d.Namespace != want.Namespace || d.Archive != want.Archive ||
		d.Module != want.Module || d.Version != want.Version || d.Toolchain != want.Toolchain || d.SPDXVersion != want.SPDXVersion {
		t.Errorf("document %+v, want %+v", d, want)
	}
	for _, text := range []string{
		`"pkg:golang/github.com/Masterminds/semver/v3@` + version + `"`,
		`"pkg:golang/example.com/hello@v1.2.3"`,
		`"licenseConcluded": "MIT"`, `"licenseDeclared": "MIT"`, `"licenseDeclared": "BSD-3-Clause"`,
		`"fileName": "hello"`, `"created": "2026-03-04T03:06:07Z"`, `"Tool: pgo-release"`, `"Tool: ` + syftTool + `"`,
	} {
		if !strings.Contains(content, text) {
			t.Errorf("the document lacks %s", text)
		}
	}
	for _, text := range []string{"UNKNOWN", "(devel)", "Anchore", filepath.Dir(s.Binary.Path), moduleCache(t), os.TempDir(), "GOPATH"} {
		if strings.Contains(content, text) {
			t.Errorf("the document holds %q", text)
		}
	}
}

// Stripped binaries of some systems lack what syft also looks for.
func TestOtherSystems(t *testing.T) {
	d := describer(t, "", "")
	for _, target := range []release.Target{
		{OS: "windows", Arch: "amd64"}, {OS: "darwin", Arch: "arm64"}, {OS: "linux", Arch: "arm", Variant: "v6"},
	} {
		s := compileFor(t, plain(), target)
		content := describe(t, d, s)
		got, err := Parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		want := []Package{{Name: "example.com/hello", Version: "v1.2.3"}, {Name: "stdlib", Version: runtime.Version()}}
		if !slices.Equal(got.Packages, want) || !strings.Contains(content, `"fileName": "hello`+target.Exe()+`"`) {
			t.Errorf("%s: packages %+v, want %+v", target, got.Packages, want)
		}
	}
}

func TestRelationshipsReferToElements(t *testing.T) {
	content := describe(t, describer(t, moduleCache(t), ""), compile(t, dependent(t)))
	var d struct {
		SPDXID          string
		Packages, Files []struct{ SPDXID string }
		Relationships   []struct{ SPDXElementID, RelatedSPDXElement, RelationshipType string }
	}
	if err := json.Unmarshal([]byte(content), &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{d.SPDXID: true}
	for _, e := range slices.Concat(d.Packages, d.Files) {
		ids[e.SPDXID] = true
	}
	count := map[string]int{}
	for _, r := range d.Relationships {
		count[r.RelationshipType]++
		if !ids[r.SPDXElementID] || !ids[r.RelatedSPDXElement] {
			t.Errorf("%+v: no such element", r)
		}
	}
	// Three modules and the standard library; all but the main module belong to it.
	if len(ids) != 7 || count["DESCRIBES"] != 1 || count["CONTAINS"] != 4 || count["DEPENDENCY_OF"] != 3 {
		t.Errorf("%d elements, relationships %v", len(ids), count)
	}
}

// sumOf is what go.sum of this repository has for a module, hexadecimal.
func sumOf(t *testing.T, path, version string) string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(sums), path+" "+version+" h1:")
	sum, _, _ := strings.Cut(rest, "\n")
	raw, err := base64.StdEncoding.DecodeString(sum)
	if !ok || err != nil {
		t.Fatalf("go.sum has no %s %s: %v", path, version, err)
	}
	return hex.EncodeToString(raw)
}

func TestDocumentDependsOnItsSubjectAlone(t *testing.T) {
	s := compile(t, dependent(t))
	first := describe(t, describer(t, moduleCache(t), ""), s)

	elsewhere := s
	elsewhere.Binary.Path = filepath.Join(t.TempDir(), "renamed")
	content, err := os.ReadFile(s.Binary.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(elsewhere.Binary.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere.Time = s.Time.UTC()
	cache := moduleCache(t)
	t.Chdir(t.TempDir())
	t.Setenv("GOPATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOPROXY", "https://proxy.invalid")
	d := describer(t, cache, "")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if again := describe(t, d, elsewhere); again != first {
				t.Errorf("first:\n%s\nthen:\n%s", first, again)
			}
		})
	}
	group.Wait()
}

func TestIdentifiersDoNotDependOnTheModuleCache(t *testing.T) {
	s := compile(t, dependent(t))
	var ids [2][]string
	for i, cache := range []string{moduleCache(t), ""} {
		var d struct {
			Packages []struct{ SPDXID string }
		}
		if err := json.Unmarshal([]byte(describe(t, describer(t, cache, ""), s)), &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Packages {
			ids[i] = append(ids[i], p.SPDXID)
		}
	}
	if !slices.Equal(ids[0], ids[1]) || len(ids[0]) != 5 {
		t.Errorf("with licences %v, without %v", ids[0], ids[1])
	}
}

func TestNothingIsSaidAndNothingIsLeft(t *testing.T) {
	s := compile(t, dependent(t))
	cache := moduleCache(t)
	temporary, home, said := t.TempDir(), t.TempDir(), t.TempDir()
	for name, value := range map[string]string{"TMPDIR": temporary, "HOME": home, "XDG_CACHE_HOME": home} {
		t.Setenv(name, value)
	}
	out, err := os.Create(filepath.Join(said, "out"))
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, out
	_, err = New(Places{ModuleCache: cache}).Describe(t.Context(), s, filepath.Join(said, "document"))
	os.Stdout, os.Stderr = stdout, stderr
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	if f := fileAt(t, out.Name()); f.Size > 0 {
		t.Errorf("%d bytes were printed", f.Size)
	}
	empty(t, temporary, 0)
	empty(t, home, 0)
	empty(t, said, 2)
}

func TestDescribeRefuses(t *testing.T) {
	good := compile(t, plain())
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := describer(t, "", "")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name   string
		ctx    context.Context
		change func(*Subject)
		want   string
	}{
		{"another module", t.Context(), func(s *Subject) { s.Module.Path = "example.com/other" },
			`"hello" was built of module example.com/hello, not of example.com/other`},
		{"no Go", t.Context(), func(s *Subject) { s.Binary = fileAt(t, script) }, `"script" has no build information of Go`},
		{"changed", t.Context(), func(s *Subject) { s.Binary.Digest = digestOf("") },
			`verifying "hello": its digest is ` + string(good.Binary.Digest) + `, not ` + string(digestOf(""))},
		{"absent", t.Context(), func(s *Subject) { s.Binary.Path = "/nonexistent" }, `open /nonexistent: no such file or directory`},
		{"cancelled", cancelled, func(*Subject) {}, `context canceled`},
	} {
		s := good
		test.change(&s)
		dir := t.TempDir()
		_, err := d.Describe(test.ctx, s, filepath.Join(dir, "x"))
		if want := `describing "hello_1.2.3_linux_amd64.tar.gz": ` + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", test.name, err, want)
		}
		empty(t, dir, 0)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"taken", "absent/x"} {
		if _, err := d.Describe(t.Context(), good, filepath.Join(dir, name)); err == nil || !strings.HasPrefix(err.Error(), `writing "`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	empty(t, dir, 1)
}

func TestPurl(t *testing.T) {
	for path, want := range map[string]string{
		"example.com/a/B/v2": "pkg:golang/example.com/a/B/v2@v1.0.0",
		"std":                "pkg:golang/std@v1.0.0",
	} {
		if got := purl(path, "v1.0.0"); got != want {
			t.Errorf("purl(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestLicences(t *testing.T) {
	cache, vendor := t.TempDir(), t.TempDir()
	mit, err := os.ReadFile(filepath.Join(moduleCache(t), "github.com/!masterminds/semver", required(t)[semver], "LICENSE.txt"))
	if err != nil {
		mit, err = os.ReadFile(filepath.Join(moduleCache(t), "github.com/!masterminds/semver/v3@"+required(t)[semver], "LICENSE.txt"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		filepath.Join(cache, "example.com/!upper@v1.0.0/LICENSE"):    string(mit),
		filepath.Join(cache, "example.com/!upper@v1.0.0/license.go"): "package upper",
		filepath.Join(cache, "example.com/own@v1.0.0/COPYING"):       "Do what you like.",
		filepath.Join(cache, "example.com/deep@v1.0.0/a/LICENSE"):    string(mit),
		filepath.Join(vendor, "example.com/local/LICENSE.md"):        string(mit),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := describer(t, cache, vendor).licences
	for _, test := range []struct{ path, version, want string }{
		{"example.com/Upper", "v1.0.0", "MIT"},
		{"example.com/own", "v1.0.0", "sha256:" + digestOf("Do what you like.").Hex()},
		{"example.com/deep", "v1.0.0", ""},
		{"example.com/local", "", "MIT"},
		{"example.com/absent", "v1.0.0", ""},
		{"../../etc", "v1.0.0", ""},
		{"example.com/own", "v1.0.0/../../own@v1.0.0", ""},
	} {
		found, err := l.of(test.path, test.version)
		if err != nil {
			t.Fatal(err)
		}
		values := []string{}
		for _, f := range found {
			values = append(values, string(f.Type)+" "+f.Value)
		}
		want := []string{"concluded " + test.want, "declared " + test.want}
		if test.want == "" {
			want = []string{}
		}
		if !slices.Equal(values, want) {
			t.Errorf("%s %s: licences %q, want %q", test.path, test.version, values, want)
		}
	}
}

func TestLicenceNames(t *testing.T) {
	for name, want := range map[string]bool{
		"LICENSE": true, "License.txt": true, "LICENCE.md": true, "COPYING": true, "COPYING.LESSER": true, "UNLICENSE": true,
		"LICENSE-APACHE-2.0.txt": true, "MIT-LICENSE": true, "LICENSE_BSD": true,
		"license.go": false, "LICENSE_test.go": false, "licenses": false, "README": false, "NOTICE": false, "licensecheck": false,
	} {
		if isLicence(name) != want {
			t.Errorf("isLicence(%q) = %t", name, !want)
		}
	}
}

func TestUnknownLicenceHasItsText(t *testing.T) {
	s := compile(t, dependent(t))
	vendor := t.TempDir()
	if err := os.MkdirAll(filepath.Join(vendor, "example.com/lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	const text = "Do what you like <on Tuesdays>."
	if err := os.WriteFile(filepath.Join(vendor, "example.com/lib/LICENSE"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	content := describe(t, describer(t, "", vendor), s)
	id := "LicenseRef-" + digestOf(text).Hex()
	if !strings.Contains(content, `"licenseDeclared": "`+id+`"`) || !strings.Contains(content, `"extractedText": "`+text+`"`) {
		t.Errorf("the document lacks %s or its text:\n%s", id, content)
	}
	if _, err := Parse([]byte(content)); err != nil {
		t.Error(err)
	}
}

// One document, once the scanner is built and licences were read.
func BenchmarkDescribe(b *testing.B) {
	s := compile(b, dependent(b))
	d := describer(b, moduleCache(b), "")
	path := filepath.Join(b.TempDir(), "document")
	for b.Loop() {
		if _, err := d.Describe(b.Context(), s, path); err != nil {
			b.Fatal(err)
		}
	}
}
