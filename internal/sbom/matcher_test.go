package sbom

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/anchore/syft/syft/license"
	"github.com/anchore/syft/syft/pkg"
)

// counted is a matcher that tells how often a scanner was asked for, and whose scanner
// may be broken.
func counted(memory string, broken error) (*matcher, *int) {
	asked := new(int)
	return &matcher{memory: memory, scanner: func() (context.Context, error) {
		*asked++
		if broken != nil {
			return nil, broken
		}
		return scanner()
	}}, asked
}

func mitText(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleCache(t), "github.com/!masterminds/semver/v3@"+required(t)[semver], "LICENSE.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What was read once is known from then on, and is the same.
func TestRemembered(t *testing.T) {
	memory := filepath.Join(t.TempDir(), "below", "licences")
	for _, text := range [][]byte{mitText(t), []byte("Do what you like."), []byte("By J\xf6rg: do it."), []byte("")} {
		first, asked := counted(memory, nil)
		want, err := first.match(text)
		if err != nil || *asked != 1 || len(want) != 1 {
			t.Fatalf("%q: %d licences, %d scanners, %v", text, len(want), *asked, err)
		}
		second, asked := counted(memory, errors.New("not to be asked"))
		got, err := second.match(text)
		if err != nil || *asked != 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v; %d scanners, %v", text, got, want, *asked, err)
		}
	}
	l := pkg.NewLicenseSet()
	for _, text := range []string{string(mitText(t)), "Do what you like."} {
		m, _ := counted(memory, nil)
		found, err := m.match([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		l.Add(found...)
	}
	for i, want := range []pkg.License{
		{Value: "MIT", SPDXExpression: "MIT", Type: license.Concluded},
		{Value: "sha256:" + digestOf("Do what you like.").Hex(), Contents: "Do what you like.", Type: license.Concluded},
	} {
		if got := l.ToSlice()[i]; got.Value != want.Value || got.SPDXExpression != want.SPDXExpression || got.Contents != want.Contents || got.Type != want.Type {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// What is remembered in another form, or cannot be kept, is read anew.
func TestNotRemembered(t *testing.T) {
	text := mitText(t)
	for name, content := range map[string]string{
		"nothing": "", "cut": `[{"value":"MIT"`, "none": "[]", "no value": `[{"expression":"MIT"}]`,
		"another form": `[{"value":"GPL-2.0","expression":"GPL-2.0","since":"v2"}]`, "no list": `{"value":"GPL-2.0"}`,
		"more behind": `[{"value":"GPL-2.0","expression":"GPL-2.0"}] true`,
	} {
		m, asked := counted(t.TempDir(), nil)
		if err := os.WriteFile(m.file(text), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := m.match(text)
		if err != nil || *asked != 1 || len(found) != 1 || found[0].Value != "MIT" {
			t.Errorf("%s: %+v, %d scanners, %v", name, found, *asked, err)
		}
		if again, err := m.match(text); err != nil || *asked != 1 || len(again) != 1 {
			t.Errorf("%s: it was not remembered: %+v, %d scanners, %v", name, again, *asked, err)
		}
	}
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []string{"", taken, filepath.Join(taken, "below")} {
		m, asked := counted(memory, nil)
		for range 2 {
			if found, err := m.match(text); err != nil || len(found) != 1 || found[0].Value != "MIT" {
				t.Errorf("%s: %+v, %v", memory, found, err)
			}
		}
		if *asked != 2 {
			t.Errorf("%s: %d scanners", memory, *asked)
		}
	}
}

// Without a scanner there is no document, rather than one that lacks licences.
func TestBrokenScanner(t *testing.T) {
	broken := errors.New("broken")
	d := New(Places{ModuleCache: moduleCache(t)})
	d.licences.matcher, _ = counted("", broken)
	dir := t.TempDir()
	if _, err := d.Describe(t.Context(), compile(t, dependent(t)), filepath.Join(dir, "x")); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	empty(t, dir, 0)
	if _, err := New(Places{ModuleCache: moduleCache(t)}).Describe(t.Context(), compile(t, plain()), filepath.Join(dir, "x")); err != nil {
		t.Errorf("a program without modules: %v", err)
	}
}

// Prepare reads what is there, and expects what is not.
func TestPrepare(t *testing.T) {
	present := "\t" + semver + " " + required(t)[semver] + "\n"
	const absent = "\texample.com/absent v1.0.0\n\texample.com/missing v1.0.0\n"
	memory := t.TempDir()
	for _, test := range []struct {
		name, gomod string
		scanners    int
	}{
		{"nothing required", "module m\n", 0},
		{"a text that nobody read", "module m\nrequire (\n" + present + ")\n", 1},
		{"a text that was read", "module m\nrequire (\n" + present + ")\n", 0},
		{"one of each", "module m\nrequire (\n" + present + "\texample.com/absent v1.0.0\n)\n", 0},
		{"most are absent", "module m\nrequire (\n" + present + absent + ")\n", 1},
		{"no go.mod", "", 0},
		{"none that can be read", "require (", 0},
	} {
		d := New(Places{ModuleCache: moduleCache(t)})
		var asked *int
		d.licences.matcher, asked = counted(memory, nil)
		path := filepath.Join(t.TempDir(), "go.mod")
		if test.gomod != "" {
			if err := os.WriteFile(path, []byte(test.gomod), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d.Prepare(t.Context(), path)
		if *asked != test.scanners {
			t.Errorf("%s: %d scanners, want %d", test.name, *asked, test.scanners)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	d := New(Places{ModuleCache: moduleCache(t)})
	var asked *int
	d.licences.matcher, asked = counted("", nil)
	path := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(path, []byte("module m\nrequire (\n"+present+absent+")\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.Prepare(ended, path); *asked != 0 {
		t.Error("it goes on after its end")
	}
}

func TestVersionOfTools(t *testing.T) {
	versions := required(t)
	if want := "syft-" + versions["github.com/anchore/syft"]; syftTool != want {
		t.Errorf("documents say %s, go.mod has %s", syftTool, want)
	}
	want := syftTool + " licensecheck-" + versions["github.com/google/licensecheck"] + " go-spdx-" + versions["github.com/github/go-spdx/v2"]
	if licenceTool != want {
		t.Errorf("licences are remembered as of %s, go.mod has %s", licenceTool, want)
	}
}
