package dist_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

var update = flag.Bool("update", false, "write the golden files anew")

func digest(digit string) release.Digest {
	return release.Digest("sha256:" + strings.Repeat(digit, 64))
}

func file(name, digit string, size int64) release.File {
	return release.File{Name: name, Path: "/somewhere/" + name, Digest: digest(digit), Size: size}
}

// example is a plan, what was made of it, and what came of publishing that.
func example() (plan.Plan, release.Signed, release.Receipt) {
	p := plan.Plan{
		Schema: plan.Schema, Project: "app", Repository: plan.Repository{Owner: "octo", Name: "app"},
		Version: "1.2.3", Tag: "v1.2.3", Commit: strings.Repeat("c", 40), Toolchain: "go1.26.8",
		Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	arm := release.Target{OS: "linux", Arch: "arm", Variant: "v7"}
	windows := release.Target{OS: "windows", Arch: "amd64"}
	bundle, provenance := file(release.ChecksumsBundleName, "6", 6), file(release.ProvenanceName, "7", 7)
	signed := release.Signed{
		Made: release.Made{
			Units: []release.Unit{
				{Build: "app", Target: arm, Binary: file("app", "0", 9), Archive: file("app_arm.tar.gz", "1", 1), SBOM: file("app_arm.tar.gz.spdx.json", "2", 2)},
				{Build: "app", Target: windows, Binary: file("app.exe", "0", 9), Archive: file("app.zip", "3", 3), SBOM: file("app.zip.spdx.json", "4", 4)},
			},
			Checksums: file(release.ChecksumsName, "5", 5),
			Images: []release.Image{{
				Repository: "ghcr.io/octo/app", Layout: "/somewhere/image", Digest: digest("8"),
				Platforms: []release.Platform{{Target: arm, Digest: digest("9")}},
			}, {Repository: "ghcr.io/octo/app/ctl", Layout: "/somewhere/image", Digest: digest("7")}},
		},
		Bundle: &bundle, Provenance: &provenance,
	}
	receipt := release.Receipt{
		ID: 42, URL: "https://github.com/octo/app/releases/tag/v1.2.3",
		Images: []release.Pushed{
			{Repository: "ghcr.io/octo/app", Digest: digest("8"), Tags: []string{"ghcr.io/octo/app:1.2.3", "ghcr.io/octo/app:latest"}},
			{Repository: "ghcr.io/octo/app/ctl", Digest: digest("7"), Private: true},
		},
	}
	return p, signed, receipt
}

// described is the report about the example; its digests of the plan are the plan's,
// and then letters, for what they are made of is told in package plan.
func described(t *testing.T, p plan.Plan, signed release.Signed) dist.Report {
	t.Helper()
	r, err := dist.NewReport(p, signed)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := p.Digest()
	if err != nil || r.Plan != string(whole) {
		t.Errorf("plan %s, want %s (%v)", r.Plan, whole, err)
	}
	content, err := p.Content()
	if err != nil || r.Content != string(content) {
		t.Errorf("content %s, want %s (%v)", r.Content, content, err)
	}
	r.Plan, r.Content = string(digest("a")), string(digest("b"))
	return r
}

func TestReport(t *testing.T) {
	p, signed, receipt := example()
	bare, unsigned := p, signed
	bare.Repository = plan.Repository{}
	unsigned.Bundle, unsigned.Provenance, unsigned.Images = nil, nil, nil
	made := described(t, p, signed)
	for name, r := range map[string]dist.Report{
		"made.json":      made,
		"published.json": made.Publish(receipt),
		"draft.json":     made.Publish(release.Receipt{ID: 42, URL: receipt.URL, Draft: true}),
		"unsigned.json":  described(t, bare, unsigned),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("differs from %s (go test ./internal/dist -update writes it anew):\n%s", golden, got)
			}
		})
	}
	if made.Release != nil || made.Images[0].Tags != nil {
		t.Error("publishing changed the report that it began with")
	}
}

// What is written is read back as it was.
func TestReadBack(t *testing.T) {
	p, signed, receipt := example()
	d := dist.Dir(filepath.Join(t.TempDir(), "dist"))
	want := described(t, p, signed).Publish(receipt)
	if err := d.Write(want); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
	if err := d.Renew(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(want); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Read(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	unsigned := described(t, p, release.Signed{Made: release.Made{Checksums: signed.Checksums}})
	if err := d.Write(unsigned); err != nil { // over the longer one
		t.Fatal(err)
	}
	if got, err := d.Read(); err != nil || !reflect.DeepEqual(got, unsigned) {
		t.Errorf("%+v, %v\nwant %+v", got, err, unsigned)
	}
}

func TestReadRefuses(t *testing.T) {
	p, signed, _ := example()
	good, err := described(t, p, signed).JSON()
	if err != nil {
		t.Fatal(err)
	}
	change := func(from, to string) string {
		if !strings.Contains(string(good), from) {
			t.Fatalf("%q is not in the report", from)
		}
		return strings.Replace(string(good), from, to, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"another schema":  {change("schema/release/v1", "schema/release/v2"), `schema "https://github.com/org/pgo-release/schema/release/v2": want "https://github.com/org/pgo-release/schema/release/v1"`},
		"no schema":       {"{}", `schema ""`},
		"a plan":          {`{"schema": "` + plan.Schema + `"}`, "schema/plan/v1"},
		"nothing":         {"", "JSON"},
		"half of it":      {string(good[:len(good)/2]), "JSON"},
		"more behind it":  {string(good) + "{}", "after top-level value"},
		"a list":          {"[]", "array"},
		"no such variant": {change("linux/arm/v7", "linux/arm/v9"), "arm has the variants"},
		"a negative date": {change("2026-03-01T", "-2026-03-01T"), "parsing time"},
		"too much":        {string(good) + strings.Repeat(" ", 16<<20), "more than 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dist.Dir(t.TempDir())
			if err := os.WriteFile(d.Join(release.ReportName), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := d.Read()
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "reading ") {
				t.Errorf("%v, want %s", err, c.want)
			}
			if !reflect.DeepEqual(got, dist.Report{}) {
				t.Errorf("an error and %+v", got)
			}
		})
	}
	if _, err := dist.Dir(t.TempDir()).Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
