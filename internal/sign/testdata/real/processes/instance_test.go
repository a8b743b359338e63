package processes_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/processes"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// start runs an instance for the tokens of a workflow run, until the test ends.
func start(t *testing.T, w sigstore.Workflow, o processes.Options) *processes.Instance {
	t.Helper()
	claims, err := setup.Claims(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	o.Claims = claims
	i, err := processes.Start(t.Context(), *bin, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// trustedRoot is the file to verify with.
func trustedRoot(i *processes.Instance) string {
	return filepath.Join(i.Dir, sigstore.TrustedRootName)
}

func trust(t *testing.T, i *processes.Instance) sign.Trust {
	t.Helper()
	trust, err := sign.LoadTrust(trustedRoot(i), filepath.Join(i.Dir, sigstore.SigningConfigName))
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// newSigner signs as the sample's workflow run.
func newSigner(t *testing.T, i *processes.Instance) *sign.Signer {
	t.Helper()
	signer := sign.NewSigner(trust(t, i), stub.Ask(i.Issuer.Env(i.Tokens.URL)), nil)
	want := setup.Identity()
	signer.Want = &want
	return signer
}

// hasty waits a moment where a signer would wait for seconds.
func hasty(ctx context.Context, _ time.Duration) error {
	select {
	case <-time.After(10 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// signAll signs the first n artifacts at once.
func signAll(ctx context.Context, signer *sign.Signer, n int) ([][]byte, error) {
	bundles := make([][]byte, n)
	var group errgroup.Group
	for i := range bundles {
		group.Go(func() (err error) {
			bundles[i], err = signer.Blob(ctx, setup.File(i))
			return err
		})
	}
	return bundles, group.Wait()
}

func statement(t *testing.T, n int) []byte {
	t.Helper()
	text, err := setup.Statement(n)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
