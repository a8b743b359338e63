package apidiff_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/apidiff"
)

func TestPackages(t *testing.T) {
	const embed = "import \"embed\"\n//go:embed dist\nvar F embed.FS\n"
	for name, c := range map[string]struct {
		source string
		want   []string
	}{
		"only commands and internal packages": {source: program},
		"no Go files":                         {source: "-- README.md --\ntext\n"},
		"all":                                 {library + "-- p.go --\npackage p\n", []string{"example.com/m", "example.com/m/a", "example.com/m/b"}},
		"not what others cannot import": {"-- a/internal/b/b.go --\npackage b\n-- internal/b.go --\nno Go\n-- testdata/b.go --\nno Go\n-- _b/b.go --\nno Go\n" +
			"-- x/internalx/x.go --\npackage x\n-- cmd/c/main.go --\npackage main\nfunc main(Undefined) {}\n-- t/t_test.go --\npackage t\n" +
			"-- n/go.mod --\nmodule example.com/m/n\n-- n/n.go --\nno Go\n", []string{"example.com/m/x/internalx"}},
		"other systems":          {"-- w/w_windows.go --\npackage w\nfunc F(Undefined) {}\n-- l/l_linux.go --\npackage l\n", []string{"example.com/m/l"}},
		"cgo, which is off":      {"-- c/c.go --\npackage c\nimport \"C\"\nvar X C.int\n-- p.go --\npackage p\n", []string{"example.com/m"}},
		"embed without files":    {embed, []string{"example.com/m"}},
		"embed of an empty file": {"-- p.go --\npackage p\n" + embed + "-- dist/.gitkeep --\n", []string{"example.com/m"}},
		"embed in what is imported": {"-- p.go --\npackage p\nimport \"example.com/m/internal/x\"\nvar X = x.F\n-- internal/x/x.go --\npackage x\n" + embed,
			[]string{"example.com/m"}},
		"body that does not compile": {"func F() int { undefined() }", []string{"example.com/m"}},
		"the standard library":       {"import \"net/http\"\nvar C http.Client", []string{"example.com/m"}},
		"replaced by a directory": {"-- go.mod --\nmodule example.com/m\n\ngo 1.26\n\nrequire example.com/m/n v0.0.0\n\nreplace example.com/m/n => ./n\n" +
			"-- n/go.mod --\nmodule example.com/m/n\n\ngo 1.26\n-- n/n.go --\npackage n\ntype T int\n-- p.go --\npackage p\nimport \"example.com/m/n\"\nfunc F(n.T) {}\n",
			[]string{"example.com/m"}},
		"deep types": {"var X " + strings.Repeat("[]", 50000) + "int", []string{"example.com/m"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := load(t, c.source).Packages(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("packages %q, want %q", got, c.want)
			}
		})
	}
}

func TestVendored(t *testing.T) {
	const source = "-- go.mod --\nmodule example.com/m\n\ngo 1.26\n\nrequire example.com/dep v1.2.3\n" +
		"-- p.go --\npackage p\nimport \"example.com/dep\"\nfunc F(dep.T) {}\n" +
		"-- vendor/modules.txt --\n# example.com/dep v1.2.3\n## explicit; go 1.26\nexample.com/dep\n-- vendor/example.com/dep/dep.go --\npackage dep\ntype T int\n"
	m := write(t, source)
	if _, err := apidiff.Load(t.Context(), m); err == nil {
		t.Error("the vendor directory was used unasked")
	}
	m.Vendored = true
	api, err := apidiff.Load(t.Context(), m)
	if got := api.Packages(); err != nil || !reflect.DeepEqual(got, []string{"example.com/m"}) {
		t.Errorf("packages %q, %v", got, err)
	}
}

func TestLoadErrors(t *testing.T) {
	const of = `loading the API of module "example.com/m": `
	nested := func(text, closing string) string {
		return strings.Repeat(text, 1_000_000) + "1" + strings.Repeat(closing, 1_000_000)
	}
	for name, c := range map[string]struct{ source, want string }{
		"syntax":              {"-- sub/p.go --\npackage p\nfunc F( {\n", `package "example.com/m/sub": sub/p.go:2:9: expected ')', found '{'`},
		"type":                {"func F(Undefined) {}", `package "example.com/m": p.go:2:8: undefined: Undefined`},
		"redeclared":          {"func F() {}\nfunc F() {}", `package "example.com/m": p.go:3:6: F redeclared in this block`},
		"no package clause":   {"-- p.go --\nfunc F() {}\n", `package "example.com/m": p.go:1:1: expected 'package', found 'func'`},
		"empty file":          {"-- p.go --\n", `p.go:1:1: expected 'package', found 'EOF'`},
		"two packages":        {"-- a.go --\npackage a\n-- b.go --\npackage b\n", "found packages a (a.go) and b (b.go)"},
		"in what is imported": {"-- p.go --\npackage p\nimport _ \"example.com/m/internal/x\"\n-- internal/x/x.go --\npackage x\nvar X Undefined\n", `package "example.com/m/internal/x": internal/x/x.go:2:7: undefined: Undefined`},
		"missing module":      {"import \"example.com/other\"\nvar X = other.X", `p.go:2:8: cannot find module providing package example.com/other`},
		"missing beside embed": {"import \"embed\"\nimport \"example.com/other\"\n//go:embed dist\nvar F embed.FS\nvar X other.X",
			`p.go:3:8: cannot find module providing package example.com/other`},
		"missing version":   {"-- go.mod --\nmodule example.com/m\n\ngo 1.26\n\nrequire example.com/other v1.0.0\n-- p.go --\npackage p\nimport _ \"example.com/other\"\n", "example.com/other"},
		"import cycle":      {"-- a/a.go --\npackage a\nimport _ \"example.com/m/b\"\n-- b/b.go --\npackage b\nimport _ \"example.com/m/a\"\n", `package "example.com/m/a": import cycle not allowed`},
		"imports itself":    {"import _ \"example.com/m\"", "import cycle not allowed"},
		"imports a command": {"-- p.go --\npackage p\nimport _ \"example.com/m/x\"\n-- x/x.go --\npackage main\nfunc main() {}\n", "is a program, not an importable package"},
		"newer Go":          {"-- go.mod --\nmodule example.com/m\n\ngo 1.99\n-- p.go --\npackage p\n", "go: go.mod requires go >= 1.99 (running go"},
		"broken go.mod":     {"-- go.mod --\nmodule example.com/m\nmodul x\n-- p.go --\npackage p\n", "go: errors parsing go.mod: go.mod:2: unknown directive: modul"},
		"infinite type":     {"type T struct { f T }", "invalid recursive type: T refers to itself"},
		"infinite instance": {"type T[P any] struct { f *T[T[P]] }\nvar X T[int]", "instantiation cycle:"},
		"deep nesting":      {"var X = " + nested("(", ")"), "exceeded max nesting depth"},
		"line directive":    {"//line \x1b[31m\x07x:7\nvar X Undefined", "undefined: Undefined"},
	} {
		t.Run(name, func(t *testing.T) {
			api, err := apidiff.Load(t.Context(), write(t, c.source))
			if err == nil || !strings.HasPrefix(err.Error(), of) || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b\x07") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if api.Packages() != nil {
				t.Errorf("packages %q", api.Packages())
			}
		})
	}
}

func TestLoadOfAnotherModule(t *testing.T) {
	m := write(t, library)
	m.Path = "example.com/m2"
	if _, err := apidiff.Load(t.Context(), m); err == nil || !strings.Contains(err.Error(), `its directory holds package "example.com/m/a"`) {
		t.Error(err)
	}
	m.Dir = filepath.Join(m.Dir, "missing")
	if _, err := apidiff.Load(t.Context(), m); err == nil {
		t.Error("a directory that is missing was loaded")
	}
}

// A program that PATH happens to hold is not asked, and the checkout is only read.
func TestLoadTouchesNothing(t *testing.T) {
	m := write(t, "import \"net/http\"\nvar C http.Client")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "gopackagesdriver"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if _, err := apidiff.Load(t.Context(), m); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(m.Dir, "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("the checkout holds %q, %v", files, err)
	}
}

func TestLoadIsCancelled(t *testing.T) {
	m := write(t, "import \"net/http\"\nvar C http.Client")
	enough := errors.New("enough")
	for _, patience := range []time.Duration{0, 10 * time.Millisecond, 150 * time.Millisecond} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), patience, enough)
		start := time.Now()
		_, err := apidiff.Load(ctx, m)
		cancel()
		if !errors.Is(err, enough) && (err != nil || patience < 100*time.Millisecond) { // a fast machine may be done in time
			t.Errorf("after %s: %v", patience, err)
		}
		if took := time.Since(start); took > patience+10*time.Second {
			t.Errorf("after %s it took %s", patience, took)
		}
	}
}
