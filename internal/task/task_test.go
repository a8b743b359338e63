package task_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/org/pgo-release/internal/task"
)

var errBroken = errors.New("broken")

// log collects lines from several goroutines.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// gauge counts how many are inside at once, and the most there ever were.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	n := g.now.Add(1)
	for {
		most := g.most.Load()
		if n <= most || g.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

// meeting lets everybody wait until n are there.
type meeting struct {
	n    atomic.Int64
	full chan struct{}
}

func newMeeting(n int64) *meeting {
	m := &meeting{full: make(chan struct{})}
	m.n.Store(n)
	return m
}

func (m *meeting) wait(ctx context.Context) error {
	if m.n.Add(-1) == 0 {
		close(m.full)
	}
	select {
	case <-m.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestEachInOrderOneByOne(t *testing.T) {
	var l log
	err := task.Each(t.Context(), 1, 4, func(_ context.Context, i int) error {
		l.add("%d", i)
		return nil
	})
	if got := strings.Join(l.all(), " "); err != nil || got != "0 1 2 3" {
		t.Errorf("%s, %v", got, err)
	}
}

// As many as the limit are inside at once, and no more.
func TestEachLimit(t *testing.T) {
	for _, c := range []struct{ limit, n, most int }{{1, 5, 1}, {3, 9, 3}, {3, 2, 2}, {0, 7, 7}, {-1, 7, 7}, {2, 0, 0}} {
		var g gauge
		met := newMeeting(int64(c.most))
		err := task.Each(t.Context(), c.limit, c.n, func(ctx context.Context, _ int) error {
			g.enter()
			defer g.leave()
			return met.wait(ctx) // nobody leaves before the place is full
		})
		if err != nil || g.most.Load() != int64(c.most) {
			t.Errorf("%+v: %d at once, %v", c, g.most.Load(), err)
		}
	}
}

// The first error ends the others, and is the one that is returned, whatever they make
// of it; it is returned when all have ended.
func TestEachFirstError(t *testing.T) {
	var ended atomic.Int64
	met := newMeeting(3)
	err := task.Each(t.Context(), 3, 3, func(ctx context.Context, i int) error {
		defer ended.Add(1)
		if err := met.wait(ctx); err != nil {
			return err
		}
		if i == 1 {
			return errBroken
		}
		<-ctx.Done()
		return fmt.Errorf("task %d: %w", i, ctx.Err())
	})
	if err != errBroken || ended.Load() != 3 {
		t.Errorf("%v after %d ended", err, ended.Load())
	}
}

// After an error nothing begins any more.
func TestEachStopsBeginning(t *testing.T) {
	for range 100 {
		var l log
		err := task.Each(t.Context(), 1, 5, func(_ context.Context, i int) error {
			l.add("%d", i)
			if i == 1 {
				return errBroken
			}
			return nil
		})
		if got := strings.Join(l.all(), " "); err != errBroken || got != "0 1" {
			t.Fatalf("began %s, %v", got, err)
		}
	}
}

// steps are the two ways of working: each test of cancelling holds for both.
var steps = map[string]func(ctx context.Context, limit, n int, do func(context.Context, int) error) error{
	"each": task.Each,
	"flow": func(ctx context.Context, limit, n int, do func(context.Context, int) error) error {
		return task.Flow(ctx, limit, n, do, func(context.Context, int) error { return nil })
	},
	"flow's second step": func(ctx context.Context, limit, n int, do func(context.Context, int) error) error {
		return task.Flow(ctx, limit, n, func(context.Context, int) error { return nil }, do)
	},
}

func TestCancelledBefore(t *testing.T) {
	for name, run := range steps {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := run(ctx, 2, 3, func(context.Context, int) error {
			t.Errorf("%s: began", name)
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A parent that is cancelled is the error, with its cause, even when nobody noticed.
func TestCancelledMeanwhile(t *testing.T) {
	for name, run := range steps {
		for _, cause := range []error{nil, errBroken} {
			ctx, cancel := context.WithCancelCause(t.Context())
			err := run(ctx, 1, 1, func(context.Context, int) error {
				cancel(cause)
				return nil
			})
			want := cause
			if want == nil {
				want = context.Canceled
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
}

func TestNothingToDo(t *testing.T) {
	for name, run := range steps {
		if err := run(t.Context(), 1, 0, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The first steps go in order and one by one; a second step begins while the first of
// the next goes on, and second steps are not bounded.
func TestFlow(t *testing.T) {
	const n = 4
	var all log
	var g gauge
	packing := newMeeting(n)
	err := task.Flow(t.Context(), 1, n,
		func(_ context.Context, i int) error {
			g.enter()
			defer g.leave()
			all.add("%d", i)
			return nil
		},
		func(ctx context.Context, i int) error {
			all.add("then %d", i)
			return packing.wait(ctx) // only when all are in their second step
		})
	lines := all.all()
	order := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, "then") })
	if err != nil || g.most.Load() != 1 || strings.Join(order, " ") != "0 1 2 3" || len(lines) != 2*n {
		t.Errorf("%q, %d at once, %v", lines, g.most.Load(), err)
	}
	for i := range n {
		if slices.Index(lines, fmt.Sprint(i)) > slices.Index(lines, fmt.Sprintf("then %d", i)) {
			t.Errorf("%d: its second step came first: %q", i, lines)
		}
	}
}

func TestFlowLimit(t *testing.T) {
	for _, c := range []struct{ limit, n, most int }{{2, 6, 2}, {0, 5, 5}} {
		var g gauge
		met := newMeeting(int64(c.most))
		var then atomic.Int64
		err := task.Flow(t.Context(), c.limit, c.n,
			func(ctx context.Context, _ int) error {
				g.enter()
				defer g.leave()
				return met.wait(ctx)
			},
			func(context.Context, int) error { then.Add(1); return nil })
		if err != nil || g.most.Load() != int64(c.most) || then.Load() != int64(c.n) {
			t.Errorf("%+v: %d at once, %d second steps, %v", c, g.most.Load(), then.Load(), err)
		}
	}
}

// A first step that fails ends the second steps, and nothing begins any more.
func TestFlowFirstFails(t *testing.T) {
	for range 100 {
		var l log
		err := task.Flow(t.Context(), 1, 4,
			func(_ context.Context, i int) error {
				l.add("%d", i)
				if i == 1 {
					return errBroken
				}
				return nil
			},
			func(ctx context.Context, i int) error {
				l.add("then %d", i)
				<-ctx.Done()
				return fmt.Errorf("task %d: %w", i, ctx.Err())
			})
		lines := l.all()
		slices.Sort(lines)
		if got := strings.Join(lines, ", "); err != errBroken || got != "0, 1, then 0" {
			t.Fatalf("%s, %v", got, err)
		}
	}
}

// A second step that fails ends the first steps that go on.
func TestFlowThenFails(t *testing.T) {
	var l log
	began := make(chan struct{})
	err := task.Flow(t.Context(), 1, 4,
		func(ctx context.Context, i int) error {
			l.add("%d", i)
			if i == 0 {
				return nil
			}
			close(began)
			<-ctx.Done()
			return ctx.Err()
		},
		func(context.Context, int) error {
			<-began
			return errBroken
		})
	if got := strings.Join(l.all(), " "); err != errBroken || got != "0 1" {
		t.Errorf("began %s, %v", got, err)
	}
}

// The error that came first is returned, also when other first steps take their time
// to end and a second step fails meanwhile.
func TestFlowFirstErrorOfAll(t *testing.T) {
	packing, failed := make(chan struct{}), make(chan struct{})
	err := task.Flow(t.Context(), 2, 3,
		func(ctx context.Context, i int) error {
			switch i {
			case 0:
				return nil
			case 1:
				<-packing
				return errBroken
			}
			<-failed // a compiler that does not end at once
			return ctx.Err()
		},
		func(ctx context.Context, i int) error {
			close(packing)
			<-ctx.Done() // the first step of 1 failed
			close(failed)
			return errors.New("consequence")
		})
	if err != errBroken {
		t.Errorf("%v", err)
	}
}

// What was begun is brought to its end: a task whose first step was done has its
// second one, which finds its context cancelled.
func TestFlowBegunIsEnded(t *testing.T) {
	for range 100 {
		first := make(chan struct{})
		var then atomic.Int64
		err := task.Flow(t.Context(), 2, 2,
			func(ctx context.Context, i int) error {
				if i == 1 {
					<-first
					return errBroken
				}
				close(first)
				<-ctx.Done() // done all the same
				return nil
			},
			func(ctx context.Context, _ int) error {
				then.Add(1)
				return ctx.Err()
			})
		if err != errBroken || then.Load() != 1 {
			t.Fatalf("%v, %d second steps", err, then.Load())
		}
	}
}

func TestTrack(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want task.Event
	}{
		"done":             {t.Context(), nil, task.Event{State: task.Done, Text: "12 files"}},
		"failed":           {t.Context(), errBroken, task.Event{State: task.Failed, Text: "broken"}},
		"stopped":          {cancelled, errBroken, task.Event{State: task.Stopped}},
		"done after all":   {cancelled, nil, task.Event{State: task.Done, Text: "12 files"}},
		"own cancellation": {t.Context(), context.Canceled, task.Event{State: task.Failed, Text: "context canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []task.Event
			err := task.Track(c.ctx, func(e task.Event) { got = append(got, e) }, "ship", "app.zip", 3, func(stage func(string)) (string, error) {
				stage("hashing")
				stage("uploading")
				return "12 files", c.err
			})
			if err != c.err {
				t.Errorf("returned %v", err)
			}
			if len(got) == 0 {
				t.Fatal("no events")
			}
			end := &got[len(got)-1]
			if end.Took <= 0 {
				t.Errorf("took %v", end.Took)
			}
			end.Took = 0
			c.want.Phase, c.want.Task = "ship", "app.zip"
			want := []task.Event{
				{Phase: "ship", Task: "app.zip", State: task.Started, Number: 3},
				{Phase: "ship", Task: "app.zip", State: task.Working, Stage: "hashing"},
				{Phase: "ship", Task: "app.zip", State: task.Working, Stage: "uploading"},
				c.want,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		})
	}
}
