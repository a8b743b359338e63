package cli_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// twin is the same job, run again at the same time: elsewhere, and with a token of its own.
func (j *job) twin(t *testing.T) *job {
	t.Helper()
	other := &job{dir: t.TempDir(), stage: j.stage, env: map[string]string{}}
	if err := os.CopyFS(other.dir, os.DirFS(j.dir)); err != nil {
		t.Fatal(err)
	}
	for name, value := range j.env {
		other.env[name] = value
	}
	other.env["GITHUB_TOKEN"] = j.stage.Hub.Issue(hub.Permissions{Contents: hub.Write, PullRequests: hub.Write, Attestations: hub.Write, Workflows: hub.Write})
	j.stage.Registry.Admit(other.env["GITHUB_TOKEN"])
	return other
}

// made tells whether a job made a request, to GitHub or to the registry.
func (j *job) made(r *http.Request) bool {
	given := r.Header.Get("Authorization")
	if basic, ok := strings.CutPrefix(given, "Basic "); ok {
		text, err := base64.StdEncoding.DecodeString(basic)
		return err == nil && strings.HasSuffix(string(text), ":"+j.env["GITHUB_TOKEN"])
	}
	return given == "Bearer "+j.env["GITHUB_TOKEN"]
}

// gate holds the n-th call of a job until it is opened.
type gate struct {
	job     *job
	n       int
	after   bool          // the call is carried out before it is held
	reached chan struct{} // closed when the call is held
	open    chan struct{} // to be closed

	mu   sync.Mutex
	seen int
}

func newGate(j *job, n int, after bool) *gate {
	return &gate{job: j, n: n, after: after, reached: make(chan struct{}), open: make(chan struct{})}
}

// hold is the fault that holds the call.
func (g *gate) hold(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := false
		if g.job.made(r) {
			g.mu.Lock()
			held = g.seen == g.n
			g.seen++
			g.mu.Unlock()
		}
		if held && !g.after {
			close(g.reached)
			<-g.open
		}
		if !held || !g.after {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder() // the client would go on with the answer
		next.ServeHTTP(answer, r)
		close(g.reached)
		<-g.open
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// ran is how a run ended.
type ran struct {
	code int
	said string
}

func (j *job) start(t *testing.T, args []string) <-chan ran {
	out := make(chan ran, 1)
	go func() {
		code, said := j.run(t, args...)
		out <- ran{code, said}
	}()
	return out
}

// TestTwoRuns runs one release twice at the same time. The first is held at each of its
// calls in turn, before the call is carried out or after, while the second runs: to its
// end, or to a call of its own at which the first goes on. Both end well, with one release.
func TestTwoRuns(t *testing.T) {
	args := []string{"release", "--platforms", "linux/amd64"}
	whole := newJob(t)
	calls := newGate(whole, -1, false)
	whole.meet(calls.hold)
	if code, said := whole.run(t, args...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	want := whole.released(t)
	t.Logf("%d calls", calls.seen)
	interleave := func(n, m, lag int) {
		t.Run(fmt.Sprintf("first held at %d, second at %d, lists lag by %d", n, m, lag), func(t *testing.T) {
			t.Parallel()
			a := newJob(t)
			b := a.twin(t)
			a.stage.Hub.Lag(lag)
			// Every other point lies after the call.
			first, second := newGate(a, n, n%2 == 1), newGate(b, m, m%2 == 1)
			a.meet(func(next http.Handler) http.Handler { return first.hold(second.hold(next)) })
			one := a.start(t, args)
			var ends []ran
			select {
			case <-first.reached:
				two := b.start(t, args)
				select {
				case <-second.reached:
					close(first.open)
					ends = append(ends, <-one)
					close(second.open)
					ends = append(ends, <-two)
				case end := <-two:
					close(first.open)
					ends = append(ends, end, <-one)
				}
			case end := <-one: // it made fewer calls
				ends = append(ends, end)
			}
			for i, end := range ends {
				if end.code != 0 {
					t.Errorf("run %d of %d to end: exit code %d:\n%.6000s", i+1, len(ends), end.code, end.said)
				}
			}
			a.meet(nil)
			for range lag { // until the lists show everything
				_ = a.pages(t)
			}
			got := a.released(t)
			got.Beside = slices.Compact(got.Beside) // each may have attached its own
			if !reflect.DeepEqual(got, want) {
				t.Errorf("they end with\n%+v\nwant\n%+v", got, want)
			}
			a.verified(t)
		})
	}
	step := 5 // odd, so that it changes between before and after
	if testing.Short() {
		step = 15
	}
	for n := 0; n < calls.seen; n += step {
		interleave(n, -1, 0) // the second runs to its end
	}
	for n := 1; n < calls.seen; n += 2 * step {
		interleave(n, n, 0)
		interleave(n, n+2, 2)
	}
}
