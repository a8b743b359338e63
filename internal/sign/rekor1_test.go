package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/go-openapi/runtime"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	rekorutil "github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/signature"
	sumtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
)

// rekor1 is a Rekor v1 log (https://github.com/sigstore/rekor/blob/main/openapi.yaml):
// "create entry" and "get entry", with Rekor's own code for the entries.
type rekor1 struct {
	key    *ecdsa.PrivateKey
	id     [sha256.Size]byte
	calls  atomic.Int64
	broken atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: it has answered

	mu      sync.Mutex
	hashes  []sumtlog.Hash
	entries map[string]models.LogEntryAnon // by UUID
}

func newRekor1(t *testing.T) (*rekor1, *httptest.Server) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	l := &rekor1{key: key, id: sha256.Sum256(der), entries: map[string]models.LogEntryAnon{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server
}

func (l *rekor1) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.calls.Add(1)
	if broken := l.broken.Load(); broken != nil && (*broken)(w, r) {
		return
	}
	const entries = "/api/v1/log/entries"
	answer := func(status int, uuid string, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", entries+"/"+uuid)
		w.Header().Set("ETag", uuid)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.Method == http.MethodGet {
		l.mu.Lock()
		defer l.mu.Unlock()
		uuid := path.Base(r.URL.Path)
		answer(http.StatusOK, uuid, models.LogEntry{uuid: l.entries[uuid]})
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != entries {
		http.NotFound(w, r)
		return
	}
	body, err := canonicalEntry(r)
	if err != nil {
		answer(http.StatusBadRequest, "", map[string]any{"code": 400, "message": err.Error()})
		return
	}
	uuid, entry, added, err := l.add(r.Context(), body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case !added:
		answer(http.StatusConflict, uuid, map[string]any{"code": 409, "message": "an equivalent entry already exists"})
	default:
		answer(http.StatusCreated, uuid, models.LogEntry{uuid: entry})
	}
}

// canonicalEntry checks a proposed entry, its signature included.
func canonicalEntry(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	proposed, err := models.UnmarshalProposedEntry(bytes.NewReader(text), runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		return nil, err
	}
	return types.CanonicalizeEntry(r.Context(), entry)
}

func (l *rekor1) add(ctx context.Context, body []byte) (string, models.LogEntryAnon, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leaf := sumtlog.RecordHash(body)
	uuid := hex.EncodeToString(leaf[:])
	if entry, ok := l.entries[uuid]; ok {
		return uuid, entry, false, nil
	}
	none := models.LogEntryAnon{}
	index, at, id := int64(len(l.entries)), time.Now().Unix(), hex.EncodeToString(l.id[:])
	stored, err := sumtlog.StoredHashesForRecordHash(index, leaf, l)
	if err != nil {
		return "", none, false, err
	}
	l.hashes = append(l.hashes, stored...)
	proof, err := l.prove(ctx, index)
	if err != nil {
		return "", none, false, err
	}
	payload, err := json.Marshal(tlog.RekorPayload{Body: body, IntegratedTime: at, LogIndex: index, LogID: id})
	if err != nil {
		return "", none, false, err
	}
	if payload, err = jsoncanonicalizer.Transform(payload); err != nil {
		return "", none, false, err
	}
	sum := sha256.Sum256(payload)
	promise, err := l.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", none, false, err
	}
	entry := models.LogEntryAnon{
		Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: &at, LogIndex: &index, LogID: &id,
		Verification: &models.LogEntryAnonVerification{InclusionProof: proof, SignedEntryTimestamp: promise},
	}
	l.entries[uuid] = entry
	return uuid, entry, true, nil
}

func (l *rekor1) prove(ctx context.Context, index int64) (*models.InclusionProof, error) {
	size := index + 1
	top, err := sumtlog.TreeHash(size, l)
	if err != nil {
		return nil, err
	}
	path, err := sumtlog.ProveRecord(size, index, l)
	if err != nil {
		return nil, err
	}
	hashes := make([]string, len(path))
	for i := range path {
		hashes[i] = hex.EncodeToString(path[i][:])
	}
	signer, err := signature.LoadECDSASignerVerifier(l.key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	checkpoint, err := rekorutil.CreateAndSignCheckpoint(ctx, "rekor1.rehearsal.invalid", 1, uint64(size), top[:], signer)
	if err != nil {
		return nil, err
	}
	text, rootHash := string(checkpoint), hex.EncodeToString(top[:])
	return &models.InclusionProof{Checkpoint: &text, Hashes: hashes, LogIndex: &index, RootHash: &rootHash, TreeSize: &size}, nil
}

func (l *rekor1) ReadHashes(indexes []int64) ([]sumtlog.Hash, error) {
	out := make([]sumtlog.Hash, len(indexes))
	for i, n := range indexes {
		out[i] = l.hashes[n]
	}
	return out, nil
}

// withRekor1 is the trust of a stack whose log is of version 1, with or without the
// stack's timestamp authority.
func withRekor1(t *testing.T, s *sigstore.Stack, l *rekor1, server *httptest.Server, stamped bool) Trust {
	t.Helper()
	since := time.Now().Add(-time.Hour)
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, s.TrustedRoot.FulcioCertificateAuthorities(),
		s.TrustedRoot.CTLogs(), s.TrustedRoot.TimestampingAuthorities(),
		map[string]*root.TransparencyLog{hex.EncodeToString(l.id[:]): {
			BaseURL: server.URL, ID: l.id[:], ValidityPeriodStart: since,
			HashFunc: crypto.SHA256, PublicKey: l.key.Public(), SignatureHashFunc: crypto.SHA256,
		}})
	if err != nil {
		t.Fatal(err)
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	var stamps []root.Service
	if stamped {
		stamps = s.SigningConfig.TimestampAuthorityURLs()
	}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, s.SigningConfig.FulcioCertificateAuthorityURLs(), nil,
		[]root.Service{{URL: server.URL, MajorAPIVersion: 1, ValidityPeriodStart: since, Operator: "rehearsal"}}, one, stamps, one)
	if err != nil {
		t.Fatal(err)
	}
	return Trust{root: material, config: config}
}

func TestRekor1(t *testing.T) {
	for name, stamped := range map[string]bool{"with timestamps": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := start(t, workflow())
			l, server := newRekor1(t)
			trust := withRekor1(t, s, l, server, stamped)
			signer := NewSigner(trust, tokenOf(s), nil)
			signer.Wait = new(waits).wait
			for i := range 3 { // so that proofs have hashes
				bundle, err := signer.Blob(t.Context(), blob(i))
				if err != nil {
					t.Fatal(err)
				}
				sig, err := trust.VerifyBlob(bundle, blob(i).Digest, identity())
				if err != nil || sig.Time.IsZero() {
					t.Fatal(sig, err)
				}
			}
			bundle, err := signer.Statement(t.Context(), statement(t, 3))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := trust.VerifyStatement(bundle, blob(2).Digest, identity()); err != nil {
				t.Error(err)
			}
			if got := s.Calls(sigstore.TSA); (got > 0) != stamped {
				t.Errorf("%d timestamps", got)
			}
		})
	}
}

func TestRekor1Faults(t *testing.T) {
	for name, c := range map[string]struct {
		break1 func(l *rekor1, n int64, w http.ResponseWriter, r *http.Request) bool
		want   string // empty: it succeeds
		calls  int64
	}{
		"503 once": {func(_ *rekor1, n int64, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 1
		}, "", 2},
		"503": {func(_ *rekor1, _ int64, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, "503 Service Unavailable (4 attempts)", 4},
		"400": {func(_ *rekor1, _ int64, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, `{"code":400,"message":"bad entry"}`, http.StatusBadRequest)
			return true
		}, "400 Bad Request: bad entry", 1},
		// Added, not answered; added again: a conflict; then fetched.
		"lost": {func(l *rekor1, n int64, _ http.ResponseWriter, r *http.Request) bool {
			if n > 1 {
				return false
			}
			body, err := canonicalEntry(r)
			if err == nil {
				_, _, _, err = l.add(r.Context(), body)
			}
			if err != nil {
				return false
			}
			panic(http.ErrAbortHandler)
		}, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, workflow())
			l, server := newRekor1(t)
			broken := func(w http.ResponseWriter, r *http.Request) bool { return c.break1(l, l.calls.Load(), w, r) }
			l.broken.Store(&broken)
			signer := NewSigner(withRekor1(t, s, l, server, true), tokenOf(s), nil)
			signer.Wait = new(waits).wait
			_, err := signer.Blob(t.Context(), blob(0))
			if got := l.calls.Load(); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "asking Rekor at") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestServices: what the signing config must offer.
func TestServices(t *testing.T) {
	s := start(t, workflow())
	since := time.Now().Add(-time.Hour)
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	mine := s.SigningConfig
	old := mine.FulcioCertificateAuthorityURLs()
	old[0].ValidityPeriodEnd = since
	for want, parts := range map[string][3][]root.Service{
		"choosing a certificate authority":    {old, mine.RekorLogURLs(), mine.TimestampAuthorityURLs()},
		"choosing a transparency log":         {mine.FulcioCertificateAuthorityURLs(), nil, mine.TimestampAuthorityURLs()},
		"choosing a timestamp authority":      {mine.FulcioCertificateAuthorityURLs(), mine.RekorLogURLs(), nil},
		"parsing the address of the log":      {mine.FulcioCertificateAuthorityURLs(), {{URL: "http://%", MajorAPIVersion: 2, ValidityPeriodStart: since}}, nil},
		`asking Rekor at "127.0.0.1:1": dial`: {mine.FulcioCertificateAuthorityURLs(), {{URL: "http://127.0.0.1:1", MajorAPIVersion: 2, ValidityPeriodStart: since}}, mine.TimestampAuthorityURLs()},
	} {
		config, err := root.NewSigningConfig(root.SigningConfigMediaType02, parts[0], nil, parts[1], one, parts[2], one)
		if err != nil {
			t.Fatal(err)
		}
		signer := NewSigner(Trust{root: s.TrustedRoot, config: config}, tokenOf(s), nil)
		signer.Wait = new(waits).wait
		if _, err := signer.Blob(t.Context(), blob(0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
