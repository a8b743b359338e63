package cli_test

import (
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestInterrupted: told to stop while somebody keeps it waiting, the real program ends
// within 5 s and says what is left; running again finishes.
func TestInterrupted(t *testing.T) {
	path := program(t)
	whole := newJob(t)
	if code, said := whole.run(t, onePlatform...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	want := whole.released(t)
	for name, c := range map[string]struct {
		method, path string // of the call that is never answered
		want         string
	}{
		"preflight": {http.MethodGet, "/git/ref/tags/", "nothing was published"},
		"signing":   {http.MethodPost, "/api/v2/signingCert", "nothing was published"},
		"upload":    {http.MethodPost, "/releases/1/assets", "what was uploaded is in the draft http"},
		"push":      {http.MethodPut, "/manifests/", "what was uploaded is in the draft http"},
		"publish":   {http.MethodPatch, "/releases/1", "what was uploaded is in the draft http"},
		"tag":       {http.MethodPut, "/manifests/latest", "is public, and something that belongs to it may be missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t)
			var once sync.Once
			held, gone := make(chan struct{}), make(chan struct{})
			j.meet(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == c.method && strings.Contains(r.URL.Path, c.path) {
						once.Do(func() { close(held) })
						<-gone
						panic(http.ErrAbortHandler)
					}
					next.ServeHTTP(w, r)
				})
			})
			p := j.begin(t, path, nil, onePlatform...)
			select {
			case <-held:
			case <-p.done:
				close(gone)
				_, said := p.end()
				t.Fatalf("it ended:\n%.4000s", said)
			}
			begun := time.Now()
			if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(5*time.Second, p.kill) // what it takes longer is an error
			code, said := p.end()
			watchdog.Stop()
			close(gone)
			t.Logf("ended after %v", time.Since(begun))
			if code != 130 || !strings.Contains(said, "interrupted; ") || !strings.Contains(said, c.want) || !strings.Contains(said, "running the same command again") {
				t.Errorf("exit code %d:\n%.4000s", code, said)
			}
			j.meet(nil)
			if code, said := j.run(t, onePlatform...); code != 0 {
				t.Fatalf("running again: exit code %d:\n%.4000s", code, said)
			}
			if got := j.released(t); !reflect.DeepEqual(got, want) {
				t.Errorf("running again ends with\n%+v\nwant\n%+v", got, want)
			}
		})
	}
}
