package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// A second compile runs beside the linker of the first one, and beside nothing else, when
// there is as much memory as any has taken so far.
func TestMakeBesideLinker(t *testing.T) {
	for name, tt := range map[string]struct {
		load  engine.Load
		limit int64
		free  func() int64
		want  int
	}{
		"compiling":             {engine.Load{Memory: 100}, 0, nil, 1},
		"linking":               {engine.Load{Memory: 100, Linking: true}, 0, nil, 2},
		"linking, enough free":  {engine.Load{Memory: 100, Linking: true}, 0, func() int64 { return 100 }, 2},
		"linking, little free":  {engine.Load{Memory: 100, Linking: true}, 0, func() int64 { return 99 }, 1},
		"linking, size unknown": {engine.Load{Linking: true}, 0, func() int64 { return 1000 }, 1},
		"linking, limit":        {engine.Load{Memory: 100, Linking: true}, 200, nil, 2},
		"linking, was larger":   {engine.Load{Memory: 20, Linking: true}, 0, func() int64 { return 179 }, 1}, // 100 for one more, 80 to grow again
		"linking, was large":    {engine.Load{Memory: 20, Linking: true}, 0, func() int64 { return 180 }, 2},
		"linking, low limit":    {engine.Load{Memory: 100, Linking: true}, 199, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorkshop(t)
				w.compiles, w.memory, w.free = 0, tt.limit, tt.free
				w.way = func(_ context.Context, unit int, way engine.Way) error {
					if tt.load.Memory == 20 {
						way.Load(engine.Load{Memory: 100})
					}
					way.Load(tt.load)
					time.Sleep(time.Minute) // of the test: whatever else can begin has begun
					return nil
				}
				if _, err := w.make(t.Context()); err != nil || w.most[compile] != tt.want {
					t.Errorf("%d compiles at once, %v, want %d", w.most[compile], err, tt.want)
				}
			})
		})
	}
}

// What others take is looked at again while a compile waits.
func TestMakeMemoryComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		var asked int
		w.compiles, w.free = 2, func() int64 { asked++; return int64(asked) * 10 } // what is asked for is 50
		both := make(chan struct{})
		w.way = func(_ context.Context, unit int, way engine.Way) error {
			way.Load(engine.Load{Memory: 50, Linking: true})
			switch unit {
			case 0:
				<-both
			case 1:
				close(both)
			}
			return nil
		}
		if _, err := w.make(t.Context()); err != nil || asked < 5 {
			t.Errorf("asked %d times, %v", asked, err)
		}
	})
}

// out is what the kernel does when memory runs out.
type out struct{}

func (out) Error() string { return "signal: killed" }
func (out) Killed() bool  { return true }

// A compile that is killed has a second try, when nothing else is compiled; and those that
// come after it begin like that.
func TestMakeKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.compiles = 2
		tries, busy := 0, make(chan struct{})
		w.way = func(_ context.Context, unit int, way engine.Way) error {
			switch unit {
			case 1:
				<-busy
				return nil
			case 0:
				tries++
			}
			if want := unit == 2 || tries == 2; way.Alone != want {
				t.Errorf("unit %d: alone is %t, want %t", unit, way.Alone, want)
			}
			if unit == 0 && tries == 1 {
				go func() { time.Sleep(time.Minute); close(busy) }()
				return out{}
			}
			time.Sleep(time.Minute)
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.running[compile] != 1 {
				t.Errorf("unit %d: %d compiles at once", unit, w.running[compile])
			}
			return nil
		}
		if _, err := w.make(t.Context()); err != nil || tries != 2 {
			t.Errorf("%d tries, %v", tries, err)
		}
		if !slices.ContainsFunc(w.events, func(e task.Event) bool {
			return e.State == task.Warning && strings.Contains(e.Text, "memory is short")
		}) {
			t.Errorf("nobody says so: %v", w.events)
		}
	})
}

// Who waits does not overtake the one that was killed, in the way that is the default.
func TestMakeKilledIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.compiles = 0
		var order []string
		w.way = func(_ context.Context, unit int, way engine.Way) error {
			order = append(order, fmt.Sprintf("%d %t", unit, way.Alone)) // one at a time
			time.Sleep(time.Minute)
			if len(order) == 1 {
				return out{}
			}
			return nil
		}
		_, err := w.make(t.Context())
		if got := strings.Join(order, ", "); err != nil || got != "0 false, 0 true, 1 true, 2 true" {
			t.Errorf("%s, %v", got, err)
		}
	})
}

// With several at once, a limit holds for what they will take, not for what they take when
// they begin.
func TestMakeLimit(t *testing.T) {
	for limit, want := range map[int64]int{199: 1, 200: 2, 300: 3, 1000: 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorkshop(t)
			u := w.plan.Units[0]
			for _, arch := range []string{"386", "ppc64le", "s390x"} {
				u.Target.Arch = arch
				u.Archive = "hello_1.2.3_" + u.Target.Suffix() + ".tar.gz"
				u.SBOM = u.Archive + release.SBOMSuffix
				w.plan.Units = append(w.plan.Units, u)
			}
			w.compiles, w.memory = 3, limit
			w.way = func(_ context.Context, unit int, way engine.Way) error {
				way.Load(engine.Load{Memory: 10})
				time.Sleep(time.Minute)
				way.Load(engine.Load{Memory: 100})
				time.Sleep(time.Minute)
				return nil
			}
			if _, err := w.make(t.Context()); err != nil || w.most[compile] != want {
				t.Errorf("limit %d: %d compiles at once, %v, want %d", limit, w.most[compile], err, want)
			}
		})
	}
}

// There is no third try; what fails otherwise, or was cancelled, has no second one.
func TestMakeKilledAgain(t *testing.T) {
	other := errors.New("undefined: nobody")
	for name, tt := range map[string]struct {
		err    error
		cancel bool
		tries  int
	}{"killed": {out{}, false, 2}, "another failure": {other, false, 1}, "cancelled": {out{}, true, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorkshop(t)
				w.compiles = 2
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				tries := 0
				w.way = func(ctx context.Context, unit int, _ engine.Way) error {
					if unit == 1 {
						<-ctx.Done()
						return context.Cause(ctx)
					}
					if unit > 1 {
						t.Errorf("unit %d begins after a failure", unit)
					}
					tries++
					if tt.cancel {
						cancel()
					}
					return tt.err
				}
				if name == "killed" {
					w.compiles = 1 // or it would wait for the other one
				}
				if _, err := w.make(ctx); err == nil || tries != tt.tries || !tt.cancel && !errors.Is(err, tt.err) {
					t.Errorf("%d tries, %v", tries, err)
				}
			})
		})
	}
}

// The host's platform is compiled first, and the order of what was made stays the plan's.
func TestMakeHostFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.host = "windows/amd64"
		result, err := w.make(t.Context())
		if got := strings.Join(w.called(compile), ", "); err != nil || got != "compile 2, compile 0, compile 1" {
			t.Errorf("%s, %v", got, err)
		}
		for i, u := range result.Units {
			if u.Target != w.plan.Units[i].Target {
				t.Errorf("unit %d is for %s, want %s", i, u.Target, w.plan.Units[i].Target)
			}
		}
	})
}
