// Package sign signs files and in-toto statements, and verifies such signatures:
// with the identity of the workflow that runs, through Sigstore and without a key that
// has to be kept; or, outside of workflows, with a key pair that cosign made.
//
// A signature is a Sigstore bundle v0.3, as JSON
// (https://docs.sigstore.dev/about/bundle/): the signature, the certificate that
// names the workflow, the proof that it stands in a transparency log, and a
// timestamp. The stock tools verify it: cosign verify-blob, cosign
// verify-blob-attestation, gh attestation verify.
//
// What is signed becomes public and stays so. A Signer therefore checks before it
// signs (the token against what is expected, the certificate against the trusted
// root) and verifies each bundle before it returns it; without a trusted root it
// signs nothing. Verification is cosign's own, so that the verdict is the one that a
// user will get, and then the rules of Identity on top of it.
//
// The package writes to no log and reads no environment, except that PublicTrust
// honours TUF_ROOT, TUF_MIRROR and TUF_ROOT_JSON, and GitHubTrust TUF_ROOT.
package sign

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/release"
)

// Trust is what signatures are made with and checked against: the certificates and
// keys of a Sigstore instance, and the addresses of its services; or one public key.
// The zero value trusts nobody, so it verifies nothing and signs nothing.
//
// A trusted root decides what a signature needs beside a certificate: its SCT, an
// entry in a transparency log, and a witnessed time. One that names no log at all, of
// neither kind, is an instance that keeps none, as GitHub's own is: there, a signed
// timestamp takes their place. What a key signed needs an entry where the trusted root
// names a log, or the signing config does.
type Trust struct {
	root   root.TrustedMaterial
	config *root.SigningConfig // nil: for verifying only
	key    *publicKey          // nil: certificates are trusted, not a key
}

// logless tells whether the instance keeps no logs.
func (t Trust) logless() bool {
	return t.root != nil && len(t.root.RekorLogs()) == 0 && len(t.root.CTLogs()) == 0
}

// logs tells whether what a key signs goes into a log: an instance that knows one, or names
// one to sign with, keeps its signatures where their owner can see them.
func (t Trust) logs() bool {
	return t.root != nil && len(t.root.RekorLogs()) > 0 || t.config != nil && len(t.config.RekorLogURLs()) > 0
}

// LoadTrust reads a trusted root and a signing config from files in Sigstore's
// formats. Without a signing config ("") the trust is for verifying only. The errors
// are release.Problems of class Usage.
func LoadTrust(trustedRootPath, signingConfigPath string) (Trust, error) {
	text, err := readFile(trustedRootPath)
	if err != nil {
		return Trust{}, release.Misuse("", "reading trusted root %q: %w", trustedRootPath, err)
	}
	var t Trust
	if t.root, err = root.NewTrustedRootFromJSON(text); err != nil {
		return Trust{}, release.Misuse("", "reading trusted root %q: %w", trustedRootPath, err)
	}
	if signingConfigPath == "" {
		return t, nil
	}
	if text, err = readFile(signingConfigPath); err == nil {
		t.config, err = parseConfig(text)
	}
	if err != nil {
		return Trust{}, release.Misuse("", "reading signing config %q: %w", signingConfigPath, err)
	}
	return t, nil
}

// parseConfig reads a signing config. The library takes one that says nothing about
// how many logs and timestamps are wanted, and would later panic over it.
func parseConfig(text []byte) (*root.SigningConfig, error) {
	parsed, err := root.NewSigningConfigProtobuf(text)
	if err != nil {
		return nil, err
	}
	if parsed.GetRekorTlogConfig() == nil || parsed.GetTsaConfig() == nil {
		return nil, errors.New("it has no rekorTlogConfig or no tsaConfig")
	}
	return root.NewSigningConfigFromProtobuf(parsed)
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 4 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, err
}
