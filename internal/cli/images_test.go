package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// login is how the job reaches its registry.
func (j *job) login() remote.Option {
	return remote.WithAuth(&authn.Basic{Username: "octocat", Password: j.stage.Hub.Token()})
}

// base pushes an image of somebody else's for some platforms, and gives its reference.
func (j *job) base(t *testing.T, platforms ...string) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for i, p := range platforms {
		parsed, err := v1.ParsePlatform(p)
		if err != nil {
			t.Fatal(err)
		}
		img, err := random.Image(int64(5000+i), 2)
		if err == nil {
			img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: parsed.OS, Architecture: parsed.Architecture, RootFS: rootOf(t, img)})
		}
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: parsed}})
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(j.stage.Registry.Address() + "/lib/base:3")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index, j.login()); err != nil {
		t.Fatal(err)
	}
	return tag.String() + "@" + digest.String()
}

func rootOf(t *testing.T, img v1.Image) v1.RootFS {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS
}

// TestImages: several images, one of them on another's base and with a file, are made,
// published, attested and verified; a run that was stopped before the commit point is
// finished by another, which sends nothing again.
func TestImages(t *testing.T) {
	j := newJob(t)
	base := j.base(t, "linux/amd64", "linux/arm64")
	config := `builds: [{main: .}, {main: ., name: again, binary: again}]
image: {env: {GREETING: hi}}
images:
  - {builds: [hello], base: "` + base + `", files: {/etc/app/: greetings.yaml}, entrypoint: [hello, version], ports: ["80"]}
  - {builds: [again], compression: zstd, user: nonroot}
`
	if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"release", "--platforms", "linux/amd64,linux/arm64,windows/amd64"}
	j.stage.Hub.Inject(unpublishable)
	if code, said := j.run(t, args...); code != 1 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	sent := len(j.stage.Registry.Received())
	j.stage.Hub.Inject(nil)
	code, said := j.run(t, args...)
	if code != 0 || strings.Contains(said, "::group::make") || !strings.Contains(said, "image-digest<<") {
		t.Fatalf("exit code %d:\n%.6000s", code, said)
	}
	if n := len(j.stage.Registry.Received()) - sent; n != 0 {
		t.Errorf("%d blobs were sent again", n)
	}
	root := j.env["INPUT_IMAGE"]
	for repository, want := range map[string]v1.Config{
		root:            {Entrypoint: []string{"/usr/local/bin/hello", "version"}, User: "65532:65532", Env: []string{"GREETING=hi"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}},
		root + "/again": {Entrypoint: []string{"/usr/local/bin/again"}, User: "nonroot", WorkingDir: "/home/nonroot"},
	} {
		j.holds(t, repository, want)
		j.env["INPUT_IMAGE"] = repository
		code, said := j.run(t, "verify", "octo/hello@v1.2.3")
		for _, line := range []string{"ok    image       " + repository + ":1.2.3: ", "ok    signature   " + repository + "@sha256:", "ok    sbom        " + repository + "@sha256:", "ok    provenance  " + repository + "@sha256:"} {
			if !strings.Contains(said, line) {
				t.Errorf("%s: it does not say %q", repository, line)
			}
		}
		if code != 0 {
			t.Errorf("%s: exit code %d:\n%.4000s", repository, code, said)
		}
	}
	j.env["INPUT_IMAGE"] = ""
	code, said = j.run(t, "verify", filepath.Join(j.dir, "dist"))
	if code != 0 || strings.Count(said, "\nok    image ") != 2 {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
}

// holds reads an image as others do.
func (j *job) holds(t *testing.T, repository string, want v1.Config) {
	t.Helper()
	tag, err := name.NewTag(repository + ":latest")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag, j.login())
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range m.Manifests {
		platforms = append(platforms, d.Platform.String())
		img, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		got := file.Config
		if want.WorkingDir != "" { // the product's base sets more
			want.Env = got.Env
			if !slices.Contains(got.Env, "GREETING=hi") || !slices.Contains(got.Env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt") {
				t.Errorf("%s: environment %q", repository, got.Env)
			}
		}
		want.Labels = got.Labels
		if !reflect.DeepEqual(got, want) || got.Labels["org.opencontainers.image.source"] != "https://github.com/octo/hello" {
			t.Errorf("%s: configuration %+v, want %+v", repository, got, want)
		}
	}
	if got := fmt.Sprint(platforms); got != "[linux/amd64 linux/arm64/v8]" {
		t.Errorf("%s: platforms %s", repository, got)
	}
}

// TestBaseThatCannotBe: what is wrong with a base is said before anything is compiled.
func TestBaseThatCannotBe(t *testing.T) {
	j := newJob(t)
	base := j.base(t, "linux/amd64")
	host := j.stage.Registry.Address()
	for written, want := range map[string]string{
		base:                          "it has nothing for linux/arm64",
		host + "/lib/base":            "neither tag nor digest",
		host + "/lib/none:1":          "no such image",
		"docker.invalid/lib/base:1":   "docker.invalid",
		"not a name":                  "not a name",
		host + "/lib/base@sha256:abc": "sha256:abc",
	} {
		if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte(fmt.Sprintf("image: {base: %q}\n", written)), 0o600); err != nil {
			t.Fatal(err)
		}
		calls := len(j.stage.Hub.Calls())
		code, said := j.run(t, "release", "--platforms", "linux/amd64,linux/arm64")
		if code == 0 || !strings.Contains(said, want) || strings.Contains(said, "::group::make") {
			t.Errorf("%s: exit code %d, want %q:\n%.3000s", written, code, want, said)
		}
		for _, call := range j.stage.Hub.Calls()[calls:] {
			if call.Method != http.MethodGet {
				t.Errorf("%s: it writes: %v", written, call)
			}
		}
	}
}

// TestTakenVersion: where the exact version names an image of another commit, nothing is
// made; and what it names stays.
func TestTakenVersion(t *testing.T) {
	j := newJob(t)
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(j.env["INPUT_IMAGE"] + ":1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, j.login()); err != nil {
		t.Fatal(err)
	}
	before := j.imageTags(t)
	code, said := j.run(t, onePlatform...)
	if code != 3 || strings.Contains(said, "::group::make") || !strings.Contains(said, "an exact version is never moved") || !strings.Contains(said, "release the next version") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
	if after := j.imageTags(t); !reflect.DeepEqual(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestNewerImage: a version that is released after a newer one leaves the tags that
// follow the versions where they are, and says so.
func TestNewerImage(t *testing.T) {
	j := newJob(t)
	img, err := random.Image(100, 1)
	if err == nil {
		img, err = mutate.Config(img, v1.Config{Labels: map[string]string{"org.opencontainers.image.version": "1.3.0"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(j.env["INPUT_IMAGE"] + ":latest")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, j.login()); err != nil {
		t.Fatal(err)
	}
	before := j.imageTags(t)["latest"]
	code, said := j.run(t, onePlatform...)
	after := j.imageTags(t)
	if code != 0 || !strings.Contains(said, ":latest names 1.3.0, which is newer than 1.2.3, and stays") || after["latest"] != before || after["1.2"] != after["1.2.3"] {
		t.Errorf("exit code %d, tags %v:\n%.4000s", code, after, said)
	}
}

// TestMovedBase: a base whose name has no digest may be another image tomorrow. What was
// made today is finished, and published from staging, as it is.
func TestMovedBase(t *testing.T) {
	j := newJob(t)
	base, _, _ := strings.Cut(j.base(t, "linux/amd64"), "@")
	if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte("image: {base: \""+base+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j.stage.Hub.Inject(unpublishable)
	if code, said := j.run(t, onePlatform...); code != 1 || !strings.Contains(said, "may be another one tomorrow: pin it") {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	j.stage.Hub.Inject(nil)
	if moved, _, _ := strings.Cut(j.base(t, "linux/amd64", "linux/arm64"), "@"); moved != base {
		t.Fatalf("%s, want %s", moved, base)
	}
	for range 2 {
		if code, said := j.run(t, onePlatform...); code != 0 || strings.Contains(said, "::group::make") {
			t.Fatalf("exit code %d:\n%.6000s", code, said)
		}
	}
	j.verified(t)
}

// TestLostReferrers: what lies beside a released image, and was lost, is made again.
func TestLostReferrers(t *testing.T) {
	j := newJob(t)
	if code, said := j.run(t, onePlatform...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	digest := j.imageTags(t)["1.2.3"]
	list, err := name.NewTag(j.env["INPUT_IMAGE"] + ":" + strings.Replace(digest, ":", "-", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(list, mutate.IndexMediaType(empty.Index, types.OCIImageIndex), j.login()); err != nil {
		t.Fatal(err)
	}
	if code, said := j.run(t, "verify", "octo/hello@v1.2.3"); code != 1 || !strings.Contains(said, "it is not signed") {
		t.Errorf("without them: exit code %d:\n%.4000s", code, said)
	}
	// Nor does it help a registry to refuse the question.
	j.stage.Registry.Inject(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	if code, said := j.run(t, "verify", "octo/hello@v1.2.3"); code != 1 {
		t.Errorf("without an answer: exit code %d:\n%.4000s", code, said)
	}
	j.stage.Registry.Inject(nil)
	if code, said := j.run(t, onePlatform...); code != 0 {
		t.Errorf("running again: exit code %d:\n%.6000s", code, said)
	}
	if got := j.beside(t, digest); len(got) != 3 {
		t.Errorf("beside the image: %q", got)
	}
	j.verified(t)
}

// TestExactInAnotherForm: a version is exact in whatever form a tag has it.
func TestExactInAnotherForm(t *testing.T) {
	j := newJob(t)
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(j.env["INPUT_IMAGE"] + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, j.login()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte("environments: {production: {image-tags: [\"v{{.Version}}\"]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := j.run(t, onePlatform...); code != 3 || !strings.Contains(said, "an exact version is never moved") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
}
