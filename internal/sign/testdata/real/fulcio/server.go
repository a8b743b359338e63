// Package fulcio runs Fulcio's own server code in this process: its gRPC service with its
// gateway to HTTP in front, and its certificate authority with a key in memory. The tests
// hold the product's signer against it, and the Sigstore that the binary carries.
package fulcio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	ctclient "github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/sigstore/fulcio/pkg/ca/ephemeralca"
	"github.com/sigstore/fulcio/pkg/config"
	fulciopb "github.com/sigstore/fulcio/pkg/generated/protobuf"
	"github.com/sigstore/fulcio/pkg/server"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// Server is a running Fulcio.
type Server struct {
	*stub.Service // its HTTP side

	authority  *ephemeralca.EphemeralCA
	services   *grpc.Server
	connection *grpc.ClientConn
	issuer     *httptest.Server
}

// Start brings Fulcio up for the tokens of an issuer, with a CT log at an address; Close
// ends it.
func Start(issuer *stub.Issuer, ctLog string) (_ *Server, err error) {
	s := &Server{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting Fulcio: %w", err), s.Close())
		}
	}()
	s.issuer = httptest.NewTLSServer(issuer)
	configuration, err := readConfig(s.issuer)
	if err != nil {
		return nil, err
	}
	promises, err := ctclient.New(ctLog, &http.Client{Timeout: 30 * time.Second},
		jsonclient.Options{Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return nil, err
	}
	if s.authority, err = ephemeralca.NewEphemeralCA(); err != nil {
		return nil, err
	}
	algorithms, err := signature.NewAlgorithmRegistryConfig([]protocommon.PublicKeyDetails{
		protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, protocommon.PublicKeyDetails_PKIX_ED25519,
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.services = grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(config.With(ctx, configuration), request)
	}))
	fulciopb.RegisterCAServer(s.services, server.NewGRPCCAServer(promises, s.authority, algorithms, server.NewIssuerPool(configuration)))
	go func() { _ = s.services.Serve(listener) }() // ends with Close
	return s, s.gateway(listener.Addr().String())
}

// gateway starts the HTTP side, as Fulcio's own command does.
func (s *Server) gateway(services string) (err error) {
	if s.connection, err = grpc.NewClient(services, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return err
	}
	mux := runtime.NewServeMux(runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
		return metadata.Pairs(server.MetadataOIDCTokenKey, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	}))
	if err := fulciopb.RegisterCAHandler(context.Background(), mux, s.connection); err != nil {
		return err
	}
	s.Service, err = stub.Serve(mux)
	return err
}

// readConfig reads the configuration, which makes Fulcio fetch the issuer's keys: from its
// real name, so the way to that name leads to the stub while it does.
func readConfig(issuer *httptest.Server) (*config.FulcioConfig, error) {
	text, err := setup.FulcioConfig()
	if err != nil {
		return nil, err
	}
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = &http.Transport{DialTLSContext: func(_ context.Context, network, address string) (net.Conn, error) {
		if address != "token.actions.githubusercontent.com:443" {
			return nil, fmt.Errorf("connecting to %q: there is no network here", address)
		}
		roots := x509.NewCertPool()
		roots.AddCert(issuer.Certificate())
		return tls.Dial(network, issuer.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com"})
	}}
	return config.Read(text)
}

// Trusted is the certificate authority as a trusted root names it.
func (s *Server) Trusted(ctx context.Context, since time.Time) (root.CertificateAuthority, error) {
	chains, err := s.authority.TrustBundle(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking Fulcio for its root: %w", err)
	}
	return &root.FulcioCertificateAuthority{Root: chains[0][0], ValidityPeriodStart: since, URI: s.URL}, nil
}

// Close ends Fulcio, whatever of it runs.
func (s *Server) Close() error {
	var errs []error
	if s.Service != nil {
		errs = append(errs, s.Service.Close())
	}
	if s.connection != nil {
		errs = append(errs, s.connection.Close())
	}
	if s.services != nil {
		s.services.Stop()
	}
	if s.issuer != nil {
		s.issuer.Close()
	}
	return errors.Join(errs...)
}
