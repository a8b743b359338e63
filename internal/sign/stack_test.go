package sign

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

const commit = "3c1a5b6d7e8f90123456789abcdef0123456789a"

func workflow() sigstore.Workflow {
	return sigstore.Workflow{
		Repository: "octo-org/octo-repo", RepositoryID: "123456789", OwnerID: "987654", Visibility: "public",
		Ref: "refs/tags/v1.2.3", SHA: commit, Name: "release",
		Path: ".github/workflows/release.yml", Event: "push", RunID: "7234567890", RunAttempt: "1",
	}
}

func identity() Identity {
	return Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3"}
}

func start(t testing.TB, w sigstore.Workflow) *sigstore.Stack {
	t.Helper()
	s, err := sigstore.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// trustOf goes through files, as a run does.
func trustOf(t testing.TB, s *sigstore.Stack) Trust {
	t.Helper()
	dir := t.TempDir()
	if err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	trust, err := LoadTrust(filepath.Join(dir, sigstore.TrustedRootName), filepath.Join(dir, sigstore.SigningConfigName))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// tokenOf asks the carried token endpoint, as the runner's documentation says.
func tokenOf(s *sigstore.Stack) Token {
	return func(ctx context.Context, audience string) (string, error) {
		env := s.Env()
		at := env["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + url.QueryEscape(audience)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "bearer "+env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s (%v)", resp.Status, err)
		}
		var answer struct{ Value string }
		err = json.Unmarshal(text, &answer)
		return answer.Value, err
	}
}

// waits are the pauses that a signer would have made.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, d)
	return context.Cause(ctx)
}

func signerOf(t testing.TB, s *sigstore.Stack) *Signer {
	t.Helper()
	signer := NewSigner(trustOf(t, s), tokenOf(s), nil)
	signer.Wait = new(waits).wait
	return signer
}

// blob is a file that was never written: signing takes its digest only.
func blob(i int) release.File {
	h := sha256.New()
	fmt.Fprintf(h, "artifact %d\n", i)
	return release.File{Name: fmt.Sprintf("artifact-%d", i), Path: "/nonexistent", Digest: release.Sum(h)}
}

func statement(t testing.TB, n int) []byte {
	t.Helper()
	type subject struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	}
	var subjects []subject
	for i := range n {
		subjects = append(subjects, subject{blob(i).Name, map[string]string{"sha256": blob(i).Digest.Hex()}})
	}
	text, err := json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
		"subject": subjects, "predicate": map[string]any{"buildDefinition": map[string]any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
