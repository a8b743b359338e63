package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/org/pgo-release/internal/release"
)

// Key is a private key that signs in the place of a workflow's identity.
type Key struct {
	private key
	name    string // reference that it was read from
}

// publicKey is the key whose signatures are trusted.
type publicKey struct {
	verifier signature.Verifier
	hint     string // SHA-256 in base64, as bundles name the key
}

const (
	envScheme   = "env://"
	passwordEnv = "COSIGN_PASSWORD"
)

// managed are the schemes of cosign's references to keys that a service or a device
// keeps (https://docs.sigstore.dev/cosign/key_management/overview/).
func managed() []string {
	return []string{"awskms://", "gcpkms://", "azurekms://", "hashivault://", "openbao://", "k8s://", "gitlab://", "github://", "pkcs11:"}
}

// LoadKey reads a private key as cosign's --key takes it: the path of a file, or
// env://NAME for a variable that holds the file's text; its password is in the
// variable COSIGN_PASSWORD. The key is encrypted ECDSA P-256, which is what
// `cosign generate-key-pair` makes. The errors are release.Problems of class Usage;
// they quote neither key nor password.
func LoadKey(reference string, getenv func(string) string) (*Key, error) {
	text, err := readKey(reference, getenv)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType {
		return nil, release.Misuse("cosign generate-key-pair makes one, cosign import-key-pair --key makes one of another key",
			"reading key %q: it is no private key of cosign's", reference)
	}
	loaded, err := cosign.LoadPrivateKey(text, []byte(getenv(passwordEnv)), nil)
	if err != nil {
		return nil, release.Misuse("its password belongs into "+passwordEnv, "reading key %q: %w", reference, err)
	}
	private, ok := loaded.(crypto.Signer)
	if !ok || !isP256(private.Public()) {
		return nil, release.Misuse("cosign generate-key-pair makes one that does", "reading key %q: want ECDSA on the curve P-256", reference)
	}
	return &Key{private: key{private}, name: reference}, nil
}

func isP256(public crypto.PublicKey) bool {
	ec, ok := public.(*ecdsa.PublicKey)
	return ok && ec.Curve == elliptic.P256()
}

// readKey reads the text behind a reference.
func readKey(reference string, getenv func(string) string) ([]byte, error) {
	for _, scheme := range managed() {
		if strings.HasPrefix(reference, scheme) {
			return nil, release.Misuse("name a file, or env://NAME for a variable; in GitHub Actions no key is needed",
				"reading the key: references to %s are not built in", strings.TrimRight(scheme, ":/")) // some hold a PIN
		}
	}
	if name, ok := strings.CutPrefix(reference, envScheme); ok {
		text := getenv(name)
		if text == "" {
			return nil, release.Misuse("", "reading key %q: the variable is not set", reference)
		}
		return []byte(text), nil
	}
	text, err := readFile(reference)
	if err != nil {
		return nil, release.Misuse("", "reading key %q: %w", reference, err)
	}
	return text, nil
}

// LoadPublicKey trusts the signatures of one key (PEM, ECDSA P-256), by a reference
// like LoadKey's. instance is whose log entries are believed where bundles carry some;
// the zero value takes none. The errors are release.Problems of class Usage.
func LoadPublicKey(reference string, getenv func(string) string, instance Trust) (Trust, error) {
	text, err := readKey(reference, getenv)
	if err != nil {
		return Trust{}, err
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err == nil {
		var trust Trust
		if trust, err = instance.withKey(public); err == nil {
			return trust, nil
		}
	}
	return Trust{}, release.Misuse("it is the cosign.pub that belongs to the private key", "reading public key %q: %w", reference, err)
}

// PublicTrust trusts the signatures of this key, as LoadPublicKey does.
func (k *Key) PublicTrust(instance Trust) (Trust, error) {
	trust, err := instance.withKey(k.private.Public())
	if err != nil {
		return Trust{}, fmt.Errorf("reading the public half of key %q: %w", k.name, err)
	}
	return trust, nil
}

// withKey trusts one public key instead of certificates.
func (t Trust) withKey(public crypto.PublicKey) (Trust, error) {
	if !isP256(public) {
		return Trust{}, errors.New("want ECDSA on the curve P-256")
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return Trust{}, err
	}
	der, err := cryptoutils.MarshalPublicKeyToDER(public)
	if err != nil {
		return Trust{}, err
	}
	if t.root == nil {
		t.root = &root.BaseTrustedMaterial{} // knows no log
	}
	t.key = &publicKey{verifier: verifier, hint: hintOf(der)}
	return t, nil
}

// NewKeySigner makes a signer that signs with a key pair. The signatures are entered in
// the log of the instance; the zero value stands for none: then nothing becomes
// public and no service is asked. transport is as for NewSigner.
func NewKeySigner(k *Key, instance Trust, transport http.RoundTripper) (*Signer, error) {
	trust, err := k.PublicTrust(instance)
	if err != nil {
		return nil, err
	}
	s := NewSigner(trust, nil, transport)
	s.current = &credential{key: k.private}
	return s, nil
}
