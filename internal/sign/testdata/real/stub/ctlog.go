package stub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// CTLog answers add-pre-chain and add-chain (RFC 6962, 4.1 and 4.2) with SCTs that hold.
// It keeps no tree: verifiers check the promise, not its keeping.
type CTLog struct {
	key *ecdsa.PrivateKey
	id  [sha256.Size]byte
}

// NewCTLog makes a log with a key of its own.
func NewCTLog() (*CTLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the CT log: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the key of the CT log: %w", err)
	}
	return &CTLog{key: key, id: sha256.Sum256(der)}, nil
}

// Trusted is the log as a trusted root names it.
func (l *CTLog) Trusted(at string, since time.Time) *root.TransparencyLog {
	return &root.TransparencyLog{
		BaseURL: at, ID: l.id[:], ValidityPeriodStart: since,
		HashFunc: crypto.SHA256, PublicKey: l.key.Public(), SignatureHashFunc: crypto.SHA256,
	}
}

// ServeHTTP answers a chain with a promise.
func (l *CTLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var kind ct.LogEntryType
	switch r.URL.Path {
	case ct.AddPreChainPath:
		kind = ct.PrecertLogEntryType
	case ct.AddChainPath:
		kind = ct.X509LogEntryType
	default:
		http.NotFound(w, r)
		return
	}
	promise, err := l.promise(r, kind)
	var text []byte
	if err == nil {
		text, err = json.Marshal(promise)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, http.StatusOK, text)
}

// promise signs for the chain in a request.
func (l *CTLog) promise(r *http.Request, kind ct.LogEntryType) (*ct.AddChainResponse, error) {
	var request ct.AddChainRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	var chain []ct.ASN1Cert
	for _, der := range request.Chain {
		chain = append(chain, ct.ASN1Cert{Data: der})
	}
	sct := ct.SignedCertificateTimestamp{
		SCTVersion: ct.V1, LogID: ct.LogID{KeyID: l.id}, Timestamp: uint64(time.Now().UnixMilli()),
	}
	leaf, err := ct.MerkleTreeLeafFromRawChain(chain, kind, sct.Timestamp)
	if err != nil {
		return nil, err
	}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(input)
	signature, err := l.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	signed, err := tls.Marshal(ct.DigitallySigned{
		Algorithm: tls.SignatureAndHashAlgorithm{Hash: tls.SHA256, Signature: tls.ECDSA}, Signature: signature,
	})
	if err != nil {
		return nil, err
	}
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: l.id[:], Timestamp: sct.Timestamp, Signature: signed}, nil
}
