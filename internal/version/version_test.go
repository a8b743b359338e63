package version_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/semver"

	"github.com/org/pgo-release/internal/version"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ tag, dir, want, code string }{
		{"v1.2.3", "", "1.2.3", ""},
		{"v1.0.0-rc.1", ".", "1.0.0-rc.1", ""},
		{"tools/x/v0.2.0", "tools/x", "0.2.0", ""},
		{"1.2.3", "", "", "T01"},
		{"V1.2.3", "", "", "T01"},
		{"v1.2.3.4", "", "", "T02"},
		{"v1.2.x", "", "", "T02"},
		{"v1.2", "", "", "T02"},
		{"v1", "", "", "T02"},
		{"v1.02.3", "", "", "T03"},
		{"v2020.01.02", "", "", "T03"},
		{"v1.0.0-rc.01", "", "", "T03"},
		{"v1.0.0+build.5", "", "", "T05"},
		{"v1.0.0-20260101120000-abcdef123456", "", "", "T06"},
		{"v1.2.3-α", "", "", "T07"},
		{"v1.2.3-" + strings.Repeat("a", 128), "", "", "T07"},
		{"vv1.2.3", "", "", "T07"},
		{"v1.2.3", "tools/x", "", "G03"},
		{"other/v1.2.3", "tools/x", "", "G03"},
		{"other/v1.2.3", "", "", "G03"},
	} {
		v, err := version.Parse(c.tag, c.dir)
		var violation *version.Violation
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s: %v", c.tag, err)
		case c.code == "" && (v.String() != c.want || v.Tag() != c.tag):
			t.Errorf("%s: %s as %s", c.tag, v, v.Tag())
		case c.code != "" && (!errors.As(err, &violation) || violation.Code != c.code):
			t.Errorf("%s: %v, want %s", c.tag, err, c.code)
		}
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		existing, tag, module string
		want                  version.Verdict
	}{
		"first": {"", "v1.2.3", "example.com/a", version.Verdict{Latest: true, ImageTags: []string{"1.2.3", "1.2", "1", "latest"}}},
		"first prerelease": {"", "v1.0.0-rc.1", "example.com/a",
			version.Verdict{Prerelease: true, ImageTags: []string{"1.0.0-rc.1"}}},
		"backport": {"v1.9.0 v2.0.0", "v1.9.1", "example.com/a",
			version.Verdict{Previous: "v1.9.0", ImageTags: []string{"1.9.1", "1.9", "1"}}},
		"no floating 0": {"v0.1.0", "v0.2.0", "example.com/a",
			version.Verdict{Previous: "v0.1.0", Latest: true, ImageTags: []string{"0.2.0", "0.2", "latest"}}},
		"stable after its candidates": {"v1.9.0 v2.0.0-rc.1 v2.0.0-rc.2", "v2.0.0", "example.com/a/v2",
			version.Verdict{Previous: "v1.9.0", Latest: true, ImageTags: []string{"2.0.0", "2.0", "2", "latest"}}},
		"candidate after candidate": {"v1.1.0 v1.2.0-rc.9 v1.2.0-rc.2", "v1.2.0-rc.10", "example.com/a",
			version.Verdict{Previous: "v1.2.0-rc.9", Prerelease: true, ImageTags: []string{"1.2.0-rc.10"}}},
		"later prereleases do not count": {"v2.0.0-alpha.1", "v1.0.0", "example.com/a",
			version.Verdict{Latest: true, ImageTags: []string{"1.0.0", "1.0", "1", "latest"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var refs []version.Ref
			for _, tag := range strings.Fields(c.existing) {
				refs = append(refs, version.Ref{Tag: tag})
			}
			v, err := version.Parse(c.tag, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := version.Judge(v, version.Of(refs, ""), c.module)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestMajor(t *testing.T) {
	for tag, module := range map[string]string{"v2.0.0": "example.com/a", "v1.0.0": "example.com/a/v2", "v3.0.0": "example.com/a/v2"} {
		v, err := version.Parse(tag, "")
		if err != nil {
			t.Fatal(err)
		}
		var violation *version.Violation
		if _, err := version.Judge(v, nil, module); !errors.As(err, &violation) || violation.Code != "G01" {
			t.Errorf("%s of %s: %v", tag, module, err)
		}
	}
}

// Whatever is accepted is SemVer to the go command too, and is written back as read.
func FuzzParse(f *testing.F) {
	for _, tag := range []string{"v1.2.3", "v1.0.0-rc.1", "v1", "v1.2.3+x", "a/v1.2.3", "v0.0.0-0"} {
		f.Add(tag)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		v, err := version.Parse(tag, "")
		if err != nil {
			var violation *version.Violation
			if !errors.As(err, &violation) || violation.Code == "" {
				t.Fatalf("%q: %v is no violation", tag, err)
			}
			return
		}
		if v.Tag() != tag || !semver.IsValid(tag) || semver.Canonical(tag) != tag {
			t.Fatalf("%q is accepted as %q", tag, v.Tag())
		}
	})
}
