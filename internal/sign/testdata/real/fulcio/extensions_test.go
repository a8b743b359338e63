package fulcio_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// TestSameExtensions: for the same claims, the real Fulcio and the carried one make
// certificates that say the same. Both get the very claims that the carried token has.
func TestSameExtensions(t *testing.T) {
	with := func(change func(*sigstore.Workflow)) sigstore.Workflow {
		w := setup.Workflow()
		change(&w)
		return w
	}
	for name, w := range map[string]sigstore.Workflow{
		"tag":      setup.Workflow(),
		"dispatch": with(func(w *sigstore.Workflow) { w.Ref, w.Event = "refs/heads/main", "workflow_dispatch" }),
		"reusable": with(func(w *sigstore.Workflow) { w.Called = "octo-org/workflows/.github/workflows/go.yml@refs/heads/main" }),
		"private":  with(func(w *sigstore.Workflow) { w.Visibility = "private" }),
		"odd characters": with(func(w *sigstore.Workflow) {
			w.Name, w.Ref, w.Path = "Größe: <b> & \"x\" {{ .url }}", "refs/tags/größe/v1.2.3+x", ".github/workflows/release (all).yml"
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, w)
			carriedDir := t.TempDir()
			if err := s.carried.WriteFiles(carriedDir); err != nil {
				t.Fatal(err)
			}
			carriedTrust, err := sign.LoadTrust(carriedDir+"/"+sigstore.TrustedRootName, carriedDir+"/"+sigstore.SigningConfigName)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, certificate(t, s.signer()), certificate(t, sign.NewSigner(carriedTrust, stub.Ask(s.carried.Env()), nil)))
		})
	}
}

// certificate is the certificate that a signer signs with.
func certificate(t *testing.T, signer *sign.Signer) *x509.Certificate {
	t.Helper()
	text, err := signer.Blob(t.Context(), setup.File(0))
	if err != nil {
		t.Fatal(err)
	}
	content, err := parse(t, text).VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	return content.Certificate()
}

// compare holds the carried certificate against the real one: which extensions there are,
// and the bytes of those that do not depend on key, log or time.
func compare(t *testing.T, real, carried *x509.Certificate) {
	t.Helper()
	for what, pair := range map[string][2]*x509.Certificate{"real": {real, carried}, "carried": {carried, real}} {
		for _, e := range pair[0].Extensions {
			if !slices.ContainsFunc(pair[1].Extensions, func(o pkix.Extension) bool { return o.Id.Equal(e.Id) }) {
				t.Errorf("extension %s is in the %s certificate only: %q", e.Id, what, e.Value)
			}
		}
	}
	differs := []asn1.ObjectIdentifier{ // key identifiers, and the SCTs
		{2, 5, 29, 14}, {2, 5, 29, 35}, {1, 3, 6, 1, 4, 1, 11129, 2, 4, 2},
	}
	compared := 0
	for _, e := range real.Extensions {
		own := slices.ContainsFunc(differs, e.Id.Equal)
		for _, c := range carried.Extensions {
			if !c.Id.Equal(e.Id) {
				continue
			}
			if c.Critical != e.Critical || !own && !bytes.Equal(c.Value, e.Value) {
				t.Errorf("extension %s: real %q (critical: %v), carried %q (critical: %v)", e.Id, e.Value, e.Critical, c.Value, c.Critical)
			}
			if strings.HasPrefix(e.Id.String(), "1.3.6.1.4.1.57264.1.") {
				compared++
			}
		}
	}
	if compared < 22 { // 1 to 6, 8 to 22, 24
		t.Errorf("%d of Fulcio's extensions were compared", compared)
	}
	if r, c := real.NotAfter.Sub(real.NotBefore), carried.NotAfter.Sub(carried.NotBefore); r != c {
		t.Errorf("real life %s, carried %s", r, c)
	}
	if !bytes.Equal(real.RawSubject, carried.RawSubject) {
		t.Errorf("real subject %q, carried %q", real.Subject, carried.Subject)
	}
	if real.Version != carried.Version || real.PublicKeyAlgorithm != carried.PublicKeyAlgorithm {
		t.Errorf("real version %d with %s, carried %d with %s", real.Version, real.PublicKeyAlgorithm, carried.Version, carried.PublicKeyAlgorithm)
	}
}
