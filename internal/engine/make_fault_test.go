package engine_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/task"
)

// place is a call of an edge that something happens in.
type place struct {
	edge string
	unit int
}

// places are all calls of Make, in no order.
func places(units int) []place {
	out := []place{{source, -1}, {checksums, -1}, {image, -1}, {remove, -1}}
	for i := range units {
		for _, edge := range []string{compile, inspect, archive, describe} {
			out = append(out, place{edge, i})
		}
	}
	return out
}

// Every call fails in turn, while whatever can go on beside it does: the others are
// stopped and waited for, and the error says what failed, of what, and why.
func TestMakeFails(t *testing.T) {
	for _, compiles := range []int{1, 2} {
		for _, p := range places(3) {
			t.Run(fmt.Sprintf("%s, %d at once", call(p.edge, p.unit), compiles), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fail(t, p, compiles) })
			})
		}
	}
}

func fail(t *testing.T, p place, compiles int) {
	w := newWorkshop(t)
	w.compiles = compiles
	cause := fmt.Errorf("writing a file: %w", syscall.ENOSPC)
	if p.edge == compile { // its error names the unit
		u := w.plan.Units[p.unit]
		cause = &gobuild.Failure{Unit: u.Build + " for " + u.Target.String(), Err: syscall.ENOSPC}
	}
	waiting := 0
	w.at = func(ctx context.Context, edge string, unit int) error {
		beside := edge == archive && unit < p.unit || edge == compile && unit > p.unit
		switch {
		case p == place{edge, unit}:
			synctest.Wait() // until all others wait for the end of their context
			return cause
		case p.unit >= 0 && beside:
			w.mu.Lock()
			waiting++
			w.mu.Unlock()
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
	result, err := w.make(t.Context())
	if !errors.Is(err, syscall.ENOSPC) || strings.Count(err.Error(), syscall.ENOSPC.Error()) != 1 {
		t.Errorf("error %v, want the cause, once", err)
	}
	if !reflect.DeepEqual(result, engine.Result{}) {
		t.Errorf("the result beside an error: %+v", result)
	}
	w.ended(p.edge == source)
	states := ends(t, w.events, engine.PhaseMake)
	if p.unit < 0 {
		only(t, states, task.Done, task.Failed)
		if failed := states[image] == task.Failed; failed != (p.edge == image) {
			t.Errorf("the image is %s", states[image])
		}
		return
	}
	w.failed(p.unit, err, states)
	stopped := 0
	for _, state := range states {
		if state == task.Stopped {
			stopped++
		}
	}
	if stopped != waiting || waiting < p.unit {
		t.Errorf("%d tasks were stopped, and %d were waiting", stopped, waiting)
	}
}

// failed demands that a unit, and it alone, is what failed, in the error and in the
// events.
func (w *workshop) failed(unit int, err error, states map[string]task.State) {
	w.Helper()
	u := w.plan.Units[unit]
	if name := u.Build + " for " + u.Target.String(); strings.Count(err.Error(), name) != 1 {
		w.Errorf("error %v, want it to name %s", err, name)
	}
	for name, state := range states {
		if (state == task.Failed) != (name == w.name(unit)) {
			w.Errorf("%s is %s", name, state)
		}
	}
	for _, e := range w.events {
		if e.State == task.Failed && e.Text != err.Error() {
			w.Errorf("the event says %q, the error %q", e.Text, err)
		}
	}
}

// ended demands that nothing runs any more, that nothing began in vain, and that the
// source is gone.
func (w *workshop) ended(without bool) {
	w.Helper()
	for edge, n := range w.running {
		if n != 0 {
			w.Errorf("%d calls of %s were not waited for", n, edge)
		}
	}
	for _, c := range w.late {
		if edge, _, _ := cut(c); edge == compile || edge == image {
			w.Errorf("%s began when there was no use in it", c)
		}
	}
	want := 1
	if without {
		want = 0
	}
	if got := len(w.called(remove)); got != want {
		w.Errorf("the source was removed %d times, want %d", got, want)
	}
}

// The context ends in the middle of every call in turn; the edge heeds it or does not.
func TestMakeCancelled(t *testing.T) {
	for _, heeds := range []bool{true, false} {
		for _, p := range places(3) {
			t.Run(fmt.Sprintf("%s, heeded: %t", call(p.edge, p.unit), heeds), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { cancelled(t, p, heeds) })
			})
		}
	}
}

var errInterrupt = errors.New("interrupt")

func cancelled(t *testing.T, p place, heeds bool) {
	w := newWorkshop(t)
	w.compiles = 2
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w.at = func(edge context.Context, name string, unit int) error {
		if p == (place{name, unit}) {
			synctest.Wait()
			cancel(errInterrupt)
		}
		if heeds && edge.Err() != nil {
			return context.Cause(edge)
		}
		return nil
	}
	result, err := w.make(ctx)
	w.ended(p.edge == source && heeds)
	states := ends(t, w.events, engine.PhaseMake)
	if p.edge == remove || p.edge == image && !heeds { // everything was made
		only(t, states, task.Done)
		if err != nil || len(result.Images) == 0 {
			t.Errorf("result %+v, %v", result, err)
		}
		return
	}
	if !errors.Is(err, errInterrupt) || !reflect.DeepEqual(result, engine.Result{}) {
		t.Errorf("result %+v, error %v, want %v alone", result, err, errInterrupt)
	}
	only(t, states, task.Done, task.Stopped)
	for _, c := range w.late {
		if _, _, ofUnit := cut(c); !ofUnit {
			t.Errorf("%s began after the end", c)
		}
	}
}

// A source that cannot be removed fails Make, and hides no other error.
func TestMakeTellsBothErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		busy := errors.New("device or resource busy")
		w.at = func(_ context.Context, edge string, unit int) error {
			switch {
			case edge == remove:
				return busy
			case edge == archive && unit == 1:
				return syscall.ENOSPC
			}
			return nil
		}
		if _, err := w.make(t.Context()); !errors.Is(err, busy) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("error %v", err)
		}
	})
}
