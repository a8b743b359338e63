package sign

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/org/pgo-release/internal/release"
)

// errNoEntry refuses what nobody could have seen being signed.
var errNoEntry = &release.Problem{
	Err: errors.New("log entry: found none, want one in a log that the trusted root knows"),
	Tip: "the entry was taken out of the bundle, or the signature never entered in the log",
}

// explain puts a refusal into the words of the rules, where the library's say less. What
// it finds is never a reason to accept a bundle.
func (t Trust) explain(err error, b *bundle.Bundle, digest []byte, want []rules) error {
	content, contentErr := b.VerificationContent()
	if contentErr != nil {
		return fmt.Errorf("checking against the trusted root: %w", err)
	}
	cert := content.Certificate()
	var mismatch *verify.ErrNoMatchingCertificateIdentity
	if cert != nil && errors.As(err, &mismatch) && len(want) > 0 {
		// By then, the rest of the bundle has been verified.
		if summary, err := certificate.SummarizeCertificate(cert); err == nil {
			if err := want[0].check(summary); err != nil {
				return err
			}
		}
	}
	if err := t.explainSignature(b, content, digest); err != nil {
		return err
	}
	if strings.Contains(err.Error(), "log inclusion") {
		return t.explainLog(b)
	}
	if cert != nil && strings.Contains(err.Error(), "leaf certificate") {
		if _, refused := verify.VerifyLeafCertificate(cert.NotBefore, cert, t.root); refused == nil {
			return fmt.Errorf("time: found a witnessed time that is not in the life of the certificate, %s to %s (a clock is wrong)",
				cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	if strings.Contains(err.Error(), "any digest in statement") {
		err = &release.Problem{Err: err, Tip: "the file was changed after it was signed, or the statement is about others"}
	}
	return fmt.Errorf("checking against the trusted root: %w", err)
}

// explainSignature says that the signature is none over the content, by whoever claims to
// have signed; nil where it is, or where that cannot be told.
func (t Trust) explainSignature(b *bundle.Bundle, content verify.VerificationContent, digest []byte) error {
	var by signature.Verifier
	if cert := content.Certificate(); cert != nil {
		var err error
		if by, err = signature.LoadDefaultVerifier(cert.PublicKey); err != nil {
			return nil
		}
	} else {
		if named := content.PublicKey(); named != nil && named.Hint() != "" && named.Hint() != t.key.hint {
			return differ("signer", "key SHA256:"+named.Hint(), "key SHA256:"+t.key.hint)
		}
		by = t.key.verifier
	}
	signed, err := b.SignatureContent()
	if err != nil {
		return nil
	}
	what := "file"
	if envelope := signed.EnvelopeContent(); envelope != nil {
		what = "statement"
		raw := envelope.RawEnvelope()
		statement, decoding := raw.DecodeB64Payload()
		if decoding != nil {
			return nil
		}
		encoded := (&sign.DSSEData{Data: statement, PayloadType: raw.PayloadType}).PreAuthEncoding()
		err = by.VerifySignature(bytes.NewReader(signed.Signature()), bytes.NewReader(encoded))
	} else {
		err = by.VerifySignature(bytes.NewReader(signed.Signature()), nil, options.WithDigest(digest))
	}
	if err == nil {
		return nil
	}
	return &release.Problem{
		Err: fmt.Errorf("signature: found one over another %s: the %s was changed after it was signed, or its signature", what, what),
		Tip: "fetch it again from where it was published",
	}
}

// explainLog says why no entry of the bundle counts.
func (t Trust) explainLog(b *bundle.Bundle) error {
	entries, err := b.TlogEntries()
	if err != nil {
		return fmt.Errorf("log entry: %w", err)
	}
	if len(entries) == 0 {
		return errNoEntry
	}
	known := t.root.RekorLogs()
	var logs []string
	for _, e := range entries {
		log := hex.EncodeToString([]byte(e.LogKeyID()))
		if _, ok := known[log]; ok {
			return errors.New("checking against the trusted root: log inclusion: the log entry is none of this signature, or its proof does not hold")
		}
		logs = append(logs, log)
	}
	return &release.Problem{
		Err: fmt.Errorf("checking against the trusted root: log inclusion: the trusted root does not know the log of the entry, %s", strings.Join(logs, ", ")),
		Tip: "name the trusted root of the Sigstore that signed: --trusted-root FILE (a rehearsal's lies in dist/rehearsal)",
	}
}
