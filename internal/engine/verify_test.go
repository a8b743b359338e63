package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// suspect is a directory that may be a release: at first the genuine one.
type suspect struct {
	*testing.T
	shared
	dir      string
	claim    engine.Claim
	verifier engine.Verifier
	all      bool // every file has a bundle, from the next seal on
}

func newSuspect(t *testing.T) *suspect {
	t.Helper()
	s, err := verified()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dist")
	if err := os.CopyFS(dir, os.DirFS(string(s.genuine.dist))); err != nil {
		t.Fatal(err)
	}
	p := s.genuine.plan
	return &suspect{
		T: t, shared: s, dir: dir, verifier: verifier(s.authority.trust),
		claim: engine.Claim{
			Repository: "octo/hello", Tag: p.Tag, Version: p.Version, Commit: p.Commit,
			Images: []engine.ClaimedImage{{Reference: filepath.Join(dir, dist.ImageDir), Digest: s.genuine.Images[0].Digest}},
		},
	}
}

// image is where the image lies that is looked at; empty: nowhere.
func (s *suspect) image() string {
	if len(s.claim.Images) == 0 {
		return ""
	}
	return s.claim.Images[0].Reference
}

func (s *suspect) path(name string) string { return filepath.Join(s.dir, name) }

func (s *suspect) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suspect) write(name, content string) {
	s.Helper()
	s.check(os.WriteFile(s.path(name), []byte(content), 0o644))
}

// edit replaces the first match of old in a file.
func (s *suspect) edit(name, old, replacement string) {
	s.Helper()
	text := string(read(s.T, s.path(name)))
	if !strings.Contains(text, old) {
		s.Fatalf("%s has no %q", name, old)
	}
	s.write(name, strings.Replace(text, old, replacement, 1))
}

func (s *suspect) remove(names ...string) {
	s.Helper()
	for _, name := range names {
		s.check(os.Remove(s.path(name)))
	}
}

// repack packs programs anew, and makes the SBOM speak of the new archive.
func (s *suspect) repack(archive string, programs ...release.File) {
	s.Helper()
	entries := []engine.Entry{{Name: "LICENSE", Path: filepath.Join(s.root, "genuine", "LICENSE")}}
	for _, p := range programs {
		entries = append(entries, engine.Entry{Name: p.Name, Path: p.Path, Executable: true})
	}
	before := digestOf(read(s.T, s.path(archive)))
	format := strings.SplitN(archive, "64.", 2)[1]
	now, _, err := packed(s.Context(), format, s.path(archive), entries)
	s.check(err)
	s.edit(archive+release.SBOMSuffix, before.Hex(), now.Digest.Hex())
}

// seal lists and signs the archives and SBOMs that are in the directory, as somebody
// who holds the identity could; change and edit are attester's.
func (s *suspect) seal(change func(p *plan.Plan, subjects []release.Asset) []release.Asset, edit ...string) {
	s.Helper()
	made := s.genuine.Made
	made.Units = nil
	var files []release.File
	entries, err := os.ReadDir(s.dir)
	s.check(err)
	for _, e := range entries {
		name := e.Name()
		if !regexp.MustCompile(`\.(tar\.gz|zip|spdx\.json)$`).MatchString(name) || !e.Type().IsRegular() {
			continue
		}
		text := read(s.T, s.path(name))
		f := release.File{Name: name, Path: s.path(name), Digest: digestOf(text), Size: int64(len(text))}
		files = append(files, f)
	}
	made.Checksums, err = pack.Checksums(s.path(release.ChecksumsName), files)
	s.check(err)
	_, err = engine.Attest(s.Context(), made, s.dir, attester(s.authority, s.genuine.plan, func(p *plan.Plan, list []release.Asset) []release.Asset {
		for _, f := range files {
			list = append(list, release.Asset{File: f})
		}
		if change != nil {
			list = change(p, list)
		}
		return list
	}, edit...))
	s.check(err)
	for _, f := range files {
		if s.all {
			bundle, err := s.authority.signer.Blob(s.Context(), f)
			s.check(err)
			s.write(f.Name+release.BundleSuffix, string(bundle))
		}
	}
}

// verify runs Verify and returns its findings as lines: "ok" or "FAIL", the rule, the
// subject and what was found.
func (s *suspect) verify() []string {
	s.Helper()
	findings, err := engine.Verify(s.Context(), s.dir, s.claim, s.verifier)
	s.check(err)
	return lines(findings)
}

func lines(findings []engine.Finding) []string {
	var out []string
	for _, f := range findings {
		line := fmt.Sprintf("ok %s %s: %s", f.Rule, f.Subject, f.Detail)
		if f.Err != nil {
			line = fmt.Sprintf("FAIL %s %s: %s", f.Rule, f.Subject, f.Err)
		}
		if f.Note {
			line = fmt.Sprintf("note %s %s: %s", f.Rule, f.Subject, f.Detail)
		}
		out = append(out, line)
	}
	return out
}

func failing(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, "ok ") })
}

// The archives of the genuine release.
const (
	amd64   = "hello_1.2.3_linux_amd64.tar.gz"
	arm64   = "hello_1.2.3_linux_arm64.tar.gz"
	windows = "hello_1.2.3_windows_amd64.zip"
)

// Everything holds for what Make and Attest made, and the findings say so in the order
// of the rules and files.
func TestVerify(t *testing.T) {
	s := newSuspect(t)
	var events []task.Event
	s.verifier.Progress = func(e task.Event) { events = append(events, e) }
	commit := s.claim.Commit[:7]
	signer := "https://github.com/octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3"
	var want []string
	names := []string{amd64, amd64 + release.SBOMSuffix, arm64, arm64 + release.SBOMSuffix, windows, windows + release.SBOMSuffix}
	for _, name := range names {
		want = append(want, fmt.Sprintf("ok checksums %s: %s", name, digestOf(read(t, s.path(name)))))
	}
	want = append(want, "ok complete RELEASE_NOTES.md: text, which nobody signs", "ok complete checksums.txt: 6 files",
		"ok signature checksums.txt: signed by "+signer,
		fmt.Sprintf("ok provenance provenance.sigstore.json: v1.2.3, 7 subjects, image ghcr.io/octo/hello@%s, signed by %s", s.claim.Images[0].Digest, signer))
	for _, archive := range []string{amd64, arm64, windows} {
		want = append(want, "ok sbom "+archive+".spdx.json: github.com/octo/hello v1.2.3")
	}
	for archive, name := range map[string]string{amd64: "hello", arm64: "hello", windows: "hello.exe"} {
		want = append(want, fmt.Sprintf("ok binary %s: %s v1.2.3, commit %s", archive, name, commit))
	}
	slices.Sort(want[len(want)-3:])
	want = append(want, fmt.Sprintf("ok image %s: %s, 2 platforms", s.claim.Images[0].Reference, s.claim.Images[0].Digest))
	if got := s.verify(); !slices.Equal(got, want) {
		t.Errorf("findings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	ended := ends(t, events, engine.PhaseVerify)
	only(t, ended, task.Done)
	if len(ended) != 7 {
		t.Errorf("tasks %v", ended)
	}
}

// The same holds for the release as a page has it, and without signatures.
func TestVerifyPage(t *testing.T) {
	for _, unsigned := range []bool{false, true} {
		s := newSuspect(t)
		s.claim.Page, s.claim.Unsigned = true, unsigned
		s.claim.Images = nil
		entries, err := os.ReadDir(s.dir)
		s.check(err)
		for _, e := range entries {
			own := strings.HasPrefix(e.Name(), "hello_") || e.Name() == release.ChecksumsName
			bundle := strings.HasSuffix(e.Name(), ".sigstore.json")
			if !own && (!bundle || unsigned) {
				s.check(os.RemoveAll(s.path(e.Name())))
			}
		}
		got := s.verify()
		if len(failing(got)) > 0 || len(got) != map[bool]int{false: 15, true: 13}[unsigned] {
			t.Errorf("unsigned: %t\n%s", unsigned, strings.Join(got, "\n"))
		}
	}
}

// The commit may be left open; then all of it has to be of one.
func TestVerifyOpenCommit(t *testing.T) {
	s := newSuspect(t)
	s.claim.Unsigned, s.claim.Commit, s.claim.Images = true, "", nil
	s.remove(release.ChecksumsBundleName, release.ProvenanceName)
	if got := failing(s.verify()); len(got) > 0 {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ archive, commit, want string }{
		{amd64, "", "FAIL binary " + amd64 + ": hello says no commit"},
		{arm64, "", "FAIL binary " + arm64 + ": hello says no commit"},
		{arm64, s.foreign.plan.Commit, "FAIL binary " + arm64 + `: hello says commit "` + s.foreign.plan.Commit + `", want ` + s.genuine.plan.Commit},
	} {
		s.verifier.Executables = func(archive release.File) ([]engine.Executable, error) {
			found, err := executables(archive)
			if archive.Name == c.archive {
				found[0].Commit = c.commit
			}
			return found, err
		}
		if got := failing(s.verify()); !slices.Equal(got, []string{c.want}) {
			t.Errorf("commit %q of %s: %q", c.commit, c.archive, got)
		}
	}
}

// Whatever is wrong, the findings come in one order.
func TestVerifyOrder(t *testing.T) {
	s := newSuspect(t)
	s.claim.Version, s.claim.Images = "9.9.9", nil
	s.write("b.txt", "")
	s.write("a.txt", "")
	s.remove(arm64)
	first := s.verify()
	for range 5 {
		if got := s.verify(); !slices.Equal(got, first) {
			t.Fatalf("findings\n%s\nafter\n%s", strings.Join(got, "\n"), strings.Join(first, "\n"))
		}
	}
	rules := []string{engine.RuleChecksums, engine.RuleComplete, engine.RuleSignature, engine.RuleProvenance, engine.RuleSBOM, engine.RuleBinary, engine.RuleImage}
	at := 0
	for _, line := range first {
		rule := strings.Fields(line)[1]
		i := slices.Index(rules, rule)
		if i < at {
			t.Errorf("%q comes after %q", line, rules[at])
		}
		at = max(at, i)
	}
}

// The context ends in the middle of any edge: what was found so far comes with the
// cause, and nothing more is asked.
func TestVerifyCancelled(t *testing.T) {
	for _, at := range []string{"checksums", "blob", "statement", "sbom", "executables", "image"} {
		t.Run(at, func(t *testing.T) {
			s := newSuspect(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var calls []string
			reach := func(edge string) {
				calls = append(calls, edge)
				if edge == at {
					cancel(errInterrupt)
				}
			}
			whole := s.verify()
			v := s.verifier
			s.verifier.ParseChecksums = func(content []byte) (map[string]release.Digest, error) {
				reach("checksums")
				return v.ParseChecksums(content)
			}
			s.verifier.Blob = func(bundle []byte, digest release.Digest, c engine.Claim) (string, error) {
				reach("blob")
				return v.Blob(bundle, digest, c)
			}
			s.verifier.Statement = func(bundle []byte, digest release.Digest, c engine.Claim) (engine.Statement, error) {
				reach("statement")
				return v.Statement(bundle, digest, c)
			}
			s.verifier.SBOM = func(content []byte) (engine.Bill, error) { reach("sbom"); return v.SBOM(content) }
			s.verifier.Executables = func(f release.File) ([]engine.Executable, error) { reach("executables"); return v.Executables(f) }
			s.verifier.Image = func(ctx context.Context, image engine.ClaimedImage) (engine.ImageContent, error) {
				reach("image")
				return v.Image(ctx, image)
			}
			var events []task.Event
			s.verifier.Progress = func(e task.Event) { events = append(events, e) }
			findings, err := engine.Verify(ctx, s.dir, s.claim, s.verifier)
			if !errors.Is(err, errInterrupt) {
				t.Errorf("error %v", err)
			}
			if slices.Index(calls, at) != len(calls)-1 {
				t.Errorf("asked on: %q", calls)
			}
			if got := lines(engine.Failed(findings)); at != "image" && (len(got) > 0 || !slices.Equal(lines(findings), whole[:len(findings)])) {
				t.Errorf("findings %q", lines(findings))
			}
			only(t, ends(t, events, engine.PhaseVerify), task.Done, task.Stopped)
		})
	}
	s := newSuspect(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupt)
	if findings, err := engine.Verify(ctx, s.dir, s.claim, engine.Verifier{}); findings != nil || err == nil || !strings.Contains(err.Error(), errInterrupt.Error()) {
		t.Errorf("findings %v, %v", findings, err)
	}
}

func TestVerifyCannotLook(t *testing.T) {
	s := newSuspect(t)
	for _, dir := range []string{s.path("absent"), s.path(amd64)} {
		findings, err := engine.Verify(t.Context(), dir, s.claim, s.verifier)
		var where *fs.PathError
		if findings != nil || err == nil || !strings.HasPrefix(err.Error(), "verifying ") || !errors.As(err, &where) {
			t.Errorf("%s: findings %v, %v", dir, findings, err)
		}
	}
}
