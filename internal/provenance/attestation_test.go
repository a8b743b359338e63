package provenance

import (
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func exampleWorkflow() Workflow {
	return Workflow{
		BuilderID:    "https://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1.2.3",
		InvocationID: "https://github.com/octo-org/octo-repo/actions/runs/1/attempts/1",
		Repository:   "https://github.com/octo-org/octo-repo", Ref: "refs/tags/v1.2.3", Path: ".github/workflows/release.yml",
		Commit: commit, Event: "push", RepositoryID: "1", OwnerID: "2", Runner: "github-hosted",
	}
}

// TestAttest: the statements about what exists say which kind they are, and of what; the
// provenance is understood by the code that the specifications publish, and by Parse.
func TestAttest(t *testing.T) {
	asset := exampleAssets()[0]
	for want, make := range map[string]func() ([]byte, error){
		PredicateType: func() ([]byte, error) { return exampleWorkflow().Attest(asset) },
		SPDXType:      func() ([]byte, error) { return AttestSPDX(asset, []byte(`{"spdxVersion": "SPDX-2.3", "a": [1, 2]}`)) },
		SignatureType: func() ([]byte, error) { return AttestSignature(asset) },
	} {
		text, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := TypeOf(text); got != want || err != nil {
			t.Errorf("got type %q, %v; want %s", got, err, want)
		}
		for _, part := range []string{asset.Name, asset.Digest.Hex()} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s does not speak of %s: %s", want, part, text)
			}
		}
		again, err := make()
		if err != nil || string(again) != string(text) {
			t.Errorf("%s: made twice, it differs", want)
		}
	}
	text, err := exampleWorkflow().Attest(asset)
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, text)
	statement, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if statement.Commit() != commit || statement.BuilderID() != exampleWorkflow().BuilderID || statement.BuildType() != WorkflowBuildType ||
		statement.InvocationID() != exampleWorkflow().InvocationID {
		t.Errorf("got commit %s, builder %s, type %s", statement.Commit(), statement.BuilderID(), statement.BuildType())
	}
	if _, err := statement.Plan(); err == nil {
		t.Error("it is taken for a release's")
	}
}

func TestAttestRefuses(t *testing.T) {
	asset := exampleAssets()[0]
	for name, make := range map[string]func() ([]byte, error){
		"no digest": func() ([]byte, error) { return AttestSignature(release.Asset{File: release.File{Name: "x"}}) },
		"no name": func() ([]byte, error) {
			return AttestSignature(release.Asset{File: release.File{Digest: asset.Digest}})
		},
		"no JSON": func() ([]byte, error) { return AttestSPDX(asset, []byte("SPDXVersion: SPDX-2.3")) },
		"no SPDX": func() ([]byte, error) { return AttestSPDX(asset, []byte("{}")) },
		"SPDX 3":  func() ([]byte, error) { return AttestSPDX(asset, []byte(`{"spdxVersion":"SPDX-3.0"}`)) },
		"two readings": func() ([]byte, error) {
			return AttestSPDX(asset, []byte(`{"spdxVersion":"SPDX-2.3","SpdxVersion":"SPDX-2.2"}`))
		},
		"unknown builder": func() ([]byte, error) { w := exampleWorkflow(); w.BuilderID = ""; return w.Attest(asset) },
		"unknown commit":  func() ([]byte, error) { w := exampleWorkflow(); w.Commit = ""; return w.Attest(asset) },
	} {
		if text, err := make(); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"_type":"https://in-toto.io/Statement/v0.1"}`, `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x"}`,
		`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` + strings.Repeat("0", 64) + `"}}]}`, strings.Repeat(" ", maxStatement+1)} {
		if got, err := TypeOf([]byte(text)); err == nil {
			t.Errorf("%.40s: type %q", text, got)
		}
	}
}
