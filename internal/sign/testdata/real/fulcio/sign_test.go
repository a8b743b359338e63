package fulcio_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
)

// TestParallel: thirty artifacts and a statement with one token and one certificate.
func TestParallel(t *testing.T) {
	const n = 30
	s := start(t, setup.Workflow())
	signer := s.signer()
	want := setup.Identity()
	signer.Want = &want
	text := statement(t, n)
	bundles, attestation := make([][]byte, n), []byte(nil)
	var group errgroup.Group
	for i := range bundles {
		group.Go(func() (err error) {
			bundles[i], err = signer.Blob(t.Context(), setup.File(i))
			return err
		})
	}
	group.Go(func() (err error) {
		attestation, err = signer.Statement(t.Context(), text)
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for what, counts := range map[string][2]int64{
		"tokens": {s.tokens.Calls(), 1}, "Fulcio": {s.fulcio.Calls(), 1}, "CT log": {s.ctLog.Calls(), 1},
		"Rekor": {s.carried.Calls(sigstore.Rekor), n + 1}, "timestamps": {s.carried.Calls(sigstore.TSA), n + 1},
		"carried Fulcio": {s.carried.Calls(sigstore.Fulcio), 0},
	} {
		if counts[0] != counts[1] {
			t.Errorf("%s: %d calls, want %d", what, counts[0], counts[1])
		}
	}
	for i, bundle := range bundles {
		sig, err := s.trust.VerifyBlob(bundle, setup.File(i).Digest, setup.Identity())
		if err != nil {
			t.Fatal(i, err)
		}
		signedBy(t, sig, setup.Workflow())
		got, sig, err := s.trust.VerifyStatement(attestation, setup.File(i).Digest, setup.Identity())
		if err != nil || !bytes.Equal(got, text) {
			t.Fatal(i, err)
		}
		signedBy(t, sig, setup.Workflow())
	}
	if _, err := s.trust.VerifyBlob(bundles[0], setup.File(1).Digest, setup.Identity()); err == nil {
		t.Error("the bundle of one file is accepted for another")
	}
}

func signedBy(t *testing.T, sig sign.Signature, w sigstore.Workflow) {
	t.Helper()
	if sig.SAN != w.SAN() || sig.Issuer != sign.Issuer || sig.Repository != w.Repository || sig.Commit != w.SHA ||
		sig.Ref != w.Ref || sig.Trigger != w.Event || sig.Time.IsZero() {
		t.Errorf("got %+v of %+v", sig, w)
	}
}

// TestIdentity: for which runs a real certificate speaks, and for which it does not.
func TestIdentity(t *testing.T) {
	reusable, branch := setup.Workflow(), setup.Workflow()
	reusable.Called = "octo-org/workflows/.github/workflows/go.yml@refs/heads/main"
	branch.Ref, branch.Event = "refs/heads/main", "workflow_dispatch"
	named := setup.Identity()
	named.Workflow = "https://github.com/octo-org/workflows/.github/workflows/go.yml"
	dispatched := setup.Identity()
	dispatched.Branches = []string{"main"}
	change := func(base sign.Identity, f func(*sign.Identity)) sign.Identity { f(&base); return base }
	for name, c := range map[string]struct {
		by   sigstore.Workflow
		want map[string]sign.Identity // rule that does not hold, or "" where all do
	}{
		"tag": {setup.Workflow(), map[string]sign.Identity{
			"":         setup.Identity(),
			"workflow": change(setup.Identity(), func(w *sign.Identity) { w.Repository = "octo-org/other" }),
			"repository": change(setup.Identity(), func(w *sign.Identity) {
				w.Repository, w.Workflow = "octo-org/other", "https://github.com/octo-org/octo-repo/.github/workflows/"
			}),
			"commit": change(setup.Identity(), func(w *sign.Identity) { w.Commit = strings.Repeat("0", 40) }),
			"ref":    change(setup.Identity(), func(w *sign.Identity) { w.Tag = "v1.2.4" }),
		}},
		"reusable workflow": {reusable, map[string]sign.Identity{
			"": named, "workflow": setup.Identity(),
			"commit": change(named, func(w *sign.Identity) { w.Commit = strings.Repeat("0", 40) }),
		}},
		"dispatch": {branch, map[string]sign.Identity{"": dispatched, "ref": setup.Identity()}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.by)
			signer := s.signer()
			blob, err := signer.Blob(t.Context(), setup.File(0))
			if err != nil {
				t.Fatal(err)
			}
			attestation, err := signer.Statement(t.Context(), statement(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			if san, err := signer.Identity(t.Context()); err != nil || san != c.by.SAN() {
				t.Errorf("identity %q (%v), want %q", san, err, c.by.SAN())
			}
			for rule, want := range c.want {
				sig, err := s.trust.VerifyBlob(blob, setup.File(0).Digest, want)
				_, _, statementErr := s.trust.VerifyStatement(attestation, setup.File(0).Digest, want)
				if rule == "" {
					if err != nil || statementErr != nil {
						t.Fatal(err, statementErr)
					}
					signedBy(t, sig, c.by)
					continue
				}
				for _, err := range []error{err, statementErr} {
					if err == nil || !strings.Contains(err.Error(), rule+": found") {
						t.Errorf("%s: got %v", rule, err)
					}
				}
			}
		})
	}
}
