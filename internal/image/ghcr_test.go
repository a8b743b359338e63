package image_test

import (
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/release"
)

const token = "ghs_of_the_job"

// ghcr is a registry that behaves as ghcr.io does, and the access of a job to it.
func ghcr(t *testing.T) (*registry.Server, image.Access) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server, err := registry.StartGHCR(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, image.Access{Token: token, User: "octocat", Transport: server.Transport()}
}

// large is an image of five platforms with an executable of size bytes each, which no
// compression makes smaller; it is built in a fresh directory.
func large(dir string, size int64, compression string) (release.Image, error) {
	s := image.Spec{
		Plan: plan.ImagePlan{
			Repository: "ghcr.io/octo/hello", Entrypoint: []string{"/usr/local/bin/hello"}, User: "65532:65532", Workdir: "/home/nonroot",
			Compression: compression, Labels: map[string]string{"org.opencontainers.image.version": "1.2.3"},
		},
		Time: time.Unix(1e9, 0),
	}
	for i, text := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "linux/riscv64"} {
		target, err := release.ParseTarget(text)
		if err != nil {
			return release.Image{}, err
		}
		path := filepath.Join(dir, target.Suffix())
		f, err := os.Create(path)
		if err != nil {
			return release.Image{}, err
		}
		h := sha256.New()
		noise := rand.NewChaCha8([32]byte{byte(i)})
		if _, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(noise, size)); err != nil {
			return release.Image{}, err
		}
		if err := f.Close(); err != nil {
			return release.Image{}, err
		}
		s.Plan.Platforms = append(s.Plan.Platforms, target)
		s.Binaries = append(s.Binaries, image.Binary{Target: target, Files: []release.File{{Name: "hello", Path: path, Digest: release.Sum(h), Size: size}}})
	}
	images, err := image.Build(context.Background(), []image.Spec{s}, filepath.Join(dir, "image"), image.Access{})
	if err != nil {
		return release.Image{}, err
	}
	return images[0], nil
}

// TestEveryBlobOnce: five platforms of a program of 20 MB send every blob once, and the
// same once more sends nothing.
func TestEveryBlobOnce(t *testing.T) {
	server, access := ghcr(t)
	img, err := large(t.TempDir(), 20e6, plan.CompressionGzip)
	if err != nil {
		t.Fatal(err)
	}
	if err := image.Push(t.Context(), img, access, access); err != nil {
		t.Fatal(err)
	}
	received := server.Received()
	// The base, and of each platform the program and the configuration.
	if len(received) != 1+5*2 {
		t.Errorf("%d blobs: %+v", len(received), received)
	}
	var total int64
	for i, u := range received {
		total += u.Bytes
		if i > 0 && received[i-1].Digest == u.Digest {
			t.Errorf("%s was sent twice", u.Digest)
		}
	}
	if total < 100e6 || total > 102e6 {
		t.Errorf("%d bytes", total)
	}
	for range 2 {
		if err := image.Push(t.Context(), img, access, access); err != nil {
			t.Fatal(err)
		}
	}
	if again := server.Received(); !slices.Equal(again, received) {
		t.Errorf("pushing again sent %d blobs", len(again)-len(received))
	}
	t.Logf("%d blobs, %d bytes", len(received), total)
}

// TestGHCR: what a registry like ghcr.io demands and leaves out is no obstacle.
func TestGHCR(t *testing.T) {
	server, access := ghcr(t)
	img, err := large(t.TempDir(), 9<<20, plan.CompressionGzip) // more than its chunks may have
	if err != nil {
		t.Fatal(err)
	}
	anonymous := image.Access{Transport: access.Transport}
	wrong := image.Access{Token: "ghs_of_somebody", Transport: access.Transport}
	if err := image.CheckPush(t.Context(), img.Repository, access); err != nil {
		t.Error(err)
	}
	for _, a := range []image.Access{anonymous, wrong} {
		for what, err := range map[string]error{
			"CheckPush": image.CheckPush(t.Context(), img.Repository, a), "Push": image.Push(t.Context(), img, a, a),
		} {
			if release.ClassOf(err) != release.Authorisation || !strings.Contains(release.HintOf(err), "packages: write") {
				t.Errorf("%s without the token: %v, hint %q", what, err, release.HintOf(err))
			}
		}
	}
	if err := image.CheckTag(t.Context(), img.Repository, "1.2.3", "c", access); err != nil {
		t.Error(err)
	}
	if err := image.Push(t.Context(), img, access, access); err != nil {
		t.Fatal(err)
	}
	if tagged, err := image.Tag(t.Context(), img, "1.2.3", []string{"1.2.3", "latest"}, access); err != nil || len(tagged) != 2 {
		t.Errorf("%+v, %v", tagged, err)
	}
	bundle := []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"a":1},"dsseEnvelope":{"payload":"x"}}`)
	if _, err := image.Attach(t.Context(), img.Reference(), bundle, "https://slsa.dev/provenance/v1", access); err != nil {
		t.Error(err)
	}
	if found, err := image.Referrers(t.Context(), img.Reference(), access); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := image.Inspect(t.Context(), img.Repository+":latest", access); err != nil {
		t.Error(err)
	}
	for _, published := range []bool{false, true} {
		if published {
			server.Publish("octo/hello")
		}
		public, err := image.Public(t.Context(), img.Reference(), access)
		_, reading := image.Digest(t.Context(), img.Repository+":1.2.3", anonymous)
		if err != nil || public != published || (reading == nil) != published {
			t.Errorf("published: %t; public: %t, %v; read by anybody: %v", published, public, err, reading)
		}
	}
	// Some refuse as early as that.
	server.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	if public, err := image.Public(t.Context(), img.Reference(), access); err != nil || public {
		t.Errorf("without a token for anybody: %t, %v", public, err)
	}
	server.Inject(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	if public, err := image.Public(t.Context(), img.Reference(), access); err == nil || public {
		t.Errorf("an answer that is none: %t, %v", public, err)
	}
	if _, err := image.Public(t.Context(), img.Repository+":1.2.3", access); err == nil {
		t.Error("no error for a tag")
	}
}

// TestCredentialHelper: other registries get what docker would send them, and never the
// token of GitHub.
func TestCredentialHelper(t *testing.T) {
	server, access := ghcr(t)
	img, err := large(t.TempDir(), 100, plan.CompressionGzip)
	if err != nil {
		t.Fatal(err)
	}
	img.Repository = "registry.example/octo/hello"
	if err := image.Push(t.Context(), img, access, access); release.ClassOf(err) != release.Authorisation || !strings.Contains(release.HintOf(err), "docker login") {
		t.Errorf("without credentials: %v, hint %q", err, release.HintOf(err))
	}
	dir := t.TempDir()
	helper := "#!/bin/sh\nread host\n[ \"$1 $host\" = 'get registry.example' ] && echo '{\"Username\":\"u\",\"Secret\":\"" + token + "\"}'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credHelpers":{"registry.example":"test"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	access.Token = "ghs_of_github"
	if err := image.Push(t.Context(), img, access, access); err != nil {
		t.Error(err)
	}
	if n := len(server.Received()); n != 11 {
		t.Errorf("%d blobs", n)
	}
}
