package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// TestKilled kills the real program in the middle of the calls that it makes and after
// them, and at the events that it reports. Nothing is public unless the commit point was passed; the next run ends where an undisturbed one
// does, and stores nothing again.
func TestKilled(t *testing.T) {
	path := program(t)
	args := []string{"release", "--platforms", "linux/amd64", "--json"}
	whole := newJob(t)
	var calls, events atomic.Int64
	whole.meet(func(next http.Handler) http.Handler {
		calls.Add(1)
		return next
	})
	begun := time.Now()
	code, said := whole.begin(t, path, func(*process, string) { events.Add(1) }, args...).end()
	if code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	t.Logf("%d calls, %d lines, %v", calls.Load(), events.Load(), time.Since(begun))
	whole.meet(nil)
	want := whole.released(t)

	point := 0
	stride := stride(t)
	kill := func(name string, run func(t *testing.T, j *job)) {
		if point++; point%stride != 0 {
			return
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t)
			run(t, j)
			j.finishes(t, path, args, want)
		})
	}
	for n := range int(calls.Load()) {
		kill(fmt.Sprintf("in call %d", n), func(t *testing.T, j *job) { j.killAtCall(t, path, n, hub.CutMidway, args) })
		kill(fmt.Sprintf("after call %d", n), func(t *testing.T, j *job) { j.killAtCall(t, path, n, hub.CutAfter, args) })
		kill(fmt.Sprintf("after call %d, lists lag", n), func(t *testing.T, j *job) {
			j.stage.Hub.Lag(2)
			j.killAtCall(t, path, n, hub.CutAfter, args)
			j.lag = 2
		})
	}
	for n := range int(events.Load()) {
		kill(fmt.Sprintf("at line %d", n), func(t *testing.T, j *job) {
			seen := 0
			j.begin(t, path, func(p *process, _ string) {
				if seen == n {
					p.kill()
				}
				seen++
			}, args...).end()
		})
	}
	t.Logf("%d points, every %d. of them", point, stride)
}

// stride is how many points lie between two that are taken; KILL_POINTS=1 takes all of
// them, which takes a quarter of an hour.
func stride(t *testing.T) int {
	t.Helper()
	switch wanted := os.Getenv("KILL_POINTS"); {
	case wanted == "" && testing.Short():
		return 40
	case wanted == "":
		return 13
	default:
		n, err := strconv.Atoi(wanted)
		if err != nil || n < 1 {
			t.Fatalf("KILL_POINTS %q: want a number", wanted)
		}
		return n
	}
}

// killAtCall runs the program until it makes a call, which meets the fault.
func (j *job) killAtCall(t *testing.T, path string, n int, fault hub.Fault, args []string) {
	t.Helper()
	var p atomic.Pointer[process]
	started := make(chan struct{})
	var seen atomic.Int64
	j.meet(func(next http.Handler) http.Handler {
		if seen.Add(1) != int64(n)+1 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// What the fault does to the connection is for a program that is gone.
			func() {
				defer func() { _ = recover() }()
				fault(next).ServeHTTP(httptest.NewRecorder(), r)
			}()
			<-started
			p.Load().kill()
			panic(http.ErrAbortHandler)
		})
	})
	p.Store(j.begin(t, path, nil, args...))
	close(started)
	p.Load().end()
	j.meet(nil)
}

// finishes looks at what a run left that was killed, and runs again.
func (j *job) finishes(t *testing.T, path string, args []string, want content) {
	t.Helper()
	committed := false
	for _, call := range j.stage.Hub.Calls() {
		committed = committed || call.Method == http.MethodPatch && strings.HasPrefix(call.Path, "/repos/octo/hello/releases/")
	}
	if j.lag == 0 { // looking would take a turn of the lag
		for _, page := range j.pages(t) {
			if !page.Draft && !committed {
				t.Errorf("it is public: %+v", page)
			}
		}
	}
	if tags := j.imageTags(t); len(tags) > 0 && !committed {
		t.Errorf("image tags %v", tags)
	}
	code, said := j.begin(t, path, nil, args...).end()
	if code != 0 {
		t.Fatalf("running again: exit code %d:\n%.4000s", code, said)
	}
	for range j.lag { // until the lists show everything
		_ = j.pages(t)
	}
	if got := j.released(t); !reflect.DeepEqual(got, want) {
		t.Errorf("running again ends with\n%+v\nwant\n%+v\nit said\n%.3000s", got, want, said)
	}
	if uploads := j.uploads(); !once(uploads) && j.lag == 0 { // who sees no draft fills another
		t.Errorf("uploads %v", uploads)
	}
	j.verified(t)
}
