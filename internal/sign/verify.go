package sign

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/org/pgo-release/internal/release"
)

// Signature is what a verified bundle says about its origin.
type Signature struct {
	SAN        string    // URI of the workflow that signed, with its ref
	Issuer     string    // of the token; always Issuer
	Repository string    // owner/name that the workflow ran for
	Commit     string    // that it ran for
	Ref        string    // that it ran for, such as refs/tags/v1.2.3
	Trigger    string    // event that started it, such as push
	Time       time.Time // earliest witnessed time of the signature, UTC
}

// maxBundle bounds a bundle, in bytes. The largest hold a statement with all its
// subjects, which is 8 MiB at most, in base64.
const maxBundle = 16 << 20

// VerifyBlob checks a bundle over a file with this digest: signature, certificate
// with its SCT, log entry and timestamp against the trusted root, then the identity.
// The error names the rule that does not hold, what was found and what was expected.
func (t Trust) VerifyBlob(text []byte, digest release.Digest, want Identity) (Signature, error) {
	expected, err := want.rules()
	if err != nil {
		return Signature{}, err
	}
	sig, err := t.verifyBlob(text, digest, expected)
	if err != nil {
		return Signature{}, fmt.Errorf("verifying the bundle over %q: %w", digest, err)
	}
	return sig, nil
}

// VerifyStatement checks, as VerifyBlob does, a bundle that holds an in-toto
// statement with a subject of this digest, and returns the statement as it was
// signed. What the statement says about the subject is not judged here.
func (t Trust) VerifyStatement(text []byte, digest release.Digest, want Identity) (statement []byte, sig Signature, err error) {
	expected, err := want.rules()
	if err != nil {
		return nil, Signature{}, err
	}
	statement, sig, err = t.verifyStatement(text, digest, expected)
	if err != nil {
		return nil, Signature{}, fmt.Errorf("verifying the attestation of %q: %w", digest, err)
	}
	return statement, sig, nil
}

func (t Trust) verifyBlob(text []byte, digest release.Digest, want ...rules) (Signature, error) {
	b, err := parseBundle(text)
	if err != nil {
		return Signature{}, err
	}
	content, err := b.SignatureContent()
	if err != nil {
		return Signature{}, err
	}
	message := content.MessageSignatureContent()
	if message == nil {
		return Signature{}, differ("content", "DSSE envelope", "message signature")
	}
	// Only a hint, which the signature does not cover; but it says what is wrong
	// where verification merely says that something is.
	if found := hex.EncodeToString(message.Digest()); found != digest.Hex() {
		return Signature{}, differ("digest", "sha256:"+found, string(digest))
	}
	return t.verify(b, digest, want...)
}

func (t Trust) verifyStatement(text []byte, digest release.Digest, want ...rules) ([]byte, Signature, error) {
	b, err := parseBundle(text)
	if err != nil {
		return nil, Signature{}, err
	}
	content, err := b.SignatureContent()
	if err != nil {
		return nil, Signature{}, err
	}
	envelope := content.EnvelopeContent()
	if envelope == nil {
		return nil, Signature{}, differ("content", "message signature", "DSSE envelope")
	}
	raw := envelope.RawEnvelope()
	if raw.PayloadType != payloadType {
		return nil, Signature{}, differ("payload type", raw.PayloadType, payloadType)
	}
	sig, err := t.verify(b, digest, want...)
	if err != nil {
		return nil, Signature{}, err
	}
	statement, err := raw.DecodeB64Payload() // what the signature was checked over, too
	if err != nil {
		return nil, Signature{}, err
	}
	return statement, sig, nil
}

func parseBundle(text []byte) (*bundle.Bundle, error) {
	if len(text) > maxBundle {
		return nil, fmt.Errorf("size: %d bytes; at most %d are read", len(text), maxBundle)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("parsing the bundle: %w", err)
	}
	return &b, nil
}

// verify is cosign's verification of a bundle, then all the rules.
func (t Trust) verify(b *bundle.Bundle, digest release.Digest, want ...rules) (Signature, error) {
	if t.root == nil {
		return Signature{}, errors.New("there is no trusted root to verify against")
	}
	if len(want) == 0 {
		return Signature{}, errors.New("there is no identity to verify")
	}
	raw, err := hex.DecodeString(digest.Hex())
	if err != nil || len(raw) != 32 {
		return Signature{}, fmt.Errorf("digest %q: want a SHA-256", digest)
	}
	timestamps, err := b.Timestamps()
	if err != nil {
		return Signature{}, fmt.Errorf("timestamp: %w", err)
	}
	options := &cosign.CheckOpts{
		TrustedMaterial: t.root,
		NewBundleFormat: true,
		Identities:      []cosign.Identity{{Issuer: Issuer, SubjectRegExp: want[0].workflow.String()}},
		// Rekor v2 witnesses no time of its own, so its bundles carry timestamps;
		// those of Rekor v1 may have their time from the log.
		UseSignedTimestamps: len(timestamps) > 0,
	}
	// Nothing is fetched, and the library does not look at the context.
	result, err := cosign.VerifyNewBundle(context.Background(), options, verify.WithArtifactDigest("sha256", raw), b)
	if err != nil {
		return Signature{}, explain(err, b, want[0])
	}
	signer := result.Signature.Certificate
	for _, r := range want {
		if err := r.check(*signer); err != nil {
			return Signature{}, err
		}
	}
	sig := Signature{
		SAN: signer.SubjectAlternativeName, Issuer: signer.Issuer,
		Repository: strings.TrimPrefix(signer.SourceRepositoryURI, github),
		Commit:     signer.SourceRepositoryDigest, Ref: signer.SourceRepositoryRef, Trigger: signer.BuildTrigger,
	}
	for _, at := range result.VerifiedTimestamps {
		if sig.Time.IsZero() || at.Timestamp.Before(sig.Time) {
			sig.Time = at.Timestamp.UTC()
		}
	}
	return sig, nil
}

// explain puts a refusal of the identity in the words of the rules. By then, the rest
// of the bundle has been verified.
func explain(err error, b *bundle.Bundle, want rules) error {
	var mismatch *verify.ErrNoMatchingCertificateIdentity
	if errors.As(err, &mismatch) {
		content, contentErr := b.VerificationContent()
		if contentErr == nil && content.Certificate() != nil {
			summary, summaryErr := certificate.SummarizeCertificate(content.Certificate())
			if ruleErr := want.check(summary); summaryErr == nil && ruleErr != nil {
				return ruleErr
			}
		}
	}
	return fmt.Errorf("checking against the trusted root: %w", err)
}
