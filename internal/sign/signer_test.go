package sign

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

func TestBlob(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	want := identity()
	signer.Want = &want
	bundle, err := signer.Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.trust.VerifyBlob(bundle, blob(0).Digest, identity())
	if err != nil {
		t.Fatal(err)
	}
	if sig.Time.IsZero() || sig.Time.Location() != time.UTC {
		t.Errorf("time %v", sig.Time)
	}
	sig.Time = time.Time{}
	if want := (Signature{
		SAN: workflow().SAN(), Issuer: Issuer, Repository: "octo-org/octo-repo",
		Commit: commit, Ref: "refs/tags/v1.2.3", Trigger: "push",
	}); sig != want {
		t.Errorf("got %+v, want %+v", sig, want)
	}
	san, err := signer.Identity(t.Context())
	if err != nil || san != workflow().SAN() {
		t.Errorf("identity %q (%v)", san, err)
	}
}

func TestStatement(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	text := statement(t, 20)
	bundle, err := signer.Statement(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		got, sig, err := signer.trust.VerifyStatement(bundle, blob(i).Digest, identity())
		if err != nil {
			t.Fatal(i, err)
		}
		if !bytes.Equal(got, text) || sig.SAN != workflow().SAN() {
			t.Errorf("subject %d: statement %s, signature %+v", i, got, sig)
		}
	}
	if _, _, err := signer.trust.VerifyStatement(bundle, blob(20).Digest, identity()); err == nil {
		t.Error("accepted for a file that is no subject")
	}
}

func TestParallel(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	bundles := make([][]byte, 20)
	var group errgroup.Group
	for i := range bundles {
		group.Go(func() (err error) {
			bundles[i], err = signer.Blob(t.Context(), blob(i))
			return err
		})
	}
	group.Go(func() error {
		_, err := signer.Statement(t.Context(), statement(t, 20))
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, bundle := range bundles {
		if _, err := signer.trust.VerifyBlob(bundle, blob(i).Digest, identity()); err != nil {
			t.Error(i, err)
		}
	}
	calls(t, s, map[string]int64{sigstore.OIDC: 1, sigstore.Fulcio: 1, sigstore.Rekor: 21, sigstore.TSA: 21})
}

func calls(t *testing.T, s *sigstore.Stack, want map[string]int64) {
	t.Helper()
	for name, n := range want {
		if got := s.Calls(name); got != n {
			t.Errorf("%s was called %d times, want %d", name, got, n)
		}
	}
}

func TestRenewal(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	clock := time.Now()
	signer.now = func() time.Time { return clock }
	for i, step := range []struct {
		later time.Duration
		certs int64
	}{{0, 1}, {7 * time.Minute, 1}, {2 * time.Minute, 2}, {time.Minute, 2}} {
		clock = clock.Add(step.later)
		if _, err := signer.Blob(t.Context(), blob(i)); err != nil {
			t.Fatal(err)
		}
		calls(t, s, map[string]int64{sigstore.OIDC: step.certs, sigstore.Fulcio: step.certs})
	}
}

func TestCancelledAlone(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	<-signer.turn // as if another call were fetching the certificate
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signer.Blob(ctx, blob(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	signer.turn <- struct{}{}
	if _, err := signer.Blob(t.Context(), blob(0)); err != nil {
		t.Error("the others:", err)
	}
}

func TestNothingToSign(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	if _, err := signer.Blob(t.Context(), release.File{Name: "a", Digest: "sha256:12"}); err == nil {
		t.Error("signed a file without a digest")
	}
	for _, text := range []string{"", "{", "{}", `{"subject":[{"name":"a","digest":{"sha512":"00"}}]}`} {
		if _, err := signer.Statement(t.Context(), []byte(text)); err == nil {
			t.Errorf("signed the statement %q", text)
		}
	}
	calls(t, s, map[string]int64{sigstore.OIDC: 0, sigstore.Fulcio: 0, sigstore.Rekor: 0, sigstore.TSA: 0})
}

func TestWithoutTrust(t *testing.T) {
	s := start(t, workflow())
	complete := trustOf(t, s)
	for name, trust := range map[string]Trust{
		"none": {}, "no trusted root": {config: complete.config}, "no signing config": {root: complete.root},
	} {
		_, err := NewSigner(trust, tokenOf(s), nil).Blob(t.Context(), blob(0))
		if err == nil || !strings.Contains(err.Error(), "is not signed") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	calls(t, s, map[string]int64{sigstore.OIDC: 0, sigstore.Fulcio: 0})
	if _, err := (Trust{}).VerifyBlob([]byte("{}"), blob(0).Digest, identity()); err == nil {
		t.Error("verified without a trusted root")
	}
}

// TestForeignAuthority: a certificate that verifiers would refuse signs nothing.
func TestForeignAuthority(t *testing.T) {
	s, other := start(t, workflow()), start(t, workflow())
	trust := trustOf(t, s)
	trust.root = trustOf(t, other).root
	_, err := NewSigner(trust, tokenOf(s), nil).Blob(t.Context(), blob(0))
	if err == nil || !strings.Contains(err.Error(), "checking the certificate: checking against the trusted root") {
		t.Errorf("got %v", err)
	}
	calls(t, s, map[string]int64{sigstore.Fulcio: 1, sigstore.Rekor: 0, sigstore.TSA: 0})
}

// TestReplayedCertificate: so is one that was made for another key.
func TestReplayedCertificate(t *testing.T) {
	s := start(t, workflow())
	recorded := httptest.NewRecorder()
	s.Inject(sigstore.Fulcio, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if recorded.Body.Len() == 0 {
				next.ServeHTTP(recorded, r)
			}
			_, _ = w.Write(recorded.Body.Bytes())
		})
	})
	if _, err := signerOf(t, s).Blob(t.Context(), blob(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := signerOf(t, s).Blob(t.Context(), blob(0)); err == nil || !strings.Contains(err.Error(), "for another key") {
		t.Errorf("got %v", err)
	}
	calls(t, s, map[string]int64{sigstore.Fulcio: 2, sigstore.Rekor: 1, sigstore.TSA: 1})
}

// TestVerifiedAtOnce: a bundle that verifiers would refuse is never given away.
func TestVerifiedAtOnce(t *testing.T) {
	s, other := start(t, workflow()), start(t, workflow())
	for name, c := range map[string]struct {
		change func(*root.SigningConfig)
		want   string
	}{
		"foreign log": {func(c *root.SigningConfig) { c.WithRekorLogURLs(other.SigningConfig.RekorLogURLs()...) }, "log inclusion"},
		"foreign timestamps": {
			func(c *root.SigningConfig) {
				c.WithTimestampAuthorityURLs(other.SigningConfig.TimestampAuthorityURLs()...)
			}, "timestamps"},
	} {
		trust := trustOf(t, s)
		c.change(trust.config)
		signer := NewSigner(trust, tokenOf(s), nil)
		for _, sign := range []func() ([]byte, error){
			func() ([]byte, error) { return signer.Blob(t.Context(), blob(0)) },
			func() ([]byte, error) { return signer.Statement(t.Context(), statement(t, 1)) },
		} {
			bundle, err := sign()
			if err == nil || bundle != nil || !strings.Contains(err.Error(), "verifying what was signed: checking against the trusted root") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %d bytes, %v", name, len(bundle), err)
			}
		}
	}
}

// TestWant: a token for something else is refused before anything becomes public.
func TestWant(t *testing.T) {
	s := start(t, workflow())
	for name, c := range map[string]struct {
		change func(*Identity)
		rule   string
	}{
		"repository": {func(w *Identity) { w.Repository, w.Workflow = "octo-org/other", workflow().SAN() }, "repository: found"},
		"commit":     {func(w *Identity) { w.Commit = strings.Repeat("0", 40) }, "commit: found"},
		"tag":        {func(w *Identity) { w.Tag = "v1.2.4" }, "ref: found"},
		"workflow":   {func(w *Identity) { w.Workflow = "https://github.com/octo-org/octo-repo/.github/workflows/ci.yml" }, "workflow: found"},
	} {
		signer := signerOf(t, s)
		want := identity()
		c.change(&want)
		signer.Want = &want
		_, err := signer.Blob(t.Context(), blob(0))
		if err == nil || !strings.Contains(err.Error(), c.rule) || release.ClassOf(err) != release.Rejected || release.HintOf(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	signer := signerOf(t, s)
	signer.Want = &Identity{Repository: "octo-org/octo-repo"}
	if _, err := signer.Blob(t.Context(), blob(0)); err == nil {
		t.Error("signed for an identity that leaves things open")
	}
	calls(t, s, map[string]int64{sigstore.Fulcio: 0, sigstore.Rekor: 0, sigstore.TSA: 0})
}

func TestToken(t *testing.T) {
	s := start(t, workflow())
	claims := func(change func(map[string]string)) string {
		all := map[string]string{
			"iss": Issuer, "sub": "repo:octo-org/octo-repo", "repository": "octo-org/octo-repo", "sha": commit, "ref": "refs/tags/v1.2.3",
			"job_workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1.2.3",
		}
		change(all)
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return "e30." + base64.RawURLEncoding.EncodeToString(text) + ".c2ln"
	}
	for name, c := range map[string]struct{ token, want string }{
		"empty":         {"", "1 parts"},
		"base64":        {"a.!.c", "illegal base64"},
		"JSON":          {"a.e3s.c", "reading the identity token"},
		"other issuer":  {claims(func(m map[string]string) { m["iss"] = "https://gitlab.com" }), `issuer: found "https://gitlab.com"`},
		"no workflow":   {claims(func(m map[string]string) { delete(m, "job_workflow_ref") }), "workflow"},
		"not by GitHub": {claims(func(map[string]string) {}), "asking Fulcio at"},
	} {
		signer := signerOf(t, s)
		signer.token = func(_ context.Context, audience string) (string, error) {
			if audience != "sigstore" {
				t.Errorf("audience %q", audience)
			}
			return c.token, nil
		}
		_, err := signer.Identity(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		if c.token != "" && err != nil && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
}

// TestTokenEndpoint: what is refused is not asked again; what may pass is.
func TestTokenEndpoint(t *testing.T) {
	s := start(t, workflow())
	for name, c := range map[string]struct {
		fault sigstore.Fault
		calls int64
		want  string // of the error; empty: a signature
	}{
		"500 once": {sigstore.First(1, sigstore.Status(500)), 2, ""},
		"cut":      {sigstore.First(2, sigstore.Down), 3, ""},
		"500":      {sigstore.Status(500), 4, "500 Internal Server Error"},
		"garbage":  {garbage, 4, "(4 attempts)"},
	} {
		before := s.Calls(sigstore.OIDC)
		s.Inject(sigstore.OIDC, c.fault)
		_, err := signerOf(t, s).Blob(t.Context(), blob(0))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		// net/http itself asks again when a connection that it had is cut.
		if got := s.Calls(sigstore.OIDC) - before; got < c.calls || name != "cut" && got > c.calls {
			t.Errorf("%s: %d calls, want %d", name, got, c.calls)
		}
	}
	s.Inject(sigstore.OIDC, nil)

	asked := 0
	signer := signerOf(t, s)
	signer.token = func(context.Context, string) (string, error) {
		asked++
		return "", release.Refuse("permissions", "403 Forbidden")
	}
	for _, ask := range []func() error{
		func() error { _, err := signer.Check(t.Context()); return err },
		func() error { _, err := signer.Blob(t.Context(), blob(0)); return err },
	} {
		asked = 0
		if err := ask(); release.ClassOf(err) != release.Authorisation || release.HintOf(err) != "permissions" || !strings.Contains(err.Error(), "403") || asked != 1 {
			t.Errorf("got %v (class %d, hint %q) after %d calls", err, release.ClassOf(err), release.HintOf(err), asked)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.Inject(sigstore.OIDC, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
	})
	if _, err := signerOf(t, s).Blob(ctx, blob(0)); release.ClassOf(err) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled run: %v", err)
	}
}

// TestSignerCheck: what would be refused later is refused at once, for nothing.
func TestSignerCheck(t *testing.T) {
	s := start(t, workflow())
	signer := signerOf(t, s)
	for _, want := range []Identity{identity(), {Repository: "octo-org/octo-repo", Commit: commit, Tag: "v9.9.9"}} {
		signer.Want = &want
		if _, err := signer.Check(t.Context()); (err == nil) != (want.Tag == "v1.2.3") || err != nil && release.ClassOf(err) != release.Rejected {
			t.Errorf("%s: %v", want.Tag, err)
		}
	}
	calls(t, s, map[string]int64{sigstore.OIDC: 2, sigstore.Fulcio: 0, sigstore.Rekor: 0, sigstore.TSA: 0})
}
