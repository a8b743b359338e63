// Package sign signs files and in-toto statements with the identity of the workflow
// that runs, through Sigstore and without a key that has to be kept, and verifies
// such signatures.
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
// honours TUF_ROOT, TUF_MIRROR and TUF_ROOT_JSON.
package sign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/release"
)

// Trust is what signatures are made with and checked against: the certificates and
// keys of a Sigstore instance, and the addresses of its services. The zero value
// trusts nobody, so it verifies nothing and signs nothing.
type Trust struct {
	root   root.TrustedMaterial
	config *root.SigningConfig // nil: for verifying only
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

// PublicTrust is Sigstore's public instance, fetched through TUF
// (https://docs.sigstore.dev/about/security/#tuf) and cached where cosign caches it.
func PublicTrust(ctx context.Context) (Trust, error) { return within(ctx, fetchTrust) }

// within waits for fetch no longer than the context allows. The library behind fetch
// takes no context; what it was doing ends by its own timeouts.
func within(ctx context.Context, fetch func() (Trust, error)) (Trust, error) {
	type fetched struct {
		trust Trust
		err   error
	}
	done := make(chan fetched, 1)
	go func() {
		t, err := fetch()
		done <- fetched{t, err}
	}()
	select {
	case got := <-done:
		return got.trust, got.err
	case <-ctx.Done():
		return Trust{}, fmt.Errorf("fetching Sigstore's trusted root: %w", context.Cause(ctx))
	}
}

func fetchTrust() (Trust, error) {
	problem := func(what string, err error) error {
		return &release.Problem{
			Err: fmt.Errorf("fetching Sigstore's %s: %w", what, err),
			Tip: "it comes from tuf-repo-cdn.sigstore.dev, or from the mirror that TUF_MIRROR and TUF_ROOT_JSON name",
		}
	}
	material, err := cosign.TrustedRoot()
	if err != nil {
		return Trust{}, problem("trusted root", err)
	}
	config, err := cosign.SigningConfig()
	if err == nil {
		var text []byte
		if text, err = config.MarshalJSON(); err == nil {
			config, err = parseConfig(text)
		}
	}
	if err != nil {
		return Trust{}, problem("signing config", err)
	}
	return Trust{root: material, config: config}, nil
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
