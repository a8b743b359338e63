package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The calls of Attest, as the tests name them.
const (
	state           = "state"
	signBlob        = "sign " + release.ChecksumsName
	signStatement   = "sign statement"
	writeBundle     = "write " + release.ChecksumsBundleName
	writeProvenance = "write " + release.ProvenanceName
	exhibiting      = "exhibit"
)

// notary carries out Attest with edges that write real files, and remembers what was
// asked of them.
type notary struct {
	*testing.T
	made     release.Made
	dir      string
	at       func(ctx context.Context, call string) error // as in workshop
	kept     map[string]string                            // from an earlier run
	all      bool
	exhibits []engine.Exhibit // of every image

	mu      sync.Mutex
	calls   []string
	running int
	events  []task.Event
}

func newNotary(t *testing.T) *notary {
	n := &notary{T: t, dir: t.TempDir()}
	write := func(name string) release.File {
		f, err := pack.WriteFile(filepath.Join(n.dir, name), []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, target := range []release.Target{{OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "arm64"}} {
		name := "hello_1.2.3_" + target.Suffix() + ".tar.gz"
		n.made.Units = append(n.made.Units, release.Unit{Build: "hello", Target: target, Archive: write(name), SBOM: write(name + release.SBOMSuffix)})
	}
	n.made.Checksums = write(release.ChecksumsName)
	n.made.Images = []release.Image{{Repository: "ghcr.io/octo/hello", Digest: digestOf([]byte("image"))}}
	return n
}

func (n *notary) enter(ctx context.Context, call string) (leave func(), err error) {
	n.mu.Lock()
	n.calls = append(n.calls, call)
	n.running++
	n.mu.Unlock()
	if n.at != nil {
		err = n.at(ctx, call)
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.running--
	}, err
}

// attest calls Attest.
func (n *notary) attest(ctx context.Context) (release.Signed, error) {
	return engine.Attest(ctx, n.made, n.dir, n.attester())
}

// attester are edges that n remembers the calls of.
func (n *notary) attester() engine.Attester {
	return engine.Attester{
		Exhibits: func(ctx context.Context, made release.Made, image release.Image) ([]engine.Exhibit, error) {
			if n.exhibits == nil {
				return nil, nil
			}
			leave, err := n.enter(ctx, exhibiting+" "+image.Repository)
			defer leave()
			return n.exhibits, err
		},
		Blob: func(ctx context.Context, file release.File) ([]byte, error) {
			leave, err := n.enter(ctx, "sign "+file.Name)
			defer leave()
			return []byte("bundle over " + file.Digest), err
		},
		Kept: func(_ context.Context, name string, subjects []release.Asset, images []release.Image) []byte {
			if text, ok := n.kept[name]; ok {
				for _, image := range images {
					text += " naming " + image.Repository
				}
				return fmt.Appendf(nil, "%s about %d", text, len(subjects))
			}
			return nil
		},
		All: n.all,
		Statement: func(ctx context.Context, subjects []release.Asset, images []release.Image) ([]byte, error) {
			leave, err := n.enter(ctx, state)
			defer leave()
			var text []byte
			for _, image := range images {
				text = fmt.Appendf(text, "image %s %s\n", image.Repository, image.Digest)
			}
			for _, s := range subjects {
				text = fmt.Appendf(text, "%s %s %s\n", s.Kind, s.Name, s.Digest)
			}
			return text, err
		},
		Sign: func(ctx context.Context, statement []byte) ([]byte, error) {
			leave, err := n.enter(ctx, signStatement)
			defer leave()
			return append([]byte("envelope of\n"), statement...), err
		},
		Write: func(path string, content []byte) (release.File, error) {
			leave, err := n.enter(context.Background(), "write "+filepath.Base(path))
			defer leave()
			if err != nil {
				return release.File{}, err
			}
			return pack.WriteFile(path, content)
		},
		Progress: func(e task.Event) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.events = append(n.events, e)
		},
	}
}

func TestAttest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotary(t)
		signed, err := n.attest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		statement := fmt.Sprintf("image ghcr.io/octo/hello %s\n", digestOf([]byte("image")))
		for _, u := range n.made.Units {
			statement += fmt.Sprintf("archive %s %s\nsbom %s %s\n", u.Archive.Name, u.Archive.Digest, u.SBOM.Name, u.SBOM.Digest)
		}
		statement += fmt.Sprintf("checksums checksums.txt %s\n", n.made.Checksums.Digest)
		for _, bundle := range []struct {
			file    *release.File
			name    string
			content string
		}{
			{signed.Bundle, release.ChecksumsBundleName, "bundle over " + string(n.made.Checksums.Digest)},
			{signed.Provenance, release.ProvenanceName, "envelope of\n" + statement},
		} {
			if bundle.file == nil || bundle.file.Path != filepath.Join(n.dir, bundle.name) {
				t.Fatalf("%s is %+v", bundle.name, bundle.file)
			}
			same(t, *bundle.file)
			if got := string(read(t, bundle.file.Path)); got != bundle.content {
				t.Errorf("%s holds %q, want %q", bundle.name, got, bundle.content)
			}
		}
		if !reflect.DeepEqual(signed.Made, n.made) {
			t.Errorf("signed %+v, want what was made", signed.Made)
		}
		if n.calls[0] != state || len(n.calls) != 5 {
			t.Errorf("calls %q", n.calls)
		}
		ended := ends(t, n.events, engine.PhaseAttest)
		only(t, ended, task.Done)
		if len(ended) != 2 || ended[release.ChecksumsBundleName] == "" || ended[release.ProvenanceName] == "" {
			t.Errorf("tasks %v", ended)
		}
	})
}

// What an earlier run signed is neither stated nor signed again.
func TestAttestKeeps(t *testing.T) {
	for _, c := range []struct {
		kept  map[string]string
		calls []string // sorted
	}{
		{map[string]string{release.ChecksumsBundleName: "old"}, []string{signStatement, state, writeBundle, writeProvenance}},
		{map[string]string{release.ProvenanceName: "old"}, []string{signBlob, writeBundle, writeProvenance}},
		{map[string]string{release.ProvenanceName: "old", release.ChecksumsBundleName: "old"}, []string{writeBundle, writeProvenance}},
	} {
		n := newNotary(t)
		n.kept = c.kept
		signed, err := n.attest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Sort(n.calls); !slices.Equal(n.calls, c.calls) {
			t.Errorf("%v: calls %q, want %q", c.kept, n.calls, c.calls)
		}
		for name, subjects := range map[string]int{release.ChecksumsBundleName: 1, release.ProvenanceName: 5} {
			file := map[string]*release.File{release.ChecksumsBundleName: signed.Bundle, release.ProvenanceName: signed.Provenance}[name]
			same(t, *file)
			got, want := string(read(t, file.Path)), fmt.Sprintf("old about %d", subjects)
			if name == release.ProvenanceName {
				want = fmt.Sprintf("old naming ghcr.io/octo/hello about %d", subjects)
			}
			if _, kept := c.kept[name]; kept != (got == want) {
				t.Errorf("%s holds %q", name, got)
			}
		}
		only(t, ends(t, n.events, engine.PhaseAttest), task.Done)
	}
}

// What is stated about the images is signed with the rest, and stays with them; what an
// earlier run attached is kept.
func TestAttestImages(t *testing.T) {
	const signature = "https://sigstore.dev/cosign/sign/v1"
	about := []engine.Exhibit{
		{Predicate: signature, Statement: []byte("signed")}, {Predicate: "https://spdx.dev/Document", Statement: []byte("a bill"), Kept: []byte("old")},
	}
	for _, alone := range []bool{false, true} {
		n := newNotary(t)
		n.exhibits = about
		n.made.Images = append(n.made.Images, release.Image{Repository: "ghcr.io/octo/ctl", Digest: digestOf([]byte("ctl"))})
		signed, err := release.Signed{Made: n.made}, error(nil)
		want := []string{exhibiting + " ghcr.io/octo/ctl", exhibiting + " ghcr.io/octo/hello", signStatement, signStatement}
		if alone {
			signed, err = engine.AttestImages(t.Context(), signed, n.attester())
		} else {
			signed, err = n.attest(t.Context())
			want = []string{exhibiting + " ghcr.io/octo/ctl", exhibiting + " ghcr.io/octo/hello", signBlob, signStatement, signStatement, signStatement, state, writeBundle, writeProvenance}
		}
		if err != nil {
			t.Fatal(err)
		}
		if slices.Sort(n.calls); !slices.Equal(n.calls, want) {
			t.Errorf("calls %q, want %q", n.calls, want)
		}
		for i, image := range signed.Images {
			if want := []release.Bundle{{Predicate: signature, Content: []byte("envelope of\nsigned")}, {Predicate: "https://spdx.dev/Document", Content: []byte("old")}}; !reflect.DeepEqual(image.Bundles, want) {
				t.Errorf("bundles %q, want %q", image.Bundles, want)
			}
			if n.made.Images[i].Bundles != nil {
				t.Error("what was made is changed")
			}
		}
		ended := ends(t, n.events, engine.PhaseAttest)
		for _, name := range []string{"ghcr.io/octo/hello signature", "ghcr.io/octo/ctl signature"} {
			if ended[name] != task.Done {
				t.Errorf("%s: %v", name, ended)
			}
		}
	}
	// Nothing is signed unless everything could be stated.
	n := newNotary(t)
	n.exhibits = about
	boom := errors.New("boom")
	n.at = func(_ context.Context, call string) error {
		if strings.HasPrefix(call, exhibiting) {
			return boom
		}
		return nil
	}
	_, err := n.attest(t.Context())
	_, alone := engine.AttestImages(t.Context(), release.Signed{Made: n.made}, n.attester())
	if !errors.Is(err, boom) || !errors.Is(alone, boom) || slices.ContainsFunc(n.calls, func(c string) bool { return strings.HasPrefix(c, "sign ") }) {
		t.Errorf("%v, %v after %q", err, alone, n.calls)
	}
}

// With All, every subject has a bundle of its own, in the order of the subjects.
func TestAttestAll(t *testing.T) {
	n := newNotary(t)
	n.all = true
	sbom := n.made.Units[1].SBOM.Name
	n.kept = map[string]string{sbom + release.BundleSuffix: "old"}
	signed, err := n.attest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	subjects := n.made.Subjects()
	if len(signed.Bundles) != len(subjects) {
		t.Fatalf("%d bundles for %d subjects", len(signed.Bundles), len(subjects))
	}
	for i, bundle := range signed.Bundles {
		same(t, bundle)
		want := "bundle over " + string(subjects[i].Digest)
		if subjects[i].Name == sbom {
			want = "old about 1"
		}
		if got := string(read(t, bundle.Path)); bundle.Name != subjects[i].Name+release.BundleSuffix || got != want {
			t.Errorf("%s holds %q, want %q", bundle.Name, got, want)
		}
	}
	p := plan.Plan{Units: make([]plan.Unit, len(n.made.Units)), Sign: plan.SignKeyless, SignAll: true}
	if got := signed.Assets(); len(got) != p.Assets() {
		t.Errorf("%d assets, the plan says %d", len(got), p.Assets())
	}
}

// Both bundles are made side by side; an error of either stops the other, which is
// waited for. What cannot be stated is not signed.
func TestAttestFails(t *testing.T) {
	cause := errors.New("no entry in the log")
	for failing, name := range map[string]string{
		state: release.ProvenanceName, signStatement: release.ProvenanceName, writeProvenance: release.ProvenanceName,
		signBlob: release.ChecksumsBundleName, writeBundle: release.ChecksumsBundleName,
	} {
		t.Run(failing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNotary(t)
				other := map[string]string{
					signStatement: signBlob, writeProvenance: signBlob, signBlob: signStatement, writeBundle: signStatement,
				}[failing]
				n.at = func(ctx context.Context, call string) error {
					switch call {
					case failing:
						synctest.Wait()
						if strings.HasPrefix(call, "write ") {
							return fmt.Errorf("writing %q: %w", name, cause)
						}
						return cause
					case other:
						<-ctx.Done()
						return context.Cause(ctx)
					}
					return nil
				}
				signed, err := n.attest(t.Context())
				if !errors.Is(err, cause) || strings.Count(err.Error(), name) != 1 {
					t.Errorf("error %v, want it to name %s and the cause", err, name)
				}
				if !reflect.DeepEqual(signed, release.Signed{}) || n.running != 0 {
					t.Errorf("signed %+v; %d calls were not waited for", signed, n.running)
				}
				ended := ends(t, n.events, engine.PhaseAttest)
				if failing == state {
					if len(n.calls) != 1 || len(ended) != 0 {
						t.Errorf("calls %q, tasks %v after what cannot be stated", n.calls, ended)
					}
					return
				}
				if !slices.Contains(n.calls, other) || ended[name] != task.Failed || len(ended) != 2 {
					t.Errorf("calls %q, tasks %v", n.calls, ended)
				}
				delete(ended, name)
				only(t, ended, task.Stopped)
				if _, err := os.Stat(filepath.Join(n.dir, name)); err == nil {
					t.Errorf("%s was written", name)
				}
			})
		})
	}
}

// An interrupted run signs nothing more.
func TestAttestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotary(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errInterrupt)
		signed, err := n.attest(ctx)
		if !errors.Is(err, errInterrupt) || !reflect.DeepEqual(signed, release.Signed{}) || !slices.Equal(n.calls, []string{state}) || len(n.events) != 0 {
			t.Errorf("signed %+v, %v after %q", signed, err, n.calls)
		}
	})
	for _, at := range []string{signBlob, signStatement, writeBundle, writeProvenance} {
		synctest.Test(t, func(t *testing.T) {
			n := newNotary(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			n.at = func(ctx context.Context, call string) error {
				if call == at {
					cancel(errInterrupt)
				}
				return context.Cause(ctx)
			}
			signed, err := n.attest(ctx)
			if !errors.Is(err, errInterrupt) || !reflect.DeepEqual(signed, release.Signed{}) || n.running != 0 {
				t.Errorf("%s: signed %+v, %v", at, signed, err)
			}
			only(t, ends(t, n.events, engine.PhaseAttest), task.Done, task.Stopped)
		})
	}
}

// What a plan without signatures made is published as it is: callers leave Attest out,
// and there are as many assets as the plan says.
func TestUnsignedAssets(t *testing.T) {
	made := newNotary(t).made
	p := plan.Plan{Units: make([]plan.Unit, len(made.Units)), Sign: plan.SignNone}
	unsigned := release.Signed{Made: made}
	if got := unsigned.Assets(); len(got) != p.Assets() {
		t.Errorf("%d assets, the plan says %d", len(got), p.Assets())
	}
	p.Sign = plan.SignKeyless
	signed := release.Signed{Made: made, Bundle: &release.File{Name: release.ChecksumsBundleName}, Provenance: &release.File{Name: release.ProvenanceName}}
	if got := signed.Assets(); len(got) != p.Assets() {
		t.Errorf("%d assets, the plan says %d", len(got), p.Assets())
	}
}
