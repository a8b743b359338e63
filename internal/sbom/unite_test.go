package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spdx/tools-golang/spdx"
)

// known is a document that Describe made once, of a binary and an archive of such names,
// after a change.
func known(t testing.TB, binary string, change func(map[string]any)) []byte {
	t.Helper()
	golden, err := os.ReadFile(filepath.Join("testdata", "hello.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("ARCHIVE-SHA256", digestOf("archive of "+binary).Hex(), "BINARY-SHA256", digestOf(binary).Hex(),
		"BINARY-SHA1", digestOf(binary).Hex()[:40], "GOVERSION", "go1.26.8").Replace(string(golden))
	var d map[string]any
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	change(d)
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(map[string]any) {}

// licensed gives the standard library a licence of its own making.
func licensed(id, text string) func(map[string]any) {
	return func(d map[string]any) {
		p, f := d["packages"].([]any)[2].(map[string]any), d["files"].([]any)[0].(map[string]any)
		p["licenseDeclared"] = "(BSD-3-Clause AND " + id + ") OR " + id + "-not"
		p["licenseConcluded"], p["licenseInfoFromFiles"] = id, []any{id}
		f["licenseConcluded"], f["licenseInfoInFiles"] = id, []any{id}
		d["hasExtractedLicensingInfos"] = []any{
			map[string]any{"licenseId": id, "extractedText": text, "name": "Own"},
			map[string]any{"licenseId": id + "-not", "extractedText": "no", "name": "Not", "seeAlsos": []any{"https://example.com"}},
		}
	}
}

func TestPackagesThatDifferStayApart(t *testing.T) {
	other := known(t, "b", func(d map[string]any) {
		d["packages"].([]any)[2].(map[string]any)["licenseDeclared"] = "MIT"
	})
	_, d := imageOf(t, imageSubject(), known(t, "a", same), other, known(t, "c", same))
	licences := map[spdx.ElementID]string{}
	for _, p := range d.Packages {
		if p.PackageName == stdlib {
			licences[p.PackageSPDXIdentifier] = p.PackageLicenseDeclared
		}
	}
	if got := slices.Sorted(maps.Values(licences)); !slices.Equal(got, []string{"BSD-3-Clause", "MIT"}) {
		t.Errorf("the standard library is there with the licences %q", licences)
	}
	// Each is evident by its own programs.
	evident := map[string]int{}
	for _, r := range d.Relationships {
		if r.Relationship == "OTHER" {
			evident[licences[r.RefA.ElementRefID]]++
		}
	}
	if want := map[string]int{"BSD-3-Clause": 2, "MIT": 1, "": 3}; !maps.Equal(evident, want) {
		t.Errorf("evident by %v files, want %v", evident, want)
	}
}

func TestOriginsOfAPackageAreUnited(t *testing.T) {
	found := func(where string) func(map[string]any) {
		return func(d map[string]any) { d["packages"].([]any)[2].(map[string]any)["sourceInfo"] = where }
	}
	_, d := imageOf(t, imageSubject(), known(t, "c", found("in c")), known(t, "a", found("in a")), known(t, "x", found("in c")), known(t, "n", found("")))
	for _, p := range d.Packages {
		if p.PackageName == stdlib && p.PackageSourceInfo != "in a; in c" {
			t.Errorf("found %q", p.PackageSourceInfo)
		}
	}
	if len(d.Packages) != 3 {
		t.Errorf("%d packages", len(d.Packages))
	}
}

func TestLicencesOfOneNameStayApart(t *testing.T) {
	const id = "LicenseRef-own"
	documents := [][]byte{
		known(t, "a", licensed(id, "one <b>")), known(t, "b", licensed(id, "two")),
		known(t, "c", licensed(id, "one <b>")), known(t, "d", licensed("LicenseRef-other", "one <b>")),
	}
	content, d := imageOf(t, imageSubject(), documents...)
	texts, ids := map[string]string{}, []string{}
	for _, l := range d.OtherLicenses {
		ids = append(ids, regexp.MustCompile(`-[0-9a-f]{16}$`).ReplaceAllString(l.LicenseIdentifier, "-ID"))
		texts[l.LicenseIdentifier] = l.ExtractedText
	}
	slices.Sort(ids)
	if want := []string{"LicenseRef-other", "LicenseRef-other-not", id + "-ID", id + "-ID", id + "-not"}; !slices.Equal(ids, want) {
		t.Errorf("licences %q, want %q", ids, want)
	}
	// What a package and its program say is still what their document said.
	said := map[string]int{}
	for _, p := range d.Packages {
		if p.PackageName != stdlib {
			continue
		}
		parts := regexp.MustCompile(`^\(BSD-3-Clause AND (\S+)\) OR (\S+)$`).FindStringSubmatch(p.PackageLicenseDeclared)
		if parts == nil || texts[parts[2]] != "no" {
			t.Fatalf("licence %q", p.PackageLicenseDeclared)
		}
		said[texts[parts[1]]]++
	}
	if want := map[string]int{"one <b>": 2, "two": 1}; !maps.Equal(said, want) {
		t.Errorf("packages have the licences %v, want %v", said, want)
	}
	for _, f := range d.Files {
		digest, err := digestOfFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want := "one <b>"
		if digest == digestOf("b") {
			want = "two"
		}
		if texts[f.LicenseInfoInFiles[0]] != want {
			t.Errorf("%s: licence %q", f.FileSPDXIdentifier, f.LicenseInfoInFiles)
		}
	}
	if !bytes.Contains(content, []byte(`"one <b>"`)) || !bytes.Contains(content, []byte(`"https://example.com"`)) {
		t.Errorf("a text or a reference was lost:\n%s", content)
	}
	slices.Reverse(documents)
	if again, _ := imageOf(t, imageSubject(), documents...); !bytes.Equal(again, content) {
		t.Errorf("in another order:\n%s", again)
	}
	_, d = imageOf(t, imageSubject(), documents[1], documents[3])
	if len(d.OtherLicenses) != 2 || d.OtherLicenses[0].LicenseIdentifier != id {
		t.Errorf("one licence in two documents became %+v", d.OtherLicenses)
	}
}

// Modules that programs share are there once.
func TestImageOfManyModules(t *testing.T) {
	const programs, modules = 40, 1000
	var documents [][]byte
	var size int
	for i := range programs {
		documents = append(documents, known(t, fmt.Sprint(i), func(d map[string]any) {
			packages, relationships := d["packages"].([]any), d["relationships"].([]any)
			for j := range modules {
				p := maps.Clone(packages[2].(map[string]any))
				id := fmt.Sprintf("SPDXRef-Package-go-module-%d-%d", i, j)
				p["SPDXID"], p["name"] = id, fmt.Sprint("example.com/module", j)
				packages = append(packages, p)
				for k, number := range []int{2, 4, 5} {
					r := maps.Clone(relationships[number].(map[string]any))
					r[[]string{"relatedSpdxElement", "spdxElementId", "spdxElementId"}[k]] = id
					relationships = append(relationships, r)
				}
			}
			d["packages"], d["relationships"] = packages, relationships
		}))
		size += len(documents[i])
	}
	content, d := imageOf(t, imageSubject(), documents...)
	if len(d.Packages) != modules+3 || len(d.Files) != programs || len(d.Relationships) != 1+(modules+2)+(modules+1)+programs*(modules+2) {
		t.Errorf("%d packages, %d files, %d relationships", len(d.Packages), len(d.Files), len(d.Relationships))
	}
	if len(content) > size/2 {
		t.Errorf("%d bytes of documents with %d", len(content), size)
	}
	t.Logf("%d bytes of documents with %d", len(content), size)
}

// FuzzImage: of whatever documents, an image either has none or has a sound one.
func FuzzImage(f *testing.F) {
	f.Add(known(f, "a", same))
	f.Add(known(f, "b", licensed("LicenseRef-a", "text")))
	f.Add(sampleText(f, func(map[string]any) {}))
	good := known(f, "a", licensed("LicenseRef-a", "another text"))
	f.Fuzz(func(t *testing.T, content []byte) {
		made, err := Image(imageSubject(), [][]byte{good, content})
		if err != nil {
			return
		}
		if again, err := Image(imageSubject(), [][]byte{content, good}); err != nil || !bytes.Equal(made, again) {
			t.Errorf("in another order: %v\n%s", err, again)
		}
		var d struct{ Packages, Files []struct{ SPDXID string } }
		if err := json.Unmarshal(made, &d); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, e := range slices.Concat(d.Packages, d.Files) {
			if ids[e.SPDXID] {
				t.Errorf("%s is there twice", e.SPDXID)
			}
			ids[e.SPDXID] = true
		}
	})
}
