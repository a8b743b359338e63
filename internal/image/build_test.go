package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"crypto/x509"
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
	"github.com/klauspost/compress/gzip"

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
			Entrypoint: []string{"/usr/local/bin/hello"},
			Labels: map[string]string{
				"org.opencontainers.image.title":  "hello",
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
	img, err := Build(t.Context(), s, filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	return img
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

// entry is a line about one entry of a layer.
func entry(h *tar.Header) string {
	return fmt.Sprintf("%c %04o %d:%d %s %s", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format(time.DateOnly), h.Name)
}

// listing reads a layer: a line for each entry, and the files' content.
func listing(t *testing.T, img release.Image, d v1.Descriptor) ([]string, map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(img.Layout, "blobs", "sha256", d.Digest.Hex))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return lines, files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[h.Name] = string(content)
		}
		lines = append(lines, entry(h))
	}
}

func TestBase(t *testing.T) {
	img := built(t, spec(t, "linux/amd64", "linux/arm64"))
	images := opening(t, img).images
	base := images[0].manifest.Layers[0]
	lines, files := listing(t, img, base)
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "/zoneinfo/") && !strings.HasSuffix(l, "/zoneinfo/") })
	want := []string{
		"5 0755 0:0 1970-01-01 etc/",
		"0 0644 0:0 1970-01-01 etc/group",
		"0 0644 0:0 1970-01-01 etc/nsswitch.conf",
		"0 0644 0:0 1970-01-01 etc/passwd",
		"5 0755 0:0 1970-01-01 etc/ssl/",
		"5 0755 0:0 1970-01-01 etc/ssl/certs/",
		"0 0644 0:0 1970-01-01 etc/ssl/certs/ca-certificates.crt",
		"5 0755 0:0 1970-01-01 home/",
		"5 0700 65532:65532 1970-01-01 home/nonroot/",
		"5 0700 0:0 1970-01-01 root/",
		"5 1777 0:0 1970-01-01 tmp/",
		"5 0755 0:0 1970-01-01 usr/",
		"5 0755 0:0 1970-01-01 usr/local/",
		"5 0755 0:0 1970-01-01 usr/local/bin/",
		"5 0755 0:0 1970-01-01 usr/share/",
		"5 0755 0:0 1970-01-01 usr/share/zoneinfo/",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("base:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(files["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("no certificates")
	}
	if n := strings.Count(files["etc/ssl/certs/ca-certificates.crt"], "BEGIN CERTIFICATE"); n < 50 {
		t.Errorf("%d certificates", n)
	}
	for _, zone := range []string{"Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC"} {
		if _, err := time.LoadLocationFromTZData(zone, []byte(files["usr/share/zoneinfo/"+zone])); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
	later := spec(t, "linux/386")
	later.Time = later.Time.AddDate(1, 0, 0)
	other := opening(t, built(t, later)).images[0]
	if got := other.manifest.Layers[0]; got.Digest != base.Digest || images[1].manifest.Layers[0].Digest != base.Digest {
		t.Error("the base is not the same in every image")
	}
}

func TestExecutables(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	lines, files := listing(t, img, opening(t, img).images[0].manifest.Layers[1])
	want := []string{
		"5 0755 0:0 2026-03-04 usr/",
		"5 0755 0:0 2026-03-04 usr/local/",
		"5 0755 0:0 2026-03-04 usr/local/bin/",
		"0 0755 0:0 2026-03-04 usr/local/bin/also",
		"0 0755 0:0 2026-03-04 usr/local/bin/hello",
	}
	if !slices.Equal(lines, want) || files["usr/local/bin/hello"] != "hello for linux/amd64" {
		t.Errorf("layer %q with %v, want %q", lines, files, want)
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
		_, err := Build(test.ctx, s, filepath.Join(out, "image"))
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
	if _, err := Build(t.Context(), s, dir); err != nil {
		t.Errorf("into an empty directory: %v", err)
	}
	before := blobs(t, dir)
	if _, err := Build(t.Context(), s, dir); err == nil {
		t.Error("no error for a directory that holds something")
	}
	if after := blobs(t, dir); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	if _, err := Build(t.Context(), s, filepath.Join(dir, "absent", "image")); err == nil {
		t.Error("no error without a parent directory")
	}
}

func TestPlatforms(t *testing.T) {
	for in, want := range map[string]struct{ platform, canonical string }{
		"linux/amd64":            {"linux/amd64", "linux/amd64"},
		"linux/amd64/v1":         {"linux/amd64", "linux/amd64"},
		"linux/amd64/v2":         {"linux/amd64/v2", "linux/amd64/v2"},
		"linux/arm":              {"linux/arm/v7", "linux/arm/v7"},
		"linux/arm/v5":           {"linux/arm/v5", "linux/arm/v5"},
		"linux/arm/v6":           {"linux/arm/v6", "linux/arm/v6"},
		"linux/arm64":            {"linux/arm64/v8", "linux/arm64"},
		"linux/arm64/v8.0":       {"linux/arm64/v8", "linux/arm64"},
		"linux/arm64/v8.2":       {"linux/arm64/v8.2", "linux/arm64/v8.2"},
		"linux/arm64/v9.0":       {"linux/arm64/v9", "linux/arm64/v9.0"},
		"linux/riscv64/rva22u64": {"linux/riscv64/rva22u64", "linux/riscv64/rva22u64"},
		"linux/ppc64le/power8":   {"linux/ppc64le", "linux/ppc64le"},
		"linux/s390x":            {"linux/s390x", "linux/s390x"},
	} {
		target := targets(t, in)[0]
		if got := platform(target).String(); got != want.platform {
			t.Errorf("%s is %s, want %s", in, got, want.platform)
		}
		if got := Canonical(target); got.String() != want.canonical || Canonical(got) != got {
			t.Errorf("Canonical(%s) = %s, want %s", in, got, want.canonical)
		}
	}
	for _, p := range []v1.Platform{
		{OS: "linux", Architecture: "arm", Variant: "v9"}, {OS: "unknown", Architecture: ""},
		{OS: "linux", Architecture: "amd64", OSVersion: "1"}, {OS: "linux", Architecture: "amd64", Features: []string{"sse"}},
	} {
		if got, err := target(p); err == nil {
			t.Errorf("%+v is %s", p, got)
		}
	}
	if odd := (release.Target{OS: "linux", Arch: "amd64", Variant: "odd"}); Canonical(odd) != odd {
		t.Error("a target that is none changes")
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
		`{"mediaType":"application/vnd.oci.image.index.v1+json","size":%d,"digest":"%s"}]}`, index.Manifests[0].Size, img.Digest)
	if string(raw) != want {
		t.Errorf("index.json %s, want %s", raw, want)
	}
}
