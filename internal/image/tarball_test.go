package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/pgo-release/internal/release"
)

// What docker load finds is an image of the machine's platform, whole; and the layout.
func TestTarball(t *testing.T) {
	r := newRegistry(t)
	r.foreign(t, "/lib/base:3", "linux/amd64", "linux/arm64", "linux/arm/v7")
	plain, based := spec(t, "linux/amd64", "linux/arm64"), r.based(t, "/lib/base:3", "linux/arm64", "linux/arm/v7", "linux/amd64")
	dir := t.TempDir()
	images, err := Build(t.Context(), []Spec{plain, based}, filepath.Join(dir, "image"), Access{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "image.tar")
	for _, c := range []struct{ arch, plain, based string }{
		{"amd64", "linux/amd64", "linux/amd64"}, {"arm64", "linux/arm64/v8", "linux/arm64/v8"}, {"arm", "linux/amd64", "linux/arm/v7"}, {"s390x", "linux/amd64", "linux/arm64/v8"},
	} {
		if err := Tarball(t.Context(), images, c.arch, path, Access{}); err != nil {
			t.Fatal(err)
		}
		for tag, want := range map[string]string{repository + ":1.2.3": c.plain, r.host + "/octo/hello:1.2.3": c.based} {
			parsed, err := name.NewTag(tag)
			if err != nil {
				t.Fatal(err)
			}
			img, err := tarball.ImageFromPath(path, &parsed)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(img); err != nil {
				t.Errorf("%s on %s: %v", tag, c.arch, err)
			}
			config, err := img.ConfigFile()
			if err != nil || config.Platform().String() != want {
				t.Errorf("%s on %s is for %s, %v, want %s", tag, c.arch, config.Platform(), err, want)
			}
		}
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Tarball(t.Context(), images, "s390x", path, Access{}); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || !slices.Equal(first, again) {
		t.Errorf("written again it differs: %v", err)
	}
}

func TestTarballFails(t *testing.T) {
	r := newRegistry(t)
	r.foreign(t, "/lib/base:3", "linux/amd64")
	img := built(t, r.based(t, "/lib/base:3", "linux/amd64"))
	elsewhere := img
	elsewhere.Base = strings.Replace(img.Base, "/lib/base", "/lib/none", 1)
	gone := img
	gone.Digest = digestOf("other")
	cancelled, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	for what, test := range map[string]func(to string) error{
		"base":   func(to string) error { return Tarball(t.Context(), one(elsewhere), "amd64", to, Access{}) },
		"layout": func(to string) error { return Tarball(t.Context(), one(gone), "amd64", to, Access{}) },
		"place": func(to string) error {
			return Tarball(t.Context(), one(img), "amd64", filepath.Join(to, "none", "x"), Access{})
		},
		"stop": func(to string) error { return Tarball(cancelled, one(img), "amd64", to, Access{}) },
	} {
		dir := t.TempDir()
		to := filepath.Join(dir, "image.tar")
		if err := test(to); err == nil || !strings.HasPrefix(err.Error(), "writing ") || what == "stop" && !errors.Is(err, stop) {
			t.Errorf("%s: %v", what, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", what, left, err)
		}
	}
}

func one(img release.Image) []release.Image { return []release.Image{img} }
