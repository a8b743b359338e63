package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// fulcio is Fulcio's v2 signingCert call: a token and a proof of possession in, a
// code signing certificate for ten minutes with an embedded SCT out.
type fulcio struct {
	issuer       *issuer
	key          *ecdsa.PrivateKey
	intermediate *x509.Certificate
	root         *x509.Certificate
	log          *ctLog
}

func newFulcio(i *issuer, log *ctLog) (*fulcio, error) {
	chain, key, err := newChain(Fulcio, &x509.Certificate{
		IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil {
		return nil, err
	}
	return &fulcio{issuer: i, key: key, intermediate: chain[0], root: chain[1], log: log}, nil
}

// ServeHTTP answers a certificate signing request.
func (f *fulcio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	leaf, err := f.certify(r)
	if err != nil {
		// The shape is grpc-gateway's, in which 3 is InvalidArgument.
		reply(w, http.StatusBadRequest, map[string]any{"code": 3, "message": err.Error(), "details": []any{}})
		return
	}
	var chain []string
	for _, der := range [][]byte{leaf, f.intermediate.Raw, f.root.Raw} {
		chain = append(chain, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	reply(w, http.StatusOK, map[string]any{
		"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}},
	})
}

// certify checks a request and makes the certificate. The errors are what Fulcio says.
func (f *fulcio) certify(r *http.Request) ([]byte, error) {
	var request struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&request); err != nil {
		return nil, err
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	claims, err := f.issuer.verify(r.Context(), token)
	if err != nil {
		return nil, fmt.Errorf("there was an error processing the identity token: %w", err)
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(request.PublicKeyRequest.PublicKey.Content))
	if err != nil {
		return nil, fmt.Errorf("the public key supplied in the request could not be parsed: %w", err)
	}
	if err := verifyPossession(public, claims["sub"], request.PublicKeyRequest.ProofOfPossession); err != nil {
		return nil, fmt.Errorf("the signature supplied in the request could not be verified: %w", err)
	}
	return f.issue(public, claims, now(r))
}

// verifyPossession checks the signature over the token's subject.
func verifyPossession(public crypto.PublicKey, subject string, proof []byte) error {
	if subject == "" {
		return errors.New("token without subject")
	}
	verifier, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return err
	}
	return verifier.VerifySignature(strings.NewReader(string(proof)), strings.NewReader(subject))
}

// issue signs a precertificate, has the log promise to include it, and signs the
// certificate with that promise (SCT) inside. But for poison and SCT list, which both
// stand last, the two are equal: the SCT covers what they have in common.
func (f *fulcio) issue(public crypto.PublicKey, claims map[string]string, now time.Time) ([]byte, error) {
	san, err := url.Parse("https://github.com/" + claims["job_workflow_ref"])
	if err != nil {
		return nil, err
	}
	serial, err := cryptoutils.GenerateSerialNumber()
	if err != nil {
		return nil, err
	}
	skid, err := cryptoutils.SKID(public)
	if err != nil {
		return nil, err
	}
	extensions, err := extensionsOf(claims)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, SubjectKeyId: skid, URIs: []*url.URL{san},
		NotBefore: now, NotAfter: now.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	sign := func(last pkix.Extension) ([]byte, error) {
		template.ExtraExtensions = append(slices.Clip(extensions), last)
		return x509.CreateCertificate(rand.Reader, template, f.intermediate, public, f.key)
	}
	poison := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3} // RFC 6962, 3.1
	precert, err := sign(pkix.Extension{Id: poison, Critical: true, Value: asn1.NullBytes})
	if err != nil {
		return nil, err
	}
	promise, err := f.log.promise(precert, f.intermediate.Raw, now)
	if err != nil {
		return nil, fmt.Errorf("asking the certificate transparency log for an SCT: %w", err)
	}
	scts := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2} // RFC 6962, 3.3
	return sign(pkix.Extension{Id: scts, Value: promise})
}

// extensionsOf maps the claims of GitHub's token to certificate extensions, as
// Fulcio's config/identity/config.yaml does
// (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md).
func extensionsOf(claims map[string]string) ([]pkix.Extension, error) {
	const github = "https://github.com/"
	run := github + claims["repository"] + "/actions/runs/" + claims["run_id"] + "/attempts/" + claims["run_attempt"]
	var out []pkix.Extension
	for i, value := range []string{ // 1 to 6, superseded but still written: they hold the bare string
		Issuer, claims["event_name"], claims["sha"], claims["workflow"], claims["repository"], claims["ref"],
	} {
		id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, i + 1}
		out = append(out, pkix.Extension{Id: id, Value: []byte(value)})
	}
	for _, e := range []struct {
		id    asn1.ObjectIdentifier
		value string
	}{
		{certificate.OIDIssuerV2, Issuer},
		{certificate.OIDBuildSignerURI, github + claims["job_workflow_ref"]},
		{certificate.OIDBuildSignerDigest, claims["job_workflow_sha"]},
		{certificate.OIDRunnerEnvironment, claims["runner_environment"]},
		{certificate.OIDSourceRepositoryURI, github + claims["repository"]},
		{certificate.OIDSourceRepositoryDigest, claims["sha"]},
		{certificate.OIDSourceRepositoryRef, claims["ref"]},
		{certificate.OIDSourceRepositoryIdentifier, claims["repository_id"]},
		{certificate.OIDSourceRepositoryOwnerURI, github + claims["repository_owner"]},
		{certificate.OIDSourceRepositoryOwnerIdentifier, claims["repository_owner_id"]},
		{certificate.OIDBuildConfigURI, github + claims["workflow_ref"]},
		{certificate.OIDBuildConfigDigest, claims["workflow_sha"]},
		{certificate.OIDBuildTrigger, claims["event_name"]},
		{certificate.OIDRunInvocationURI, run},
		{certificate.OIDSourceRepositoryVisibilityAtSigning, claims["repository_visibility"]},
		{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 24}, claims["sub"]},
	} {
		value, err := asn1.MarshalWithParams(e.value, "utf8")
		if err != nil {
			return nil, fmt.Errorf("encoding extension %q: %w", e.id, err)
		}
		out = append(out, pkix.Extension{Id: e.id, Value: value})
	}
	return out, nil
}
