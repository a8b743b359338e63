package sign

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// logless is the trust in an instance without logs, as GitHub's own is: the carried one
// without Rekor and without the log of certificates.
func logless(t *testing.T, s *sigstore.Stack) (trust Trust, files [2]string) {
	t.Helper()
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		s.TrustedRoot.FulcioCertificateAuthorities(), nil, s.TrustedRoot.TimestampingAuthorities(), nil)
	if err != nil {
		t.Fatal(err)
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, s.SigningConfig.FulcioCertificateAuthorityURLs(),
		s.SigningConfig.OIDCProviderURLs(), nil, one, s.SigningConfig.TimestampAuthorityURLs(), one)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, value := range []json.Marshaler{material, config} {
		files[i] = filepath.Join(dir, []string{"trusted_root.json", "signing_config.json"}[i])
		text, err := value.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[i], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if trust, err = LoadTrust(files[0], files[1]); err != nil {
		t.Fatal(err)
	}
	return trust, files
}

// TestLogless: an instance without logs needs a signed timestamp instead, and only such
// an instance does.
func TestLogless(t *testing.T) {
	s := start(t, workflow())
	private, _ := logless(t, s)
	signer := NewSigner(private, tokenOf(s), nil)
	message, err := signer.Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Statement(t.Context(), statement(t, 1)); err != nil {
		t.Fatal(err)
	}
	calls(t, s, map[string]int64{sigstore.Fulcio: 1, sigstore.Rekor: 0, sigstore.TSA: 2})
	sig, err := private.VerifyBlob(message, blob(0).Digest, identity())
	if err != nil || sig.Time.IsZero() {
		t.Errorf("got %+v, %v", sig, err)
	}
	for name, c := range map[string]struct {
		trust Trust
		want  string
	}{
		"log expected":       {trustOf(t, s), "log entry: found none"},
		"other certificates": {mixed(t, start(t, workflow()), s), "leaf certificate"},
		"other timestamps":   {mixed(t, s, start(t, workflow())), "timestamps"},
	} {
		if _, err := c.trust.VerifyBlob(message, blob(0).Digest, identity()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := private.VerifyBlob(without(t, message, "timestampVerificationData"), blob(0).Digest, identity()); err == nil {
		t.Error("accepted without a timestamp")
	}
	s.Inject(sigstore.TSA, sigstore.Status(400))
	if _, err := signer.Blob(t.Context(), blob(1)); err == nil || !strings.Contains(err.Error(), "timestamp authority") {
		t.Errorf("signed without a timestamp: %v", err)
	}
}

// mixed is a logless trust of one stack's certificates and another's timestamps.
func mixed(t *testing.T, certificates, timestamps *sigstore.Stack) Trust {
	t.Helper()
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, certificates.TrustedRoot.FulcioCertificateAuthorities(),
		nil, timestamps.TrustedRoot.TimestampingAuthorities(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return Trust{root: material}
}

// without takes a part of the verification material out of a bundle.
func without(t *testing.T, bundle []byte, part string) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(bundle, &doc); err != nil {
		t.Fatal(err)
	}
	material := doc["verificationMaterial"].(map[string]any)
	if _, ok := material[part]; !ok {
		t.Fatalf("the bundle has no %q", part)
	}
	delete(material, part)
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRootWithoutLogKeys: a trusted root that lacks the keys of one log does not stand
// for an instance that keeps none.
func TestRootWithoutLogKeys(t *testing.T) {
	s := start(t, workflow())
	message, err := signerOf(t, s).Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	whole := s.TrustedRoot
	for name, c := range map[string]struct {
		ct, rekor map[string]*root.TransparencyLog
		want      string
	}{
		"CT log":    {nil, whole.RekorLogs(), "signed certificate timestamp"},
		"Rekor log": {whole.CTLogs(), nil, "log inclusion"},
	} {
		material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, whole.FulcioCertificateAuthorities(), c.ct, whole.TimestampingAuthorities(), c.rekor)
		if err != nil {
			t.Fatal(err)
		}
		trust := Trust{root: material, config: trustOf(t, s).config}
		if _, err := trust.VerifyBlob(message, blob(0).Digest, identity()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		entries := s.Calls(sigstore.Rekor)
		if _, err := NewSigner(trust, tokenOf(s), nil).Blob(t.Context(), blob(1)); err == nil {
			t.Errorf("%s: signed what could not be verified", name)
		}
		if name == "CT log" && s.Calls(sigstore.Rekor) != entries {
			t.Errorf("%s: signed before it was seen", name)
		}
	}
}

// TestClocks: this machine's clock does not matter; those of the services have to agree.
func TestClocks(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		s := start(t, workflow())
		signer := signerOf(t, s)
		signer.now = func() time.Time { return time.Now().Add(off) }
		if _, err := signer.Blob(t.Context(), blob(0)); err != nil {
			t.Errorf("this machine's clock off by %s: %v", off, err)
		}
		for _, service := range []string{sigstore.TSA, sigstore.Fulcio} {
			s.Inject(service, sigstore.Skewed(off))
			bundle, err := signerOf(t, s).Blob(t.Context(), blob(0))
			if err == nil || bundle != nil || !strings.Contains(err.Error(), "verifying what was signed: time: found") {
				t.Errorf("the clock of %s off by %s: %v", service, off, err)
			}
			s.Inject(service, nil)
		}
		both := sigstore.Skewed(off)
		s.Inject(sigstore.TSA, both)
		s.Inject(sigstore.Fulcio, both)
		if _, err := signerOf(t, s).Blob(t.Context(), blob(0)); err != nil {
			t.Errorf("the clocks of both off by %s: %v", off, err)
		}
	}
}

// TestGitHubTrust fetches from a TUF mirror on loopback what GitHub's own one serves.
func TestGitHubTrust(t *testing.T) {
	s, dir := start(t, workflow()), t.TempDir()
	private, files := logless(t, s)
	message, err := NewSigner(private, tokenOf(s), nil).Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(dir, "mirror")
	publish(t, mirror, map[string]string{"trusted_root.json": files[0]})
	server := httptest.NewServer(http.FileServer(http.Dir(mirror)))
	defer server.Close()
	top, err := os.ReadFile(filepath.Join(mirror, "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	options := tuf.DefaultOptions().WithRoot(top).WithRepositoryBaseURL(server.URL).WithCachePath(filepath.Join(dir, "cache"))
	trust, err := fetchGitHub(options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.VerifyBlob(message, blob(0).Digest, identity()); err != nil {
		t.Error(err)
	}
	if !trust.logless() || len(trust.config.RekorLogURLs()) != 0 || trust.config.FulcioCertificateAuthorityURLs()[0].URL != gitHubFulcio ||
		trust.config.TimestampAuthorityURLs()[0].URL != gitHubTSA {
		t.Errorf("got %v", trust.config)
	}
	server.Close()
	if _, err := fetchGitHub(options.WithCachePath(filepath.Join(dir, "empty"))); release.HintOf(err) == "" || !strings.Contains(err.Error(), "fetching Sigstore's trusted root") {
		t.Errorf("got %v", err)
	}
}

// TestGitHubRoot: the root that the binary carries is whole, signed by its own keys.
func TestGitHubRoot(t *testing.T) {
	top, err := metadata.Root().FromBytes(gitHubRoot)
	if err != nil {
		t.Fatal(err)
	}
	if err := top.VerifyDelegate("root", top); err != nil {
		t.Error(err)
	}
}
