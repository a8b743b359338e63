package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// undisturbed are the calls of a whole run, the uploads sorted: they go on side by side.
func undisturbed(signed release.Signed) []string {
	var puts []string
	for _, a := range signed.Assets() {
		puts = append(puts, "put "+a.Name)
	}
	slices.Sort(puts)
	return slices.Concat([]string{open, listed}, puts, []string{assets, push, free, attach, verify, settle, publish, public, tag})
}

// ordered sorts the uploads among calls, where they are.
func ordered(calls []string) []string {
	out := slices.Clone(calls)
	isPut := func(c string) bool { return strings.HasPrefix(c, "put ") }
	first := slices.IndexFunc(out, isPut)
	if first < 0 {
		return out
	}
	n := slices.IndexFunc(out[first:], func(c string) bool { return !isPut(c) })
	if n < 0 {
		n = len(out) - first
	}
	slices.Sort(out[first : first+n])
	return out
}

func TestShip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		w := newWorld()
		w.refuse = func(call string) error {
			if call == publish { // the commit point comes when everything is there
				if len(w.pages[p.Tag].held) != 7 || len(w.images) != 1 || len(w.tags) != 0 {
					t.Errorf("publishing with\n%s", w)
				}
			} else if got := w.public(); call != tag && call != public && len(got) != 0 {
				t.Errorf("at %s, there is %q for all to see", call, got)
			}
			return nil
		}
		got := w.ship(t.Context(), p, signed)
		if got.err != nil {
			t.Fatal(got.err)
		}
		if want := undisturbed(signed); !slices.Equal(ordered(got.calls), want) {
			t.Errorf("calls %q, want %q", got.calls, want)
		}
		page := w.pages["v1.2.3"]
		if page.draft || page.body != body {
			t.Errorf("the page is %+v", page)
		}
		r := got.receipt
		if r.ID != page.id || r.URL != address("v1.2.3", false) || len(r.Assets) != len(signed.Assets()) || r.Images[0].Digest != signed.Images[0].Digest ||
			!slices.Equal(r.Images[0].Tags, []string{"ghcr.io/octo/hello:1", "ghcr.io/octo/hello:1.2", "ghcr.io/octo/hello:1.2.3", "ghcr.io/octo/hello:latest"}) {
			t.Errorf("receipt %+v", r)
		}
		for _, a := range signed.Assets() {
			if !slices.Contains(r.Assets, release.Published{Name: a.Name, Digest: a.Digest, Size: a.Size}) {
				t.Errorf("the receipt lacks %s: %+v", a.Name, r.Assets)
			}
		}
		ended := ends(t, got.events, engine.PhaseShip)
		only(t, ended, task.Done)
		if len(ended) != len(signed.Assets())+3 {
			t.Errorf("tasks %v", ended)
		}
	})
}

// Four assets are sent at once, and no more.
func TestShipUploadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		w := newWorld()
		rest := make(chan struct{})
		w.refuse = func(call string) error {
			if strings.HasPrefix(call, "put ") {
				<-rest
			}
			return nil
		}
		go func() {
			synctest.Wait() // until the first ones wait
			close(rest)
		}()
		if got := w.ship(t.Context(), p, signed); got.err != nil || w.most != 4 {
			t.Errorf("%d uploads at once, %v", w.most, got.err)
		}
	})
}

// Any call fails, before its effect or after it. Nothing is public that was not to be,
// and the next run ends where an undisturbed one would have, with nothing sent twice.
func TestShipConverges(t *testing.T) {
	_, signed := cargo(t)
	for _, failing := range undisturbed(signed) {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, carried out: %t", failing, lost), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { converge(t, failing, lost) })
			})
		}
	}
}

func converge(t *testing.T, failing string, lost bool) {
	p, signed := cargo(t)
	want := newWorld()
	if got := want.ship(t.Context(), p, signed); got.err != nil {
		t.Fatal(got.err)
	}
	w := newWorld()
	cause := errors.New("502 Bad Gateway")
	fault := func(call string) error {
		if call == failing {
			return cause
		}
		return nil
	}
	if lost {
		w.lose = fault
	} else {
		w.refuse = fault
	}
	got := w.ship(t.Context(), p, signed)
	if !errors.Is(got.err, cause) {
		t.Errorf("error %v", got.err)
	}
	order := undisturbed(signed)
	committed := failing == tag || failing == public || failing == publish && lost
	if public := w.public(); (len(public) > 0) != committed {
		t.Errorf("there is %q for all to see", public)
	}
	if last := last(got.calls); !strings.HasPrefix(failing, "put ") && last != failing && failing != settle {
		t.Errorf("it went on to %s", last)
	} else if failing != settle && slices.Index(order, last) >= slices.Index(order, assets) && strings.HasPrefix(failing, "put ") {
		t.Errorf("it went on to %s", last)
	}
	ended := ends(t, got.events, engine.PhaseShip)
	failed := 0
	for name, state := range ended {
		if state == task.Failed {
			failed++
			if strings.HasPrefix(failing, "put ") && "put "+name != failing {
				t.Errorf("%s failed", name)
			}
		}
	}
	if tracked := !slices.Contains([]string{open, listed, assets, verify, settle}, failing); tracked != (failed == 1) {
		t.Errorf("tasks %v", ended)
	}

	w.refuse, w.lose = nil, nil
	finish(t, w, p, signed, want)
}

// finish runs again, and once more, and demands the end of an undisturbed run.
func finish(t *testing.T, w *world, p plan.Plan, signed release.Signed, want *world) {
	var got shipped
	for range 2 { // finishing, and finding it finished
		got = w.ship(t.Context(), p, signed)
		if got.err != nil {
			t.Fatalf("running again: %v", got.err)
		}
		only(t, ends(t, got.events, engine.PhaseShip), task.Done)
		if w.String() != want.String() {
			t.Errorf("running again ends with\n%s, want\n%s", w, want)
		}
	}
	for upload, n := range w.uploads {
		if n != 1 {
			t.Errorf("%s was sent %d times", upload, n)
		}
	}
	if slices.Contains(got.calls, publish) || slices.ContainsFunc(got.calls, func(c string) bool { return strings.HasPrefix(c, "put ") }) {
		t.Errorf("what is finished was done again: %q", got.calls)
	}
}

// The run is interrupted in the middle of any call, which ends well all the same.
// Before the commit point that leaves nothing public; the next run finishes.
func TestShipCancelled(t *testing.T) {
	_, signed := cargo(t)
	for _, at := range undisturbed(signed) {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, signed := cargo(t)
				want, w := newWorld(), newWorld()
				want.ship(t.Context(), p, signed)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				w.lose = func(call string) error {
					if call == at {
						cancel(errInterrupt)
					}
					return nil
				}
				got := w.ship(ctx, p, signed)
				if at == tag { // nothing was left to do
					if got.err != nil || w.String() != want.String() {
						t.Errorf("error %v\n%s", got.err, w)
					}
					return
				}
				if !errors.Is(got.err, errInterrupt) {
					t.Errorf("error %v", got.err)
				}
				committed := at == publish || at == public
				if public := w.public(); (len(public) > 0) != committed {
					t.Errorf("there is %q for all to see", public)
				}
				if !committed && slices.Contains(got.calls, publish) {
					t.Errorf("it went on to publish: %q", got.calls)
				}
				only(t, ends(t, got.events, engine.PhaseShip), task.Done, task.Stopped)
				w.lose = nil
				if got := w.ship(t.Context(), p, signed); got.err != nil || w.String() != want.String() {
					t.Errorf("running again: %v\n%s, want\n%s", got.err, w, want)
				}
			})
		})
	}
}

// An asset that is not there any more is an error that names it.
func TestShipMissingFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		signed.Units[0].Archive.Path = filepath.Join(t.TempDir(), "gone.tar.gz")
		w := newWorld()
		if got := w.ship(t.Context(), p, signed); got.err == nil || !strings.Contains(got.err.Error(), "gone.tar.gz") || len(w.public()) != 0 {
			t.Errorf("error %v, %q", got.err, w.public())
		}
	})
}
