package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

const password = "a password, which is secret"

// pair is what cosign generate-key-pair writes.
type pair struct {
	private, public string // paths
	text            string // of the private key
}

func newPair(t *testing.T) pair {
	t.Helper()
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte(password), nil })
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub"), string(keys.PrivateBytes)}
	for path, text := range map[string][]byte{p.private: keys.PrivateBytes, p.public: keys.PublicBytes} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p pair) getenv(name string) string {
	return map[string]string{"COSIGN_PASSWORD": password, "KEY": p.text}[name]
}

// signAndVerify signs with the key and verifies with its public half, which trusts the
// entries of an instance.
func (p pair) signAndVerify(t *testing.T, reference string, instance Trust) (message, attestation []byte) {
	t.Helper()
	k, err := LoadKey(reference, p.getenv)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewKeySigner(k, instance, nil)
	if err != nil {
		t.Fatal(err)
	}
	if message, err = signer.Blob(t.Context(), blob(0)); err != nil {
		t.Fatal(err)
	}
	if attestation, err = signer.Statement(t.Context(), statement(t, 2)); err != nil {
		t.Fatal(err)
	}
	trust, err := LoadPublicKey(p.public, p.getenv, instance)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := trust.VerifyBlob(message, blob(0).Digest, Identity{})
	if err != nil || sig.Key == "" || sig.SAN != "" || !strings.HasPrefix(sig.Signer(), "key SHA256:") {
		t.Errorf("got %+v, %v", sig, err)
	}
	text, _, err := trust.VerifyStatement(attestation, blob(1).Digest, Identity{})
	if err != nil || string(text) != string(statement(t, 2)) {
		t.Errorf("got %s, %v", text, err)
	}
	if san, err := signer.Identity(t.Context()); san != "" || err != nil {
		t.Errorf("got identity %q, %v", san, err)
	}
	return message, attestation
}

func TestKeyPair(t *testing.T) {
	p, s := newPair(t), start(t, workflow())
	asked := func(n int64) {
		t.Helper()
		calls(t, s, map[string]int64{sigstore.OIDC: 0, sigstore.Fulcio: 0, sigstore.Rekor: n, sigstore.TSA: n})
	}
	silent, silentAttestation := p.signAndVerify(t, p.private, Trust{})
	asked(0)
	p.signAndVerify(t, "env://KEY", Trust{})
	asked(0)
	logged, _ := p.signAndVerify(t, p.private, trustOf(t, s))
	asked(2)

	other := newPair(t)
	foreign, err := LoadPublicKey(other.public, other.getenv, Trust{})
	if err != nil {
		t.Fatal(err)
	}
	own, err := LoadPublicKey(p.public, p.getenv, Trust{})
	if err != nil {
		t.Fatal(err)
	}
	keyless, err := signerOf(t, s).Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		trust  Trust
		bundle []byte
		digest release.Digest
		want   string
	}{
		"other key":               {foreign, silent, blob(0).Digest, `signer: found "key SHA256:`},
		"other digest":            {own, silent, blob(1).Digest, "digest: found"},
		"other kind":              {own, silentAttestation, blob(0).Digest, "content: found"},
		"certificate":             {own, keyless, blob(0).Digest, `signer: found "a certificate"`},
		"key where none is known": {trustOf(t, s), silent, blob(0).Digest, `signer: found "a key"`},
		"unknown log":             {own, logged, blob(0).Digest, "log inclusion"},
	} {
		if _, err := c.trust.VerifyBlob(c.bundle, c.digest, identity()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// stripped is a bundle without its log entries, or without its timestamps.
func stripped(t *testing.T, text []byte, part string) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	material := doc["verificationMaterial"].(map[string]any)
	if _, ok := material[part]; !ok {
		t.Fatalf("the bundle has no %q", part)
	}
	delete(material, part)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKeyWithoutEntry: where there is a log, a signature that nobody could have seen is
// none, of a key as well.
func TestKeyWithoutEntry(t *testing.T) {
	p, s := newPair(t), start(t, workflow())
	instance := trustOf(t, s)
	logged, attestation := p.signAndVerify(t, p.private, instance)
	silent, _ := p.signAndVerify(t, p.private, Trust{})
	noLogs, err := root.NewTrustedRoot(root.TrustedRootMediaType01, s.TrustedRoot.FulcioCertificateAuthorities(), s.TrustedRoot.CTLogs(),
		s.TrustedRoot.TimestampingAuthorities(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		instance Trust
		bundle   []byte
		want     string // empty: it holds
	}{
		"as it was":                      {instance, logged, ""},
		"entry taken away":               {instance, stripped(t, logged, "tlogEntries"), "log entry: found none"},
		"entry and timestamp taken away": {instance, stripped(t, stripped(t, logged, "tlogEntries"), "timestampVerificationData"), "log entry: found none"},
		"never logged":                   {instance, silent, "log entry: found none"},
		"for verifying only":             {Trust{root: instance.root}, silent, "log entry: found none"},
		"log is where to sign":           {Trust{root: noLogs, config: instance.config}, silent, "log entry: found none"},
		"no instance":                    {Trust{}, silent, ""},
		"an instance without logs":       {Trust{root: noLogs}, silent, ""},
	} {
		trust, err := LoadPublicKey(p.public, p.getenv, c.instance)
		if err != nil {
			t.Fatal(err)
		}
		_, err = trust.VerifyBlob(c.bundle, blob(0).Digest, Identity{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	trust, err := LoadPublicKey(p.public, p.getenv, instance)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := trust.VerifyStatement(stripped(t, attestation, "tlogEntries"), blob(0).Digest, Identity{}); err == nil || !strings.Contains(err.Error(), "log entry: found none") {
		t.Errorf("statement: %v", err)
	}
}

// TestKeyWithoutServiceOfLog: who trusts a log and names none to sign with is told before
// anything is signed, not by whoever verifies.
func TestKeyWithoutServiceOfLog(t *testing.T) {
	p, s := newPair(t), start(t, workflow())
	instance := trustOf(t, s)
	var err error
	none := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	if instance.config, err = root.NewSigningConfig(root.SigningConfigMediaType02, nil, nil, nil, none, nil, none); err != nil {
		t.Fatal(err)
	}
	k, err := LoadKey(p.private, p.getenv)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewKeySigner(k, instance, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Blob(t.Context(), blob(0)); err == nil || !strings.Contains(err.Error(), "choosing a transparency log") {
		t.Errorf("got %v", err)
	}
}

// TestKeyReferences: what cannot be read is said without what was read.
func TestKeyReferences(t *testing.T) {
	p := newPair(t)
	plain, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(plain)
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "another password"
	env := map[string]string{
		"COSIGN_PASSWORD": wrong, "KEY": p.text, "TEXT": "canary-text",
		"PLAIN": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"TRASH": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: []byte("canary-trash")})),
	}
	getenv := func(name string) string { return env[name] }
	for reference, want := range map[string]string{
		"env://KEY":                          "reading key \"env://KEY\": decrypt",
		"env://TEXT":                         "no private key of cosign's",
		"env://PLAIN":                        "no private key of cosign's",
		"env://TRASH":                        "reading key",
		"env://ABSENT":                       "the variable is not set",
		"env://":                             "the variable is not set",
		filepath.Join(t.TempDir(), "absent"): "no such file",
		p.public:                             "no private key of cosign's",
		"":                                   "reading key",
		"awskms://alias/key":                 "references to awskms are not built in",
		"gcpkms://projects/p":                "references to gcpkms are not built in",
		"azurekms://vault/key":               "references to azurekms are not built in",
		"hashivault://key":                   "references to hashivault are not built in",
		"k8s://namespace/secret":             "references to k8s are not built in",
		"pkcs11:token=x;pin-value=canary":    "references to pkcs11 are not built in",
	} {
		_, err := LoadKey(reference, getenv)
		if release.ClassOf(err) != release.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", reference, err, want)
			continue
		}
		for _, secret := range []string{wrong, "canary", env["PLAIN"][28:60], p.text[60:90]} {
			if strings.Contains(err.Error()+release.HintOf(err), secret) {
				t.Errorf("%q: the error tells %q", reference, secret)
			}
		}
		if _, err := LoadPublicKey(reference, getenv, Trust{}); reference != p.public && release.ClassOf(err) != release.Usage {
			t.Errorf("public key %q: got %v", reference, err)
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err = x509.MarshalPKIXPublicKey(p384.Public())
	if err != nil {
		t.Fatal(err)
	}
	env["P384"] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if _, err := LoadPublicKey("env://P384", getenv, Trust{}); err == nil || !strings.Contains(err.Error(), "curve P-256") {
		t.Errorf("got %v", err)
	}
}
