package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/org/pgo-release/internal/release"
)

const (
	appRepository  = "ghcr.io/octo/hello"
	baseRepository = "gcr.io/distroless/static"
)

func imageSubject() ImageSubject {
	return ImageSubject{
		Repository: appRepository, Digest: digestOf("the index"),
		Project: "hello", Version: "1.2.3", Source: "https://github.com/octo/hello",
		Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("east", 2*3600)),
	}
}

// program is a document of an archive and the digest of the program in it.
type program struct {
	document []byte
	digest   release.Digest
}

// programs are those of two platforms, two for each: hello, of the standard library
// alone, and greet, with two modules beside it.
func programs(t *testing.T) []program {
	t.Helper()
	d := describer(t, moduleCache(t), "")
	var out []program
	for _, target := range []release.Target{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm", Variant: "v6"}} {
		for name, files := range map[string]map[string]string{"hello": plain(), "greet": dependent(t)} {
			s := compileFor(t, files, target)
			s.Binary.Name = name
			s.Archive.Name = name + "_1.2.3_" + target.Suffix() + ".tar.gz"
			s.Archive.Digest = digestOf(s.Archive.Name)
			out = append(out, program{[]byte(describe(t, d, s)), s.Binary.Digest})
		}
	}
	return out
}

func documentsOf(all []program) [][]byte {
	var out [][]byte
	for _, p := range all {
		out = append(out, p.document)
	}
	return out
}

// imageOf makes a document, which has to be sound, and reads it.
func imageOf(t *testing.T, s ImageSubject, documents ...[]byte) ([]byte, *spdx.Document) {
	t.Helper()
	content, err := Image(s, documents)
	if err != nil {
		t.Fatal(err)
	}
	return content, sound(t, content)
}

// sound reads a document as the specification's own library does, and expects every
// relationship to be of elements that are there, every identifier to be of the
// specification's characters and of one element, every licence that is not on SPDX's
// list to have its text, and one element to be described.
func sound(t *testing.T, content []byte) *spdx.Document {
	t.Helper()
	d, err := spdxjson.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(d); err != nil || d.SPDXVersion != "SPDX-2.3" || d.DataLicense != "CC0-1.0" || d.SPDXIdentifier != "DOCUMENT" {
		t.Errorf("%s %s %s: %v", d.SPDXVersion, d.DataLicense, d.SPDXIdentifier, err)
	}
	ids := map[string]bool{"DOCUMENT": true}
	add := func(id string) {
		if ids[id] || !regexp.MustCompile(`^[A-Za-z0-9.-]+$`).MatchString(id) {
			t.Errorf("identifier %q is there twice, or is none", id)
		}
		ids[id] = true
	}
	text := ""
	for _, p := range d.Packages {
		add(string(p.PackageSPDXIdentifier))
		text += fmt.Sprintln(p.PackageLicenseConcluded, p.PackageLicenseDeclared, p.PackageLicenseInfoFromFiles)
	}
	for _, f := range d.Files {
		add(string(f.FileSPDXIdentifier))
		text += fmt.Sprintln(f.LicenseConcluded, f.LicenseInfoInFiles)
	}
	for _, l := range d.OtherLicenses {
		add(l.LicenseIdentifier)
	}
	for _, ref := range regexp.MustCompile(`LicenseRef-[A-Za-z0-9.-]+`).FindAllString(text, -1) {
		if !ids[ref] {
			t.Errorf("licence %s has no text", ref)
		}
	}
	seen := map[spdx.Relationship]bool{}
	described := 0
	for _, r := range d.Relationships {
		if seen[*r] || r.RefA.SpecialID+r.RefB.SpecialID != "" {
			t.Errorf("%+v is there twice, or of no element", *r)
		}
		seen[*r] = true
		if r.Relationship == "DESCRIBES" {
			described++
		}
	}
	if described != 1 {
		t.Errorf("the document describes %d elements", described)
	}
	return d
}

// related are the relationships of a kind, as names of elements with their versions, or
// with the start of the digest of files.
func related(d *spdx.Document, kind string) []string {
	names := map[spdx.ElementID]string{"DOCUMENT": "document"}
	for _, p := range d.Packages {
		names[p.PackageSPDXIdentifier] = strings.TrimSuffix(p.PackageName+"@"+p.PackageVersion, "@")
	}
	for _, f := range d.Files {
		digest, _ := digestOfFile(f)
		names[f.FileSPDXIdentifier] = f.FileName + ":" + digest.Hex()[:8]
	}
	out := []string{}
	for _, r := range d.Relationships {
		if r.Relationship == kind {
			out = append(out, names[r.RefA.ElementRefID]+" "+names[r.RefB.ElementRefID])
		}
	}
	slices.Sort(out)
	return out
}

func TestImage(t *testing.T) {
	all := programs(t)
	content, d := imageOf(t, imageSubject(), documentsOf(all)...)
	t.Run("elements", func(t *testing.T) { elements(t, all, d) })
	t.Run("golden", func(t *testing.T) { goldenImage(t, string(content)) })
	t.Run("any order", func(t *testing.T) {
		for _, order := range [][]int{{3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1, 2, 0}} {
			var documents [][]byte
			for _, i := range order {
				documents = append(documents, all[i].document)
			}
			if again, _ := imageOf(t, imageSubject(), documents...); !bytes.Equal(again, content) {
				t.Errorf("in the order %v:\n%s", order, again)
			}
		}
	})
	t.Run("stable identifiers", func(t *testing.T) {
		ids := map[spdx.ElementID]bool{}
		for _, p := range d.Packages {
			ids[p.PackageSPDXIdentifier] = true
		}
		for _, f := range d.Files {
			ids[f.FileSPDXIdentifier] = true
		}
		_, alone := imageOf(t, imageSubject(), all[0].document)
		for _, p := range alone.Packages {
			if !ids[p.PackageSPDXIdentifier] {
				t.Errorf("%s is %s in an image of one program alone", p.PackageName, p.PackageSPDXIdentifier)
			}
		}
		if len(alone.Files) != 1 || !ids[alone.Files[0].FileSPDXIdentifier] {
			t.Errorf("files %+v", alone.Files)
		}
	})
}

// elements expects what two programs of two platforms have, each once.
func elements(t *testing.T, all []program, d *spdx.Document) {
	version := required(t)[semver]
	main, std, dep, lib := "example.com/hello@v1.2.3", "stdlib@"+runtime.Version(), semver+"@"+version, "example.com/lib"
	root := appRepository + "@v1.2.3"
	packages := []string{}
	for _, p := range d.Packages {
		packages = append(packages, strings.TrimSuffix(p.PackageName+"@"+p.PackageVersion, "@"))
	}
	if want := []string{main, lib, root, dep, std}; !slices.Equal(packages, want) {
		t.Errorf("packages %q, want %q", packages, want)
	}
	var evident, files []string
	for _, p := range all {
		var name struct{ Files []struct{ FileName string } }
		if err := json.Unmarshal(p.document, &name); err != nil {
			t.Fatal(err)
		}
		file := name.Files[0].FileName + ":" + p.digest.Hex()[:8]
		files = append(files, file)
		evident = append(evident, main+" "+file, std+" "+file)
		if strings.HasPrefix(file, "greet") {
			evident = append(evident, dep+" "+file, lib+" "+file)
		}
	}
	slices.Sort(evident)
	for kind, want := range map[string][]string{
		"DESCRIBES":     {"document " + root},
		"CONTAINS":      {root + " " + main, root + " " + lib, root + " " + dep, root + " " + std},
		"DEPENDENCY_OF": {lib + " " + main, dep + " " + main, std + " " + main},
		"OTHER":         evident,
		"DESCENDANT_OF": {},
	} {
		slices.Sort(want)
		if got := related(d, kind); !slices.Equal(got, want) {
			t.Errorf("%s %q, want %q", kind, got, want)
		}
	}
	// Each keeps both of its checksums.
	if len(d.Files) != len(slices.Compact(slices.Sorted(slices.Values(files)))) || len(d.Files) != 4 || len(d.Files[0].Checksums) != 2 {
		t.Errorf("%d files, of which the first is %+v", len(d.Files), d.Files[0])
	}
}

func goldenImage(t *testing.T, got string) {
	// What the compiler decides is not what is tested here, nor the order of files that
	// follows from it.
	for _, r := range []struct{ pattern, name string }{
		{digestOf("the index").Hex(), "INDEX-SHA256"},
		{`"[0-9a-f]{64}"`, `"SHA256"`},
		{`"[0-9a-f]{40}"`, `"SHA1"`},
		{regexp.QuoteMeta(required(t)[semver]), "SEMVER"},
		{regexp.QuoteMeta(runtime.Version()), "GOVERSION"},
		{regexp.QuoteMeta(runtime.Version()[len("go"):]), "GO.VERSION"},
		{`-[0-9a-f]{16}"`, `-ID"`},
		{`"licenseListVersion": "[0-9.]+`, `"licenseListVersion": "X.Y`},
	} {
		got = regexp.MustCompile(r.pattern).ReplaceAllString(got, r.name)
	}
	golden := filepath.Join("testdata", "image.spdx.json")
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

func TestImageOnABase(t *testing.T) {
	s := imageSubject()
	digest := digestOf("the base")
	s.Base = baseRepository + "@" + string(digest)
	_, d := imageOf(t, s, known(t, "a", same))
	var base, root *spdx.Package
	for _, p := range d.Packages {
		switch p.PackageName {
		case baseRepository:
			base = p
		case appRepository:
			root = p
		}
	}
	if base == nil || root == nil || len(d.Packages) != 4 {
		t.Fatalf("%d packages, among them %v and %v", len(d.Packages), base, root)
	}
	if base.PackageVersion != string(digest) || base.PrimaryPackagePurpose != "CONTAINER" || base.PackageLicenseDeclared != "NOASSERTION" ||
		!slices.Equal(base.PackageChecksums, []spdx.Checksum{{Algorithm: "SHA256", Value: digest.Hex()}}) ||
		base.PackageExternalReferences[0].Locator != "pkg:oci/static@sha256%3A"+digest.Hex()+"?repository_url=gcr.io%2Fdistroless%2Fstatic" {
		t.Errorf("base %+v", base)
	}
	from, to := appRepository+"@v1.2.3 ", baseRepository+"@"+string(digest)
	if got := related(d, "DESCENDANT_OF"); !slices.Equal(got, []string{from + to}) {
		t.Errorf("the image descends from %q", got)
	}
	if got := related(d, "CONTAINS"); len(got) != 3 || !slices.Contains(got, from+to) {
		t.Errorf("the image contains %q", got)
	}
}

// What nobody knows is not said.
func TestCreation(t *testing.T) {
	made := func(info any) func(map[string]any) { return func(d map[string]any) { d["creationInfo"] = info } }
	by := func(list string, creators ...any) func(map[string]any) {
		return made(map[string]any{"creators": creators, "licenseListVersion": list, "created": "2020-01-01T00:00:00Z"})
	}
	for _, test := range []struct {
		documents [][]byte
		list      string
		creators  string
	}{
		{[][]byte{known(t, "a", same), known(t, "b", same)}, "X.Y", "[{pgo-release Tool} {syft-v1.52.0 Tool}]"},
		{[][]byte{known(t, "a", by("3.1", "Tool: syft-v2")), known(t, "b", by("3.2", "Tool: pgo-release", "Tool: syft-v1"))}, "", "[{pgo-release Tool} {syft-v1 Tool} {syft-v2 Tool}]"},
		{[][]byte{known(t, "a", made(nil))}, "", "[{pgo-release Tool}]"},
	} {
		_, d := imageOf(t, imageSubject(), test.documents...)
		if c := d.CreationInfo; c.LicenseListVersion != test.list || fmt.Sprint(c.Creators) != test.creators || c.Created != "2026-03-04T03:06:07Z" {
			t.Errorf("%+v, want %+v", c, test)
		}
	}
}

func TestImageRefuses(t *testing.T) {
	good := known(t, "a", same)
	changed := func(change func(map[string]any)) [][]byte { return [][]byte{good, known(t, "b", change)} }
	set := func(list string, i int, key string, value any) func(map[string]any) {
		return func(d map[string]any) { d[list].([]any)[i].(map[string]any)[key] = value }
	}
	null := func(list string) func(map[string]any) { return func(d map[string]any) { d[list] = []any{nil} } }
	const base, unit = `reading the reference of the base `, `uniting "hello_1.2.3_linux_amd64.tar.gz" with other documents: `
	bad := func(digest string) string {
		return `digest "` + digest + `": want sha256: and 64 lower-case hexadecimal digits`
	}
	for _, test := range []struct {
		change    func(*ImageSubject)
		documents [][]byte
		want      string
	}{
		{func(s *ImageSubject) { s.Repository = "" }, [][]byte{good}, `no repository`},
		{func(s *ImageSubject) { s.Digest = "sha256:abc" }, [][]byte{good}, bad("sha256:abc")},
		{func(s *ImageSubject) { s.Digest = "" }, [][]byte{good}, bad("")},
		{func(s *ImageSubject) { s.Digest = release.Digest(s.Digest.Hex()) }, [][]byte{good}, bad(digestOf("the index").Hex())},
		{func(s *ImageSubject) { s.Base = "static:latest" }, [][]byte{good}, base + `"static:latest": ` + bad("")},
		{func(s *ImageSubject) { s.Base = "static@abc" }, [][]byte{good}, base + `"static@abc": ` + bad("abc")},
		{func(s *ImageSubject) { s.Base = "@" + string(s.Digest) }, [][]byte{good}, base + `"@` + string(digestOf("the index")) + `": no repository`},
		{nil, nil, `no documents of archives`},
		{nil, [][]byte{good, []byte("garbage")}, `reading document 2: parsing SPDX document: invalid character 'g' looking for beginning of value`},
		{nil, [][]byte{good[:len(good)-1]}, `reading document 1: parsing SPDX document: unexpected EOF`},
		{nil, changed(null("files")), `reading document 2: an element is null`},
		{nil, changed(null("hasExtractedLicensingInfos")), `reading document 2: an element is null`},
		{nil, [][]byte{append(good[:len(good)-1:len(good)-1], `,"packages":[null,null,null]}`...)}, `reading document 1: an element is null`},
		{nil, [][]byte{append(good[:len(good)-1:len(good)-1], `,"relationships":[null]}`...)}, `reading document 1: `},
		{nil, changed(set("packages", 0, "supplier", "x")), `reading document 2: failed to parse Supplier 'x'`},
		{nil, changed(func(d map[string]any) { d["snippets"] = []any{map[string]any{}} }),
			`reading document 2: snippets, annotations or external documents, which no document of an archive has`},
		{nil, changed(set("packages", 1, "primaryPackagePurpose", "CONTAINER")),
			unit + `package "hello_1.2.3_linux_amd64.tar.gz": want the document to describe one archive and nothing else`},
		{nil, changed(set("packages", 2, "primaryPackagePurpose", "ARCHIVE")),
			unit + `package "stdlib": want the document to describe one archive and nothing else`},
		{nil, changed(set("files", 0, "SPDXID", "SPDXRef-Package-go-module-stdlib-ID")), unit + `SPDXID "Package-go-module-stdlib-ID" is there twice`},
		{nil, changed(set("files", 0, "SPDXID", "SPDXRef-gone")),
			unit + `relationship OTHER of "Package-go-module-example.com-hello-ID" and "File-hello-ID": no such element`},
		{nil, changed(set("relationships", 3, "relatedSpdxElement", "NOASSERTION")),
			unit + `relationship OTHER of "Package-go-module-example.com-hello-ID" and "": no such element`},
		{nil, changed(set("files", 0, "checksums", []any{})), unit + `file "hello": no SHA-256 checksum`},
		{nil, changed(set("files", 0, "checksums", []any{map[string]any{"algorithm": "SHA256", "checksumValue": "abc"}})),
			unit + `file "hello": digest "abc": want 64 lower-case hexadecimal digits of SHA-256`},
		{nil, [][]byte{good, known(t, "a", set("files", 0, "comment", "another"))},
			unit + `two different things would be "File-hello-` + digestOf("a").Hex()[:shortSum] + `"`},
		{nil, changed(func(d map[string]any) {
			l := map[string]any{"licenseId": "LicenseRef-a", "extractedText": "a"}
			d["hasExtractedLicensingInfos"] = []any{l, l}
		}), `reading "hello_1.2.3_linux_amd64.tar.gz": licence "LicenseRef-a" is there twice`},
	} {
		s := imageSubject()
		if test.change != nil {
			test.change(&s)
		}
		content, err := Image(s, test.documents)
		if want := `describing image "` + s.Repository + `": ` + test.want; err == nil || !strings.HasPrefix(err.Error(), want) || content != nil {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
