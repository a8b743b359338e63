package fulcio_test

import (
	"context"
	"testing"
	"time"

	"github.com/sigstore/fulcio/pkg/log"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"go.uber.org/zap"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/fulcio"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// TestMain silences Fulcio: the tests look at what it answers.
func TestMain(m *testing.M) {
	log.Logger = zap.NewNop().Sugar()
	m.Run()
}

// stack is the real Fulcio with GitHub's issuer and a CT log as stubs; its log and its
// timestamp authority are those of the carried Sigstore, whose own Fulcio is not asked.
type stack struct {
	carried *sigstore.Stack
	issuer  *stub.Issuer
	tokens  *stub.Service
	ctLog   *stub.Service
	fulcio  *fulcio.Server
	trust   sign.Trust // of the real Fulcio, and the rest carried
	token   sign.Token
}

// closer is what ends with the test.
type closer interface{ Close() error }

// ends closes at the end of the test.
func ends[T closer](t testing.TB, what T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := what.Close(); err != nil {
			t.Error(err)
		}
	})
	return what
}

func start(t testing.TB, w sigstore.Workflow) *stack {
	t.Helper()
	since := time.Now().Add(-time.Minute)
	s := &stack{}
	carried, err := sigstore.Start(w)
	s.carried = ends(t, carried, err)
	claims, err := setup.Claims(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if s.issuer, err = stub.NewIssuer(claims); err != nil {
		t.Fatal(err)
	}
	tokens, err := stub.Serve(s.issuer)
	s.tokens = ends(t, tokens, err)
	s.token = stub.Ask(s.issuer.Env(s.tokens.URL))
	ctLog, err := stub.NewCTLog()
	if err != nil {
		t.Fatal(err)
	}
	promises, err := stub.Serve(ctLog)
	s.ctLog = ends(t, promises, err)
	server, err := fulcio.Start(s.issuer, s.ctLog.URL)
	s.fulcio = ends(t, server, err)
	authority, err := s.fulcio.Trusted(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	instance := setup.Instance{
		Authorities: []root.CertificateAuthority{authority}, CTLogs: []*root.TransparencyLog{ctLog.Trusted(s.ctLog.URL, since)},
		Stampers: s.carried.TrustedRoot.TimestampingAuthorities(),
		Fulcio:   s.fulcio.URL, Stamping: s.carried.SigningConfig.TimestampAuthorityURLs()[0].URL,
		LogsAt: s.carried.SigningConfig.RekorLogURLs(), SinceWhen: since,
	}
	for _, log := range s.carried.TrustedRoot.RekorLogs() {
		instance.Logs = append(instance.Logs, log)
	}
	if s.trust, err = instance.Trust(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return s
}

// signer signs with the real Fulcio and without pauses.
func (s *stack) signer() *sign.Signer {
	signer := sign.NewSigner(s.trust, s.token, nil)
	signer.Wait = func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }
	return signer
}

// published is how much has become public.
func (s *stack) published() int64 {
	return s.carried.Calls(sigstore.Rekor) + s.carried.Calls(sigstore.TSA)
}

// parse reads a bundle.
func parse(t *testing.T, text []byte) *bundle.Bundle {
	t.Helper()
	var b bundle.Bundle
	if err := b.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return &b
}

// statement is setup.Statement.
func statement(t *testing.T, n int) []byte {
	t.Helper()
	text, err := setup.Statement(n)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
