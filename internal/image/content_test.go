package image

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

func TestFilesBesidePrograms(t *testing.T) {
	s := spec(t, "linux/amd64")
	s.Root = t.TempDir()
	for name, mode := range map[string]os.FileMode{"conf/app.yaml": 0o640, "run.sh": 0o750, "secret": 0o600} {
		path := filepath.Join(s.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	s.Plan.Files = []plan.ImageFile{
		{Path: "/etc/app/app.yaml", Source: "conf/app.yaml"}, {Path: "/etc/app/x/y", Source: "secret"},
		{Path: "/home/nonroot/.rc", Source: "secret"}, {Path: "/run.sh", Source: "run.sh"}, {Path: "/tmp/x", Source: "secret"},
	}
	img := built(t, s)
	lines, files := listing(t, img, opening(t, img).images[0].manifest.Layers[1])
	want := []string{
		"5 0755 0:0 2026-03-04 usr/",
		"5 0755 0:0 2026-03-04 usr/local/",
		"5 0755 0:0 2026-03-04 usr/local/bin/",
		"0 0755 0:0 2026-03-04 usr/local/bin/also",
		"0 0755 0:0 2026-03-04 usr/local/bin/hello",
		"5 0755 0:0 2026-03-04 etc/",
		"5 0755 0:0 2026-03-04 etc/app/",
		"0 0644 0:0 2026-03-04 etc/app/app.yaml",
		"5 0755 0:0 2026-03-04 etc/app/x/",
		"0 0644 0:0 2026-03-04 etc/app/x/y",
		"5 0755 0:0 2026-03-04 home/",
		"0 0644 0:0 2026-03-04 home/nonroot/.rc",
		"0 0755 0:0 2026-03-04 run.sh",
		"0 0644 0:0 2026-03-04 tmp/x",
	}
	if !slices.Equal(lines, want) || files["etc/app/app.yaml"] != "conf/app.yaml" {
		t.Errorf("layer:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	content, err := InspectLayout(t.Context(), img.Layout, img.Digest)
	if want := []string{"/etc/app/app.yaml", "/etc/app/x/y", "/home/nonroot/.rc", "/run.sh", "/tmp/x"}; err != nil || !slices.Equal(content.Platforms[0].Others, want) {
		t.Errorf("others %q, %v, want %q", content.Platforms[0].Others, err, want)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(s.Root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"link", "conf", "absent", "../outside"} {
		s.Plan.Files = []plan.ImageFile{{Path: "/x", Source: source}}
		if _, err := build1(t.Context(), s, filepath.Join(t.TempDir(), "image")); err == nil || !strings.Contains(err.Error(), `writing "/x": `) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// Several images lie in one layout, and share what is the same.
func TestImagesOfOneLayout(t *testing.T) {
	a, b := spec(t, "linux/amd64", "linux/arm64"), spec(t, "linux/amd64")
	b.Plan.Repository, b.Plan.Entrypoint = "ghcr.io/octo/also", []string{"/usr/local/bin/also"}
	b.Binaries[0].Files = b.Binaries[0].Files[1:]
	dir := filepath.Join(t.TempDir(), "image")
	images, err := Build(t.Context(), []Spec{a, b}, dir, Access{})
	if err != nil {
		t.Fatal(err)
	}
	if alone := built(t, b); images[1].Digest != alone.Digest {
		t.Errorf("beside another it is %s, alone %s", images[1].Digest, alone.Digest)
	}
	digests, err := Layout(dir)
	if err != nil || !slices.Equal(digests, []release.Digest{images[0].Digest, images[1].Digest}) {
		t.Errorf("the layout has %q, %v", digests, err)
	}
	for i, img := range images {
		content, err := InspectLayout(t.Context(), dir, img.Digest)
		if err != nil || len(content.Platforms) != 2-i || len(content.Platforms[0].Files) != 2-i {
			t.Errorf("%+v, %v", content, err)
		}
	}
	if _, err := InspectLayout(t.Context(), dir, digestOf("other")); err == nil || !strings.Contains(err.Error(), "it has no image") {
		t.Errorf("%v", err)
	}
	// A base, three layers with configurations and manifests, two indexes.
	if n := len(blobs(t, dir)); n != 2+1+3*3+2 {
		t.Errorf("%d files", n)
	}
}

func TestZstd(t *testing.T) {
	s := spec(t, "linux/amd64", "linux/arm64")
	s.Plan.Compression = plan.CompressionZstd
	r := newRegistry(t)
	s.Plan.Repository = r.host + "/octo/hello"
	img := built(t, s)
	if again := built(t, s); again.Digest != img.Digest {
		t.Error("built again it is another image")
	}
	got := opening(t, img)
	for _, l := range got.images[0].manifest.Layers {
		if l.MediaType != types.OCILayerZStd {
			t.Errorf("layer %+v", l)
		}
	}
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	content, err := Inspect(t.Context(), img.Reference(), Access{})
	if err != nil || content.Platforms[1].Files["/usr/local/bin/hello"] != digestOf("hello for linux/arm64") {
		t.Errorf("%+v, %v", content, err)
	}
}
