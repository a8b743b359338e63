package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The edges of Make, as the tests name them.
const (
	source    = "source"
	compile   = "compile"
	inspect   = "inspect"
	archive   = "archive"
	describe  = "describe"
	checksums = "checksums"
	image     = "image"
	remove    = "remove"
)

// workshop carries out Make with edges that write real files, and remembers what was
// asked of them.
type workshop struct {
	*testing.T
	plan     plan.Plan
	layout   engine.Layout
	compiles int
	memory   int64
	free     func() int64
	space    func() (int64, bool)
	size     int64 // of executables; 0: a few bytes
	host     string
	origins  map[string]engine.Origin // by the unit's build and platform
	// at happens in every call of an edge, before its work; unit is -1 where the edge is
	// about all of them. An error is the edge's. The context of edges that have none is
	// never done.
	at func(ctx context.Context, edge string, unit int) error
	// way happens in every compile after that.
	way func(ctx context.Context, unit int, way engine.Way) error

	mu      sync.Mutex
	calls   []string // "compile 0", in the order in which they began
	running map[string]int
	most    map[string]int // that ran at once, by edge
	late    []string       // calls that began when their context was done
	entries map[string][]engine.Entry
	events  []task.Event
}

func newWorkshop(t *testing.T) *workshop {
	dir := t.TempDir()
	w := &workshop{
		T: t, compiles: 1, running: map[string]int{}, most: map[string]int{}, entries: map[string][]engine.Entry{},
		layout: engine.Layout{Root: dir, Binaries: filepath.Join(dir, "binaries"), Image: filepath.Join(dir, "image")},
		plan: plan.Plan{
			Version: "1.2.3", Tag: "v1.2.3", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			Files: []string{"LICENSE", "docs/README.md"}, Images: []plan.ImagePlan{{Repository: "ghcr.io/octo/hello"}},
		},
	}
	for _, target := range []release.Target{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm", Variant: "v7"}, {OS: "windows", Arch: "amd64"}} {
		u := plan.Unit{
			Build: "hello", Target: target, Binary: "hello" + target.Exe(), Format: plan.FormatTarGz,
			Archive: "hello_1.2.3_" + target.Suffix() + ".tar.gz",
		}
		u.SBOM = u.Archive + release.SBOMSuffix
		w.plan.Units = append(w.plan.Units, u)
	}
	return w
}

// make calls Make.
func (w *workshop) make(ctx context.Context) (engine.Result, error) {
	return engine.Make(ctx, w.plan, w.layout, engine.Maker{
		Source: w.source, Compile: w.compile, Inspect: w.inspect, Archive: w.archive, Describe: w.describe,
		Checksums: w.checksums, Images: w.image, Compiles: w.compiles, Memory: w.memory, Free: w.free, Space: w.space, Host: w.host, Progress: w.progress,
	})
}

// enter notes that an edge was called; the function that it returns notes its end.
func (w *workshop) enter(ctx context.Context, edge string, unit int) (leave func(), err error) {
	w.mu.Lock()
	w.calls = append(w.calls, call(edge, unit))
	w.running[edge]++
	w.most[edge] = max(w.most[edge], w.running[edge])
	if ctx.Err() != nil {
		w.late = append(w.late, call(edge, unit))
	}
	w.mu.Unlock()
	if w.at != nil {
		err = w.at(ctx, edge, unit)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running[edge]--
	}, err
}

func call(edge string, unit int) string {
	if unit < 0 {
		return edge
	}
	return fmt.Sprintf("%s %d", edge, unit)
}

// called are the calls of an edge, in the order in which they began.
func (w *workshop) called(edge string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, c := range w.calls {
		if name, _, _ := cut(c); name == edge {
			out = append(out, c)
		}
	}
	return out
}

func (w *workshop) progress(e task.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *workshop) source(ctx context.Context, _ plan.Plan) (engine.Source, error) {
	leave, err := w.enter(ctx, source, -1)
	defer leave()
	if err != nil {
		return engine.Source{}, err
	}
	root, err := os.MkdirTemp(w.layout.Root, "source-")
	if err != nil {
		return engine.Source{}, err
	}
	for _, name := range w.plan.Files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return engine.Source{}, err
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			return engine.Source{}, err
		}
	}
	return engine.Source{Root: root, Module: root, Remove: func() error {
		leave, err := w.enter(context.Background(), remove, -1)
		defer leave()
		if err != nil {
			return err
		}
		return os.RemoveAll(root)
	}}, nil
}

func (w *workshop) compile(ctx context.Context, _ engine.Source, u plan.Unit, out string, way engine.Way) error {
	leave, err := w.enter(ctx, compile, w.unit(u.Archive))
	defer leave()
	if err == nil && w.way != nil {
		err = w.way(ctx, w.unit(u.Archive), way)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out, []byte("a program for "+u.Target.String()), 0o755); err != nil || w.size == 0 {
		return err
	}
	return os.Truncate(out, w.size)
}

func (w *workshop) inspect(executable string, _ plan.Plan) (engine.Origin, error) {
	unit := slices.IndexFunc(w.plan.Units, func(u plan.Unit) bool {
		return filepath.Base(filepath.Dir(executable)) == u.Build+"_"+u.Target.Suffix()
	})
	leave, err := w.enter(context.Background(), inspect, unit)
	defer leave()
	return w.origins[w.name(unit)], err
}

func (w *workshop) archive(ctx context.Context, u plan.Unit, path string, entries []engine.Entry) (release.File, []release.File, error) {
	leave, err := w.enter(ctx, archive, w.unit(u.Archive))
	defer leave()
	if err != nil {
		return release.File{}, nil, err
	}
	w.mu.Lock()
	w.entries[u.Archive] = entries
	w.mu.Unlock()
	var packed []pack.Entry
	for _, e := range entries {
		packed = append(packed, pack.Entry{Name: e.Name, Path: e.Path, Mode: 0o644})
	}
	return pack.Archive(ctx, u.Format, path, packed, w.plan.Time)
}

func (w *workshop) describe(ctx context.Context, executable, packed release.File, path string) (release.File, error) {
	leave, err := w.enter(ctx, describe, w.unit(packed.Name))
	defer leave()
	if err != nil {
		return release.File{}, err
	}
	return pack.WriteFile(path, []byte(executable.Digest+" in "+packed.Digest))
}

func (w *workshop) checksums(path string, files []release.File) (release.File, error) {
	leave, err := w.enter(context.Background(), checksums, -1)
	defer leave()
	if err != nil {
		return release.File{}, err
	}
	return pack.Checksums(path, files)
}

func (w *workshop) image(ctx context.Context, p plan.Plan, s engine.Source, units []release.Unit, dir string) ([]release.Image, error) {
	if _, err := os.Stat(s.Root); err != nil {
		return nil, err // the source is needed for files beside the programs
	}
	leave, err := w.enter(ctx, image, -1)
	defer leave()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var text []byte
	for _, u := range units {
		text = append(text, u.Binary.Digest...)
	}
	index, err := pack.WriteFile(filepath.Join(dir, "index.json"), text)
	return []release.Image{{Repository: p.Images[0].Repository, Layout: dir, Digest: index.Digest}}, err
}

// unit is the index of the unit with an archive.
func (w *workshop) unit(archive string) int {
	return slices.IndexFunc(w.plan.Units, func(u plan.Unit) bool { return u.Archive == archive })
}

// name is the task of a unit.
func (w *workshop) name(unit int) string {
	u := w.plan.Units[unit]
	return u.Build + " " + u.Target.String()
}
