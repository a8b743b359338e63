package sign

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/org/pgo-release/internal/release"
)

// credential is a key with its certificate: what a run signs everything with.
type credential struct {
	key   key
	cert  []byte // DER; nil: a key pair, which verifiers know without one
	san   string
	want  []rules   // what every bundle must verify with
	until time.Time // end of the certificate's life, on this machine's clock
}

// GetCertificate implements sign.CertificateProvider.
func (c *credential) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return c.cert, nil
}

// credential gives the current one, or a new one when that ends soon. One caller at a
// time makes it, with its own context: whoever is cancelled fails alone.
func (s *Signer) credential(ctx context.Context) (*credential, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { s.turn <- struct{}{} }()
	if c := s.current; c != nil && (c.cert == nil || s.now().Add(callTimeout).Before(c.until)) {
		return c, nil
	}
	next, err := s.obtain(ctx)
	if err != nil {
		return nil, err
	}
	s.current = next
	return next, nil
}

// obtain fetches a token and has a new key certified for it.
func (s *Signer) obtain(ctx context.Context) (*credential, error) {
	if s.trust.root == nil || s.trust.config == nil {
		return nil, errors.New("there is no trusted root or no signing config: what cannot be verified is not signed")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	raw, token, err := s.identify(ctx)
	if err != nil {
		return nil, err
	}
	want, err := s.expect(token.Summary)
	if err != nil {
		return nil, err
	}
	at, err := root.SelectService(s.trust.config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, s.now())
	if err != nil {
		return nil, fmt.Errorf("choosing a certificate authority: %w", err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	// The certificate's life is counted from before it began, on a clock that need
	// not agree with the authority's.
	asked := s.now()
	over := s.to(ctx, "Fulcio")
	over.secret = raw
	fulcio := sign.NewFulcio(&sign.FulcioOptions{BaseURL: strings.TrimSuffix(at.URL, "/"), Timeout: -1, Transport: over})
	der, err := fulcio.GetCertificate(ctx, key{private}, &sign.CertificateProviderOptions{IDToken: raw})
	if err != nil {
		return nil, fmt.Errorf("requesting a certificate: %w", plain(err))
	}
	cert, err := s.trust.certificate(der, private, want)
	if err != nil {
		return nil, fmt.Errorf("checking the certificate: %w", err)
	}
	return &credential{
		key: key{private}, cert: der, san: token.SubjectAlternativeName,
		want: want, until: asked.Add(cert.NotAfter.Sub(cert.NotBefore)),
	}, nil
}

// certificate checks a new certificate before anything is signed with it: whose key
// it is for, what it says, and that verifiers will accept who issued it.
func (t Trust) certificate(der []byte, private *ecdsa.PrivateKey, want []rules) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if !private.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("it is for another key")
	}
	summary, err := certificate.SummarizeCertificate(cert)
	if err != nil {
		return nil, err
	}
	for _, r := range want {
		if err := r.check(summary); err != nil {
			return nil, err
		}
	}
	chains, err := verify.VerifyLeafCertificate(cert.NotBefore, cert, t.root)
	if err != nil {
		return nil, fmt.Errorf("checking against the trusted root: issuer %q: %w", cert.Issuer, err)
	}
	if t.logless() {
		return cert, nil
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, t.root); err != nil {
		return nil, fmt.Errorf("checking against the trusted root: signed certificate timestamp: %w", err)
	}
	return cert, nil
}

// claimed is what a token claims: what the certificate will say, and the environment of
// the job, which it will not.
type claimed struct {
	certificate.Summary
	environment string
}

// identify fetches a token and reads what it claims. Whether it is genuine is for Fulcio
// to tell.
func (s *Signer) identify(ctx context.Context) (string, claimed, error) {
	raw, err := s.fetchToken(ctx)
	if err != nil {
		return "", claimed{}, err
	}
	var claims struct {
		Issuer     string `json:"iss"`
		Repository string `json:"repository"`
		Commit     string `json:"sha"`
		Ref        string `json:"ref"`
		Workflow   string `json:"job_workflow_ref"`
		// https://docs.github.com/en/actions/reference/security/oidc
		Environment string `json:"environment"`
	}
	parts := strings.Split(raw, ".") // RFC 7519, 3
	if len(parts) != 3 {
		return "", claimed{}, fmt.Errorf("reading the identity token: %d parts: want 3", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		return "", claimed{}, fmt.Errorf("reading the identity token: %w", err)
	}
	san, err := url.Parse(github + claims.Workflow)
	if err != nil {
		return "", claimed{}, fmt.Errorf("reading the identity token: %w", err)
	}
	return raw, claimed{certificate.Summary{
		SubjectAlternativeName: san.String(),
		Extensions: certificate.Extensions{
			Issuer: claims.Issuer, SourceRepositoryURI: github + claims.Repository,
			SourceRepositoryDigest: claims.Commit, SourceRepositoryRef: claims.Ref,
		},
	}, claims.Environment}, nil
}

// fetchToken asks for a token, and asks again where that was not refused.
func (s *Signer) fetchToken(ctx context.Context) (string, error) {
	wait := s.Wait
	if wait == nil {
		wait = sleep
	}
	pause := firstWait
	for attempt := 1; ; attempt++ {
		raw, err := s.token(ctx, Audience)
		switch {
		case err == nil:
			return raw, nil
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case release.ClassOf(err) != 0:
			return "", err
		case attempt == maxAttempts:
			return "", fmt.Errorf("%w (%d attempts)", err, attempt)
		}
		if err := wait(ctx, pause); err != nil {
			return "", err
		}
		pause *= 2
	}
}

// expect is what the bundles must verify with: exactly what the token claims, and
// Want, which the claims must meet before anything becomes public.
func (s *Signer) expect(claimed certificate.Summary) ([]rules, error) {
	pattern, err := workflowPattern(claimed.SubjectAlternativeName)
	if err != nil {
		return nil, fmt.Errorf("reading the identity token: %w", err)
	}
	out := []rules{{
		workflow: pattern, readable: claimed.SubjectAlternativeName, repository: claimed.SourceRepositoryURI,
		commit: claimed.SourceRepositoryDigest, refs: []string{claimed.SourceRepositoryRef},
	}}
	if s.Want != nil {
		want, err := s.Want.rules()
		if err != nil {
			return nil, err
		}
		out = append(out, want)
	}
	for _, r := range out {
		if err := r.check(claimed); err != nil {
			return nil, release.Reject(
				cmp.Or(release.HintOf(err), "the workflow must run for what is released: its tag, or the commit that the tag names"),
				"checking the identity token: %w", err)
		}
	}
	return out, nil
}
