package stub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/sign"
)

// Web leads a process to an Issuer by GitHub's real name, without touching how the
// machine resolves names: the process takes Proxy for its HTTPS proxy and Certificate for
// the only authority that it trusts.
type Web struct {
	Proxy       *Service
	Certificate *x509.Certificate

	server *http.Server
}

// ServeWeb starts both sides of the way to an issuer; Close ends them.
func ServeWeb(issuer *Issuer) (*Web, error) {
	name := strings.TrimPrefix(sign.Issuer, "https://")
	certificate, key, err := selfSigned(name)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of %q: %w", name, err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}},
	})
	if err != nil {
		return nil, err
	}
	w := &Web{Certificate: certificate, server: &http.Server{
		Handler: issuer, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
	}}
	go func() { _ = w.server.Serve(listener) }() // ends with Close
	w.Proxy, err = Serve(proxy(name+":443", listener.Addr().String()))
	if err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	return w, nil
}

// Env is what makes a process go this way, with the certificate in a file.
func (w *Web) Env(certificateFile string) []string {
	return []string{"HTTPS_PROXY=" + w.Proxy.URL, "SSL_CERT_FILE=" + certificateFile}
}

// Close ends both sides.
func (w *Web) Close() error { return errors.Join(w.Proxy.Close(), w.server.Close()) }

// proxy answers CONNECT for one name, with another address.
func proxy(name, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != name {
			http.Error(w, "there is no network here", http.StatusBadGateway)
			return
		}
		there, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer here.Close()
		if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return // the client has gone
		}
		ended := make(chan struct{}, 2)
		for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
			go func() {
				_, _ = io.Copy(way[0], way[1]) // whichever side ends it, both connections are closed
				ended <- struct{}{}
			}()
		}
		<-ended
	})
}

// selfSigned makes a web server's certificate that is its own authority.
func selfSigned(name string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

// FreeAddress is an address on loopback where nothing listens. Two calls may give the
// same one, where nothing began to listen there between them.
func FreeAddress() (*url.URL, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}, listener.Close()
}
