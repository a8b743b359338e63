package engine_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/release"
)

// remade is a release that was built again: the two archives app.tar.gz and app.zip, which
// equal the released ones until a test changes something.
type remade struct {
	made     release.Made
	released map[string]release.Digest
	there    map[string][]engine.Packed // entries of the released archives
	again    map[string][]engine.Packed
	err      error // of reading what was made again
}

func newRemade() *remade {
	file := func(name string) release.File {
		return release.File{Name: name, Path: filepath.Join("again", name), Digest: digestOf([]byte(name))}
	}
	entries := []engine.Packed{{Name: "app", Digest: "a", Go: "go1.26.8"}, {Name: "LICENSE", Digest: "l"}}
	r := &remade{
		released: map[string]release.Digest{}, there: map[string][]engine.Packed{}, again: map[string][]engine.Packed{},
		made: release.Made{Checksums: file(release.ChecksumsName)},
	}
	for _, name := range []string{"app.tar.gz", "app.zip"} {
		r.made.Units = append(r.made.Units, release.Unit{Archive: file(name), SBOM: file(name + release.SBOMSuffix)})
		r.there[name], r.again[name] = slices.Clone(entries), slices.Clone(entries)
	}
	for _, a := range append(r.made.Subjects(), release.Asset{File: r.made.Checksums}) {
		r.released[a.Name] = a.Digest
	}
	return r
}

func (r *remade) compare(ctx context.Context) ([]engine.Finding, error) {
	return engine.Compare(ctx, "there", r.released, r.made, func(_ context.Context, archive release.File) ([]engine.Packed, error) {
		if archive.Path == filepath.Join("there", archive.Name) {
			return r.there[archive.Name], nil
		}
		return r.again[archive.Name], r.err
	})
}

func TestCompareEqual(t *testing.T) {
	r := newRemade()
	findings, err := r.compare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, f := range findings {
		if f.Err != nil || f.Rule != engine.RuleRebuild || f.Detail != "the same digest, "+string(r.released[f.Subject]) {
			t.Errorf("%+v", f)
		}
		subjects = append(subjects, f.Subject)
	}
	want := []string{"app.tar.gz", "app.tar.gz.spdx.json", "app.zip", "app.zip.spdx.json", "checksums.txt"}
	if !slices.Equal(subjects, want) {
		t.Errorf("subjects %q, want %q", subjects, want)
	}
}

func TestCompareUnequal(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *remade)
		want   map[string]string // end of the error, by subject
	}{
		"another version of Go": {func(r *remade) {
			r.made.Units[0].Archive.Digest, r.again["app.tar.gz"][0] = "sha256:1", engine.Packed{Name: "app", Digest: "b", Go: "go1.26.7"}
		}, map[string]string{"app.tar.gz": ": the binary app differs: go1.26.7 compiled it, and go1.26.8 that of the release"}},
		"another binary": {func(r *remade) {
			r.made.Units[0].Archive.Digest, r.again["app.tar.gz"][0].Digest = "sha256:1", "b"
		}, map[string]string{"app.tar.gz": ": the binary app differs"}},
		"another file": {func(r *remade) {
			r.made.Units[1].Archive.Digest, r.again["app.zip"][1].Digest = "sha256:1", "b"
		}, map[string]string{"app.zip": ": LICENSE differs"}},
		"other files": {func(r *remade) {
			r.made.Units[1].Archive.Digest, r.again["app.zip"][1].Name = "sha256:1", "LICEN\x1bSE"
		}, map[string]string{"app.zip": `: LICENSE is in the release alone, "LICEN\x1bSE" is not in the release`}},
		"packed otherwise": {func(r *remade) {
			r.made.Units[1].Archive.Digest = "sha256:1"
		}, map[string]string{"app.zip": "its files are the same, and packed in another way; another version of pgo-release may have made it"}},
		"unreadable": {func(r *remade) {
			r.made.Units[1].Archive.Digest, r.err = "sha256:1", errors.New("broken\n")
		}, map[string]string{"app.zip": `: which cannot be told: "broken\n"`}},
		"an SBOM alone": {func(r *remade) { r.made.Units[0].SBOM.Digest = "sha256:1" }, map[string]string{
			"app.tar.gz.spdx.json": ": the archive is the same; the module cache may hold other licences, or another version of pgo-release have made it",
		}},
		"an archive and its SBOM": {func(r *remade) {
			r.made.Units[0].Archive.Digest, r.made.Units[0].SBOM.Digest = "sha256:1", "sha256:1"
		}, map[string]string{"app.tar.gz": "", "app.tar.gz.spdx.json": ": it describes an archive that differs"}},
		"the list": {func(r *remade) { r.made.Checksums.Digest = "sha256:1" }, map[string]string{
			"checksums.txt": "built again it has digest sha256:1, the release has " + string(digestOf([]byte("checksums.txt"))) + ": it lists the digests of the others",
		}},
		"not released": {func(r *remade) { delete(r.released, "app.zip") }, map[string]string{
			"app.zip": "building again makes it, and the release does not have it",
		}},
		"not made": {func(r *remade) { r.released["b\x00"], r.released["a"] = "sha256:1", "sha256:2" }, map[string]string{
			"a": "the release has it, and building again does not make it", `"b\x00"`: "the release has it, and building again does not make it",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRemade()
			c.change(r)
			findings, err := r.compare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, f := range engine.Failed(findings) {
				got[f.Subject] = f.Err.Error()
			}
			for subject, end := range c.want {
				if !strings.HasSuffix(got[subject], end) {
					t.Errorf("%s: %q, want %q", subject, got[subject], end)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("failed %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(c.want)))
			}
		})
	}
}

func TestCompareCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	broken := errors.New("stopped")
	cancel(broken)
	if _, err := newRemade().compare(ctx); !errors.Is(err, broken) {
		t.Error(err)
	}
}
