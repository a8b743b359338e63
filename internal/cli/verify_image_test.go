package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// TestVerifyImageSwapped: an image of the same programs that the release did not make is
// not the release's, whatever its tag says.
func TestVerifyImageSwapped(t *testing.T) {
	j := newJob(t)
	if code, said := j.run(t, "release", "--platforms", "linux/amd64"); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	code, said := j.run(t, "verify", "octo/hello@v1.2.3")
	if code != 0 || !strings.Contains(said, "ok    image ") || !strings.Contains(said, "3 subjects, image ") {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	swap(t, j, func(img v1.Image) (v1.Image, error) { return mutate.CreatedAt(img, v1.Time{Time: time.Unix(1, 0)}) })
	code, said = j.run(t, "verify", "octo/hello@v1.2.3")
	if code != 1 || !strings.Contains(said, "which the provenance does not name") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
	code, said = j.run(t, "verify", "octo/hello@v1.2.3", "--image", "")
	if code != 0 || !strings.Contains(said, "3 subjects, image "+j.env["INPUT_IMAGE"]+"@sha256:") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
}

// TestVerifyUnsignedImageSwapped: without a signature, an image can be told from the
// release's by what a release never makes.
func TestVerifyUnsignedImageSwapped(t *testing.T) {
	j := newJob(t)
	if code, said := j.run(t, "release", "--platforms", "linux/amd64", "--sign", "none"); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	swap(t, j, func(img v1.Image) (v1.Image, error) {
		file, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		config := *file.Config.DeepCopy()
		config.Volumes = map[string]struct{}{"/usr/local/bin": {}}
		return mutate.Config(img, config)
	})
	code, said := j.run(t, "verify", "octo/hello@v1.2.3", "--sign", "none")
	if code != 1 || !strings.Contains(said, "its configuration is none that a release makes") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
}

// swap puts a changed image under the released tag.
func swap(t *testing.T, j *job, change func(v1.Image) (v1.Image, error)) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tag, err := name.NewTag(j.env["INPUT_IMAGE"] + ":1.2.3")
	check(err)
	access := remote.WithAuth(&authn.Basic{Username: "x-access-token", Password: j.env["GITHUB_TOKEN"]})
	index, err := remote.Index(tag, access)
	check(err)
	was, err := index.IndexManifest()
	check(err)
	changed := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, d := range was.Manifests {
		img, err := index.Image(d.Digest)
		check(err)
		img, err = change(img)
		check(err)
		changed = mutate.AppendManifests(changed, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: d.Platform}})
	}
	annotated, ok := mutate.Annotations(changed, was.Annotations).(v1.ImageIndex)
	if !ok {
		t.Fatal("no index")
	}
	check(remote.WriteIndex(tag, annotated, access))
}
