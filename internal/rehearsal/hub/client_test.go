package hub_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
)

// The product's client and the hub agree on more than each other: every request and
// every answer of a whole release, with faults on the way, is as GitHub describes it.
func TestClientAndHubSpeakAsGitHubDescribes(t *testing.T) {
	for _, tag := range []string{"v1.0.0", "v2.0.0"} {
		s := start(t, func(r *hub.Repo) { r.Immutable = true })
		client, err := github.New(github.Options{
			Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: s.Token(), APIURL: s.URL(), UploadURL: s.UploadURL(),
			Transport: described(t, nil), Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := perform(t, s, client, tag); err != nil {
			t.Error(err)
		}
	}
}

// perform does once whatever a client can do.
func perform(t *testing.T, s *hub.Server, client *github.Client, tag string) error {
	ctx := t.Context()
	if _, err := client.Repository(ctx); err != nil {
		return err
	}
	if err := client.CheckWrite(ctx, tag, ""); err != nil {
		return err
	}
	for _, tag := range []string{"sub/v1.0.0", "v9"} {
		if _, err := client.TagCommit(ctx, tag); err != nil {
			return err
		}
	}
	if pulls, err := client.PullRequestsOf(ctx, first); err != nil || len(pulls) != 1 {
		return fmt.Errorf("pull requests %+v: %w", pulls, err)
	}
	for number, want := range map[int]bool{1: true, 2: false, 3: false} {
		if pull, err := client.PullRequest(ctx, number); err != nil || (pull != nil) != want {
			return fmt.Errorf("pull request %+v: %w", pull, err)
		}
	}
	if pulls, err := client.Pulls(ctx, []int{1, 2, 3}); err != nil || len(pulls) != 1 {
		return fmt.Errorf("pull requests %+v: %w", pulls, err)
	}
	if of, err := client.PullsOf(ctx, []string{first, second}); err != nil || len(of) != 1 {
		return fmt.Errorf("pull requests of commits %+v: %w", of, err)
	}
	if before, err := client.MergedBefore(ctx, map[string]time.Time{"ann": time.Now()}); err != nil || !before["ann"] {
		return fmt.Errorf("merged before %v: %w", before, err)
	}
	bundle := []byte(bundleOf(provenanceType, tag))
	for _, want := range []bool{true, false} {
		if id, err := client.Attest(ctx, bundle); err != nil || (id > 0) != want {
			return fmt.Errorf("attestation %d: %w", id, err)
		}
	}
	for what, want := range map[string]int{tag: 1, "other": 0} {
		if held, err := client.Attestations(ctx, release.Digest("sha256:"+hexOf(what))); err != nil || len(held) != want {
			return fmt.Errorf("attestations of %q: %q: %w", what, held, err)
		}
	}
	page, err := client.Open(ctx, github.Draft{Tag: tag, Commit: first, Title: tag, Body: "text", Prerelease: true})
	if err != nil {
		return err
	}
	broken := true
	s.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && broken {
				broken = false
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	defer s.Inject(nil)
	for _, content := range []string{"old", "new", "new"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		digest := release.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))))
		held, err := client.Assets(ctx, page)
		if err != nil {
			return err
		}
		file := release.File{Name: "a", Path: path, Digest: digest, Size: int64(len(content))}
		if _, err := client.Put(ctx, page, file, held, true); err != nil {
			return err
		}
	}
	if page, err = client.Publish(ctx, page, first, false, true); err != nil {
		return err
	}
	assets, err := client.Assets(ctx, page)
	if err != nil || len(assets) != 1 || !page.Immutable || page.Tag != tag {
		return fmt.Errorf("page %+v with %+v: %w", page, assets, err)
	}
	var got bytes.Buffer
	if err := client.Download(ctx, assets[0], &got); err != nil || got.String() != "new" {
		return fmt.Errorf("downloaded %q: %w", got.String(), err)
	}
	return nil
}
