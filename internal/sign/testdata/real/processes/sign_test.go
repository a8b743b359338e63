package processes_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/processes"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
)

// artifacts is how many files a large release has.
const artifacts = 30

// TestSign signs with each kind of instance: thirty artifacts at once, then a statement
// about them, with one certificate. The product verifies all of them, cosign some.
func TestSign(t *testing.T) {
	for name, c := range map[string]struct {
		options processes.Options
		entries []int64 // in each log
		witness int     // log entries in each bundle
		stamps  int     // timestamps in each bundle
	}{
		"Rekor v2":              {processes.Options{Rekor2: 1, TSA: true}, []int64{artifacts + 1}, 1, 1},
		"Rekor v1":              {processes.Options{Rekor1: true}, []int64{artifacts + 1}, 1, 0},
		"Rekor v1, timestamped": {processes.Options{Rekor1: true, TSA: true}, []int64{artifacts + 1}, 1, 1},
		// Of what a signing config offers, the highest version is taken.
		"Rekor v1 and v2": {processes.Options{Rekor1: true, Rekor2: 1, TSA: true}, []int64{artifacts + 1, 0}, 1, 1},
		"two Rekor v2":    {processes.Options{Rekor2: 2, EveryLog: true, TSA: true}, []int64{artifacts + 1, artifacts + 1}, 2, 1},
		// GitHub's own instance, for repositories that are not public.
		"no log at all": {processes.Options{NoCTLog: true, TSA: true}, nil, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			instance := start(t, setup.Workflow(), c.options)
			signer := newSigner(t, instance)
			begin := time.Now()
			bundles, err := signAll(t.Context(), signer, artifacts)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d artifacts signed in %.2f s", name, artifacts, time.Since(begin).Seconds())
			attestation, err := signer.Statement(t.Context(), statement(t, artifacts))
			if err != nil {
				t.Fatal(err)
			}
			if tokens, certificates := instance.Tokens.Calls(), instance.Fulcio.Calls(); tokens != 1 || certificates != 1 {
				t.Errorf("%d tokens and %d certificates, want one of each", tokens, certificates)
			}
			for i, want := range c.entries {
				if got := instance.Logs[i].Calls(); got != want {
					t.Errorf("log %d was asked %d times, want %d", i, got, want)
				}
			}
			for i, text := range append(bundles, attestation) {
				evidence(t, i, text, c.witness, c.stamps)
			}
			verifyAll(t, trust(t, instance), bundles, attestation)
			san, err := signer.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range [][]byte{bundles[0], attestation} {
				bundlePath, file := write(t, t.TempDir(), i, text)
				stockTools(t, trustedRoot(instance), san, bundlePath, file)
			}
		})
	}
}

// evidence counts what a bundle carries.
func evidence(t *testing.T, i int, text []byte, witnesses, stamps int) {
	t.Helper()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	entries, err := b.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	timestamps, err := b.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != witnesses || len(timestamps) != stamps {
		t.Errorf("bundle %d: %d log entries and %d timestamps, want %d and %d", i, len(entries), len(timestamps), witnesses, stamps)
	}
}

// verifyAll verifies with the product, and has it refuse what is wrong.
func verifyAll(t *testing.T, trust sign.Trust, bundles [][]byte, attestation []byte) {
	t.Helper()
	w, text := setup.Workflow(), statement(t, len(bundles))
	other := setup.Identity()
	other.Commit = strings.Repeat("0", 40)
	for i, text2 := range bundles {
		digest := setup.File(i).Digest
		sig, err := trust.VerifyBlob(text2, digest, setup.Identity())
		if err != nil {
			t.Fatal(i, err)
		}
		if sig.SAN != w.SAN() || sig.Repository != w.Repository || sig.Commit != w.SHA || sig.Ref != w.Ref || time.Since(sig.Time).Abs() > time.Hour {
			t.Errorf("bundle %d: got %+v", i, sig)
		}
		signed, _, err := trust.VerifyStatement(attestation, digest, setup.Identity())
		if err != nil || !bytes.Equal(signed, text) {
			t.Fatal(i, err)
		}
		if _, err := trust.VerifyBlob(text2, setup.File(i+1).Digest, setup.Identity()); err == nil {
			t.Errorf("bundle %d: accepted for another file", i)
		}
		if _, err := trust.VerifyBlob(text2, digest, other); err == nil || !strings.Contains(err.Error(), "commit: found") {
			t.Errorf("bundle %d: for another commit: %v", i, err)
		}
	}
}

// TestStrangers: bundles of one instance are nothing to another.
func TestStrangers(t *testing.T) {
	mine := start(t, setup.Workflow(), processes.Options{Rekor2: 1, TSA: true})
	theirs := start(t, setup.Workflow(), processes.Options{Rekor2: 1}) // a second timestamp authority would find its metrics port taken
	text, err := newSigner(t, mine).Blob(t.Context(), setup.File(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust(t, theirs).VerifyBlob(text, setup.File(0).Digest, setup.Identity()); err == nil {
		t.Error("accepted by the product")
	}
	bundlePath, file := write(t, t.TempDir(), 0, text)
	for _, v := range cosigns() {
		if said, err := v.check(t, trustedRoot(theirs), setup.Workflow().SAN(), bundlePath, file); err == nil {
			t.Errorf("accepted by %s: %s", v.name, said)
		}
	}
}
