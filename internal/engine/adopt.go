package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// PhaseAdopt is taking over what an earlier run made, as events name it.
const PhaseAdopt = "adopt"

// Adopter are the edges of Adopt.
type Adopter struct {
	// Fetch stores an asset of the page in a file.
	Fetch func(ctx context.Context, name, path string) (release.File, error)
	// Trusted verifies the files of a directory as users do, and that they were made as
	// the plan says.
	Trusted func(ctx context.Context, dir string) error
	// Extract stores the unit's executable, which lies in its archive, in a file.
	Extract func(ctx context.Context, archive release.File, u plan.Unit, path string) (release.File, error)
	// Images gives the images of the plan: those that a registry has, or made of the units.
	Images func(ctx context.Context, p plan.Plan, units []release.Unit, dir string) ([]release.Image, error)

	Progress task.Progress
}

// downloads is how many assets are fetched at once.
const downloads = 4

// Adoptable tells whether a page holds every file that the plan makes, by name and whole.
func Adoptable(p plan.Plan, held []release.Published) bool {
	for _, name := range names(p) {
		if !slices.ContainsFunc(held, func(h release.Published) bool { return h.Name == name && h.Digest != "" }) {
			return false
		}
	}
	return p.Sign != plan.SignNone // nobody vouches for other files
}

// Surplus are the names of what a draft holds and a release of the plan does not, sorted.
// Names that Releases.Put gives to what is to replace something are not among them.
func Surplus(p plan.Plan, held []release.Published, temporary func(name string) (final string)) []string {
	var out []string
	for _, h := range held {
		name := temporary(h.Name)
		bundled := slices.Contains(names(p), strings.TrimSuffix(name, release.BundleSuffix)) // another way of signing
		if name != release.NotesName && !bundled && !slices.Contains(names(p), name) {
			out = append(out, h.Name)
		}
	}
	slices.Sort(out)
	return out
}

// names are the files of a signed plan's release, without notes.
func names(p plan.Plan) []string {
	out := []string{release.ChecksumsName, release.ChecksumsBundleName, release.ProvenanceName}
	for _, u := range p.Units {
		out = append(out, u.Archive, u.SBOM)
		if p.SignAll {
			out = append(out, u.Archive+release.BundleSuffix, u.SBOM+release.BundleSuffix)
		}
	}
	return out
}

// Adopt takes over what an earlier run of the same plan made and signed, instead of
// making it again: it fetches the files from the page, believes nothing before Trusted
// did, and takes the images that were made of the very executables in the archives. It is for pages
// that are Adoptable.
func Adopt(ctx context.Context, p plan.Plan, layout Layout, a Adopter) (release.Signed, error) {
	files := map[string]release.File{}
	list := names(p)
	fetched := make([]release.File, len(list))
	err := task.Each(ctx, downloads, len(list), func(ctx context.Context, i int) error {
		return task.Track(ctx, a.Progress, PhaseAdopt, list[i], len(list), func(stage func(string)) (string, error) {
			stage("fetching")
			var err error
			if fetched[i], err = a.Fetch(ctx, list[i], filepath.Join(layout.Root, list[i])); err != nil {
				return "", fmt.Errorf("fetching %q: %w", list[i], err)
			}
			return string(fetched[i].Digest), nil
		})
	})
	if err != nil {
		return release.Signed{}, err
	}
	for i, name := range list {
		files[name] = fetched[i]
	}
	if err := a.Trusted(ctx, layout.Root); err != nil {
		return release.Signed{}, err
	}
	return a.adopted(ctx, p, layout, files)
}

// adopted is Adopt with files that are trusted.
func (a Adopter) adopted(ctx context.Context, p plan.Plan, layout Layout, files map[string]release.File) (release.Signed, error) {
	bundle, provenance := files[release.ChecksumsBundleName], files[release.ProvenanceName]
	signed := release.Signed{
		Made:   release.Made{Checksums: files[release.ChecksumsName], Units: make([]release.Unit, len(p.Units))},
		Bundle: &bundle, Provenance: &provenance,
	}
	err := task.Each(ctx, downloads, len(p.Units), func(ctx context.Context, i int) error {
		u := p.Units[i]
		path := filepath.Join(layout.Binaries, u.Build+"_"+u.Target.Suffix(), u.Binary)
		binary, err := a.Extract(ctx, files[u.Archive], u, path)
		if err != nil {
			return fmt.Errorf("taking %q out of %q: %w", u.Binary, u.Archive, err)
		}
		signed.Units[i] = release.Unit{Build: u.Build, Target: u.Target, Binary: binary, Archive: files[u.Archive], SBOM: files[u.SBOM]}
		return nil
	})
	if err != nil {
		return release.Signed{}, err
	}
	if p.SignAll {
		for _, s := range signed.Subjects() {
			signed.Bundles = append(signed.Bundles, files[s.Name+release.BundleSuffix])
		}
	}
	if len(p.Images) == 0 {
		return signed, nil
	}
	if signed.Images, err = a.Images(ctx, p, signed.Units, layout.Image); err != nil {
		return release.Signed{}, fmt.Errorf("making the image: %w", err)
	}
	return signed, nil
}
