package sign

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/org/pgo-release/internal/release"
)

// Audience is whom the identity token is for: what Fulcio expects.
const Audience = "sigstore"

const (
	// payloadType is that of in-toto statements in DSSE envelopes
	// (https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md).
	payloadType = "application/vnd.in-toto+json"
	// callTimeout bounds one signature, and how long before its end a certificate is
	// replaced: no signature comes after its certificate.
	callTimeout = 2 * time.Minute
)

// Token fetches an OpenID Connect token of the workflow run for an audience. An error
// that has a class (release.ClassOf) means that there is none to be had; any other may
// pass.
type Token func(ctx context.Context, audience string) (string, error)

// Signer signs with one token, one key and one certificate, which it fetches with the
// first signature and replaces when the certificate is about to end; or with a key
// pair (NewKeySigner). Its methods may be called from several goroutines.
//
// Its errors name the service, its host and what it answered. A token that the job may
// not have is a release.Problem as Token gives it; one for something else than Want,
// of class Rejected.
type Signer struct {
	// Want is whom to sign as. The token is compared with it before anything becomes
	// public. Without it (nil), it is whoever the token names. To be set before the
	// first call.
	Want *Identity

	// Wait passes the time between two attempts; nil: it sleeps. To be set before the
	// first call.
	Wait func(context.Context, time.Duration) error

	trust   Trust
	token   Token
	base    http.RoundTripper
	now     func() time.Time
	turn    chan struct{} // holds one value; who took it may look at current
	current *credential
}

// NewSigner makes a signer that talks through a transport; nil is
// http.DefaultTransport.
func NewSigner(trust Trust, token Token, transport http.RoundTripper) *Signer {
	s := &Signer{trust: trust, token: token, base: transport, now: time.Now, turn: make(chan struct{}, 1)}
	if s.base == nil {
		s.base = http.DefaultTransport
	}
	s.turn <- struct{}{}
	return s
}

// Identity is the SAN of the certificate that the signer signs with: the URI of the
// workflow, with its ref. It is fetched where there is none yet. Empty for a key pair.
func (s *Signer) Identity(ctx context.Context) (string, error) {
	current, err := s.credential(ctx)
	if err != nil {
		return "", fmt.Errorf("learning the identity: %w", err)
	}
	return current.san, nil
}

// Check fetches a token and compares what it claims with Want, so that what would be
// refused later is refused now. It asks for no certificate, and nothing becomes public.
// environment is that of GitHub which the job runs in, as the token says; empty: none. A
// key pair needs no check.
func (s *Signer) Check(ctx context.Context) (environment string, err error) {
	if s.token == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, token, err := s.identify(ctx)
	if err == nil {
		_, err = s.expect(token.Summary)
	}
	return token.environment, err
}

// Blob signs a file by the digest that was taken while it was written; the file is
// not read. The bundle has been verified.
func (s *Signer) Blob(ctx context.Context, file release.File) (bundle []byte, err error) {
	parsed, err := release.ParseDigest(string(file.Digest))
	if err != nil {
		return nil, fmt.Errorf("signing %q: %w", file.Name, err)
	}
	raw, err := hex.DecodeString(parsed.Hex())
	if err != nil {
		return nil, fmt.Errorf("signing %q: %w", file.Name, err)
	}
	bundle, err = s.sign(ctx, func(k key) (sign.Content, sign.Keypair) { return fileDigest(raw), digestKey{k} },
		func(text []byte, want []rules) error {
			_, err := s.trust.verifyBlob(text, parsed, want...)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("signing %q: %w", file.Name, err)
	}
	return bundle, nil
}

// Statement signs an in-toto statement as it stands, in a DSSE envelope. The bundle
// has been verified.
func (s *Signer) Statement(ctx context.Context, statement []byte) (bundle []byte, err error) {
	subject, err := firstSubject(statement)
	if err != nil {
		return nil, fmt.Errorf("signing a statement: %w", err)
	}
	content := &sign.DSSEData{Data: statement, PayloadType: payloadType}
	bundle, err = s.sign(ctx, func(k key) (sign.Content, sign.Keypair) { return content, k },
		func(text []byte, want []rules) error {
			signed, _, err := s.trust.verifyStatement(text, subject, want...)
			if err == nil && !bytes.Equal(signed, statement) {
				err = errors.New("statement: found other bytes than were signed")
			}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("signing a statement: %w", err)
	}
	return bundle, nil
}

// firstSubject is what the bundle of a statement is verified with: a statement
// without a SHA-256 could never be.
func firstSubject(statement []byte) (release.Digest, error) {
	var doc struct {
		Subject []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(statement, &doc); err != nil {
		return "", fmt.Errorf("parsing it: %w", err)
	}
	for _, s := range doc.Subject {
		if found, err := release.ParseDigest(s.Digest["sha256"]); err == nil {
			return found, nil
		}
	}
	return "", errors.New("it has no subject with a SHA-256")
}

// sign makes a bundle and verifies it.
func (s *Signer) sign(ctx context.Context, what func(key) (sign.Content, sign.Keypair), verify func([]byte, []rules) error) ([]byte, error) {
	current, err := s.credential(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	content, keypair := what(current.key)
	for attempt := 1; ; attempt++ {
		text, err := s.bundle(ctx, current, content, keypair)
		if errors.Is(err, errDuplicate) && attempt < maxAttempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := verify(text, current.want); err != nil {
			return nil, fmt.Errorf("verifying what was signed: %w", err)
		}
		return text, nil
	}
}

// bundle signs once, with clients that serve this call alone.
func (s *Signer) bundle(ctx context.Context, current *credential, content sign.Content, keypair sign.Keypair) ([]byte, error) {
	options := sign.BundleOptions{Context: ctx}
	if current.cert != nil {
		options.CertificateProvider = current
	}
	if s.trust.config != nil {
		witnessed, err := s.addLogs(ctx, &options)
		if err != nil {
			return nil, err
		}
		if err := s.addTimestamps(ctx, &options, witnessed); err != nil {
			return nil, err
		}
	}
	signed, err := sign.Bundle(content, keypair, options)
	if err != nil {
		return nil, plain(err)
	}
	text, err := protojson.Marshal(signed)
	if err != nil {
		return nil, fmt.Errorf("encoding the bundle: %w", err)
	}
	return text, nil
}

// addLogs chooses the logs that a signature is entered in, none where the instance keeps
// none, and tells whether they attest its time.
func (s *Signer) addLogs(ctx context.Context, options *sign.BundleOptions) (witnessed bool, err error) {
	config := s.trust.config
	urls := config.RekorLogURLs()
	if len(urls) == 0 && (s.trust.logless() || s.trust.key != nil && !s.trust.logs()) {
		return false, nil
	}
	logs, err := root.SelectServices(urls, config.RekorLogURLsConfig(), sign.RekorAPIVersions, s.now())
	if err != nil {
		return false, fmt.Errorf("choosing a transparency log: %w", err)
	}
	witnessed = true
	for _, log := range logs {
		client, err := logClient(log, s.to(ctx, "Rekor"))
		if err != nil {
			return false, err
		}
		options.TransparencyLogs = append(options.TransparencyLogs, client)
		witnessed = witnessed && log.MajorAPIVersion == 1
	}
	return witnessed, nil
}

// addTimestamps chooses the authorities that attest when a signature was made; without
// one, its time must be witnessed otherwise.
func (s *Signer) addTimestamps(ctx context.Context, options *sign.BundleOptions, witnessed bool) error {
	config := s.trust.config
	urls := config.TimestampAuthorityURLs()
	if len(urls) == 0 && (witnessed || s.trust.key != nil) {
		return nil
	}
	authorities, err := root.SelectServices(urls, config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, s.now())
	if err != nil {
		return fmt.Errorf("choosing a timestamp authority: %w", err)
	}
	for _, authority := range authorities {
		options.TimestampAuthorities = append(options.TimestampAuthorities, sign.NewTimestampAuthority(
			&sign.TimestampAuthorityOptions{URL: authority.URL, Timeout: -1, Transport: s.to(ctx, "the timestamp authority")}))
	}
	return nil
}

// to is the transport to a service for one call.
func (s *Signer) to(ctx context.Context, service string) *transport {
	t := &transport{ctx: ctx, service: service, base: s.base, wait: s.Wait}
	if t.wait == nil {
		t.wait = sleep
	}
	return t
}

// plain is what went wrong without what the libraries and net/http say around it.
func plain(err error) error {
	var failure *serviceError
	if errors.As(err, &failure) {
		return failure
	}
	return err
}
