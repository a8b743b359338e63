package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/org/pgo-release/internal/dist"
)

// digest sets the variable DIGEST to that of the image in dist/release.json.
func digest(ts *testscript.TestScript, _ bool, _ []string) {
	var report dist.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("dist/release.json")), &report))
	ts.Setenv("DIGEST", string(report.Images[0].Digest))
}

// keyPair writes cosign.key and cosign.pub into a directory, as cosign generate-key-pair
// does, with the password canary-password.
func keyPair(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: keypair DIR")
	}
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("canary-password"), nil })
	ts.Check(err)
	for name, text := range map[string][]byte{"cosign.key": keys.PrivateBytes, "cosign.pub": keys.PublicBytes} {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), name), text, 0o600))
	}
}
