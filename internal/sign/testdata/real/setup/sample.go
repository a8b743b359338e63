package setup

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// Workflow is a run for a pushed tag.
func Workflow() sigstore.Workflow {
	return sigstore.Workflow{
		Repository: "octo-org/octo-repo", RepositoryID: "123456789", OwnerID: "987654", Visibility: "public",
		Ref: "refs/tags/v1.2.3", SHA: "3c1a5b6d7e8f90123456789abcdef0123456789a", Name: "release",
		Path: ".github/workflows/release.yml", Event: "push", RunID: "7234567890", RunAttempt: "1",
	}
}

// Identity is who signs in Workflow.
func Identity() sign.Identity {
	w := Workflow()
	return sign.Identity{Repository: w.Repository, Commit: w.SHA, Tag: strings.TrimPrefix(w.Ref, "refs/tags/")}
}

// Claims are the claims of the tokens that the carried Sigstore gives a workflow run.
func Claims(ctx context.Context, w sigstore.Workflow) (claims map[string]any, err error) {
	carried, err := sigstore.Start(w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, carried.Close()) }()
	token, err := stub.Ask(carried.Env())(ctx, sign.Audience)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("reading the carried token: %d parts: want 3", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the carried token: %w", err)
	}
	return claims, nil
}

// Content is the content of an artifact.
func Content(i int) []byte { return fmt.Appendf(nil, "artifact %d\n", i) }

// File is that artifact, as a release knows it; it was never written.
func File(i int) release.File {
	h := sha256.New()
	h.Write(Content(i))
	return release.File{Name: fmt.Sprintf("artifact-%d", i), Path: "/nonexistent", Digest: release.Sum(h)}
}

// Statement is an in-toto statement with SLSA provenance about the first n artifacts.
func Statement(n int) ([]byte, error) {
	type subject struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	}
	var subjects []subject
	for i := range n {
		subjects = append(subjects, subject{File(i).Name, map[string]string{"sha256": File(i).Digest.Hex()}})
	}
	w := Workflow()
	return json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "subject": subjects,
		"predicate": map[string]any{
			"buildDefinition": map[string]any{"buildType": "https://example.com/test", "externalParameters": map[string]any{"ref": w.Ref}},
			"runDetails":      map[string]any{"builder": map[string]any{"id": w.SAN()}},
		},
	})
}
