package sigstore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	tilesnote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/rekor-tiles/v2/pkg/types/hashedrekord"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// origin names the log in its checkpoints. Verifiers take it from the host of the
// log's address in the trusted root, which therefore need not be where it listens.
const origin = "rekor.rehearsal.invalid"

// rekor is Rekor v2's "add entry". The entry is made, and the signature in it
// checked, by Rekor's own code; the tree is the one of Go's checksum database, which
// is RFC 6962's as well.
type rekor struct {
	public     ed25519.PublicKey
	signer     note.Signer
	id         []byte
	algorithms *signature.AlgorithmRegistryConfig

	mu     sync.Mutex
	hashes []tlog.Hash // of every complete subtree, in tlog's order
	index  map[tlog.Hash]int64
}

// duplicate is the refusal of an entry that the log holds already.
type duplicate struct{ index int64 }

func (d duplicate) Error() string {
	return fmt.Sprintf("an equivalent entry already exists in the transparency log with index %d", d.index)
}

func newRekor() (*rekor, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := signature.LoadED25519SignerVerifier(private)
	if err != nil {
		return nil, err
	}
	signer, err := tilesnote.NewNoteSigner(context.Background(), origin, key)
	if err != nil {
		return nil, err
	}
	_, id, err := tilesnote.KeyHash(origin, public)
	if err != nil {
		return nil, err
	}
	algorithms, err := signature.NewAlgorithmRegistryConfig([]protocommon.PublicKeyDetails{ // those of the public instance
		protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		protocommon.PublicKeyDetails_PKIX_ED25519_PH,
	})
	if err != nil {
		return nil, err
	}
	return &rekor{public: public, signer: signer, id: id, algorithms: algorithms, index: map[tlog.Hash]int64{}}, nil
}

// ServeHTTP adds an entry: 201 with its proof, 409 when the log holds it, 400 when
// its signature does not hold.
func (l *rekor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var request tilespb.CreateEntryRequest
	if err := protojson.Unmarshal(body, &request); err != nil || request.GetHashedRekordRequestV002() == nil {
		http.Error(w, "invalid type, must be hashedrekord", http.StatusBadRequest)
		return
	}
	entry, err := hashedrekord.ToLogEntry(request.GetHashedRekordRequestV002(), l.algorithms)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	added, err := l.add(entry)
	if again := (duplicate{}); errors.As(err, &again) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	var answer []byte
	if err == nil {
		answer, err = protojson.Marshal(added)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer) // the client has gone; nobody is left to tell
}

// add appends the entry and proves its inclusion; duplicate when it is there.
func (l *rekor) add(entry *tilespb.Entry) (*protorekor.TransparencyLogEntry, error) {
	plain, err := protojson.Marshal(entry)
	if err != nil {
		return nil, err
	}
	canonical, err := jsoncanonicalizer.Transform(plain)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	leaf := tlog.RecordHash(canonical)
	if i, ok := l.index[leaf]; ok {
		return nil, duplicate{i}
	}
	i := int64(len(l.index))
	stored, err := tlog.StoredHashesForRecordHash(i, leaf, l)
	if err != nil {
		return nil, err
	}
	l.hashes = append(l.hashes, stored...)
	l.index[leaf] = i
	proof, err := l.prove(i)
	if err != nil {
		return nil, err
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: i, LogId: &protocommon.LogId{KeyId: l.id}, CanonicalizedBody: canonical,
		KindVersion:    &protorekor.KindVersion{Kind: entry.Kind, Version: entry.ApiVersion},
		InclusionProof: proof,
	}, nil
}

// prove proves the inclusion of the last entry, i; l.mu is held.
func (l *rekor) prove(i int64) (*protorekor.InclusionProof, error) {
	size := i + 1
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(size, i, l)
	if err != nil {
		return nil, err
	}
	path := make([][]byte, len(proof))
	for n := range proof {
		path[n] = proof[n][:]
	}
	text := log.Checkpoint{Origin: origin, Size: uint64(size), Hash: root[:]}.Marshal()
	checkpoint, err := note.Sign(&note.Note{Text: string(text)}, l.signer)
	if err != nil {
		return nil, err
	}
	return &protorekor.InclusionProof{
		LogIndex: i, TreeSize: size, RootHash: root[:], Hashes: path,
		Checkpoint: &protorekor.Checkpoint{Envelope: string(checkpoint)},
	}, nil
}

// ReadHashes is tlog's view of the tree; l.mu is held.
func (l *rekor) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		if i >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("reading the tree: no hash %d", i)
		}
		out[n] = l.hashes[i]
	}
	return out, nil
}
