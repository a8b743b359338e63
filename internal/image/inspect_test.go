package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

func same(a, b Content) bool { return reflect.DeepEqual(a, b) }

func TestInspectLayout(t *testing.T) {
	s := spec(t, "linux/arm64", "linux/arm", "linux/amd64/v1")
	img := built(t, s)
	got, err := InspectLayout(t.Context(), img.Layout, img.Digest)
	if err != nil {
		t.Fatal(err)
	}
	want := Content{Digest: img.Digest, Labels: s.Plan.Labels}
	for i, target := range targets(t, "linux/arm64", "linux/arm/v7", "linux/amd64") {
		built := s.Plan.Platforms[i].String()
		want.Platforms = append(want.Platforms, PlatformContent{
			Target: target, Digest: img.Platforms[i].Digest, User: "65532:65532", Entrypoint: []string{"/usr/local/bin/hello"},
			Files: map[string]release.Digest{
				"/usr/local/bin/hello": digestOf("hello for " + built), "/usr/local/bin/also": digestOf("also for " + built),
			},
		})
		if Canonical(s.Plan.Platforms[i]) != target {
			t.Errorf("Canonical(%s) is not %s", built, target)
		}
	}
	if !same(got, want) {
		t.Errorf("content %+v, want %+v", got, want)
	}
}

func TestInspectLayoutStops(t *testing.T) {
	img := built(t, spec(t, "linux/amd64"))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := InspectLayout(ctx, img.Layout, img.Digest); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

// forged is an image that is taken apart, changed and put together again, with
// digests that fit.
type forged struct {
	store    store
	top      v1.IndexManifest
	manifest v1.Manifest
	config   v1.ConfigFile
}

// forge writes an image of one platform as change leaves it.
func forge(t *testing.T, change func(*forged)) release.Image {
	t.Helper()
	img := built(t, spec(t, "linux/amd64"))
	was := opening(t, img)
	f := &forged{store: store{img.Layout}, top: was.top, manifest: was.images[0].manifest, config: was.images[0].config}
	f.top.Annotations, f.top.Manifests = maps.Clone(f.top.Annotations), slices.Clone(f.top.Manifests)
	change(f)
	put := func(mediaType types.MediaType, value any) v1.Descriptor {
		d, err := f.store.json(mediaType, value)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if f.manifest.Config.MediaType != "kept" {
		f.manifest.Config = put(types.OCIConfigJSON, f.config)
	}
	for i := range f.top.Manifests {
		d := put(types.OCIManifestSchema1, f.manifest)
		if f.top.Manifests[i].Digest == was.top.Manifests[0].Digest {
			f.top.Manifests[i].Digest = d.Digest
		}
		if f.top.Manifests[i].Size == was.top.Manifests[0].Size {
			f.top.Manifests[i].Size = d.Size
		}
	}
	index := put(types.OCIImageIndex, f.top)
	if err := f.store.finish([]v1.Descriptor{index}); err != nil {
		t.Fatal(err)
	}
	return release.Image{Layout: img.Layout, Digest: release.Digest(index.Digest.String())}
}

// Of the two layers, the first is the base and the second has the programs.
const (
	theBase = iota
	thePrograms
)

// layerOf puts a layer of these entries in the place of another.
func (f *forged) layerOf(t *testing.T, place int, headers ...tar.Header) {
	t.Helper()
	l, err := f.store.layer(t.Context(), plan.CompressionGzip, func(tree *tree) error {
		for _, h := range headers {
			tree.header(h)
		}
		return tree.err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.manifest.Layers, f.config.RootFS.DiffIDs = slices.Clone(f.manifest.Layers), slices.Clone(f.config.RootFS.DiffIDs)
	f.manifest.Layers[place], f.config.RootFS.DiffIDs[place] = l.descriptor, l.diffID
}

func TestInspectRefusesForgeries(t *testing.T) {
	other := hash(digestOf("other"))
	for _, test := range []struct {
		name   string
		change func(*forged)
		want   string
	}{
		{"nothing", func(*forged) {}, ""},
		{"labels", func(f *forged) { f.top.Annotations["x"] = "y" }, "its labels and annotations are not those of the index"},
		{"labels of the configuration", func(f *forged) { f.config.Config.Labels = nil }, "its labels and annotations are not those of the index"},
		{"platform", func(f *forged) { f.top.Manifests[0].Platform.Architecture = "arm64" }, `configuration for "linux/amd64", index for "linux/arm64"`},
		{"unknown platform", func(f *forged) { f.top.Manifests[0].Platform.Variant = "v9" }, `platform "linux/amd64/v9": amd64 has the variants v1, v2, v3, v4`},
		{"no platform", func(f *forged) { f.top.Manifests[0].Platform = nil }, `with a platform`},
		{"platform twice", func(f *forged) { f.top.Manifests = append(f.top.Manifests, f.top.Manifests[0]) }, `platform linux/amd64 is there twice`},
		{"no manifests", func(f *forged) { f.top.Manifests = nil }, `0 manifests: want 1 to 64`},
		{"many manifests", func(f *forged) {
			for range 65 {
				f.top.Manifests = append(f.top.Manifests, f.top.Manifests[0])
			}
		}, `66 manifests: want 1 to 64`},
		{"media type", func(f *forged) { f.top.Manifests[0].MediaType = types.DockerManifestSchema2 }, `want one of application/vnd.oci.image.manifest.v1+json`},
		{"large manifest", func(f *forged) { f.top.Manifests[0].Size = 1 << 40 }, `at most 4194304 bytes`},
		{"absent manifest", func(f *forged) { f.top.Manifests[0].Digest = other }, `no such file or directory`},
		{"large configuration", func(f *forged) { f.manifest.Config = v1.Descriptor{MediaType: "kept", Size: 1 << 40, Digest: other} }, `configuration of 1099511627776 bytes and 2 layers`},
		{"negative configuration", func(f *forged) { f.manifest.Config = v1.Descriptor{MediaType: "kept", Size: -1, Digest: other} }, `configuration of -1 bytes and 2 layers`},
		{"many layers", func(f *forged) {
			for range 130 {
				f.manifest.Layers = append(f.manifest.Layers, f.manifest.Layers[0])
			}
		}, `and 132 layers`},
		{"layer without content digest", func(f *forged) { f.config.RootFS.DiffIDs = f.config.RootFS.DiffIDs[:1] }, `2 layers and 1 digests of their content`},
		{"content digest", func(f *forged) { f.config.RootFS.DiffIDs[1] = other }, `the digest of its content is`},
		{"layer's media type", func(f *forged) { f.manifest.Layers[1].MediaType = types.DockerLayer }, `want one of application/vnd.oci.image.layer.v1.tar+gzip`},
		{"layer elsewhere", func(f *forged) { f.manifest.Layers[1].URLs = []string{"https://example.com"} }, `in this registry`},
		{"negative layer", func(f *forged) { f.manifest.Layers[1].Size = -1 }, `want one of`},
		{"shorter layer", func(f *forged) { f.manifest.Layers[1].Size-- }, `unexpected EOF`},
		{"one more layer", func(f *forged) {
			f.manifest.Layers = append(f.manifest.Layers, f.manifest.Layers[0])
			f.config.RootFS.DiffIDs = append(f.config.RootFS.DiffIDs, other)
		}, `3 layers: want a base and the programs`},
		{"one layer", func(f *forged) {
			f.manifest.Layers, f.config.RootFS.DiffIDs = f.manifest.Layers[1:], f.config.RootFS.DiffIDs[1:]
		}, `1 layers: want a base and the programs`},
		{"same layer twice", func(f *forged) {
			f.manifest.Layers[1], f.config.RootFS.DiffIDs[1] = f.manifest.Layers[0], f.config.RootFS.DiffIDs[0]
		}, `it is another one in another place`},
		// What the programs are started with, and what lies beside them.
		{"entrypoint elsewhere", func(f *forged) { f.config.Config.Entrypoint = []string{"/tmp/evil"} }, `entrypoint ["/tmp/evil"]: want one of its programs`},
		{"entrypoint that is not there", func(f *forged) { f.config.Config.Entrypoint = []string{"/usr/local/bin/evil"} }, `entrypoint ["/usr/local/bin/evil"]: want one of its programs`},
		{"no entrypoint", func(f *forged) { f.config.Config.Entrypoint = nil }, `entrypoint []: want one of its programs`},
		{"no user", func(f *forged) { f.config.Config.User = "" }, `user, directory and environment are not set`},
		{"no environment", func(f *forged) { f.config.Config.Env = f.config.Config.Env[1:] }, `user, directory and environment are not set`},
		{"no working directory", func(f *forged) { f.config.Config.WorkingDir = "" }, `user, directory and environment are not set`},
		{"volume", func(f *forged) { f.config.Config.Volumes = map[string]struct{}{"/usr/local/bin": {}} }, `its configuration is none that a release makes`},
		{"signal", func(f *forged) { f.config.Config.StopSignal = "SIGKILL" }, `its configuration is none that a release makes`},
		{"shell", func(f *forged) { f.config.Config.Shell = []string{"/bin/evil"} }, `its configuration is none that a release makes`},
		{"trigger", func(f *forged) { f.config.Config.OnBuild = []string{"RUN evil"} }, `its configuration is none that a release makes`},
		{"file elsewhere", func(f *forged) {
			f.layerOf(t, theBase, tar.Header{Typeflag: tar.TypeReg, Name: "etc/ld.so.preload", Mode: 0o644})
		}, `entry "etc/ld.so.preload": a release makes none such`},
		{"program elsewhere", func(f *forged) {
			f.layerOf(t, theBase, tar.Header{Typeflag: tar.TypeReg, Name: "usr/share/zoneinfo/evil", Mode: 0o755})
		}, `entry "usr/share/zoneinfo/evil": a release makes none such`},
		{"directory elsewhere", func(f *forged) {
			f.layerOf(t, theBase, tar.Header{Typeflag: tar.TypeDir, Name: "opt/", Mode: 0o755})
		}, `entry "opt/": a release makes none such`},
		{"symbolic link", func(f *forged) {
			f.layerOf(t, theBase, tar.Header{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/local/bin"})
		}, `entry "bin": a release makes none such`},
	} {
		img := forge(t, test.change)
		_, err := InspectLayout(t.Context(), img.Layout, img.Digest)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

func TestInspectTakesTheLastFile(t *testing.T) {
	made := forge(t, func(f *forged) {
		f.layerOf(t, thePrograms,
			tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/bin/hello", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/bin/also", Mode: 0o755},
			tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/bin/hello", Mode: 0o755},
			tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/bin/also", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "./usr//local/bin/./third", Mode: 0o755},
			tar.Header{Typeflag: tar.TypeReg, Name: "opt/b", Mode: 0o644},
			tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644})
	})
	img, err := InspectLayout(t.Context(), made.Layout, made.Digest)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]release.Digest{"/usr/local/bin/hello": digestOf(""), "/usr/local/bin/third": digestOf("")}
	got := img.Platforms[0]
	if !maps.Equal(got.Files, want) || !slices.Equal(got.Others, []string{"/etc/passwd", "/opt/b"}) {
		t.Errorf("files %v, want %v; others %q", got.Files, want, got.Others)
	}
}

func TestInspectLayoutRefusesChangedBlobs(t *testing.T) {
	for _, part := range []string{"index", "manifest", "config", "layer"} {
		img := built(t, spec(t, "linux/amd64"))
		was := opening(t, img)
		digest := map[string]string{
			"index": img.Digest.Hex(), "manifest": was.top.Manifests[0].Digest.Hex,
			"config": was.images[0].manifest.Config.Digest.Hex, "layer": was.images[0].manifest.Layers[1].Digest.Hex,
		}[part]
		path := filepath.Join(img.Layout, "blobs", "sha256", digest)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[len(content)/2] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := InspectLayout(t.Context(), img.Layout, img.Digest); err == nil || !strings.HasPrefix(err.Error(), `reading layout "`) {
			t.Errorf("%s: error %v", part, err)
		}
	}
}

func TestInspectLayoutWantsOneIndex(t *testing.T) {
	if _, err := InspectLayout(t.Context(), t.TempDir(), digestOf("x")); err == nil {
		t.Error("no error for an empty directory")
	}
	img := built(t, spec(t, "linux/amd64"))
	for _, top := range []v1.IndexManifest{{}, {Manifests: []v1.Descriptor{{MediaType: types.OCIManifestSchema1, Digest: hash(img.Digest)}}}} {
		raw, err := json.Marshal(top)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(img.Layout, "index.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := InspectLayout(t.Context(), img.Layout, img.Digest); err == nil || !strings.HasSuffix(err.Error(), ": want image indexes") {
			t.Errorf("error %v", err)
		}
	}
}

func TestLayersThatAReleaseNeverMakes(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755} }
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeSymlink, Name: "usr/local/bin/hello", Linkname: "/bin/sh"},
		{Typeflag: tar.TypeLink, Name: "usr/local/bin/hello", Linkname: "tmp/x"},
		{Typeflag: tar.TypeSymlink, Name: "usr", Linkname: "other"},
		{Typeflag: tar.TypeChar, Name: "dev/null"},
		{Typeflag: tar.TypeReg, Name: "usr/local/bin/hello", Mode: 0o4755},
		{Typeflag: tar.TypeReg, Name: "tmp/hello", Mode: 0o2755},
		{Typeflag: tar.TypeDir, Name: "usr/local/bin/hello/", Mode: 0o755},
		file("usr/local/bin/a/b"), file("usr/local/bin"), file("usr"), file("usr/local/bin/.wh.hello"), file("usr/.wh..wh..opq"),
		file("tmp/../usr/local/bin/hello"), file(".."),
		file("etc/passwd"), file("tmp/x"), file("home/nonroot/.profile"), file("lib/evil.so"), file("usr/share/zoneinfo"),
		{Typeflag: tar.TypeReg, Name: "etc/shadow", Mode: 0o644}, {Typeflag: tar.TypeDir, Name: "usr/bin/", Mode: 0o755},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if files, err := entries(tar.NewReader(&out), false); err == nil || !strings.HasSuffix(err.Error(), ": a release makes none such") {
			t.Errorf("%c %s: %v, error %v", h.Typeflag, h.Name, files, err)
		}
	}
}

// A layout on disk may hold what would be waited for, such as a pipe.
func TestInspectLayoutOpensFilesOnly(t *testing.T) {
	for _, name := range []string{"index.json", "oci-layout", filepath.Join("blobs", "sha256", strings.Repeat("0", 64)), "other"} {
		img := built(t, spec(t, "linux/amd64"))
		path := filepath.Join(img.Layout, name)
		_ = os.Remove(path) // where it is there
		if err := os.Symlink(os.DevNull, path); err != nil {
			t.Fatal(err)
		}
		if _, err := InspectLayout(t.Context(), img.Layout, img.Digest); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestLayersAreBounded(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for range maxEntries + 2 {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := entries(tar.NewReader(&out), false); err == nil || err.Error() != "more than 100000 entries" {
		t.Errorf("error %v", err)
	}
	if _, err := io.Copy(io.Discard, &capped{r: zeroes{}, left: 5000}); err == nil {
		t.Error("a decompression bomb is read on")
	}
}

// zeroes never ends.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }
