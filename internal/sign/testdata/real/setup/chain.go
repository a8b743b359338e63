package setup

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// Chain is a root and a certificate below it, with the key of the latter.
type Chain struct {
	Root, Below *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// NewChain makes a chain that is good for a day.
func NewChain(name string, below *x509.Certificate) (Chain, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("making the root key of %q: %w", name, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Chain{}, fmt.Errorf("making the key of %q: %w", name, err)
	}
	certify := func(template, parent *x509.Certificate, role string, public crypto.PublicKey) (*x509.Certificate, error) {
		serial, err := cryptoutils.GenerateSerialNumber()
		if err != nil {
			return nil, err
		}
		template.SerialNumber = serial
		template.Subject = pkix.Name{Organization: []string{"test"}, CommonName: name + " " + role}
		template.BasicConstraintsValid = true
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, rootKey)
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	top := &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	root, err := certify(top, top, "root", rootKey.Public())
	if err != nil {
		return Chain{}, fmt.Errorf("signing the root of %q: %w", name, err)
	}
	leaf, err := certify(below, root, "signer", key.Public())
	if err != nil {
		return Chain{}, fmt.Errorf("signing the certificate of %q: %w", name, err)
	}
	return Chain{Root: root, Below: leaf, Key: key}, nil
}

// Authority is the template of a code signing authority's certificate.
func Authority() *x509.Certificate {
	return &x509.Certificate{
		IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
}

// Stamper is the template of a timestamp authority's certificate.
func Stamper() (*x509.Certificate, error) {
	// RFC 3161, 2.3: timeStamping alone and critical, which x509.ExtKeyUsage cannot say.
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, nil
}

// WriteCertificates writes certificates as PEM, in the order given.
func WriteCertificates(path string, certificates ...*x509.Certificate) error {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return os.WriteFile(path, text, 0o600)
}

// WriteKey writes a private key as PKCS #8 in PEM.
func WriteKey(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key for %q: %w", path, err)
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
