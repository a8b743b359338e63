package main

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unique refuses a leaf that the log was given before, as Trillian does with a database.
// Its storage in memory does not notice.
type unique struct {
	trillian.TrillianLogServer

	mu   sync.Mutex
	seen map[[sha256.Size]byte]bool
}

func newUnique(next trillian.TrillianLogServer) *unique {
	return &unique{TrillianLogServer: next, seen: map[[sha256.Size]byte]bool{}}
}

// QueueLeaf implements trillian.TrillianLogServer.
func (u *unique) QueueLeaf(ctx context.Context, request *trillian.QueueLeafRequest) (*trillian.QueueLeafResponse, error) {
	leaf := sha256.Sum256(request.GetLeaf().GetLeafValue())
	u.mu.Lock()
	known := u.seen[leaf]
	u.seen[leaf] = true
	u.mu.Unlock()
	if known {
		return &trillian.QueueLeafResponse{QueuedLeaf: &trillian.QueuedLogLeaf{
			Leaf: request.GetLeaf(), Status: status.New(codes.AlreadyExists, "the log holds this leaf").Proto(),
		}}, nil
	}
	return u.TrillianLogServer.QueueLeaf(ctx, request)
}
