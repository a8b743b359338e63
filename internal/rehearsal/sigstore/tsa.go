package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// tsa answers RFC 3161 timestamp queries.
type tsa struct {
	key  *ecdsa.PrivateKey
	leaf *x509.Certificate
	root *x509.Certificate
}

func newTSA() (*tsa, error) {
	// RFC 3161, 2.3: timeStamping alone and critical, which x509.ExtKeyUsage cannot say.
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	chain, key, err := newChain(TSA, &x509.Certificate{
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	})
	if err != nil {
		return nil, err
	}
	return &tsa{key: key, leaf: chain[0], root: chain[1]}, nil
}

// ServeHTTP answers a timestamp query.
func (t *tsa) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	query, err := timestamp.ParseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	stamp := timestamp.Timestamp{
		HashAlgorithm: query.HashAlgorithm, HashedMessage: query.HashedMessage, Nonce: query.Nonce,
		Time: now(r), AddTSACertificate: query.Certificates,
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}
	answer, err := stamp.CreateResponseWithOpts(t.leaf, t.key, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer) // the client has gone; nobody is left to tell
}

// newChain makes a root and one certificate below it, good for a day before and after
// now: below, then root, and the key of the first. Both names begin with "rehearsal".
func newChain(name string, below *x509.Certificate) ([]*x509.Certificate, *ecdsa.PrivateKey, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	sign := func(template, parent *x509.Certificate, role string, public crypto.PublicKey) (*x509.Certificate, error) {
		serial, err := cryptoutils.GenerateSerialNumber()
		if err != nil {
			return nil, err
		}
		template.SerialNumber = serial
		template.Subject = pkix.Name{
			Organization: []string{"pgo-release rehearsal"}, CommonName: fmt.Sprintf("rehearsal %s %s", name, role),
		}
		template.BasicConstraintsValid = true
		template.NotBefore, template.NotAfter = time.Now().Add(-aDay), time.Now().Add(aDay)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, rootKey)
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	top := &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	root, err := sign(top, top, "root", rootKey.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("signing the root of %q: %w", name, err)
	}
	leaf, err := sign(below, root, "signer", key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("signing the certificate of %q: %w", name, err)
	}
	return []*x509.Certificate{leaf, root}, key, nil
}
