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
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Maker are the edges of Make.
type Maker struct {
	// Source makes the directory to compile in.
	Source func(ctx context.Context, p plan.Plan) (Source, error)
	// Compile writes the unit's executable to out. Its error names the unit, and has a
	// method Killed() bool where it may be that memory was short.
	Compile func(ctx context.Context, s Source, u plan.Unit, out string, w Way) error
	// Inspect reads an executable's origin, and refuses one that is not the plan's.
	Inspect func(executable string, p plan.Plan) (Origin, error)
	// Archive packs the entries. packed are the files that went in, in the order of the
	// entries, with the digests of the bytes in the archive.
	Archive func(ctx context.Context, u plan.Unit, path string, entries []Entry) (archive release.File, packed []release.File, err error)
	// Describe writes the SBOM of an executable that lies in an archive.
	Describe func(ctx context.Context, executable, archive release.File, path string) (release.File, error)
	// Checksums writes the list of digests.
	Checksums func(path string, files []release.File) (release.File, error)
	// Images writes the images of the plan into one OCI layout; it is called when the plan
	// has any.
	Images func(ctx context.Context, p plan.Plan, s Source, units []release.Unit, dir string) ([]release.Image, error)

	// Compiles is how many compilers run at once; 0: one, which uses every processor, and a
	// second one while the first one links.
	Compiles int
	// Memory is what all compilers together may take, in bytes; 0: as much as is free.
	Memory int64
	// Free is how much memory there is for more compilers, in bytes; nil: always enough.
	Free func() int64
	// Space is how much is free on the disk of the output directory, in bytes, where that is
	// known; nil: it is not.
	Space func() (int64, bool)
	// Host is the platform that is compiled first, as os/arch: what is wrong everywhere
	// shows there soonest.
	Host     string
	Progress task.Progress
}

// Way is how one unit is compiled.
type Way struct {
	Alone bool       // with as little memory as can be; nothing else is compiled meanwhile
	Load  func(Load) // is told again and again what the compile takes, as far as that is known, until it ends
}

// Make compiles, packs and describes every unit of the plan, then writes the
// checksums and the images. What it made lies below layout.Root. The same plan gives
// the same bytes. When anything fails or ctx is done, the rest is stopped and waited
// for; the source is removed in any case, once.
func Make(ctx context.Context, p plan.Plan, layout Layout, m Maker) (result Result, err error) {
	source, err := m.Source(ctx, p)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if err = errors.Join(err, source.Remove()); err != nil {
			result = Result{}
		}
	}()
	return m.make(ctx, p, layout, source)
}

// make is Make with a source.
func (m Maker) make(ctx context.Context, p plan.Plan, layout Layout, source Source) (Result, error) {
	run := making{
		Maker: m, plan: p, layout: layout, source: source, units: make([]unit, len(p.Units)),
		lanes: newLanes(m.Compiles, m.Memory, m.Free), space: newSpace(p.Units, m.Space),
	}
	if err := run.space.check(); err != nil {
		return Result{}, err
	}
	order := m.order(p.Units)
	err := task.Flow(ctx, run.lanes.places(), len(order),
		func(ctx context.Context, n int) error { return run.compile(ctx, n, order[n]) },
		func(ctx context.Context, n int) error { return run.pack(ctx, order[n]) })
	if err != nil {
		return Result{}, err
	}
	var origins []Origin
	units := make([]release.Unit, len(p.Units))
	for i, u := range run.units {
		units[i] = u.made
		origins = append(origins, u.origin)
	}
	made, err := run.finish(ctx, units)
	return Result{Made: made, Origin: merge(origins)}, err
}

// order is that in which units are compiled, by their index.
func (m Maker) order(units []plan.Unit) []int {
	var host, rest []int
	for i, u := range units {
		if u.Target.Port() == m.Host {
			host = append(host, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(host, rest...)
}

// making is one call of Make.
type making struct {
	Maker
	lanes  *lanes
	space  *space
	plan   plan.Plan
	layout Layout
	source Source
	units  []unit // in the order of the plan
}

// unit is how far one unit has come. One goroutine at a time has it.
type unit struct {
	started    time.Time
	memory     int64 // that compiling took at most, in bytes
	executable string
	origin     Origin
	made       release.Unit
}

// event reports what happened to the unit with index i.
func (m making) event(i int, state task.State, change func(*task.Event)) {
	u := m.plan.Units[i]
	e := task.Event{Phase: PhaseMake, Task: u.Build + " " + u.Target.String(), State: state}
	if change != nil {
		change(&e)
	}
	m.Progress(e)
}

func (m making) stage(i int, name string) {
	m.event(i, task.Working, func(e *task.Event) { e.Stage = name })
}

// end reports the end of a unit, and returns err.
func (m making) end(ctx context.Context, i int, err error) error {
	state, text := task.Done, m.units[i].made.Archive.Name
	switch {
	case err != nil && ctx.Err() != nil:
		state, text = task.Stopped, ""
	case err != nil:
		state, text = task.Failed, err.Error()
	}
	m.event(i, state, func(e *task.Event) {
		e.Text, e.Size, e.Took, e.Memory = text, m.units[i].made.Archive.Size, time.Since(m.units[i].started), m.units[i].memory
	})
	return err
}

// compile takes a unit, the nth to be compiled, from source to an executable that says
// what it should. When it fails, its place stays taken, so that none begins after it.
func (m making) compile(ctx context.Context, n, i int) error {
	u, state := m.plan.Units[i], &m.units[i]
	alone, err := m.lanes.enter(ctx, n)
	if err != nil {
		return err
	}
	state.started = time.Now()
	m.space.compiling(i)
	m.event(i, task.Started, func(e *task.Event) { e.Number = len(m.plan.Units) })
	m.stage(i, "compiling")
	state.executable = filepath.Join(m.layout.Binaries, u.Build+"_"+u.Target.Suffix(), u.Binary)
	way := Way{Alone: alone, Load: func(load Load) {
		state.memory = max(state.memory, load.Memory)
		m.lanes.report(n, load)
	}}
	err = m.Compile(ctx, m.source, u, state.executable, way)
	if killed(err) && !alone && ctx.Err() == nil {
		err = m.again(ctx, n, i, way)
	}
	if err == nil {
		if state.origin, err = m.Inspect(state.executable, m.plan); err == nil {
			err = m.space.compiled(i, state.executable)
		}
		if err != nil {
			err = fmt.Errorf("checking %s for %s: %w", u.Build, u.Target, err)
		}
	}
	if err != nil {
		return m.end(ctx, i, err)
	}
	m.lanes.leave(n)
	return nil
}

// again compiles a unit once more, when nothing else is compiled.
func (m making) again(ctx context.Context, n, i int, way Way) error {
	m.event(i, task.Warning, func(e *task.Event) {
		e.Text = "the compiler was killed, as happens when memory is short: it is started once more, alone"
	})
	m.stage(i, "waiting")
	if err := m.lanes.retry(ctx, n); err != nil {
		return err
	}
	m.stage(i, "compiling alone")
	way.Alone = true
	return m.Compile(ctx, m.source, m.plan.Units[i], m.units[i].executable, way)
}

// killed tells whether an error says that a program was killed.
func killed(err error) bool {
	var k interface{ Killed() bool }
	return errors.As(err, &k) && k.Killed()
}

// pack takes a unit from the executable to archive and SBOM.
func (m making) pack(ctx context.Context, i int) error {
	u, state := m.plan.Units[i], &m.units[i]
	var err error
	if state.made, err = m.packed(ctx, i, u, state.executable); err != nil {
		err = fmt.Errorf("packing %s for %s: %w", u.Build, u.Target, err)
	}
	return m.end(ctx, i, err)
}

func (m making) packed(ctx context.Context, i int, u plan.Unit, executable string) (release.Unit, error) {
	out := release.Unit{Build: u.Build, Target: u.Target}
	m.stage(i, "packing")
	m.space.packs(i)
	entries := []Entry{{Name: u.Binary, Path: executable, Executable: true}}
	for _, name := range m.plan.Files {
		entries = append(entries, Entry{Name: path.Base(name), Path: filepath.Join(m.source.Root, filepath.FromSlash(name))})
	}
	archive, contents, err := m.Archive(ctx, u, filepath.Join(m.layout.Root, u.Archive), entries)
	if err != nil {
		return release.Unit{}, err
	}
	out.Archive, out.Binary = archive, contents[0] // as it was read when it was packed
	m.stage(i, "describing")
	if out.SBOM, err = m.Describe(ctx, out.Binary, out.Archive, filepath.Join(m.layout.Root, u.SBOM)); err != nil {
		return release.Unit{}, err
	}
	return out, nil
}

// finish adds what is made of all units together.
func (m making) finish(ctx context.Context, units []release.Unit) (release.Made, error) {
	made := release.Made{Units: units}
	var files []release.File
	for _, a := range made.Subjects() {
		files = append(files, a.File)
	}
	var err error
	if made.Checksums, err = m.Checksums(filepath.Join(m.layout.Root, release.ChecksumsName), files); err != nil {
		return made, err
	}
	if len(m.plan.Images) == 0 || ctx.Err() != nil {
		return made, context.Cause(ctx)
	}
	err = task.Track(ctx, m.Progress, PhaseMake, "image", 0, func(stage func(string)) (string, error) {
		stage("writing")
		made.Images, err = m.Images(ctx, m.plan, m.source, made.Units, m.layout.Image)
		if err != nil {
			return "", fmt.Errorf("making the image: %w", err)
		}
		return digests(made.Images), nil
	})
	return made, err
}

// digests are those of the images, as one text.
func digests(images []release.Image) string {
	var out []string
	for _, i := range images {
		out = append(out, string(i.Digest))
	}
	return strings.Join(out, " ")
}

// Digest takes the digest of a file that another program wrote, without holding the file
// in memory.
func Digest(ctx context.Context, path string) (release.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return release.File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, reader(func(p []byte) (int, error) {
		if ctx.Err() != nil { // large files take their time
			return 0, context.Cause(ctx)
		}
		return f.Read(p)
	}))
	if err != nil {
		return release.File{}, fmt.Errorf("reading %q: %w", filepath.Base(path), err)
	}
	return release.File{Name: filepath.Base(path), Path: path, Digest: release.Sum(h), Size: n}, nil
}

type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

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
