package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The calls of Ship, as the tests name them; an upload is "put" and a name, and the pages
// are listed more than once.
const (
	open    = "open"
	listed  = "assets 1" // before anything is uploaded
	assets  = "assets 2" // when all is
	public  = "assets 3" // when it is published
	push    = "push"
	free    = "free"
	attach  = "attach"
	verify  = "verify"
	settle  = "settle"
	publish = "publish"
	tag     = "tag"
)

// world is where releases and images live: in memory, and no better than it has to
// be. It knows which of its calls are refused, and which are carried out and then
// answered with an error.
type world struct {
	mu      sync.Mutex
	pages   map[string]*page            // by tag
	images  map[string]bool             // REPOSITORY@DIGEST
	tags    map[string]string           // REPOSITORY:TAG → digest
	uploads map[string]int              // of bytes that were sent, by name and digest
	calls   []string                    // in the order in which they began
	puts    int                         // that are running
	most    int                         // puts that ran at once
	refuse  func(call string) error     // before it has an effect
	lose    func(call string) error     // after its effect
	others  func(call string, w *world) // what somebody else does just before a call, with the lock held
	good    bool                        // bundles that other runs put there are as good
}

type page struct {
	id     int64
	draft  bool
	frozen bool
	body   string
	held   map[string]release.Published
}

func newWorld() *world {
	return &world{pages: map[string]*page{}, images: map[string]bool{}, tags: map[string]string{}, uploads: map[string]int{}}
}

// do is one call: effect has the lock.
func (w *world) do(ctx context.Context, call string, effect func() error) error {
	w.mu.Lock()
	w.calls = append(w.calls, call)
	if w.others != nil {
		w.others(call, w)
	}
	refuse, lose := w.refuse, w.lose
	w.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if refuse != nil {
		if err := refuse(call); err != nil {
			return err
		}
	}
	w.mu.Lock()
	err := effect()
	w.mu.Unlock()
	if err == nil && lose != nil {
		err = lose(call)
	}
	return err
}

func (w *world) Open(ctx context.Context, p plan.Plan, body string) (out engine.Page, err error) {
	err = w.do(ctx, open, func() error {
		found := w.pages[p.Tag]
		if found == nil {
			found = &page{id: int64(len(w.pages) + 1), draft: true, body: body, held: map[string]release.Published{}}
			w.pages[p.Tag] = found
		}
		out = engine.Page{ID: found.id, Tag: p.Tag, URL: address(p.Tag, found.draft), Draft: found.draft, Frozen: found.frozen}
		return nil
	})
	return out, err
}

func address(tag string, draft bool) string {
	if draft {
		return "https://github.example/releases/untagged"
	}
	return "https://github.example/releases/" + tag
}

func (w *world) Put(ctx context.Context, p engine.Page, file release.File, _ []release.Published, replace bool) (uploaded bool, err error) {
	w.mu.Lock()
	w.puts++
	w.most = max(w.most, w.puts)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.puts--
	}()
	err = w.do(ctx, "put "+file.Name, func() error {
		to := w.pages[p.Tag]
		if to == nil || to.id != p.ID || to.frozen {
			return fmt.Errorf("uploading %q: the page takes no assets", file.Name)
		}
		content, err := os.ReadFile(file.Path)
		if err != nil {
			return err
		}
		now := release.Published{Name: file.Name, Digest: digestOf(content), Size: int64(len(content))}
		there, taken := to.held[file.Name]
		if there == now {
			return nil
		}
		if taken && !replace {
			return &release.TakenError{By: there}
		}
		uploaded = true
		w.uploads[file.Name+" "+string(now.Digest)]++
		to.held[file.Name] = now
		return nil
	})
	return uploaded, err
}

func (w *world) Assets(ctx context.Context, p engine.Page) (out []release.Published, err error) {
	w.mu.Lock()
	n := 1
	for _, call := range w.calls {
		if strings.HasPrefix(call, "assets ") {
			n++
		}
	}
	w.mu.Unlock()
	err = w.do(ctx, fmt.Sprintf("assets %d", n), func() error {
		out = slices.SortedFunc(maps.Values(w.pages[p.Tag].held), func(a, b release.Published) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return out, err
}

func (w *world) Settle(ctx context.Context, p engine.Page, _ []release.Asset) (engine.Page, error) {
	err := w.do(ctx, settle, func() error {
		p = engine.Page{ID: w.pages[p.Tag].id, Tag: p.Tag, URL: address(p.Tag, w.pages[p.Tag].draft), Draft: w.pages[p.Tag].draft}
		return nil
	})
	return p, err
}

func (w *world) Publish(ctx context.Context, p engine.Page, _ plan.Plan) (engine.Page, error) {
	err := w.do(ctx, publish, func() error {
		if !w.pages[p.Tag].draft {
			return errors.New("publishing: it is published")
		}
		w.pages[p.Tag].draft = false
		return nil
	})
	p.Draft, p.URL = false, address(p.Tag, false)
	return p, err
}

func (w *world) Push(ctx context.Context, image release.Image) error {
	return w.do(ctx, push, func() error {
		w.images[image.Repository+"@"+string(image.Digest)] = true
		return nil
	})
}

func (w *world) Free(ctx context.Context, image release.Image, tags []string) error {
	return w.do(ctx, free, func() error {
		for _, tag := range tags {
			if at := w.tags[image.Repository+":"+tag]; at != "" && at != string(image.Digest) {
				return errors.New("tagging: it names another image")
			}
		}
		return nil
	})
}

func (w *world) Attach(ctx context.Context, image release.Image) error {
	return w.do(ctx, attach, func() error {
		if !w.images[image.Reference()] {
			return errors.New("attaching: no such image")
		}
		return nil
	})
}

func (w *world) Tag(ctx context.Context, image release.Image, version string, tags []string) (out []string, err error) {
	err = w.do(ctx, tag, func() error {
		if !w.images[image.Repository+"@"+string(image.Digest)] {
			return errors.New("tagging: no such image")
		}
		for _, t := range tags {
			out = append(out, image.Repository+":"+t)
			w.tags[image.Repository+":"+t] = string(image.Digest)
		}
		slices.Sort(out)
		return nil
	})
	return out, err
}

// keep gives the bundle that is there, where those of other runs are as good.
func (w *world) keep(_ context.Context, held release.Published, own release.Asset) (*release.File, error) {
	if !w.good {
		return nil, nil
	}
	return &release.File{Name: held.Name, Path: own.Path, Digest: held.Digest, Size: held.Size}, nil
}

func (w *world) verify(ctx context.Context, r release.Receipt) error {
	return w.do(ctx, verify, func() error {
		if len(r.Assets) == 0 {
			return errors.New("verifying: there is nothing")
		}
		return nil
	})
}

// public is what users see: pages that are no drafts, and image tags.
func (w *world) public() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Sorted(maps.Keys(w.tags))
	for name, p := range w.pages {
		if !p.draft {
			out = append(out, name)
		}
	}
	return out
}

// String is everything that there is.
func (w *world) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.pages)) {
		p := w.pages[name]
		fmt.Fprintf(&out, "page %s %d, draft: %t, %q\n", name, p.id, p.draft, p.body)
		for _, asset := range slices.Sorted(maps.Keys(p.held)) {
			fmt.Fprintf(&out, "  %+v\n", p.held[asset])
		}
	}
	for _, image := range slices.Sorted(maps.Keys(w.images)) {
		fmt.Fprintf(&out, "image %s\n", image)
	}
	for _, name := range slices.Sorted(maps.Keys(w.tags)) {
		fmt.Fprintf(&out, "tag %s %s\n", name, w.tags[name])
	}
	return out.String()
}

// last is the call that a run ended with; what it does about an error does not count.
func last(calls []string) string {
	if n := len(calls) - 1; n > 0 && calls[n] == settle {
		return calls[n-1]
	}
	return calls[len(calls)-1]
}

// cargo is what is shipped in the tests: two units, signed, with an image.
func cargo(t *testing.T) (plan.Plan, release.Signed) {
	n := newNotary(t)
	signed := release.Signed{Made: n.made}
	signed.Bundle, signed.Provenance = bundle(t, n.dir, release.ChecksumsBundleName, "first"), bundle(t, n.dir, release.ProvenanceName, "first")
	signed.Images = []release.Image{{Repository: "ghcr.io/octo/hello", Digest: digestOf([]byte("an index"))}}
	return plan.Plan{
		Version: "1.2.3", Tag: "v1.2.3", Sign: plan.SignKeyless, Units: make([]plan.Unit, len(n.made.Units)),
		Images: []plan.ImagePlan{{Repository: "ghcr.io/octo/hello", Tags: []string{"1.2.3", "1.2", "1", "latest"}}},
	}, signed
}

// bundle writes one; every run makes another.
func bundle(t *testing.T, dir, name, run string) *release.File {
	t.Helper()
	file, err := pack.WriteFile(filepath.Join(dir, name), []byte("a bundle of the "+run+" run"))
	if err != nil {
		t.Fatal(err)
	}
	return &file
}

const body = "what is new"

// shipped is what one call of Ship came to.
type shipped struct {
	receipt release.Receipt
	err     error
	calls   []string
	events  []task.Event
}

// ship calls Ship.
func (w *world) ship(ctx context.Context, p plan.Plan, signed release.Signed) shipped {
	var out shipped
	var mu sync.Mutex
	w.calls = nil
	out.receipt, out.err = engine.Ship(ctx, p, signed, body, engine.Shipper{
		Releases: w, Registry: w, Keep: w.keep, Verify: w.verify, Progress: func(e task.Event) {
			mu.Lock()
			defer mu.Unlock()
			out.events = append(out.events, e)
		},
	})
	out.calls = w.calls
	return out
}
