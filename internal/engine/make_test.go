package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The tests of Make run in bubbles (testing/synctest): one that waits for ever, and one
// that leaves a goroutine behind, fails.

func TestMake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		result, err := w.make(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := w.called(compile), []string{"compile 0", "compile 1", "compile 2"}; !slices.Equal(got, want) {
			t.Errorf("compiled in the order %q, want the plan's", got)
		}
		for i, u := range w.plan.Units {
			made := result.Units[i]
			if made.Build != u.Build || made.Target != u.Target || made.Binary.Name != u.Binary || made.Archive.Name != u.Archive || made.SBOM.Name != u.SBOM {
				t.Errorf("unit %d is %+v, want %+v", i, made, u)
			}
			if want := filepath.Join(w.layout.Binaries, "hello_"+u.Target.Suffix(), u.Binary); made.Binary.Path != want {
				t.Errorf("the binary of %s lies at %q, want %q", w.name(i), made.Binary.Path, want)
			}
			for _, f := range []release.File{made.Binary, made.Archive, made.SBOM} {
				same(t, f)
			}
			entries := w.entries[u.Archive]
			if len(entries) != 3 || entries[0] != (engine.Entry{Name: u.Binary, Path: made.Binary.Path, Executable: true}) ||
				entries[1].Name != "LICENSE" || entries[2].Name != "README.md" || entries[1].Executable || entries[2].Executable ||
				!strings.HasSuffix(entries[2].Path, filepath.Join("docs", "README.md")) {
				t.Errorf("the entries of %s are %+v", u.Archive, entries)
			}
		}
		same(t, result.Checksums)
		listed, err := pack.ParseChecksums(read(t, result.Checksums.Path))
		if err != nil || len(listed) != 6 {
			t.Errorf("checksums %v, %v", listed, err)
		}
		for _, a := range result.Subjects() {
			if listed[a.Name] != a.Digest {
				t.Errorf("%s is listed with %q, want %q", a.Name, listed[a.Name], a.Digest)
			}
		}
		if len(result.Images) != 1 || result.Images[0].Layout != w.layout.Image {
			t.Errorf("images %+v", result.Images)
		}
		if !slices.Equal(w.called(remove), []string{remove}) || left(t, w.layout.Root, "source-*") {
			t.Errorf("the source was removed by %q", w.called(remove))
		}
		ended := ends(t, w.events, engine.PhaseMake)
		only(t, ended, task.Done)
		if len(ended) != 4 {
			t.Errorf("tasks %v, want the units and the image", ended)
		}
		for _, e := range w.events {
			if e.State == task.Started && e.Task != image && e.Number != len(w.plan.Units) {
				t.Errorf("%s started as one of %d", e.Task, e.Number)
			}
			if i := slices.IndexFunc(result.Units, func(u release.Unit) bool { return e.Text == u.Archive.Name }); e.State == task.Done && e.Task != image &&
				(i < 0 || e.Size != result.Units[i].Archive.Size || e.Task != w.name(i)) {
				t.Errorf("the end of %s: %+v", e.Task, e)
			}
		}
	})
}

func TestMakeWithoutImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.plan.Images = nil
		w.compiles = 0 // which means one at a time
		result, err := w.make(t.Context())
		if err != nil || result.Images != nil || len(w.called(image)) > 0 || w.most[compile] != 1 {
			t.Errorf("images %+v, %v; %d compiles at once", result.Images, err, w.most[compile])
		}
	})
}

// One unit is packed while the next is compiled, and units are packed side by side.
func TestMakeOverlaps(t *testing.T) {
	for _, compiles := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorkshop(t)
			w.compiles = compiles
			n := len(w.plan.Units)
			compiling, packing := make([]chan struct{}, n), make([]chan struct{}, n)
			for i := range n {
				compiling[i], packing[i] = make(chan struct{}), make(chan struct{})
			}
			w.at = func(_ context.Context, edge string, unit int) error {
				switch edge {
				case compile:
					close(compiling[unit])
					if ahead := unit - w.compiles; ahead >= 0 { // which made room for this one
						<-packing[ahead]
					}
				case archive: // none ends before all have begun
					close(packing[unit])
					for i := range n {
						<-compiling[i]
						<-packing[i]
					}
				}
				return nil
			}
			if _, err := w.make(t.Context()); err != nil {
				t.Error(err)
			}
			if w.most[compile] > compiles || w.most[archive] != n {
				t.Errorf("%d compiles and %d archives at once, want %d and %d", w.most[compile], w.most[archive], compiles, n)
			}
		})
	}
}

// As many compilers run at once as were asked for, and no more.
func TestMakeCompilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.compiles = 2
		both := make(chan struct{})
		w.at = func(_ context.Context, edge string, unit int) error {
			if edge == compile && unit < 2 {
				if unit == 0 {
					<-both
				} else {
					synctest.Wait() // whatever else can begin has begun
					close(both)
				}
			}
			return nil
		}
		if _, err := w.make(t.Context()); err != nil || w.most[compile] != 2 {
			t.Errorf("%d compiles at once, %v", w.most[compile], err)
		}
	})
}

// The result and every byte of it are the same whichever unit is finished first.
func TestMakeOrder(t *testing.T) {
	var want []string
	for i, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorkshop(t)
			w.compiles = 3
			turn := make([]chan struct{}, len(order))
			for i := range turn {
				turn[i] = make(chan struct{})
			}
			close(turn[order[0]])
			w.at = func(_ context.Context, edge string, unit int) error {
				switch at := slices.Index(order, unit); edge {
				case archive:
					<-turn[unit]
				case describe:
					if at+1 < len(order) {
						close(turn[order[at+1]])
					}
				}
				return nil
			}
			result, err := w.make(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var described []string
			for _, unit := range order {
				described = append(described, call(describe, unit))
			}
			if got := w.called(describe); !slices.Equal(got, described) {
				t.Fatalf("described in the order %q, want %q", got, described)
			}
			got := []string{string(result.Checksums.Digest), string(result.Images[0].Digest)}
			for _, u := range result.Units {
				got = append(got, u.Target.String(), string(u.Binary.Digest), string(u.Archive.Digest), string(u.SBOM.Digest))
			}
			if i == 0 {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("finished in the order %v: %q, want %q", order, got, want)
			}
		})
	}
}

func TestMakeMergesOrigins(t *testing.T) {
	a, b := engine.Module{Path: "a.example/m", Version: "v1.0.0", Sum: "h1:a="}, engine.Module{Path: "b.example/m", Version: "v1.0.0", Sum: "h1:b="}
	newer, replaced := engine.Module{Path: "a.example/m", Version: "v1.2.0", Sum: "h1:c="}, engine.Module{Path: "a.example/local"}
	for i := range 3 { // the map is ranged over in any order
		synctest.Test(t, func(t *testing.T) {
			w := newWorkshop(t)
			w.origins = map[string]engine.Origin{
				w.name(0): {GoVersion: "go1.26.8", Modules: []engine.Module{b, a}},
				w.name(1): {GoVersion: "go1.26.8", Modules: []engine.Module{newer, a}},
				w.name(2): {Modules: []engine.Module{replaced, b, b}},
			}
			result, err := w.make(t.Context())
			want := engine.Origin{GoVersion: "go1.26.8", Modules: []engine.Module{replaced, a, newer, b}}
			if err != nil || !reflect.DeepEqual(result.Origin, want) {
				t.Errorf("run %d: origin %+v, %v, want %+v", i, result.Origin, err, want)
			}
		})
	}
}

// A compiler that says it is done and wrote nothing is found out.
func TestMakeMissingExecutable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		m := engine.Maker{
			Source: w.source, Inspect: w.inspect, Archive: w.archive, Describe: w.describe, Checksums: w.checksums, Images: w.image, Progress: w.progress,
			Compile: func(context.Context, engine.Source, plan.Unit, string, engine.Way) error { return nil },
		}
		_, err := engine.Make(t.Context(), w.plan, w.layout, m)
		if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "checking hello for linux/") {
			t.Errorf("error %v", err)
		}
		only(t, ends(t, w.events, engine.PhaseMake), task.Failed, task.Stopped)
	})
}

// same demands that a file holds what is said of it.
func same(t *testing.T, f release.File) {
	t.Helper()
	if text := read(t, f.Path); int64(len(text)) != f.Size || digestOf(text) != f.Digest || filepath.Base(f.Path) != f.Name {
		t.Errorf("%s holds %d bytes with digest %s: %+v", f.Path, len(text), digestOf(text), f)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// left tells whether there is anything of a name in a directory.
func left(t *testing.T, dir, pattern string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

func digestOf(content []byte) release.Digest {
	return release.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(content)))
}
