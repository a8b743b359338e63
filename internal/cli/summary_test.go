package cli

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/ui"
	"github.com/org/pgo-release/internal/version"
)

// golden compares with a file of testdata; the flag is the one of the script tests.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./internal/cli -run %s -update writes it anew):\n%s", path, t.Name(), got)
	}
}

// examplePage is a release with everything that a page can tell.
func examplePage() page {
	linux := release.Target{OS: "linux", Arch: "arm", Variant: "v7"}
	sum := strings.Repeat("ab", 32)
	return page{
		plan: plan.Plan{
			Repository: plan.Repository{Owner: "octo", Name: "hello"}, Sign: plan.SignKeyless, Environment: plan.Staging,
			Verdict: version.Verdict{Previous: "v1.2.2", Latest: true, Actual: version.Patch, Findings: []version.Finding{
				{Code: "B03", Level: version.Warning, Found: "`x` <b>", Rule: "a | b", Want: "v1.3.0"},
			}},
		},
		report: dist.Report{
			Project: "hello", Version: "1.2.3", Tag: "v1.2.3", Commit: strings.Repeat("0", 40), Toolchain: "go1.26.8",
			Artifacts: []dist.Artifact{
				{Name: "hello_1.2.3_linux_armv7.tar.gz", Kind: release.KindArchive, Target: &linux, Size: 2_100_000, SHA256: sum},
				{Name: "other_1.2.3_linux_armv7.tar.gz", Kind: release.KindArchive, Target: &linux, Size: 10, SHA256: sum},
				{Name: "checksums.txt", Kind: release.KindChecksums, Size: 90, SHA256: sum},
			},
			Images: []dist.Image{
				{Repository: "ghcr.io/octo/hello", Digest: release.Digest("sha256:" + sum), Tags: []string{"ghcr.io/octo/hello:1", "ghcr.io/octo/hello:1.2.3"}, Private: true},
				{Repository: "ghcr.io/octo/hello/ctl", Digest: release.Digest("sha256:" + sum)},
			},
			Release: &dist.Release{ID: 1, URL: "https://github.com/octo/hello/releases/tag/v1.2.3"},
		},
		before: map[string]int64{"hello_1.2.2_linux_armv7.tar.gz": 2_000_000, "checksums.txt": 100},
		timeline: []ui.Span{
			{Phase: "make", Task: "hello linux/arm/v7", Start: 900 * time.Millisecond, End: 12 * time.Second, Memory: 312_000_000},
			{Phase: "preflight", Task: "signing", Start: 0, End: 300 * time.Millisecond},
			{Phase: "make", Task: "a: b; c #d\n%% <x>`", Start: time.Second, End: time.Second},
		},
		notes: "- first\n",
	}
}

func TestSummary(t *testing.T) {
	golden(t, "summary.md", examplePage().markdown())
	draft := examplePage()
	draft.report.Release.Draft, draft.plan.Sign, draft.before, draft.timeline, draft.notes = true, plan.SignNone, nil, nil, ""
	draft.plan.Verdict = version.Verdict{Prerelease: true}
	golden(t, "summary_draft.md", draft.markdown())
	rehearsed := examplePage()
	rehearsed.rehearsed = true
	if text := rehearsed.markdown(); !strings.Contains(text, "**Rehearsed**: nothing of it is public") || strings.Contains(text, rehearsed.report.Release.URL) {
		t.Errorf("a rehearsal: %s", text)
	}
}

// Of many tasks, the chart has those that took longest, and stays within what can be drawn.
func TestGanttOfManyTasks(t *testing.T) {
	p := examplePage()
	for i := range 2000 {
		p.timeline = append(p.timeline, ui.Span{Phase: "ship", Task: strings.Repeat("x", 200), Start: time.Second, End: time.Second + time.Duration(i)*time.Millisecond})
	}
	text := p.gantt()
	if n := strings.Count(text, " :"); n != maxBars || len(text) > 50_000 || !strings.Contains(text, "hello linux/arm/v7 11.1s 312.0 MB :900, 12000\n") || strings.Contains(text, "signing") {
		t.Errorf("%d bars in %d bytes:\n%.2000s", n, len(text), text)
	}
}

func TestFenced(t *testing.T) {
	for text, want := range map[string]string{
		"a\n": "```text\na\n```", "```\nx": "````text\n```\nx\n````",
	} {
		if got := fenced(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is wrong in a file is shown there, and cannot become another command.
func TestAnnotations(t *testing.T) {
	var out strings.Builder
	r := ui.New(ui.Options{Err: &out, Mode: ui.Actions})
	err := &placed{errors.New("compiling: it failed"), []release.Place{
		{File: "cmd/a,b:c.go", Line: 3, Column: 7, Text: "undefined: x\n::error::evil"}, {File: "go.mod", Line: 1, Text: "100%"},
	}}
	for range 12 {
		err.places = append(err.places, release.Place{File: "more.go", Line: 1, Text: "more"})
	}
	r.Error(err)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := []string{
		"::error file=cmd/a%2Cb%3Ac.go,line=3,col=7,title=pgo-release::undefined: x%0A::error::evil", "::error file=go.mod,line=1,title=pgo-release::100%25",
	}
	for i, w := range want {
		if lines[i] != w {
			t.Errorf("line %d: %s, want %s", i, lines[i], w)
		}
	}
	if last := lines[len(lines)-1]; len(lines) != 10 || last != "::error title=pgo-release::compiling: it failed" {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}

type placed struct {
	error
	places []release.Place
}

func (p *placed) Places() []release.Place { return p.places }

// The floating tags may move where the released version is the highest of theirs, and not to
// what is not public.
func TestFloatingTags(t *testing.T) {
	p := plan.Plan{Verdict: version.Verdict{GitTags: []string{"v1.2", "v1"}}}
	for _, tt := range []struct {
		draft bool
		want  string
	}{{false, "v1.2 v1"}, {true, ""}} {
		r := dist.Report{Release: &dist.Release{Draft: tt.draft}}
		if got, err := outputsOf(p, r, "dist"); err != nil || got["floating-tags"] != tt.want {
			t.Errorf("draft %t: %q, %v, want %q", tt.draft, got["floating-tags"], err, tt.want)
		}
	}
}
