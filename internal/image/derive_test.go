package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// foreign pushes an image of somebody else's for some platforms, as docker writes them,
// and beside them what is no image for any.
func (r *registry) foreign(t *testing.T, at string, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for i, p := range platforms {
		img, err := random.Image(int64(1000+i), 2)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := v1.ParsePlatform(p)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture, config.Variant = parsed.OS, parsed.Architecture, parsed.Variant
		config.Config = v1.Config{
			Env: []string{"PATH=/bin", "LANG=C"}, Cmd: []string{"/bin/sh"}, User: "root", WorkingDir: "/srv", StopSignal: "SIGQUIT",
			Labels: map[string]string{"maintainer": "somebody"}, Volumes: map[string]struct{}{"/data": {}}, ExposedPorts: map[string]struct{}{"80/tcp": {}},
			OnBuild: []string{"RUN x"}, Healthcheck: &v1.HealthConfig{Test: []string{"x"}},
		}
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: parsed}})
	}
	attestation, err := random.Image(10, 1)
	if err != nil {
		t.Fatal(err)
	}
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
	ref, err := name.ParseReference(r.host + at)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return index
}

func TestResolve(t *testing.T) {
	r := newRegistry(t)
	base := r.foreign(t, "/lib/base:3", "linux/amd64", "linux/arm64/v8", "linux/arm/v6", "windows/amd64")
	digest, err := base.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := base.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := targets(t, "linux/amd64", "linux/amd64/v3", "linux/arm64", "linux/arm64/v8.2", "linux/arm", "linux/arm/v5", "linux/s390x")
	want := targets(t, "linux/amd64", "linux/amd64/v3", "linux/arm64", "linux/arm64/v8.2", "linux/arm")
	for reference, called := range map[string]string{
		"/lib/base:3": "/lib/base:3", "/lib/base@" + digest.String(): "/lib/base", "/lib/base:old@" + digest.String(): "/lib/base:old",
	} {
		got, err := Resolve(t.Context(), r.host+reference, all, Access{})
		if err != nil || got.Name != r.host+called || got.Digest != release.Digest(digest.String()) || !slices.Equal(got.Platforms, want) {
			t.Errorf("%s: %+v, %v", reference, got, err)
		}
		if at := got.Reference(); at != r.host+"/lib/base@"+digest.String() {
			t.Errorf("%s is %s", reference, at)
		}
	}
	one, err := Resolve(t.Context(), r.host+"/lib/base@"+m.Manifests[1].Digest.String(), all, Access{})
	if err != nil || !slices.Equal(one.Platforms, targets(t, "linux/arm64", "linux/arm64/v8.2")) {
		t.Errorf("an image of one platform: %+v, %v", one, err)
	}
	for reference, want := range map[string]string{
		r.host + "/lib/base":                         "neither tag nor digest",
		r.host + "/lib/base:4":                       "no such image",
		r.host + "/lib/base@sha256:12":               "@sha256:12",
		r.host + "/Lib/base:3":                       "Lib",
		r.host + "/lib/base@" + string(digestOf("")): "no such image",
		"":    "",
		"a b": "",
	} {
		if got, err := Resolve(t.Context(), reference, all, Access{}); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `reading the base image "`) {
			t.Errorf("%s: %+v, %v, want %q", reference, got, err, want)
		}
	}
	// What docker calls alpine lies at docker.io/library/alpine.
	if got, err := Resolve(t.Context(), "alpine:3", nil, Access{Transport: elsewhere{r.host, "/lib/base"}}); err != nil || got.Name != "docker.io/library/alpine:3" || got.Reference() != "docker.io/library/alpine@"+digest.String() {
		t.Errorf("%+v, %v", got, err)
	}
}

// based is a spec of an image on the base.
func (r *registry) based(t *testing.T, reference string, platforms ...string) Spec {
	t.Helper()
	s := spec(t, platforms...)
	s.Plan.Repository = r.host + "/octo/hello"
	found, err := Resolve(t.Context(), r.host+reference, s.Plan.Platforms, Access{})
	if err != nil {
		t.Fatal(err)
	}
	s.Plan.Base, s.Plan.Workdir = &found.Base, ""
	s.Plan.Labels[plan.LabelBaseDigest] = string(found.Digest)
	return s
}

// The layers of a base are not stored here. They are mounted from where the registry has
// them, or copied there from another, once.
func TestOnBase(t *testing.T) {
	r, other := newRegistry(t), newRegistry(t)
	base := r.foreign(t, "/lib/base:3", "linux/amd64", "linux/arm64", "linux/arm/v5")
	s := r.based(t, "/lib/base:3", "linux/amd64", "linux/arm64")
	s.Plan.Env, s.Plan.Ports, s.Plan.Cmd = []string{"LANG=de", "X=1"}, []string{"8080/tcp"}, []string{"serve"}
	img := built(t, s)
	if again := built(t, s); again.Digest != img.Digest {
		t.Error("built again it is another image")
	}
	if img.Base != s.Plan.Base.Reference() {
		t.Errorf("its base is %q", img.Base)
	}
	local, err := InspectLayout(t.Context(), img.Layout, img.Digest)
	if err != nil || local.Platforms[1].Files["/usr/local/bin/hello"] != digestOf("hello for linux/arm64") {
		t.Errorf("%+v, %v", local, err)
	}
	r.since()
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	// Two layers and configurations in three requests each, four mounts, and three manifests.
	if w := writes(r.since()); len(w) != 2*2*3+4+3 {
		t.Errorf("%d writes: %q", len(w), w)
	}
	r.checks(t, img, base)

	img.Repository = other.host + "/octo/hello"
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
		t.Fatal(err)
	}
	if w := writes(other.since()); len(w) != 2*2*3+4*3+3 {
		t.Errorf("%d writes: %q", len(w), w)
	}
	other.checks(t, img, base)
	r.since()
	if err := Push(t.Context(), img, Access{}, Access{}); err != nil || len(r.since()) > 0 {
		t.Errorf("pushed again: %v; the base is asked for", err)
	}
}

// checks reads an image on a base back.
func (r *registry) checks(t *testing.T, img release.Image, base v1.ImageIndex) {
	t.Helper()
	ref, err := name.NewDigest(img.Reference())
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	children, err := partial.FindImages(base, func(d v1.Descriptor) bool { return d.Platform.OS == "linux" })
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range m.Manifests {
		one, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := one.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		below, err := children[i].Manifest()
		if err != nil {
			t.Fatal(err)
		}
		for j, l := range below.Layers {
			if got := manifest.Layers[j]; got.Digest != l.Digest || got.Size != l.Size || got.MediaType != types.OCILayer {
				t.Errorf("layer %d is %+v, the base's %+v", j, got, l)
			}
		}
		config, err := one.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		want := v1.Config{
			Env: []string{"PATH=/bin", "LANG=de", "X=1"}, Cmd: []string{"serve"}, Entrypoint: []string{"/usr/local/bin/hello"}, User: "65532:65532",
			WorkingDir: "/srv", StopSignal: "SIGQUIT", Labels: m.Annotations, Volumes: map[string]struct{}{"/data": {}},
			ExposedPorts: map[string]struct{}{"80/tcp": {}, "8080/tcp": {}},
		}
		if !reflect.DeepEqual(config.Config, want) {
			t.Errorf("configuration %+v, want %+v", config.Config, want)
		}
	}
	if content, err := Inspect(t.Context(), ref.String(), Access{}); err != nil || len(content.Platforms) != 2 {
		t.Errorf("%+v, %v", content, err)
	}
}

func TestBasesThatCannotBe(t *testing.T) {
	r := newRegistry(t)
	r.foreign(t, "/lib/base:3", "linux/amd64")
	s := r.based(t, "/lib/base:3", "linux/amd64")
	for want, change := range map[string]func(*Spec){
		"it has nothing for linux/arm64": func(s *Spec) {
			s.Plan.Platforms[0].Arch, s.Binaries[0].Target.Arch = "arm64", "arm64"
		},
		"no such image": func(s *Spec) { s.Plan.Base = &plan.Base{Name: s.Plan.Base.Name, Digest: digestOf("other")} },
	} {
		s := s
		s.Plan.Platforms, s.Binaries = slices.Clone(s.Plan.Platforms), slices.Clone(s.Binaries)
		change(&s)
		if _, err := build1(t.Context(), s, filepath.Join(t.TempDir(), "image")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, mediaType := range []types.MediaType{types.DockerForeignLayer, "text/plain"} {
		img, err := random.Image(10, 1)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		strange, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layers[0], MediaType: mediaType})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := foundationOf(strange); err == nil || !strings.Contains(err.Error(), "not one that every registry takes") {
			t.Errorf("%s: %v", mediaType, err)
		}
	}
	if _, err := foundationOf(empty.Image); err == nil {
		t.Error("a base without layers is taken")
	}
}

// Real bases have many layers, and indexes leave out or nest what others write down.
func TestBasesOfManyKinds(t *testing.T) {
	r := newRegistry(t)
	push := func(at string, index v1.ImageIndex) {
		t.Helper()
		ref, err := name.NewTag(r.host + at)
		if err == nil {
			err = remote.WriteIndex(ref, index)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	of := func(layers int64, config v1.ConfigFile) v1.Image {
		t.Helper()
		img, err := random.Image(10, layers)
		if err != nil {
			t.Fatal(err)
		}
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.RootFS = file.RootFS
		if img, err = mutate.ConfigFile(img, &config); err != nil {
			t.Fatal(err)
		}
		return img
	}
	amd64 := v1.ConfigFile{OS: "linux", Architecture: "amd64"}
	bare := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: of(40, amd64)})
	push("/lib/bare:1", bare)
	push("/lib/nested:1", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: bare}))
	for _, at := range []string{"/lib/bare:1", "/lib/nested:1"} {
		img := built(t, r.based(t, at, "linux/amd64"))
		if err := Push(t.Context(), img, Access{}, Access{}); err != nil {
			t.Fatal(err)
		}
		if content, err := Inspect(t.Context(), img.Reference(), Access{}); err != nil || len(content.Platforms) != 1 {
			t.Errorf("%s: %+v, %v", at, content, err)
		}
	}
	push("/lib/long:1", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: of(maxLayers, amd64)}))
	if _, err := build1(t.Context(), r.based(t, "/lib/long:1", "linux/amd64"), filepath.Join(t.TempDir(), "image")); release.ClassOf(err) != release.Rejected || !strings.Contains(err.Error(), "127 layers") {
		t.Errorf("%v", err)
	}
	for at, img := range map[string]v1.Image{"/lib/nowhere:1": of(1, v1.ConfigFile{}), "/lib/large:1": claiming{of(1, amd64)}} {
		ref, err := name.NewTag(r.host + at)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(t.Context(), ref.String(), targets(t, "linux/amd64"), Access{}); err == nil || !strings.Contains(err.Error(), map[string]string{"/lib/nowhere:1": "for which platform", "/lib/large:1": "are read at most"}[at]) {
			t.Errorf("%s: %v", at, err)
		}
	}
	// Docker Hub's registry is not what people call it; others are.
	ref, err := name.ParseReference("index.example.com/lib/base:1")
	if err != nil || plainly(ref.Context()) != "index.example.com/lib/base" {
		t.Errorf("%s, %v", plainly(ref.Context()), err)
	}
}

// claiming is an image whose manifest says that its configuration is large.
type claiming struct{ v1.Image }

func (c claiming) Manifest() (*v1.Manifest, error) {
	m, err := c.Image.Manifest()
	if err != nil {
		return nil, err
	}
	m = m.DeepCopy()
	m.Config.Size = 1 << 40
	return m, nil
}

func (c claiming) RawManifest() ([]byte, error) {
	m, err := c.Manifest()
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

func (c claiming) Digest() (v1.Hash, error) {
	raw, err := c.RawManifest()
	if err != nil {
		return v1.Hash{}, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	return digest, err
}

func TestVariants(t *testing.T) {
	for platform, want := range map[string]string{
		"linux/amd64": "[ v1]", "linux/amd64/v2": "[v2 v1 ]", "linux/arm": "[v7 v6 v5 ]", "linux/arm/v5": "[v5 ]",
		"linux/arm64": "[v8 ]", "linux/arm64/v9.1": "[v9 v8 ]", "linux/s390x": "[]", "linux/riscv64/rva22u64": "[rva22u64 ]",
	} {
		p := platformOf(t, platform)
		if got := fmt.Sprint(variants(p)); got != want {
			t.Errorf("%s: %s, want %s", platform, got, want)
		}
	}
}

func platformOf(t *testing.T, text string) v1.Platform {
	t.Helper()
	return platform(targets(t, text)[0])
}
