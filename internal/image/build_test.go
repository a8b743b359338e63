package image

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

const repository = "ghcr.io/octo/hello"

func digestOf(content string) release.Digest {
	h := sha256.New()
	_, _ = io.WriteString(h, content)
	return release.Sum(h)
}

func targets(t *testing.T, names ...string) []release.Target {
	t.Helper()
	var out []release.Target
	for _, name := range names {
		target, err := release.ParseTarget(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, target)
	}
	return out
}

// spec is an image of two executables for some platforms, whose files lie in a fresh
// directory.
func spec(t *testing.T, platforms ...string) Spec {
	t.Helper()
	dir := t.TempDir()
	s := Spec{
		Plan: plan.ImagePlan{
			Repository: repository, Tags: []string{"1.2.3"}, Platforms: targets(t, platforms...),
			Entrypoint: []string{"/usr/local/bin/hello"}, User: "65532:65532", Workdir: "/home/nonroot", Compression: plan.CompressionGzip,
			Labels: map[string]string{
				"org.opencontainers.image.title": "hello", "org.opencontainers.image.version": "1.2.3",
				"org.opencontainers.image.source": "https://github.com/octo/hello",
			},
		},
		Time: time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("east", 2*3600)),
	}
	for _, target := range s.Plan.Platforms {
		b := Binary{Target: target}
		for _, name := range []string{"hello", "also"} {
			content := name + " for " + target.String()
			path := filepath.Join(dir, target.Suffix()+name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			b.Files = append(b.Files, release.File{Name: name, Path: path, Digest: digestOf(content), Size: int64(len(content))})
		}
		s.Binaries = append(s.Binaries, b)
	}
	return s
}

func built(t *testing.T, s Spec) release.Image {
	t.Helper()
	img, err := build1(t.Context(), s, filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// build1 builds one image on the base of the product.
func build1(ctx context.Context, s Spec, dir string) (release.Image, error) {
	images, err := Build(ctx, []Spec{s}, dir, Access{})
	if err != nil {
		return release.Image{}, err
	}
	return images[0], nil
}

// blobs lists the files of a layout with their content's digest and mode.
func blobs(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = fmt.Sprint(digestOf(string(content)).Hex(), info.Mode())
		if base := filepath.Base(name); filepath.Dir(name) == filepath.Join("blobs", "sha256") && digestOf(string(content)).Hex() != base {
			t.Errorf("blob %s holds other content", base)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBuildDependsOnItsInputAlone(t *testing.T) {
	platforms := []string{"linux/amd64", "linux/arm64", "linux/arm/v6"}
	first := spec(t, platforms...)
	second := spec(t, platforms...)
	second.Time = first.Time.UTC().Truncate(time.Second)
	slices.Reverse(second.Binaries)
	slices.Reverse(second.Binaries[0].Files)
	a := built(t, first)
	before := syscall.Umask(0o077)
	b := built(t, second)
	syscall.Umask(before)
	if a.Digest != b.Digest || !slices.Equal(a.Platforms, b.Platforms) {
		t.Errorf("%+v, then %+v", a, b)
	}
	if x, y := blobs(t, a.Layout), blobs(t, b.Layout); !maps.Equal(x, y) || len(x) != 2+1+3*3+1 {
		t.Errorf("%d files %v, then %v", len(x), x, y)
	}
	// The layer of an executable pins the bytes: a change of the compressor or of a
	// header is seen here.
	const want = "sha256:06bebb05e60f639b69bdf8d577f4de2985df3cc944a2c87a8e7d091ea164b6fb"
	if img := opening(t, a).images[0]; img.manifest.Layers[1].Digest.String() != want {
		t.Errorf("layer %s, want %s", img.manifest.Layers[1].Digest, want)
	}
	for _, img := range []release.Image{a, b} {
		if left, err := os.ReadDir(filepath.Dir(img.Layout)); err != nil || len(left) != 1 {
			t.Errorf("beside the layout: %v, %v", left, err)
		}
	}
}

// reading is an image that was opened again.
type reading struct {
	index  v1.ImageIndex
	top    v1.IndexManifest
	images []opened
}

func opening(t *testing.T, img release.Image) reading {
	t.Helper()
	all, err := layout.ImageIndexFromPath(img.Layout)
	if err != nil {
		t.Fatal(err)
	}
	var out reading
	if out.index, err = all.ImageIndex(hash(img.Digest)); err != nil {
		t.Fatal(err)
	}
	top, err := out.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	out.top = *top
	for _, d := range top.Manifests {
		o, err := open(out.index, d, top.Annotations)
		if err != nil {
			t.Fatal(err)
		}
		out.images = append(out.images, o)
	}
	return out
}

func TestImage(t *testing.T) {
	s := spec(t, "linux/amd64", "linux/arm/v7", "linux/arm64", "linux/amd64/v3")
	img := built(t, s)
	got := opening(t, img)
	if err := validate.Index(got.index); err != nil {
		t.Error(err)
	}
	if got.top.MediaType != types.OCIImageIndex || got.top.SchemaVersion != 2 || !maps.Equal(got.top.Annotations, s.Plan.Labels) {
		t.Errorf("index %+v", got.top)
	}
	for i, want := range []string{"linux/amd64", "linux/arm/v7", "linux/arm64/v8", "linux/amd64/v3"} {
		d := got.top.Manifests[i]
		if d.Platform.String() != want || img.Platforms[i].Target != s.Plan.Platforms[i] || string(img.Platforms[i].Digest) != d.Digest.String() {
			t.Errorf("manifest %d: %+v for %s, want %s", i, d, img.Platforms[i], want)
		}
	}
	first := got.images[0]
	want := v1.ConfigFile{
		Architecture: "amd64", OS: "linux", Created: v1.Time{Time: time.Date(2026, 3, 4, 3, 6, 7, 0, time.UTC)},
		Config: v1.Config{
			User: "65532:65532", Entrypoint: []string{"/usr/local/bin/hello"}, WorkingDir: "/home/nonroot", Labels: s.Plan.Labels,
			Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		},
		RootFS: first.config.RootFS, History: first.config.History,
	}
	if !reflect.DeepEqual(first.config, want) {
		t.Errorf("configuration %+v, want %+v", first.config, want)
	}
	for _, l := range first.manifest.Layers {
		if l.MediaType != types.OCILayer {
			t.Errorf("layer %+v", l)
		}
	}
	top, err := os.ReadFile(filepath.Join(img.Layout, "oci-layout"))
	if err != nil || string(top) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout %q, %v", top, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	dir := t.TempDir()
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop"))
	changed := filepath.Join(dir, "changed")
	if err := os.WriteFile(changed, []byte("HELLO for linux/amd64"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		ctx    context.Context
		change func(*Spec)
		want   string
		class  release.Class
	}{
		{"system", t.Context(), func(s *Spec) { s.Plan.Platforms[1].OS = "windows" }, `platform windows/arm64: an image is for linux`, 0},
		{"same", t.Context(), func(s *Spec) { s.Plan.Platforms = targets(t, "linux/amd64", "linux/amd64/v1") },
			`platforms linux/amd64 and linux/amd64/v1 are the same in an image`, release.Rejected},
		{"none", t.Context(), func(s *Spec) { s.Plan.Platforms, s.Binaries = nil, nil }, `0 platforms and executables for 0`, 0},
		{"missing", t.Context(), func(s *Spec) { s.Binaries = s.Binaries[:1] }, `platform linux/arm64: no executables`, 0},
		{"more", t.Context(), func(s *Spec) { s.Plan.Platforms = s.Plan.Platforms[:1] }, `1 platforms and executables for 2`, 0},
		{"path", t.Context(), func(s *Spec) { s.Binaries[0].Files[0].Name = "../hello" }, `platform linux/amd64: file "../hello": want a base name`, 0},
		{"twice", t.Context(), func(s *Spec) { s.Binaries[0].Files[1].Name = "hello" }, `platform linux/amd64: file "hello": given twice`, 0},
		{"entrypoint", t.Context(), func(s *Spec) { s.Binaries[1].Files = s.Binaries[1].Files[1:] },
			`platform linux/arm64: no executable for the entrypoint ["/usr/local/bin/hello"]`, release.Rejected},
		{"no entrypoint", t.Context(), func(s *Spec) { s.Plan.Entrypoint = nil }, `platform linux/amd64: no executable for the entrypoint []`, release.Rejected},
		{"absent", t.Context(), func(s *Spec) { s.Binaries[0].Files[0].Path = "/nonexistent" },
			`platform linux/amd64: writing "hello": stat /nonexistent: no such file or directory`, 0},
		{"changed", t.Context(), func(s *Spec) { s.Binaries[0].Files[0].Path = changed },
			`platform linux/amd64: writing "hello": its digest is ` + string(digestOf("HELLO for linux/amd64")) + `, not ` + string(digestOf("hello for linux/amd64")), 0},
		{"size", t.Context(), func(s *Spec) { s.Binaries[0].Files[0].Size++ },
			`platform linux/amd64: writing "hello": it is not the regular file of 22 bytes that was built`, 0},
		{"cancelled", cancelled, func(*Spec) {}, `stop`, 0},
	} {
		s := spec(t, "linux/amd64", "linux/arm64")
		test.change(&s)
		out := t.TempDir()
		_, err := build1(test.ctx, s, filepath.Join(out, "image"))
		if want := `building image "ghcr.io/octo/hello": ` + test.want; err == nil || !strings.HasPrefix(err.Error(), `building image "ghcr.io/octo/hello": `) ||
			!strings.HasSuffix(err.Error(), test.want) || release.ClassOf(err) != test.class {
			t.Errorf("%s: error %v of class %d, want %s", test.name, err, release.ClassOf(err), want)
		}
		if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", test.name, left, err)
		}
	}
}

func TestBuildKeepsWhatIsThere(t *testing.T) {
	s := spec(t, "linux/amd64")
	dir := filepath.Join(t.TempDir(), "image")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := build1(t.Context(), s, dir); err != nil {
		t.Errorf("into an empty directory: %v", err)
	}
	before := blobs(t, dir)
	if _, err := build1(t.Context(), s, dir); err == nil {
		t.Error("no error for a directory that holds something")
	}
	if after := blobs(t, dir); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	if _, err := build1(t.Context(), s, filepath.Join(dir, "absent", "image")); err == nil {
		t.Error("no error without a parent directory")
	}
}

func TestIndexOfTheLayout(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	raw, err := os.ReadFile(filepath.Join(img.Layout, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`+
		`{"mediaType":"application/vnd.oci.image.index.v1+json","size":%d,"digest":"%s",`+
		`"annotations":{"io.containerd.image.name":"ghcr.io/octo/hello:1.2.3","org.opencontainers.image.ref.name":"ghcr.io/octo/hello:1.2.3"}}]}`, index.Manifests[0].Size, img.Digest)
	if string(raw) != want {
		t.Errorf("index.json %s, want %s", raw, want)
	}
}

// Four platforms with the running test as their executable.
func BenchmarkBuild(b *testing.B) {
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	content, err := os.ReadFile(executable)
	if err != nil {
		b.Fatal(err)
	}
	s := Spec{Plan: plan.ImagePlan{Repository: repository, Entrypoint: []string{"/usr/local/bin/hello"}}, Time: time.Unix(1e9, 0)}
	for _, arch := range []string{"amd64", "arm64", "386", "s390x"} {
		target := release.Target{OS: "linux", Arch: arch}
		s.Plan.Platforms = append(s.Plan.Platforms, target)
		s.Binaries = append(s.Binaries, Binary{Target: target, Files: []release.File{
			{Name: "hello", Path: executable, Digest: digestOf(string(content)), Size: int64(len(content))},
		}})
	}
	b.SetBytes(4 * int64(len(content)))
	for i := 0; b.Loop(); i++ {
		if _, err := build1(b.Context(), s, filepath.Join(b.TempDir(), fmt.Sprint(i))); err != nil {
			b.Fatal(err)
		}
	}
}
