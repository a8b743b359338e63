package sign

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/org/pgo-release/internal/release"
)

// Signature is what a verified bundle says about its origin. Of what a key signed, only
// Key and Time are known.
type Signature struct {
	Key        string    // SHA-256 of the public key that signed, in base64; empty: a workflow signed
	SAN        string    // URI of the workflow that signed, with its ref
	Issuer     string    // of the token; always Issuer
	Repository string    // owner/name that the workflow ran for
	Commit     string    // that it ran for
	Ref        string    // that it ran for, such as refs/tags/v1.2.3
	Trigger    string    // event that started it, such as push
	Time       time.Time // earliest witnessed time of the signature, UTC; zero: of none
}

// Signer names who signed, for people.
func (s Signature) Signer() string {
	if s.Key != "" {
		return "key SHA256:" + s.Key
	}
	return s.SAN
}

// Origin is what a bundle claims about who made it, before anything is verified: only
// good for choosing what to verify it with.
type Origin struct {
	Key       bool // a key, and no certificate
	Certified bool // a certificate
	GitHub    bool // GitHub's own Sigstore
	Logged    bool // it has an entry in a log
	Timed     bool // it has a signed timestamp
	Statement bool // it holds a statement, and does not sign bytes
}

// OriginOf reads the origin; the zero value where a bundle cannot be read.
func OriginOf(text []byte) Origin {
	b, err := parseBundle(text)
	if err != nil {
		return Origin{}
	}
	var out Origin
	if content, err := b.VerificationContent(); err == nil {
		cert := content.Certificate()
		out.Key, out.Certified = cert == nil, cert != nil
		out.GitHub = cert != nil && slices.Contains(cert.Issuer.Organization, "GitHub, Inc.")
	}
	entries, err := b.TlogEntries()
	out.Logged = err == nil && len(entries) > 0
	signed, err := b.SignatureContent()
	out.Statement = err == nil && signed.EnvelopeContent() != nil
	timestamps, err := b.Timestamps()
	out.Timed = err == nil && len(timestamps) > 0
	return out
}

// Unverified is the statement that a bundle holds; nil where it holds none. Anybody may have
// written it: like Origin, it is only good for choosing what to verify the bundle for.
func Unverified(text []byte) []byte {
	b, err := parseBundle(text)
	if err != nil {
		return nil
	}
	signed, err := b.SignatureContent()
	if err != nil || signed.EnvelopeContent() == nil {
		return nil
	}
	statement, err := signed.EnvelopeContent().RawEnvelope().DecodeB64Payload()
	if err != nil {
		return nil
	}
	return statement
}

// maxBundle bounds a bundle, in bytes. The largest hold a statement with all its
// subjects, which is 8 MiB at most, in base64.
const maxBundle = 16 << 20

// VerifyBlob checks a bundle over a file with this digest: signature, certificate
// with its SCT, log entry and timestamp against the trusted root, then the identity.
// Where a public key is trusted, its signature is what counts: no identity is looked
// at, and log entries must hold where the bundle has some, and be there where the trust
// knows a log. The error names the rule
// that does not hold, what was found and what was expected.
func (t Trust) VerifyBlob(text []byte, digest release.Digest, want Identity) (Signature, error) {
	expected, err := t.rules(want)
	if err != nil {
		return Signature{}, err
	}
	sig, err := t.verifyBlob(text, digest, expected...)
	if err != nil {
		return Signature{}, fmt.Errorf("verifying the bundle over %q: %w", digest, err)
	}
	return sig, nil
}

// VerifyStatement checks, as VerifyBlob does, a bundle that holds an in-toto
// statement with a subject of this digest, and returns the statement as it was
// signed. What the statement says about the subject is not judged here.
func (t Trust) VerifyStatement(text []byte, digest release.Digest, want Identity) (statement []byte, sig Signature, err error) {
	expected, err := t.rules(want)
	if err != nil {
		return nil, Signature{}, err
	}
	statement, sig, err = t.verifyStatement(text, digest, expected...)
	if err != nil {
		return nil, Signature{}, fmt.Errorf("verifying the attestation of %q: %w", digest, err)
	}
	return statement, sig, nil
}

// rules are those of an identity; a key has none.
func (t Trust) rules(want Identity) ([]rules, error) {
	if t.key != nil {
		return nil, nil
	}
	expected, err := want.rules()
	return []rules{expected}, err
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
		return Signature{}, &release.Problem{Err: differ("digest", "sha256:"+found, string(digest)),
			Tip: "the file was changed after it was signed, or the bundle is another file's"}
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
	if len(text) == 0 {
		return nil, errors.New("parsing the bundle: not a Sigstore bundle: it is empty")
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("parsing the bundle: not a Sigstore bundle: %w", err)
	}
	return &b, nil
}

// verify is cosign's verification of a bundle, then all the rules.
func (t Trust) verify(b *bundle.Bundle, digest release.Digest, want ...rules) (Signature, error) {
	if len(want) == 0 && t.key == nil {
		return Signature{}, errors.New("there is no identity to verify")
	}
	raw, err := hex.DecodeString(digest.Hex())
	if err != nil || len(raw) != 32 {
		return Signature{}, fmt.Errorf("digest %q: want a SHA-256", digest)
	}
	options, err := t.options(b, want)
	if err != nil {
		return Signature{}, err
	}
	if t.root == nil {
		return Signature{}, errors.New("there is no trusted root to verify against")
	}
	// Nothing is fetched, and the library does not look at the context.
	result, err := cosign.VerifyNewBundle(context.Background(), options, verify.WithArtifactDigest("sha256", raw), b)
	if err != nil {
		return Signature{}, t.explain(err, b, raw, want)
	}
	var sig Signature
	if t.key != nil {
		sig.Key = t.key.hint
	} else {
		signer := result.Signature.Certificate
		for _, r := range want {
			if err := r.check(*signer); err != nil {
				return Signature{}, err
			}
		}
		sig = Signature{
			SAN: signer.SubjectAlternativeName, Issuer: signer.Issuer,
			Repository: strings.TrimPrefix(signer.SourceRepositoryURI, github),
			Commit:     signer.SourceRepositoryDigest, Ref: signer.SourceRepositoryRef, Trigger: signer.BuildTrigger,
		}
	}
	for _, at := range result.VerifiedTimestamps {
		if sig.Time.IsZero() || at.Timestamp.Before(sig.Time) {
			sig.Time = at.Timestamp.UTC()
		}
	}
	return sig, nil
}

// options say how strict the library is to be with a bundle.
func (t Trust) options(b *bundle.Bundle, want []rules) (*cosign.CheckOpts, error) {
	timestamps, err := b.Timestamps()
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	options := &cosign.CheckOpts{
		TrustedMaterial: t.root,
		NewBundleFormat: true,
		// Rekor v2 witnesses no time of its own, so its bundles carry timestamps;
		// those of Rekor v1 may have their time from the log.
		UseSignedTimestamps: len(timestamps) > 0,
	}
	certified := content.Certificate() != nil
	switch {
	case t.key != nil && certified:
		return nil, &release.Problem{Err: differ("signer", "a certificate", "key SHA256:"+t.key.hint), Tip: "a workflow signed it: leave --key out"}
	case t.key != nil:
		entries, err := b.TlogEntries()
		if err != nil {
			return nil, fmt.Errorf("log entry: %w", err)
		}
		if len(entries) == 0 && t.logs() {
			return nil, errNoEntry
		}
		options.SigVerifier, options.IgnoreTlog = t.key.verifier, len(entries) == 0
		options.UseSignedTimestamps = options.UseSignedTimestamps && len(entries) > 0
	case !certified:
		return nil, &release.Problem{Err: differ("signer", "a key", "a certificate of "+want[0].readable), Tip: "pass the public key: --key FILE"}
	default:
		options.Identities = []cosign.Identity{{Issuer: Issuer, SubjectRegExp: want[0].workflow.String()}}
		if t.logless() {
			options.IgnoreSCT, options.IgnoreTlog, options.UseSignedTimestamps = true, true, true
		}
	}
	return options, nil
}
