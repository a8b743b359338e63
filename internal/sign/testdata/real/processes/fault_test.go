package processes_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/processes"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
)

// TestLostAnswer: the log has added the entry, and its answer got lost. Asked again, both
// versions say 409; v1 then tells the proof, for v2 the artifact is signed once more.
func TestLostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		options processes.Options
		calls   int64
	}{
		"Rekor v2": {processes.Options{Rekor2: 1, TSA: true}, 3}, // lost, 409, another entry
		"Rekor v1": {processes.Options{Rekor1: true}, 3},         // lost, 409, the entry asked for
	} {
		t.Run(name, func(t *testing.T) {
			instance := start(t, setup.Workflow(), c.options)
			signer := newSigner(t, instance)
			signer.Wait = hasty
			instance.Logs[0].Inject(sigstore.First(1, sigstore.Lost))
			text, err := signer.Blob(t.Context(), setup.File(0))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := trust(t, instance).VerifyBlob(text, setup.File(0).Digest, setup.Identity()); err != nil {
				t.Error(err)
			}
			if got := instance.Logs[0].Calls(); got != c.calls {
				t.Errorf("the log was asked %d times, want %d", got, c.calls)
			}
		})
	}
}

// TestKilled kills each server before it is needed, and starts it again.
func TestKilled(t *testing.T) {
	instance := start(t, setup.Workflow(), processes.Options{Rekor2: 1, TSA: true})
	for name, c := range map[string]struct {
		process *processes.Process
		want    string
	}{
		"Fulcio":              {instance.Processes.Fulcio, "asking Fulcio at"},
		"timestamp authority": {instance.Processes.TSA, "asking the timestamp authority at"},
		"Rekor":               {instance.Processes.Logs[0], "asking Rekor at"},
	} {
		t.Run(name, func(t *testing.T) {
			signer := newSigner(t, instance)
			signer.Wait = hasty
			if err := c.process.Kill(); err != nil {
				t.Fatal(err)
			}
			text, err := signer.Blob(t.Context(), setup.File(0))
			if err == nil || text != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "(4 attempts)") || release.HintOf(err) == "" {
				t.Errorf("got %v (hint %q)", err, release.HintOf(err))
			}
			if err := c.process.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text, err = signer.Blob(t.Context(), setup.File(0)); err != nil {
				t.Fatal("when it is over:", err)
			}
			if _, err := trust(t, instance).VerifyBlob(text, setup.File(0).Digest, setup.Identity()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKilledInTheMiddle kills the log while thirty artifacts are being signed, so that
// some were entered and their answers are lost.
func TestKilledInTheMiddle(t *testing.T) {
	instance := start(t, setup.Workflow(), processes.Options{Rekor2: 1, TSA: true})
	signer := newSigner(t, instance)
	signer.Wait = hasty
	log := instance.Processes.Logs[0]
	if _, err := signer.Blob(t.Context(), setup.File(0)); err != nil {
		t.Fatal(err)
	}
	killed := make(chan error, 1)
	go func() {
		for instance.Logs[0].Calls() < artifacts/2 {
			time.Sleep(time.Millisecond)
		}
		killed <- log.Kill()
	}()
	errs := signEach(t, signer)
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		failed++
		if !strings.Contains(err.Error(), "asking Rekor at") {
			t.Errorf("artifact %d: %v", i, err)
		}
	}
	if failed == 0 {
		t.Error("the log was killed too late")
	}
	t.Logf("the log was killed: %d of %d signatures failed", failed, artifacts)
	if err := log.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	bundles, err := signAll(t.Context(), signer, artifacts)
	if err != nil {
		t.Fatal("when it is over:", err)
	}
	for i, text := range bundles {
		if _, err := trust(t, instance).VerifyBlob(text, setup.File(i).Digest, setup.Identity()); err != nil {
			t.Error(i, err)
		}
	}
	if n := instance.Fulcio.Calls(); n != 1 {
		t.Errorf("%d certificates, want one", n)
	}
}

// signEach signs the artifacts at once; one that fails does not end the others.
func signEach(t *testing.T, signer *sign.Signer) []error {
	errs := make([]error, artifacts)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = signer.Blob(t.Context(), setup.File(i)) })
	}
	group.Wait()
	return errs
}
