package cli_test

import (
	"context"
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/provenance"
)

// strip takes the log entries out of a bundle.
func strip(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: strip BUNDLE")
	}
	var bundle map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &bundle))
	material, ok := bundle["verificationMaterial"].(map[string]any)
	if _, there := material["tlogEntries"]; !ok || !there {
		ts.Fatalf("%s has no log entries", args[0])
	}
	delete(material, "tlogEntries")
	text, err := json.Marshal(bundle)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// stranger leaves bundles beside an image that nobody signed, of every kind.
func stranger(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: stranger IMAGE@DIGEST")
	}
	for _, predicate := range []string{provenance.SignatureType, provenance.PredicateType, provenance.SPDXType, "https://example.com/tested"} {
		// Some of them come before the genuine ones, whatever those are.
		for _, payload := range []string{"e30=", "e31=", "e32=", "e33=", "e34=", "e35=", "e36="} {
			bundle := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AA=="}},"dsseEnvelope":{"payload":"` + payload + `"}}`
			_, err := image.Attach(context.Background(), args[0], []byte(bundle), predicate, image.Access{Token: ts.Getenv("INPUT_TOKEN")})
			ts.Check(err)
		}
	}
}
