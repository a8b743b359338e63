package sbom

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
)

// The specification's own library reads a document as SPDX 2.3 and finds it sound.
func TestStandardLibraryReadsIt(t *testing.T) {
	subject := compile(t, dependent(t))
	file, err := New(Places{}).Describe(t.Context(), subject, filepath.Join(t.TempDir(), "x.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	document, err := json.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil || document.SPDXVersion != "SPDX-2.3" {
		t.Errorf("%s: %v", document.SPDXVersion, err)
	}
	if len(document.Packages) < 4 || len(document.Relationships) < len(document.Packages) {
		t.Errorf("%d packages, %d relationships", len(document.Packages), len(document.Relationships))
	}
}
