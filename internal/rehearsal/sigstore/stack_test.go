package sigstore

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"golang.org/x/sync/errgroup"
)

func workflow() Workflow {
	return Workflow{
		Repository: "octo-org/octo-repo", RepositoryID: "123456789", OwnerID: "987654", Visibility: "public",
		Ref: "refs/tags/v1.2.3", SHA: "3c1a5b6d7e8f90123456789abcdef0123456789a", Name: "release",
		Path: ".github/workflows/release.yml", Event: "push", RunID: "7234567890", RunAttempt: "1",
	}
}

func start(t testing.TB, w Workflow) *Stack {
	t.Helper()
	s, err := Start(w)
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

// token asks the token endpoint; status is its answer's.
func token(t testing.TB, s *Stack, audience, bearer string) (raw string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		s.Env()["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience="+audience, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Value string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Value, resp.StatusCode
}

func goodToken(t testing.TB, s *Stack) string {
	t.Helper()
	raw, status := token(t, s, audience, s.Env()["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	if status != http.StatusOK {
		t.Fatal("token:", status)
	}
	return raw
}

func keypair(t testing.TB) sign.Keypair {
	t.Helper()
	k, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signWith is the library's way through all services.
func signWith(s *Stack, k sign.Keypair, raw string, content sign.Content) (*bundle.Bundle, error) {
	pb, err := sign.Bundle(content, k, sign.BundleOptions{
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.URL(Fulcio)}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: raw},
		TimestampAuthorities: []*sign.TimestampAuthority{
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: s.SigningConfig.TimestampAuthorityURLs()[0].URL})},
		TransparencyLogs: []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: s.URL(Rekor), Version: 2})},
	})
	if err != nil {
		return nil, err
	}
	return bundle.NewBundle(pb)
}

func check(material root.TrustedMaterial, b *bundle.Bundle, san string, artifact verify.ArtifactPolicyOption) (*verify.VerificationResult, error) {
	v, err := verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return nil, err
	}
	id, err := verify.NewShortCertificateIdentity(Issuer, "", san, "")
	if err != nil {
		return nil, err
	}
	return v.Verify(b, verify.NewPolicy(artifact, verify.WithCertificateIdentity(id)))
}

func blob(i int) []byte { return fmt.Appendf(nil, "artifact %d\n", i) }

func artifact(i int) verify.ArtifactPolicyOption {
	return verify.WithArtifact(bytes.NewReader(blob(i)))
}

// TestEveryClaim: what the workflow says stands in the certificate, where Fulcio
// puts it.
func TestEveryClaim(t *testing.T) {
	w := workflow()
	w.Called = "octo-org/workflows/.github/workflows/go.yml@refs/heads/main"
	s := start(t, w)
	b, err := signWith(s, keypair(t), goodToken(t, s), &sign.PlainData{Data: blob(0)})
	if err != nil {
		t.Fatal(err)
	}
	result, err := check(s.TrustedRoot, b, "https://github.com/"+w.Called, artifact(0))
	if err != nil {
		t.Fatal(err)
	}
	c := result.Signature.Certificate
	for what, pair := range map[string][2]string{
		"SAN":                   {c.SubjectAlternativeName, w.SAN()},
		"issuer":                {c.Issuer, "https://token.actions.githubusercontent.com"},
		"signer":                {c.BuildSignerURI, "https://github.com/" + w.Called},
		"runner":                {c.RunnerEnvironment, "github-hosted"},
		"repository":            {c.SourceRepositoryURI, "https://github.com/octo-org/octo-repo"},
		"commit":                {c.SourceRepositoryDigest, w.SHA},
		"ref":                   {c.SourceRepositoryRef, w.Ref},
		"repository id":         {c.SourceRepositoryIdentifier, w.RepositoryID},
		"owner":                 {c.SourceRepositoryOwnerURI, "https://github.com/octo-org"},
		"owner id":              {c.SourceRepositoryOwnerIdentifier, w.OwnerID},
		"calling workflow":      {c.BuildConfigURI, "https://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1.2.3"},
		"trigger":               {c.BuildTrigger, w.Event},
		"run":                   {c.RunInvocationURI, "https://github.com/octo-org/octo-repo/actions/runs/7234567890/attempts/1"},
		"visibility":            {c.SourceRepositoryVisibilityAtSigning, w.Visibility},
		"name (deprecated)":     {c.GithubWorkflowName, w.Name},
		"ref (deprecated)":      {c.GithubWorkflowRef, w.Ref},
		"trigger (deprecated)":  {c.GithubWorkflowTrigger, w.Event},
		"commit (deprecated)":   {c.GithubWorkflowSHA, w.SHA},
		"repository (the same)": {c.GithubWorkflowRepository, w.Repository},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
}

// TestRehearsal: whoever looks at a certificate sees what it is, and nobody else's
// trusted root accepts it.
func TestRehearsal(t *testing.T) {
	s, other := start(t, workflow()), start(t, workflow())
	b, err := signWith(s, keypair(t), goodToken(t, s), &sign.PlainData{Data: blob(0)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(s.TrustedRoot, b, workflow().SAN(), artifact(0)); err != nil {
		t.Error(err)
	}
	if _, err := check(other.TrustedRoot, b, workflow().SAN(), artifact(0)); err == nil {
		t.Error("another stack's trusted root accepts the bundle")
	}
	content, err := b.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{content.Certificate().Issuer.String()}
	authority, ok := s.TrustedRoot.FulcioCertificateAuthorities()[0].(*root.FulcioCertificateAuthority)
	if !ok {
		t.Fatal("no certificate authority")
	}
	stamping, ok := s.TrustedRoot.TimestampingAuthorities()[0].(*root.SigstoreTimestampingAuthority)
	if !ok {
		t.Fatal("no timestamp authority")
	}
	for _, c := range []*x509.Certificate{authority.Root, authority.Intermediates[0], stamping.Root, stamping.Leaf} {
		names = append(names, c.Subject.String())
	}
	for _, name := range names {
		if !strings.Contains(name, "CN=rehearsal ") || !strings.Contains(name, "O=pgo-release rehearsal") {
			t.Errorf("authority %q does not say what it is", name)
		}
	}
}

func TestParallel(t *testing.T) {
	s := start(t, workflow())
	k, raw := keypair(t), goodToken(t, s)
	bundles := make([]*bundle.Bundle, 20)
	var group errgroup.Group
	for i := range bundles {
		group.Go(func() (err error) {
			bundles[i], err = signWith(s, k, raw, &sign.PlainData{Data: blob(i)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, b := range bundles {
		if _, err := check(s.TrustedRoot, b, workflow().SAN(), artifact(i)); err != nil {
			t.Error(i, err)
		}
	}
	for name, want := range map[string]int64{OIDC: 1, Fulcio: 20, Rekor: 20, TSA: 20} {
		if got := s.Calls(name); got != want {
			t.Errorf("%s was called %d times, want %d", name, got, want)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	s, dir := start(t, workflow()), t.TempDir()
	if err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	material, err := root.NewTrustedRootFromPath(filepath.Join(dir, TrustedRootName))
	if err != nil {
		t.Fatal(err)
	}
	config, err := root.NewSigningConfigFromPath(filepath.Join(dir, SigningConfigName))
	if err != nil {
		t.Fatal(err)
	}
	if got := config.FulcioCertificateAuthorityURLs()[0].URL; got != s.URL(Fulcio) {
		t.Errorf("Fulcio at %q, want %q", got, s.URL(Fulcio))
	}
	b, err := signWith(s, keypair(t), goodToken(t, s), &sign.PlainData{Data: blob(0)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(material, b, workflow().SAN(), artifact(0)); err != nil {
		t.Error(err)
	}
	if err := s.WriteFiles(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), `writing "trusted_root.json"`) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(workflow())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
