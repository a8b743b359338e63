package sigstore

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// The services, as Inject, URL and Calls name them.
const (
	OIDC   = "oidc"
	Fulcio = "fulcio"
	Rekor  = "rekor"
	TSA    = "tsa"
)

// The files that WriteFiles writes.
const (
	TrustedRootName   = "trusted_root.json"
	SigningConfigName = "signing_config.json"
)

const (
	timestampPath = "/api/v1/timestamp"
	aDay          = 24 * time.Hour
)

// Stack is a running Sigstore. Its methods may be called from several goroutines.
type Stack struct {
	TrustedRoot   *root.TrustedRoot   // what verifies the bundles of this stack, and no others
	SigningConfig *root.SigningConfig // where its services listen

	bearer   string
	services map[string]*service
}

// authorities are the parts that the trusted root speaks of.
type authorities struct {
	fulcio *fulcio
	ct     *ctLog
	rekor  *rekor
	tsa    *tsa
}

// Start brings the services up for a workflow run; Close ends them.
func Start(w Workflow) (*Stack, error) {
	// Earlier than now, for clocks that are not this one.
	since := time.Now().Add(-aDay)
	i, err := newIssuer(w)
	if err != nil {
		return nil, fmt.Errorf("making the token issuer: %w", err)
	}
	var a authorities
	if a.ct, err = newCTLog(); err != nil {
		return nil, fmt.Errorf("making the certificate transparency log: %w", err)
	}
	if a.fulcio, err = newFulcio(i, a.ct); err != nil {
		return nil, fmt.Errorf("making the certificate authority: %w", err)
	}
	if a.rekor, err = newRekor(); err != nil {
		return nil, fmt.Errorf("making the transparency log: %w", err)
	}
	if a.tsa, err = newTSA(); err != nil {
		return nil, fmt.Errorf("making the timestamp authority: %w", err)
	}
	s := &Stack{bearer: i.bearer, services: map[string]*service{}}
	if err := s.listen(i, a); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.TrustedRoot, err = s.trustedRoot(a, since); err != nil {
		return nil, errors.Join(fmt.Errorf("making the trusted root: %w", err), s.Close())
	}
	if s.SigningConfig, err = s.signingConfig(since); err != nil {
		return nil, errors.Join(fmt.Errorf("making the signing config: %w", err), s.Close())
	}
	return s, nil
}

// listen starts one server for each service.
func (s *Stack) listen(i *issuer, a authorities) error {
	for _, route := range []struct {
		name, pattern string
		handler       http.Handler
	}{
		{OIDC, "GET /token", i},
		{Fulcio, "POST /api/v2/signingCert", a.fulcio},
		{Rekor, "POST /api/v2/log/entries", a.rekor},
		{TSA, "POST " + timestampPath, a.tsa},
	} {
		mux := http.NewServeMux()
		mux.Handle(route.pattern, route.handler)
		svc, err := serve(mux)
		if err != nil {
			return fmt.Errorf("starting %q: %w", route.name, err)
		}
		s.services[route.name] = svc
	}
	return nil
}

func (s *Stack) trustedRoot(a authorities, since time.Time) (*root.TrustedRoot, error) {
	return root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: a.fulcio.root, Intermediates: []*x509.Certificate{a.fulcio.intermediate},
			ValidityPeriodStart: since, URI: s.URL(Fulcio),
		}},
		map[string]*root.TransparencyLog{hex.EncodeToString(a.ct.id[:]): {
			BaseURL: "https://ct.rehearsal.invalid", ID: a.ct.id[:], ValidityPeriodStart: since,
			HashFunc: crypto.SHA256, PublicKey: a.ct.key.Public(), SignatureHashFunc: crypto.SHA256,
		}},
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: a.tsa.root, Leaf: a.tsa.leaf, ValidityPeriodStart: since, URI: s.URL(TSA),
		}},
		map[string]*root.TransparencyLog{hex.EncodeToString(a.rekor.id): {
			BaseURL: "https://" + origin, ID: a.rekor.id, ValidityPeriodStart: since,
			HashFunc: crypto.SHA256, PublicKey: a.rekor.public, SignatureHashFunc: crypto.SHA512,
		}})
}

func (s *Stack) signingConfig(since time.Time) (*root.SigningConfig, error) {
	at := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: since, Operator: "rehearsal"}}
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	return root.NewSigningConfig(root.SigningConfigMediaType02,
		at(s.URL(Fulcio), 1), at(Issuer, 1), at(s.URL(Rekor), 2), one, at(s.URL(TSA)+timestampPath, 1), one)
}

// URL is the base address of a service.
func (s *Stack) URL(name string) string { return s.services[name].url }

// Calls is the number of requests that a service got, failed ones included.
func (s *Stack) Calls(name string) int64 { return s.services[name].calls.Load() }

// Env is what a runner sets in the environment of a job with id-token: write, by name.
func (s *Stack) Env() map[string]string {
	return map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL":   s.URL(OIDC) + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": s.bearer,
	}
}

// WriteFiles writes the trusted root and the signing config into a directory, in
// Sigstore's formats.
func (s *Stack) WriteFiles(dir string) error {
	for _, file := range []struct {
		name  string
		value json.Marshaler
	}{
		{TrustedRootName, s.TrustedRoot},
		{SigningConfigName, s.SigningConfig},
	} {
		content, err := file.value.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encoding %q: %w", file.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file.name), content, 0o644); err != nil {
			return fmt.Errorf("writing %q: %w", file.name, err)
		}
	}
	return nil
}

// Close ends the services; open connections are cut.
func (s *Stack) Close() error {
	var errs []error
	for name, svc := range s.services {
		// The server closes the listener once it serves, which may be later than now.
		_ = svc.listener.Close()
		if err := svc.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// service is one listener on loopback with an exchangeable handler.
type service struct {
	url      string
	listener net.Listener
	server   *http.Server
	healthy  http.Handler
	handler  atomic.Pointer[http.Handler]
	calls    atomic.Int64
}

func serve(h http.Handler) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	svc := &service{url: "http://" + listener.Addr().String(), listener: listener, healthy: h}
	svc.handler.Store(&h)
	svc.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // what goes wrong here is seen by the client
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			svc.calls.Add(1)
			(*svc.handler.Load()).ServeHTTP(w, r)
		}),
	}
	go func() { _ = svc.server.Serve(listener) }() // ends with Close, which reports
	return svc, nil
}

// reply answers in JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone; nobody is left to tell
}
