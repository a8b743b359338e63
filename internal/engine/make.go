package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Maker are the edges of Make.
type Maker struct {
	// Source makes the directory to compile in.
	Source func(ctx context.Context, p plan.Plan) (Source, error)
	// Compile writes the unit's executable to out.
	Compile func(ctx context.Context, s Source, u plan.Unit, out string) error
	// Inspect reads an executable's origin, and refuses one that is not the plan's.
	Inspect func(executable string, p plan.Plan) (Origin, error)
	// Archive packs the entries.
	Archive func(ctx context.Context, u plan.Unit, path string, entries []Entry) (release.File, error)
	// Describe writes the SBOM of an executable that lies in an archive.
	Describe func(ctx context.Context, executable, archive release.File, path string) (release.File, error)
	// Checksums writes the list of digests.
	Checksums func(path string, files []release.File) (release.File, error)
	// Image writes the OCI layout; it is called when the plan has an image.
	Image func(ctx context.Context, p plan.Plan, units []release.Unit, dir string) (release.Image, error)

	Compiles int // how many compilers run at once; the go command itself uses every processor
	Progress task.Progress
}

// Make compiles, packs and describes every unit of the plan, then writes the
// checksums and the image. What it made lies below layout.Root. The same plan gives
// the same bytes.
func Make(ctx context.Context, p plan.Plan, layout Layout, m Maker) (result Result, err error) {
	source, err := m.Source(ctx, p)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, source.Remove()) }()
	run := making{Maker: m, plan: p, layout: layout, source: source,
		compiling: make(chan struct{}, max(1, m.Compiles)), origins: make([]Origin, len(p.Units))}
	units := make([]release.Unit, len(p.Units))
	err = task.Each(ctx, 0, len(p.Units), func(ctx context.Context, i int) (err error) {
		units[i], err = run.unit(ctx, i)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	result = Result{Made: release.Made{Units: units}, Origin: merge(run.origins)}
	return result, run.finish(ctx, &result.Made)
}

// making is one call of Make.
type making struct {
	Maker
	plan      plan.Plan
	layout    Layout
	source    Source
	compiling chan struct{} // holds a token for each compiler that runs
	origins   []Origin      // by unit
}

// unit takes one unit from source to SBOM. It waits for its turn to compile; what
// follows overlaps with the compiles of others.
func (m making) unit(ctx context.Context, i int) (release.Unit, error) {
	u := m.plan.Units[i]
	select {
	case m.compiling <- struct{}{}:
	case <-ctx.Done():
		return release.Unit{}, context.Cause(ctx)
	}
	var out release.Unit
	name := fmt.Sprintf("%s %s", u.Build, u.Target)
	err := task.Track(m.Progress, PhaseMake, name, len(m.plan.Units), func(stage func(string)) (string, error) {
		stage("compiling")
		executable := filepath.Join(m.layout.Binaries, u.Build+"_"+u.Target.Suffix(), u.Binary)
		err := m.Compile(ctx, m.source, u, executable)
		<-m.compiling
		if err != nil {
			return "", err
		}
		if m.origins[i], err = m.Inspect(executable, m.plan); err != nil {
			return "", fmt.Errorf("checking %s: %w", name, err)
		}
		out, err = m.pack(ctx, u, executable, stage)
		return fmt.Sprintf("%s %d", out.Archive.Name, out.Archive.Size), err
	})
	return out, err
}

func (m making) pack(ctx context.Context, u plan.Unit, executable string, stage func(string)) (release.Unit, error) {
	out := release.Unit{Build: u.Build, Target: u.Target}
	fail := func(err error) (release.Unit, error) {
		return release.Unit{}, fmt.Errorf("packing %s %s: %w", u.Build, u.Target, err)
	}
	stage("packing")
	entries := []Entry{{Name: u.Binary, Path: executable, Executable: true}}
	for _, name := range m.plan.Files {
		entries = append(entries, Entry{Name: path.Base(name), Path: filepath.Join(m.source.Root, filepath.FromSlash(name))})
	}
	var err error
	if out.Binary, err = digest(executable); err != nil {
		return fail(err)
	}
	if out.Archive, err = m.Archive(ctx, u, filepath.Join(m.layout.Root, u.Archive), entries); err != nil {
		return fail(err)
	}
	stage("describing")
	if out.SBOM, err = m.Describe(ctx, out.Binary, out.Archive, filepath.Join(m.layout.Root, u.SBOM)); err != nil {
		return fail(err)
	}
	return out, nil
}

// finish adds what is made of all units together.
func (m making) finish(ctx context.Context, made *release.Made) error {
	var files []release.File
	for _, a := range made.Subjects() {
		files = append(files, a.File)
	}
	var err error
	if made.Checksums, err = m.Checksums(filepath.Join(m.layout.Root, release.ChecksumsName), files); err != nil {
		return err
	}
	if m.plan.Image == nil {
		return nil
	}
	return task.Track(m.Progress, PhaseMake, "image", 0, func(stage func(string)) (string, error) {
		stage("writing")
		image, err := m.Image(ctx, m.plan, made.Units, m.layout.Image)
		if err != nil {
			return "", fmt.Errorf("making the image: %w", err)
		}
		made.Image = &image
		return string(image.Digest), nil
	})
}

// digest takes the digest of a file that another program wrote.
func digest(path string) (release.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return release.File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return release.File{}, fmt.Errorf("reading %q: %w", filepath.Base(path), err)
	}
	return release.File{Name: filepath.Base(path), Path: path, Digest: release.Sum(h), Size: n}, nil
}

// merge is the union of the units' origins, modules sorted by path and version.
func merge(origins []Origin) Origin {
	var out Origin
	seen := map[Module]bool{}
	for _, o := range origins {
		if o.GoVersion != "" {
			out.GoVersion = o.GoVersion
		}
		for _, module := range o.Modules {
			seen[module] = true
		}
	}
	out.Modules = slices.SortedFunc(maps.Keys(seen), func(a, b Module) int {
		return strings.Compare(a.Path+"@"+a.Version+" "+a.Sum, b.Path+"@"+b.Version+" "+b.Sum)
	})
	return out
}
