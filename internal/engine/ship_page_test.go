package engine_test

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The draft that is read back holds something else than was uploaded: every difference
// is named, and nothing is published.
func TestShipReadsBack(t *testing.T) {
	const archive, list = "hello_1.2.3_linux_amd64.tar.gz", release.ChecksumsName
	other := release.Published{Digest: digestOf([]byte("other")), Size: 5}
	for name, c := range map[string]struct {
		others func(held map[string]release.Published)
		want   []string
	}{
		"missing":      {func(h map[string]release.Published) { delete(h, archive) }, []string{`asset "` + archive + `" is missing`}},
		"extra":        {func(h map[string]release.Published) { h["evil.exe"] = other }, []string{`asset "evil.exe" is not of this release; delete it there`}},
		"other digest": {func(h map[string]release.Published) { h[list] = other }, []string{`asset "checksums.txt" has digest ` + string(other.Digest) + ", want "}},
		"no digest":    {func(h map[string]release.Published) { h[list] = release.Published{} }, []string{`asset "checksums.txt" has digest , want `}},
		"other bundle": {func(h map[string]release.Published) { h[release.ProvenanceName] = other }, []string{`asset "provenance.sigstore.json" has digest `}},
		"other case": {func(h map[string]release.Published) {
			h["Checksums.txt"] = release.Published{Digest: h[list].Digest, Size: h[list].Size}
			delete(h, list)
		},
			[]string{`asset "Checksums.txt" is not of this release`, `asset "checksums.txt" is missing`}},
		"there twice": {func(h map[string]release.Published) { h["again"] = h[list] }, []string{`asset "checksums.txt" is there twice`}},
		"all of it": {func(h map[string]release.Published) {
			delete(h, archive)
			h["evil.exe"], h["a.txt"], h[list] = other, other, other
		},
			[]string{`asset "a.txt" is not of`, `asset "checksums.txt" has digest`, `asset "evil.exe" is not of`, `asset "` + archive + `" is missing`}},
		"empty": {func(h map[string]release.Published) { clear(h) }, []string{
			`asset "checksums.txt" is missing`, `asset "checksums.txt.sigstore.json" is missing`, `asset "` + archive + `" is missing`, `asset "` + archive + `.spdx.json" is missing`,
			`asset "hello_1.2.3_windows_arm64.tar.gz" is missing`, `asset "hello_1.2.3_windows_arm64.tar.gz.spdx.json" is missing`, `asset "provenance.sigstore.json" is missing`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, signed := cargo(t)
				w := newWorld()
				w.others = func(call string, w *world) {
					if strings.HasPrefix(call, "assets ") && call != listed {
						c.others(w.pages[p.Tag].held)
						named(w.pages[p.Tag].held)
					}
				}
				got := w.ship(t.Context(), p, signed)
				if got.err == nil {
					t.Fatal("it was published")
				}
				rest, ok := strings.CutPrefix(got.err.Error(), "reading back "+address("v1.2.3", true)+": ")
				lines := strings.Split(rest, "\n")
				if !ok || len(lines) != len(c.want) {
					t.Fatalf("error %v, want %q", got.err, c.want)
				}
				for i, want := range c.want {
					if !strings.HasPrefix(lines[i], want) {
						t.Errorf("error %q, want %q", lines[i], want)
					}
				}
				if !strings.HasPrefix(last(got.calls), "assets ") || len(w.public()) != 0 || len(w.images) != 0 {
					t.Errorf("after %q there is\n%s", got.calls, w)
				}
			})
		})
	}
}

// named gives assets that have no name the one that they are held under.
func named(held map[string]release.Published) {
	for name, h := range held {
		h.Name = cmp.Or(h.Name, name)
		held[name] = h
	}
}

// A page that is public keeps what it holds. It has to be what was made; then what may
// follow publishing is done.
func TestShipPublished(t *testing.T) {
	other := release.Published{Digest: digestOf([]byte("other")), Size: 5}
	for name, c := range map[string]struct {
		change func(p *page, signed *release.Signed, dir string)
		want   []string // no error
	}{
		"the same":         {func(*page, *release.Signed, string) {}, nil},
		"an asset more":    {func(p *page, _ *release.Signed, _ string) { p.held["notes.pdf"] = other }, nil},
		"not signed again": {func(_ *page, s *release.Signed, _ string) { s.Bundle, s.Provenance = nil, nil }, nil},
		"signed by another run": {func(p *page, s *release.Signed, dir string) {
			s.Bundle = bundle(t, dir, release.ChecksumsBundleName, "second")
			p.held[release.ChecksumsBundleName] = other
		}, []string{`asset "checksums.txt.sigstore.json" has digest `}},
		"signed again": {func(_ *page, s *release.Signed, dir string) {
			s.Bundle = bundle(t, dir, release.ChecksumsBundleName, "second")
			s.Provenance = bundle(t, dir, release.ProvenanceName, "second")
		}, nil},
		"notes that are cut now": {func(_ *page, s *release.Signed, dir string) {
			s.Notes = bundle(t, dir, release.NotesName, "all of them")
		}, nil},
		"notes that were cut otherwise": {func(p *page, s *release.Signed, dir string) {
			p.held[release.NotesName], s.Notes = other, bundle(t, dir, release.NotesName, "all of them")
		}, nil},
		"edited notes":  {func(p *page, _ *release.Signed, _ string) { p.body = "edited" }, nil},
		"other archive": {func(p *page, _ *release.Signed, _ string) { p.held["hello_1.2.3_linux_amd64.tar.gz"] = other }, []string{`asset "hello_1.2.3_linux_amd64.tar.gz" has digest `}},
		"other list":    {func(p *page, _ *release.Signed, _ string) { p.held[release.ChecksumsName] = other }, []string{`asset "checksums.txt" has digest `}},
		"missing, and frozen": {func(p *page, _ *release.Signed, _ string) {
			p.frozen = true
			delete(p.held, release.ChecksumsName)
			delete(p.held, release.ProvenanceName)
		}, []string{`asset "checksums.txt" is missing`, `asset "provenance.sigstore.json" is missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, signed := cargo(t)
				w := newWorld()
				if got := w.ship(t.Context(), p, signed); got.err != nil {
					t.Fatal(got.err)
				}
				clear(w.tags) // as if the run had ended before
				c.change(w.pages[p.Tag], &signed, t.TempDir())
				named(w.pages[p.Tag].held)
				before, sent := w.String(), len(w.uploads)
				w.good = name != "signed by another run"
				got := w.ship(t.Context(), p, signed)
				if len(w.uploads) != sent || slices.Contains(got.calls, publish) {
					t.Errorf("calls %q", got.calls)
				}
				if c.want == nil {
					tags := w.tags
					if got.err != nil || len(tags) != len(p.Images[0].Tags) || got.receipt.URL != address("v1.2.3", false) || len(got.receipt.Images[0].Tags) != len(tags) {
						t.Errorf("error %v, receipt %+v, tags %v", got.err, got.receipt, tags)
					}
					if !slices.Equal(got.calls, []string{open, listed, push, free, attach, verify, tag}) {
						t.Errorf("calls %q", got.calls)
					}
					w.tags = nil
					only(t, ends(t, got.events, engine.PhaseShip), task.Done)
				} else if got.err == nil || !strings.HasPrefix(got.err.Error(), "reading back "+address("v1.2.3", false)+": "+c.want[0]) ||
					strings.Count(got.err.Error(), "\n") != len(c.want)-1 || !strings.Contains(got.err.Error(), c.want[len(c.want)-1]) {
					t.Errorf("error %v, want %q", got.err, c.want)
				}
				if w.String() != before {
					t.Errorf("the page became\n%s, from\n%s", w, before)
				}
			})
		})
	}
}

// What a public page lacks is added: somebody published the draft by hand, or deleted an
// asset. What it holds stays.
func TestShipCompletesPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		w := newWorld()
		w.refuse = func(call string) error {
			if call == "put "+release.ProvenanceName || strings.HasSuffix(call, ".spdx.json") {
				return errInterrupt
			}
			return nil
		}
		if got := w.ship(t.Context(), p, signed); got.err == nil {
			t.Fatal("it was published")
		}
		w.refuse = nil
		w.pages[p.Tag].draft = false
		before := maps.Clone(w.pages[p.Tag].held)
		got := w.ship(t.Context(), p, signed)
		if got.err != nil || len(w.pages[p.Tag].held) != len(signed.Assets()) || slices.Contains(got.calls, publish) {
			t.Errorf("error %v after %q\n%s", got.err, got.calls, w)
		}
		for name, held := range before {
			if w.pages[p.Tag].held[name] != held {
				t.Errorf("%s was changed", name)
			}
		}
		if got.receipt.Draft || len(got.receipt.Images[0].Tags) != len(p.Images[0].Tags) {
			t.Errorf("receipt %+v", got.receipt)
		}
	})
}

// A draft that an earlier run left is finished with what is signed now: bundles are
// replaced, the rest stays.
func TestShipFinishesDraft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		w := newWorld()
		w.refuse = func(call string) error {
			if call == publish {
				return errInterrupt
			}
			return nil
		}
		if got := w.ship(t.Context(), p, signed); got.err == nil {
			t.Fatal("it was published")
		}
		w.refuse = nil
		w.pages[p.Tag].body = "edited by hand"
		dir := t.TempDir()
		signed.Bundle = bundle(t, dir, release.ChecksumsBundleName, "second")
		signed.Provenance = bundle(t, dir, release.ProvenanceName, "second")
		got := w.ship(t.Context(), p, signed)
		if got.err != nil || w.pages[p.Tag].body != "edited by hand" {
			t.Errorf("error %v\n%s", got.err, w)
		}
		if len(w.uploads) != len(signed.Assets())+2 {
			t.Errorf("sent %v, want the two bundles again and nothing else", w.uploads)
		}
		already := 0
		for _, e := range got.events {
			if e.State == task.Done && e.Text == "already there" {
				already++
			}
		}
		if already != len(signed.Assets())-2 {
			t.Errorf("%d assets were there, of %d", already, len(signed.Assets()))
		}
		if w.pages[p.Tag].held[release.ProvenanceName].Digest != signed.Provenance.Digest {
			t.Errorf("the page holds\n%s", w)
		}
	})
}

// Notes that are too long go along as a file. What an earlier run left of them is
// replaced, and stays where they are short now.
func TestShipNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		p.Draft = true
		w := newWorld()
		signed.Notes = bundle(t, t.TempDir(), release.NotesName, "first")
		for i, change := range []func(){
			func() {},
			func() { signed.Notes = bundle(t, t.TempDir(), release.NotesName, "second") },
			func() { signed.Notes = nil },
		} {
			change()
			if got := w.ship(t.Context(), p, signed); got.err != nil {
				t.Fatalf("run %d: %v", i+1, got.err)
			}
			if held, ok := w.pages[p.Tag].held[release.NotesName]; !ok || signed.Notes != nil && held.Digest != signed.Notes.Digest {
				t.Errorf("run %d: the page holds\n%s", i+1, w)
			}
		}
	})
}

// A draft plan ends before the commit point; the plan without it goes on from there.
func TestShipDraft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		w := newWorld()
		tags := p.Images[0].Tags
		p.Draft, p.Images[0].Tags = true, nil
		for i := range 2 {
			got := w.ship(t.Context(), p, signed)
			want := undisturbed(signed)[:len(undisturbed(signed))-3]
			want = slices.DeleteFunc(want, func(c string) bool {
				return i > 0 && c == assets // nothing is uploaded, so nothing is read back
			})
			if got.err != nil || len(w.public()) != 0 || !slices.Equal(ordered(got.calls), want) {
				t.Errorf("error %v after %q\n%s", got.err, got.calls, w)
			}
			if r := got.receipt; r.URL != address("v1.2.3", true) || r.Images[0].Digest != signed.Images[0].Digest || r.Images[0].Tags != nil || len(r.Assets) != len(signed.Assets()) {
				t.Errorf("receipt %+v", r)
			}
			only(t, ends(t, got.events, engine.PhaseShip), task.Done)
		}
		p.Images[0].Tags = []string{"staging"}
		if got := w.ship(t.Context(), p, signed); got.err != nil || len(w.public()) != 1 || w.tags["ghcr.io/octo/hello:staging"] == "" {
			t.Errorf("error %v\n%s", got.err, w)
		}
		clear(w.tags)
		p.Draft, p.Images[0].Tags = false, tags
		if got := w.ship(t.Context(), p, signed); got.err != nil || len(w.public()) != 5 || len(w.uploads) != len(signed.Assets()) {
			t.Errorf("error %v, sent %v\n%s", got.err, w.uploads, w)
		}
	})
}

// A plan without signatures and without an image touches no registry.
func TestShipPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, signed := cargo(t)
		p.Images, signed.Images, signed.Bundle, signed.Provenance = nil, nil, nil, nil
		w := newWorld()
		receipt, err := engine.Ship(t.Context(), p, signed, body, engine.Shipper{Releases: w, Keep: w.keep, Verify: w.verify, Progress: func(task.Event) {}})
		if err != nil || receipt.Images != nil || len(receipt.Assets) != 5 || len(w.images) != 0 {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
		if got := ordered(w.calls); got[len(got)-1] != public || len(got) != 12 {
			t.Errorf("calls %q", got)
		}
		for _, a := range receipt.Assets {
			if strings.HasSuffix(a.Name, ".sigstore.json") || filepath.Base(a.Name) != a.Name {
				t.Errorf("asset %q", a.Name)
			}
		}
	})
}
