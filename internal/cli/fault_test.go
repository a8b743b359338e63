package cli_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/cli"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

// faults are what can happen to a call, and whether the run gets over it.
var faults = map[string]struct {
	fault hub.Fault
	fatal bool // the run has to stop
}{
	"502":                      {hub.Before502, false},
	"502 after it was done":    {hub.After502, false},
	"cut":                      {hub.Cut, false},
	"cut after it was done":    {hub.CutAfter, false},
	"cut in the middle":        {hub.CutMidway, false},
	"slow":                     {hub.Slow(30 * time.Millisecond), false},
	"too many":                 {hub.TooMany(1), false},
	"digests that are unknown": {hub.NullDigests, false},
	"unauthorised":             {hub.Unauthorized, true},
}

// cargo is a signed release on disk, as a run left it, with its plan.
type cargo struct {
	plan   plan.Plan
	signed release.Signed
}

// load makes a release and reads what it left.
func load(t *testing.T) cargo {
	t.Helper()
	j := newJob(t)
	if code, said := j.run(t, onePlatform...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	c := cargo{plan: plan.Plan{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Version: "1.2.3", Tag: "v1.2.3", Commit: j.env["GITHUB_SHA"], Sign: plan.SignKeyless,
		Images: []plan.ImagePlan{{Repository: j.env["INPUT_IMAGE"], Tags: []string{"1.2.3", "latest"}}}, Verdict: version.Verdict{Latest: true},
	}}
	dir := filepath.Join(j.dir, "dist")
	report, err := dist.Dir(dir).Read()
	if err != nil {
		t.Fatal(err)
	}
	var unit release.Unit
	for _, a := range report.Artifacts {
		file := release.File{Name: a.Name, Path: filepath.Join(dir, a.Name), Digest: release.Digest("sha256:" + a.SHA256), Size: a.Size}
		switch a.Kind {
		case release.KindArchive:
			unit.Archive = file
		case release.KindSBOM:
			unit.SBOM = file
		case release.KindChecksums:
			c.signed.Checksums = file
		case release.KindBundle:
			c.signed.Bundle = &file
		case release.KindProvenance:
			c.signed.Provenance = &file
		}
	}
	c.signed.Units = []release.Unit{unit}
	c.signed.Images = []release.Image{{Repository: report.Images[0].Repository, Layout: filepath.Join(dir, "image"), Digest: report.Images[0].Digest}}
	return c
}

// ship publishes the cargo to a stage. It does not really wait.
func (c cargo) ship(ctx context.Context, t *testing.T, j *job) error {
	t.Helper()
	client, err := github.New(github.Options{
		Repository: c.plan.Repository, Token: j.stage.Hub.Token(), APIURL: j.stage.Hub.URL(), UploadURL: j.stage.Hub.UploadURL(),
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Ship(ctx, c.plan, c.signed, "what is new", engine.Shipper{
		Releases: cli.Pages(client), Registry: cli.Registry(image.Access{Transport: j.stage.Registry.Transport(), Token: j.stage.Hub.Token()}),
		Keep:     func(context.Context, release.Published, release.Asset) (*release.File, error) { return nil, nil },
		Verify:   func(context.Context, release.Receipt) error { return nil },
		Progress: func(task.Event) {},
	})
	return err
}

// stage is a new GitHub and registry for the cargo.
func (c cargo) stage(t *testing.T) *job {
	t.Helper()
	stage, err := rehearsal.Start(c.plan, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stage.Close() })
	return &job{stage: stage, env: map[string]string{"GITHUB_API_URL": strings.TrimSuffix(stage.Hub.URL(), "/")}}
}

// TestFaults lets every call of publishing meet every fault. The run ends as without the
// fault, or stops with nothing public but what was published; the next run ends as
// without the fault, and no asset is stored twice.
func TestFaults(t *testing.T) {
	c := load(t)
	whole := c.stage(t)
	var calls atomic.Int64
	whole.meet(func(next http.Handler) http.Handler {
		calls.Add(1)
		return next
	})
	if err := c.ship(t.Context(), t, whole); err != nil {
		t.Fatal(err)
	}
	whole.meet(nil)
	want := whole.released(t)
	t.Logf("%d calls", calls.Load())
	var group sync.WaitGroup
	defer group.Wait()
	room := make(chan struct{}, 16) // runs mostly wait, so more of them than processors are at work
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		for n := range int(calls.Load()) {
			room <- struct{}{}
			group.Go(func() {
				defer func() { <-room }()
				t.Run(fmt.Sprintf("%s at call %d", name, n), func(t *testing.T) {
					j := c.stage(t)
					var at atomic.Pointer[http.Request]
					fault := hub.Nth(n, func(next http.Handler) http.Handler {
						met := faults[name].fault(next)
						return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							at.Store(r)
							met.ServeHTTP(w, r)
						})
					})
					j.meet(fault)
					err := c.ship(t.Context(), t, j)
					j.meet(nil)
					if r := at.Load(); err != nil && !faults[name].fatal && r != nil {
						t.Errorf("it stopped at %s %s: %v", r.Method, r.URL.Path, err)
					}
					j.stopped(t, err)
					if err := c.ship(t.Context(), t, j); err != nil {
						t.Fatalf("running again: %v", err)
					}
					if got := j.released(t); !reflect.DeepEqual(got, want) {
						t.Errorf("running again ends with\n%+v\nwant\n%+v", got, want)
					}
					if uploads := j.uploads(); !once(uploads) {
						t.Errorf("uploads %v", uploads)
					}
				})
			})
		}
	}
}

// stopped demands that nothing is public of a run that ended with an error before it
// published.
func (j *job) stopped(t *testing.T, err error) {
	t.Helper()
	committed := false
	for _, call := range j.stage.Hub.Calls() {
		committed = committed || call.Method == http.MethodPatch && strings.Contains(call.Path, "/releases/1")
	}
	for _, page := range j.pages(t) {
		if err != nil && !page.Draft && !committed {
			t.Errorf("it is public after %v: %+v", err, page)
		}
	}
	if tags := j.imageTags(t); err != nil && len(tags) > 0 && !committed {
		t.Errorf("image tags after %v: %v", err, tags)
	}
}

// TestFaultsOfARun lets calls of a whole run meet faults, those before publishing and
// those to Sigstore too. Each run gets over it.
func TestFaultsOfARun(t *testing.T) {
	whole := newJob(t)
	var calls atomic.Int64
	whole.meet(func(next http.Handler) http.Handler {
		calls.Add(1)
		return next
	})
	if code, said := whole.run(t, onePlatform...); code != 0 {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	whole.meet(nil)
	want := whole.released(t)
	kinds := []hub.Fault{hub.Before502, hub.CutAfter, hub.Cut, hub.After502, hub.TooMany(1)}
	step := 6
	if testing.Short() {
		step = 20
	}
	for n := 0; n < int(calls.Load()); n += step {
		t.Run(fmt.Sprintf("at call %d", n), func(t *testing.T) {
			t.Parallel()
			j := newJob(t)
			j.meet(hub.Nth(n, kinds[n/step%len(kinds)]))
			if code, said := j.run(t, onePlatform...); code != 0 {
				t.Fatalf("exit code %d:\n%.4000s", code, said)
			}
			j.meet(nil)
			if got := j.released(t); !reflect.DeepEqual(got, want) {
				t.Errorf("it ends with\n%+v\nwant\n%+v", got, want)
			}
			j.verified(t)
		})
	}
}
