package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// TestKeepsNoStrippedBundle: what a key signed is kept when it stands in the log that this
// run would enter it in, and is signed again when somebody took it out.
func TestKeepsNoStrippedBundle(t *testing.T) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("canary-password"), nil })
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(key, keys.PrivateBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, stripped := range map[string]int64{"": 0, release.ChecksumsBundleName: 1} {
		j := newJob(t)
		j.env["COSIGN_PASSWORD"] = "canary-password"
		args := []string{"release", "--platforms", "linux/amd64", "--key", key, "--rebuild"}
		j.stage.Hub.Inject(unpublishable)
		if code, said := j.run(t, args...); code != 1 {
			t.Fatalf("exit code %d:\n%.4000s", code, said)
		}
		if name != "" {
			takeEntries(t, filepath.Join(j.dir, "dist", name))
			// The draft has the whole one, which would be taken instead.
			j.github(t, "DELETE", "/repos/octo/hello/releases/1", "")
		}
		entries := j.stage.Sigstore.Calls(sigstore.Rekor)
		j.stage.Hub.Inject(nil)
		if code, said := j.run(t, args...); code != 0 {
			t.Fatalf("exit code %d:\n%.4000s", code, said)
		}
		if n := j.stage.Sigstore.Calls(sigstore.Rekor) - entries; n != stripped {
			t.Errorf("%q: %d more entries, want %d", name, n, stripped)
		}
	}
}

// takeEntries takes the log entries out of a bundle.
func takeEntries(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bundle map[string]any
	if err := json.Unmarshal(text, &bundle); err != nil {
		t.Fatal(err)
	}
	delete(bundle["verificationMaterial"].(map[string]any), "tlogEntries")
	if text, err = json.Marshal(bundle); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
