package sbom

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is the smallest document that Parse takes.
func sample() map[string]any {
	sum := func(value string) []any {
		return []any{map[string]any{"algorithm": "SHA1", "checksumValue": "x"}, map[string]any{"algorithm": "SHA256", "checksumValue": value}}
	}
	return map[string]any{
		"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0",
		"name": "hello.tar.gz", "documentNamespace": "https://example.com/hello",
		"packages": []any{
			map[string]any{"SPDXID": "SPDXRef-z", "name": "stdlib", "versionInfo": "go1.26.8"},
			map[string]any{"SPDXID": "SPDXRef-root", "name": "hello.tar.gz", "checksums": sum(digestOf("archive").Hex())},
			map[string]any{"SPDXID": "SPDXRef-main", "name": "example.com/hello", "versionInfo": "v1.2.3", "primaryPackagePurpose": "APPLICATION"},
			map[string]any{"SPDXID": "SPDXRef-dep", "name": "example.com/dep", "versionInfo": "v0.1.0", "checksums": sum(digestOf("dep").Hex())},
		},
		"relationships": []any{
			map[string]any{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-root"},
			map[string]any{"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-main"},
		},
	}
}

func sampleText(t testing.TB, change func(map[string]any)) []byte {
	t.Helper()
	d := sample()
	change(d)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse(t *testing.T) {
	d, err := Parse(sampleText(t, func(map[string]any) {}))
	if err != nil {
		t.Fatal(err)
	}
	packages := []Package{
		{Name: "example.com/dep", Version: "v0.1.0", Checksum: digestOf("dep").Hex()},
		{Name: "example.com/hello", Version: "v1.2.3"},
		{Name: "stdlib", Version: "go1.26.8"},
	}
	if !slices.Equal(d.Packages, packages) {
		t.Errorf("packages %+v", d.Packages)
	}
	if d.SPDXVersion != "SPDX-2.3" || d.Name != "hello.tar.gz" || d.Namespace != "https://example.com/hello" ||
		d.Archive != digestOf("archive") || d.Module != "example.com/hello" || d.Version != "v1.2.3" || d.Toolchain != "go1.26.8" {
		t.Errorf("document %+v", d)
	}
}

func TestParseRefuses(t *testing.T) {
	set := func(key string, value any) func(map[string]any) {
		return func(d map[string]any) { d[key] = value }
	}
	in := func(i int, key string, value any) func(map[string]any) {
		return func(d map[string]any) { d["packages"].([]any)[i].(map[string]any)[key] = value }
	}
	hex := digestOf("").Hex()
	for _, test := range []struct {
		change func(map[string]any)
		want   string
	}{
		{set("spdxVersion", "SPDX-2.2"), `spdxVersion "SPDX-2.2": want SPDX-2.3`},
		{set("SPDXID", ""), `SPDXID "": want SPDXRef-DOCUMENT`},
		{set("dataLicense", "MIT"), `dataLicense "MIT": want CC0-1.0`},
		{set("name", ""), `no name`},
		{set("documentNamespace", ""), `no documentNamespace`},
		{set("relationships", nil), `the document describes nothing`},
		{func(d map[string]any) {
			d["relationships"] = append(d["relationships"].([]any), map[string]any{
				"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-main"})
		}, `the document describes both "SPDXRef-root" and "SPDXRef-main"`},
		{set("packages", nil), `no package "SPDXRef-root", which the document is said to describe`},
		{in(1, "checksums", nil), `package "hello.tar.gz": digest "": want 64 lower-case hexadecimal digits of SHA-256`},
		{in(2, "primaryPackagePurpose", ""), `no main module with a version`},
		{in(2, "versionInfo", ""), `no main module with a version`},
		{in(3, "primaryPackagePurpose", "APPLICATION"), `package "example.com/dep": there is another one of its kind`},
		{in(3, "name", "stdlib"), `package "stdlib": there is another one of its kind`},
		{in(3, "name", ""), `package "": want a name and an SPDXID`},
		{in(3, "SPDXID", ""), `package "example.com/dep": want a name and an SPDXID`},
		{in(3, "SPDXID", "SPDXRef-main"), `package "example.com/dep": SPDXID "SPDXRef-main" is there twice`},
		{in(0, "versionInfo", "1.26"), `version "1.26" of Go: want one such as go1.26.0`},
		{in(3, "checksums", []any{map[string]any{"algorithm": "SHA256", "checksumValue": "abc"}}),
			`package "example.com/dep": digest "abc": want 64 lower-case hexadecimal digits of SHA-256`},
		{in(3, "checksums", []any{map[string]any{"algorithm": "SHA256", "checksumValue": hex}, map[string]any{"algorithm": "SHA256", "checksumValue": hex}}),
			`package "example.com/dep": two SHA-256 checksums`},
	} {
		_, err := Parse(sampleText(t, test.change))
		if want := "parsing SPDX document: " + test.want; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	good := string(sampleText(t, func(map[string]any) {}))
	for text, want := range map[string]string{
		"":                                      "parsing SPDX document: EOF",
		"[]":                                    "parsing SPDX document: json: cannot unmarshal array",
		good + good:                             "parsing SPDX document: data after the document",
		good + "x":                              "parsing SPDX document: data after the document",
		good[:50]:                               "parsing SPDX document: unexpected EOF",
		`{"name": 1}`:                           "parsing SPDX document: json: cannot unmarshal number",
		`{"packages":`:                          "parsing SPDX document: unexpected EOF",
		strings.Repeat(`{"packages":[`, 20_000): "parsing SPDX document: ",
		strings.Repeat(" ", MaxSize+1):          "parsing SPDX document: 67108865 bytes; 67108864 are read at most",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "hello.spdx.json"))
	if err != nil {
		f.Fatal(err)
	}
	hex := digestOf("").Hex()
	f.Add([]byte(strings.NewReplacer("ARCHIVE-SHA256", hex, "BINARY-SHA256", hex, "GOVERSION", "go1.26.8").Replace(string(golden))))
	f.Add(sampleText(f, func(map[string]any) {}))
	f.Add([]byte(`{"spdxVersion":"SPDX-2.3"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := Parse(content)
		if err != nil {
			return
		}
		if d.Module == "" || d.Version == "" || d.Toolchain == "" || d.Name == "" || d.Namespace == "" || len(d.Archive.Hex()) != 64 {
			t.Errorf("incomplete: %+v", d)
		}
		if !slices.ContainsFunc(d.Packages, func(p Package) bool { return p.Name == d.Module && p.Version == d.Version }) {
			t.Errorf("%s %s is not among %v", d.Module, d.Version, d.Packages)
		}
	})
}
