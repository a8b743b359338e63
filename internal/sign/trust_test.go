package sign

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

func TestLoadTrust(t *testing.T) {
	s, dir := start(t, workflow()), t.TempDir()
	if err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	material, config := filepath.Join(dir, sigstore.TrustedRootName), filepath.Join(dir, sigstore.SigningConfigName)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	verifying, err := LoadTrust(material, "")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := signerOf(t, s).Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifying.VerifyBlob(bundle, blob(0).Digest, identity()); err != nil {
		t.Error(err)
	}
	huge := write("huge", strings.Repeat(" ", maxFile+1))
	for name, paths := range map[string][2]string{
		"no trusted root":           {"", ""},
		"absent":                    {filepath.Join(dir, "absent"), ""},
		"directory":                 {dir, ""},
		"empty":                     {write("empty", ""), ""},
		"no media type":             {write("object", "{}"), ""},
		"huge":                      {huge, ""},
		"a config for a root":       {config, ""},
		"absent config":             {material, filepath.Join(dir, "absent")},
		"a root for a config":       {material, material},
		"huge config":               {material, huge},
		"config without a selector": {material, write("bare", `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`)},
	} {
		if _, err := LoadTrust(paths[0], paths[1]); release.ClassOf(err) != release.Usage || !strings.Contains(err.Error(), "reading ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPublicTrust fetches from a TUF mirror on loopback, as from the public one.
func TestPublicTrust(t *testing.T) {
	s, dir := start(t, workflow()), t.TempDir()
	if err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(dir, "mirror")
	publish(t, mirror, map[string]string{
		"trusted_root.json":        filepath.Join(dir, sigstore.TrustedRootName),
		"signing_config.v0.2.json": filepath.Join(dir, sigstore.SigningConfigName),
	})
	server := httptest.NewServer(http.FileServer(http.Dir(mirror)))
	defer server.Close()
	t.Setenv("TUF_ROOT", filepath.Join(dir, "cache"))
	t.Setenv("TUF_MIRROR", server.URL)
	t.Setenv("TUF_ROOT_JSON", filepath.Join(mirror, "root.json"))
	trust, err := PublicTrust(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := NewSigner(trust, tokenOf(s), nil).Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.VerifyBlob(bundle, blob(0).Digest, identity()); err != nil {
		t.Error(err)
	}
}

func TestPublicTrustUnreachable(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	t.Setenv("TUF_ROOT", dir)
	t.Setenv("TUF_MIRROR", server.URL)
	t.Setenv("TUF_ROOT_JSON", filepath.Join(dir, "absent"))
	if _, err := PublicTrust(t.Context()); err == nil || release.HintOf(err) == "" || !strings.Contains(err.Error(), "fetching Sigstore's trusted root") {
		t.Errorf("got %v (hint %q)", err, release.HintOf(err))
	}
}

func TestPublicTrustCancelled(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := within(ctx, func() (Trust, error) {
		cancel()
		<-stuck
		return Trust{}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// publish writes a TUF repository with one version of each role
// (https://theupdateframework.github.io/specification/).
func publish(t *testing.T, dir string, targets map[string]string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(time.Hour).UTC()
	top, list := metadata.Root(until), metadata.Targets(until)
	snapshot, stamp := metadata.Snapshot(until), metadata.Timestamp(until)
	must(os.MkdirAll(filepath.Join(dir, "targets"), 0o755))
	for name, source := range targets {
		target, err := metadata.TargetFile().FromFile(source, "sha256")
		must(err)
		target.Path = name
		list.Signed.Targets[name] = target
		text, err := os.ReadFile(source)
		must(err)
		sum := sha256.Sum256(text)
		must(os.WriteFile(filepath.Join(dir, "targets", hex.EncodeToString(sum[:])+"."+name), text, 0o644))
	}
	_, private, err := ed25519.GenerateKey(nil)
	must(err)
	public, err := metadata.KeyFromPublicKey(private.Public())
	must(err)
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		must(top.Signed.AddKey(public, role))
	}
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	must(err)
	_, err = top.Sign(signer)
	must(err)
	_, err = list.Sign(signer)
	must(err)
	_, err = snapshot.Sign(signer)
	must(err)
	_, err = stamp.Sign(signer)
	must(err)
	must(top.ToFile(filepath.Join(dir, "root.json"), true))
	must(top.ToFile(filepath.Join(dir, "1.root.json"), true))
	must(list.ToFile(filepath.Join(dir, "1.targets.json"), true))
	must(snapshot.ToFile(filepath.Join(dir, "1.snapshot.json"), true))
	must(stamp.ToFile(filepath.Join(dir, "timestamp.json"), true))
}
