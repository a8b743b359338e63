package sign

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
)

// key is a sign.Keypair that signs messages: ECDSA P-256 over their SHA-256. One that
// was made for a certificate lives as long as that and is never written anywhere.
type key struct{ crypto.Signer }

func (key) GetHashAlgorithm() protocommon.HashAlgorithm { return protocommon.HashAlgorithm_SHA2_256 }

func (key) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

func (key) GetKeyAlgorithm() string          { return "ECDSA" }
func (k key) GetPublicKey() crypto.PublicKey { return k.Public() }

// GetHint names the public key where a bundle has no certificate, as cosign names it.
func (k key) GetHint() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil // only a hint
	}
	return []byte(hintOf(der))
}

// hintOf is the SHA-256 of a public key (PKIX, DER) in base64.
func hintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (k key) GetPublicKeyPem() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

func (k key) SignData(_ context.Context, message []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(message)
	signature, err = k.Sign(rand.Reader, sum[:], crypto.SHA256)
	return signature, sum[:], err
}

// digestKey is a sign.Keypair that signs a digest as it stands, for files that were
// hashed while they were written and are too large to hold in memory.
type digestKey struct{ key }

func (k digestKey) SignData(_ context.Context, digest []byte) (signature, same []byte, err error) {
	signature, err = k.Sign(rand.Reader, digest, crypto.SHA256)
	return signature, digest, err
}

// fileDigest is the sign.Content to go with a digestKey: the SHA-256 of a file.
type fileDigest []byte

func (d fileDigest) PreAuthEncoding() []byte { return d }

func (d fileDigest) Bundle(b *protobundle.Bundle, signature, _ []byte, algorithm protocommon.HashAlgorithm) {
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: algorithm, Digest: d},
		Signature:     signature,
	}}
}
