package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// completed is a page that an earlier run of the plan completed.
func completed(p plan.Plan) (held []release.Published) {
	names := []string{release.ChecksumsName, release.ChecksumsBundleName, release.ProvenanceName}
	for _, u := range p.Units {
		names = append(names, u.Archive, u.SBOM)
	}
	for i, name := range names {
		held = append(held, release.Published{ID: int64(i + 1), Name: name, Digest: digestOf([]byte(name)), Size: int64(len(name))})
	}
	return held
}

func adoptable() plan.Plan {
	return plan.Plan{Sign: plan.SignKeyless, Images: []plan.ImagePlan{{Repository: "ghcr.io/octo/app"}}, Units: []plan.Unit{
		{Build: "app", Binary: "app", Archive: "app_linux.tar.gz", SBOM: "app_linux.tar.gz.spdx.json", Target: release.Target{OS: "linux", Arch: "amd64"}},
		{Build: "app", Binary: "app.exe", Archive: "app_windows.zip", SBOM: "app_windows.zip.spdx.json", Target: release.Target{OS: "windows", Arch: "amd64"}},
	}}
}

// A page is taken over when it has every file, whole, and somebody vouches for them.
func TestAdoptable(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *plan.Plan, held []release.Published) []release.Published
		want   bool
	}{
		"complete": {func(_ *plan.Plan, held []release.Published) []release.Published { return held }, true},
		"more": {func(_ *plan.Plan, held []release.Published) []release.Published {
			return append(held, release.Published{Name: release.NotesName, Digest: digestOf(nil)})
		}, true},
		"empty":         {func(*plan.Plan, []release.Published) []release.Published { return nil }, false},
		"no provenance": {func(_ *plan.Plan, held []release.Published) []release.Published { return slices.Delete(held, 2, 3) }, false},
		"half an asset": {func(_ *plan.Plan, held []release.Published) []release.Published {
			held[3].Digest = ""
			return held
		}, false},
		"not signed": {func(p *plan.Plan, held []release.Published) []release.Published {
			p.Sign = plan.SignNone
			return held
		}, false},
		"a bundle of every file": {func(p *plan.Plan, held []release.Published) []release.Published {
			p.SignAll = true
			return held
		}, false},
	} {
		p := adoptable()
		held := c.change(&p, completed(p))
		if got := engine.Adoptable(p, held); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Adopt fetches everything, believes nothing before Trusted did, and gives what Make and
// Attest would have given.
func TestAdopt(t *testing.T) {
	boom := errors.New("boom")
	for _, failing := range []string{"", "fetch", "trusted", "extract", "image"} {
		t.Run("failing: "+failing, func(t *testing.T) {
			p, dir := adoptable(), t.TempDir()
			trusted := false
			fail := func(edge string) error {
				if edge != "fetch" && edge != "trusted" && !trusted {
					t.Errorf("%s: before anybody looked", edge)
				}
				if edge == failing {
					return boom
				}
				return nil
			}
			signed, err := engine.Adopt(t.Context(), p, engine.Layout{Root: dir, Binaries: filepath.Join(dir, "binaries"), Image: filepath.Join(dir, "image")}, engine.Adopter{
				Fetch: func(_ context.Context, name, path string) (release.File, error) {
					if err := fail("fetch"); err != nil {
						return release.File{}, err
					}
					return pack.WriteFile(path, []byte(name))
				},
				Trusted: func(_ context.Context, at string) error {
					if found, err := os.ReadDir(at); err != nil || len(found) != 7 {
						t.Errorf("%d files, %v", len(found), err)
					}
					err := fail("trusted")
					trusted = err == nil
					return err
				},
				Extract: func(_ context.Context, archive release.File, u plan.Unit, path string) (release.File, error) {
					return release.File{Name: u.Binary, Path: path, Digest: archive.Digest}, fail("extract")
				},
				Images: func(_ context.Context, _ plan.Plan, units []release.Unit, _ string) ([]release.Image, error) {
					return []release.Image{{Digest: units[0].Binary.Digest}}, fail("image")
				},
				Progress: func(task.Event) {},
			})
			if failing != "" {
				if !errors.Is(err, boom) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, a := range signed.Assets() {
				names = append(names, a.Name)
			}
			want := "app_linux.tar.gz app_linux.tar.gz.spdx.json app_windows.zip app_windows.zip.spdx.json checksums.txt checksums.txt.sigstore.json provenance.sigstore.json"
			if strings.Join(names, " ") != want || signed.Images[0].Digest != digestOf([]byte("app_linux.tar.gz")) || signed.Units[1].Binary.Name != "app.exe" {
				t.Errorf("got %+v", signed)
			}
		})
	}
}
