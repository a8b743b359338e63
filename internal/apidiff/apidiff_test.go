package apidiff_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/org/pgo-release/internal/apidiff"
)

// environment is that of a go command without a network; what it caches is shared.
func environment(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Split(string(out), "\n")
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GOCACHE=" + caches[0], "GOMODCACHE=" + caches[1],
		"GOPROXY=off", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "GOENV=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64",
	}
}

// write makes a module from an archive of files; text that is none becomes p.go, and
// without a go.mod the module is example.com/m.
func write(t *testing.T, source string) apidiff.Module {
	t.Helper()
	if !strings.Contains(source, "-- ") {
		source = "-- p.go --\npackage p\n" + source
	}
	m := apidiff.Module{Dir: t.TempDir(), Path: "example.com/m", Env: environment(t)}
	files := []txtar.File{{Name: "go.mod", Data: []byte("module example.com/m\n\ngo 1.26\n")}}
	for _, f := range append(files, txtar.Parse([]byte(source)).Files...) {
		path := filepath.Join(m.Dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if f.Name == "go.mod" {
			line, _, _ := strings.Cut(string(f.Data), "\n")
			m.Path = strings.TrimPrefix(line, "module ")
		}
	}
	return m
}

func load(t *testing.T, source string) apidiff.API {
	t.Helper()
	api, err := apidiff.Load(t.Context(), write(t, source))
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// differ is a change of a module and what is said about it, "- " before what is
// incompatible, "+ " before what is compatible, "= " before a constant's new value.
type differ struct{ name, old, new, want string }

func (c differ) run(t *testing.T) {
	t.Helper()
	d, err := apidiff.Compare(t.Context(), load(t, c.old), load(t, c.new))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range d.Incompatible {
		got = append(got, "- "+line)
	}
	for _, line := range d.Compatible {
		got = append(got, "+ "+line)
	}
	for _, line := range d.Values {
		got = append(got, "= "+line)
	}
	if got := strings.Join(got, "\n"); got != c.want {
		t.Errorf("got\n%s\nwant\n%s", got, c.want)
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []differ{
		{"nothing", "func F() {}", "func F() {}", ""},
		{"removed", "func F() {}\nvar V int\ntype T int\nconst C = 1", "", "- C: removed\n- F: removed\n- T: removed\n- V: removed"},
		{"added", "", "func F() {}\ntype T int\nfunc (T) M() {}", "+ F: added\n+ T: added"},
		{"unexported", "func f() {}\ntype t int", "func g(int) {}", ""},
		{"signature", "func F(int) {}", "func F(int) error { return nil }", "- F: changed from func(int) to func(int) error"},
		{"names of parameters", "func F(a int) {}", "func F(b int) {}", ""},
		{"bodies", "func F() int { return 1 }", "import \"os\"\nfunc F() int { os.Exit(1); panic(0) }", ""},
		{"variadic", "func F() {}", "func F(...int) {}", "- F: changed from func() to func(...int)"},
		{"function to variable", "func F() {}", "var F = func() {}", "+ F: changed from func to var"},
		{"kind", "var F = func() {}", "func F() {}", "- F: changed from var to func"},
		{"interface got a method", "type I interface{ M() }", "type I interface{ M(); N() }", "- I.N: added"},
		{"sealed interface got a method", "type I interface{ M(); m() }", "type I interface{ M(); m(); N() }", "+ I.N: added"},
		{"interface was sealed", "type I interface{ M() }", "type I interface{ M(); m() }", "- I.m: added unexported method"},
		{"field type", "type T struct{ A int }", "type T struct{ A string }", "- T.A: changed from int to string"},
		{"field added", "type T struct{ A int }", "type T struct{ A, B int; c int }", "+ T.B: added"},
		{"field removed", "type T struct{ A, B int }", "type T struct{ A int }", "- T.B: removed"},
		{"tag", "type T struct{ A int `json:\"a\"` }", "type T struct{ A int `json:\"b\"` }", ""},
		{"no longer comparable", "type T struct{ A int }", "type T struct{ A int; f func() }", "- T: old is comparable, new is not"},
		{"embedded type lost a method", "type b struct{}\nfunc (b) M() {}\ntype T struct{ b }", "type b struct{}\ntype T struct{ b }",
			"- b.M, method set of *T: removed\n- b.M, method set of T: removed"},
		{"pointer receiver", "type T int\nfunc (T) M() {}", "type T int\nfunc (*T) M() {}", "- T.M: removed"},
		{"value of a constant", "const C = `a\nb`", "const C = `a\nc`", `= C: value changed from "a\nb" to "a\nc"`},
		{"type of a constant", "const C = 1", "const C int = 1", "- C: changed from untyped int to int"},
		{"exposed type was renamed", "type u struct{ X int }\nvar V u", "type w struct{ X, Y int }\nvar V w", "+ u.Y: added"},
		{"two things about a type", "type A interface{ M() }\ntype B interface{ M(); N() }\ntype T int\nfunc (T) M() {}\nfunc (T) N() {}",
			"type A interface{ M() }\ntype B interface{ M(); N() }\ntype T int\nfunc (T) N() {}", "- T.M: removed\n- T: no longer implements A\n- T: no longer implements B"},
		{"unexported interface", "type a interface{ M() }\nvar V a\ntype T int\nfunc (T) M() {}",
			"type b interface{ M(); n() }\nvar V b\ntype T int\nfunc (T) M() {}",
			"- T: no longer implements an interface that is not exported by its name\n- a.n: added unexported method"},
	} {
		t.Run(c.name, c.run)
	}
}

// What golang.org/x/exp/apidiff says about type parameters, and what is added to it.
func TestCompareTypeSets(t *testing.T) {
	const own = "type O int\nfunc F[T interface{ M(O) }, L ~[]T](T, L) {}"
	for _, c := range []differ{
		{"function, tightened", "func F[T ~int | ~string](T) {}", "func F[T ~int](T) {}", "- F: type parameters changed from [T ~int | ~string] to [T ~int]"},
		{"function, loosened", "func F[T ~int](T) {}", "func F[T ~int | ~string](T) {}", "+ F: type parameters changed from [T ~int] to [T ~int | ~string]"},
		{"function, order and names", "func F[T ~int | string, U any](T, U) {}", "func F[A string | ~int, B interface{}](A, B) {}", ""},
		{"function, comparable", "func F[T any](T) {}", "func F[T comparable](T) {}", "- F: type parameters changed from [T any] to [T comparable]"},
		{"function, method", "func F[T any](T) {}", "func F[T interface{ M(int) }](T) {}", "- F: type parameters changed from [T any] to [T interface{M(int)}]"},
		{"function, tilde", "func F[T interface{ ~int; M() }](T) {}", "func F[T interface{ int; M() }](T) {}",
			"- F: type parameters changed from [T interface{M(); ~int}] to [T interface{M(); int}]"},
		{"function got one", "func F(int) {}", "func F[T any](int) {}", "- F: type parameters changed from [] to [T any]"},
		{"function uses it", "func F(int) {}", "func F[T ~int](T) {}", "- F: changed from func(int) to func(T)"},
		{"function, own types", own, own, ""},
		{"function, named constraint", "type c interface{ ~int | ~string }\nfunc F[T c](T) {}", "type c interface{ ~int }\nfunc F[T c](T) {}",
			"- F: type parameters changed from [T ~int | ~string] to [T ~int]"},
		{"type, tightened", "type S[T any] struct{ X T }", "type S[T comparable] struct{ X T }", "- S: changed from S[T any] to S[T comparable]"},
		{"type, loosened", "type S[T comparable] struct{ X T }", "type S[T any] struct{ X T }", "- S: changed from S[T comparable] to S[T any]"},
		{"type, union tightened", "type S[T ~int | ~string] struct{ X T }", "type S[T ~int] struct{ X T }",
			"- S: type parameters changed from [T ~int | ~string] to [T ~int]"},
		{"type, union loosened", "type S[T ~int] struct{ X T }", "type S[T ~int | ~string] struct{ X T }",
			"+ S: type parameters changed from [T ~int] to [T ~int | ~string]"},
		{"type, count", "type S[T any] struct{ X T }", "type S[T, U any] struct{ X T }", "- S: changed from S[T any] to S[T, U any]"},
		{"variable and alias of an instance", "type S[T ~int | ~string] struct{}\nvar V S[int]\ntype A = S[int]", "type S[T ~int] struct{}\nvar V S[int]\ntype A = S[int]",
			"- S: type parameters changed from [T ~int | ~string] to [T ~int]"},
		{"function became a variable", "func F[T any](int) {}", "var F = func(int) {}", "- F: type parameters changed from [T any] to []\n+ F: changed from func to var"},
		{"alias, tightened", "type S[T any] = []T", "type S[T ~int] = []T", "- S: type parameters changed from [T any] to [T ~int]"},
		{"constraint, tightened", "type C interface{ ~int | ~string }", "type C interface{ ~int }", "- C: type set changed from ~int | ~string to ~int"},
		{"constraint, loosened", "type C interface{ ~int }", "type C interface{ ~int | ~string }", "+ C: type set changed from ~int to ~int | ~string"},
		{"constraint, nested", "type c interface{ ~int }\ntype C interface{ c | ~string }", "type C interface{ ~string | ~int }", ""},
		{"constraint, comparable", "type C interface{ M() }", "type C interface{ M(); comparable }", "- C: type set changed from any to comparable"},
		{"interface became a constraint", "type C interface{ M() }", "type C interface{ M(); ~int }", "- C: type set changed from any to ~int"},
	} {
		t.Run(c.name, c.run)
	}
}

const (
	program = "-- main.go --\npackage main\nfunc main() {}\n-- internal/x/x.go --\npackage x\nfunc F() {}\n"
	library = "-- a/a.go --\npackage a\nimport \"example.com/m/b\"\nfunc F(b.T) {}\nfunc G() {}\n-- b/b.go --\npackage b\ntype T int\n"
)

func TestCompareModules(t *testing.T) {
	moved := strings.ReplaceAll(library, "example.com/m/", "example.com/m/v2/")
	hidden := "-- a/a.go --\npackage a\nimport \"example.com/m/internal/x\"\ntype T = x.T\ntype U struct{ x.T }\n-- internal/x/x.go --\npackage x\ntype T struct{ A int }\n"
	for _, c := range []differ{
		{"package removed", library, "-- b/b.go --\npackage b\ntype T int\n", "- package example.com/m/a: removed"},
		{"package added", library, library + "-- c/c.go --\npackage c\n", "+ package example.com/m/c: added"},
		{"tests added", library, library + "-- c/c_test.go --\npackage c\n-- b/b_test.go --\npackage b\nfunc F(Undefined) {}\n", ""},
		{"alias of a type that moved away", library, strings.ReplaceAll(library, "b/b.go", "internal/b/b.go") + "-- b/b.go --\npackage b\nimport \"example.com/m/internal/b\"\ntype T = b.T\n",
			"- ./a.F: changed from func(example.com/m/b.T) to func(example.com/m/b.T)\n- ./b.T: changed from T to example.com/m/internal/b.T"},
		{"internal only", program, program + "-- internal/x/y.go --\npackage x\nfunc G() {}\n", ""},
		{"command only", program, program + "-- y.go --\npackage main\nfunc G() {}\n", ""},
		{"type of an internal package", hidden, strings.Replace(hidden, "A int", "B int", 1), "- ./a.U.A: removed\n+ ./a.U.B: added"},
		{"nested module", library + "-- n/go.mod --\nmodule example.com/m/n\n-- n/n.go --\npackage n\nfunc F() {}\n", library + "-- n/go.mod --\nmodule example.com/m/n\n", ""},
		{"type of another package", library, strings.ReplaceAll(library, "type T int", "type T string"), "- ./b.T: changed from int to string"},
		{"moved to /v2", library, "-- go.mod --\nmodule example.com/m/v2\n\ngo 1.26\n" + strings.ReplaceAll(moved, "G()", "H()") + "-- c/c.go --\npackage c\n",
			"- ./a.F: changed from func(example.com/m/b.T) to func(example.com/m/v2/b.T)\n- ./a.G: removed\n+ ./a.H: added\n+ package example.com/m/v2/c: added"},
		{"other systems", "-- p.go --\npackage p\n-- p_windows.go --\npackage p\nfunc W() {}\n", "-- p.go --\npackage p\n-- w/w_windows.go --\npackage w\nfunc W(Undefined) {}\n", ""},
		{"import without a use", "import \"os\"\nfunc F() { os.Exit(0) }", "import \"os\"\nfunc F() {}", ""},
	} {
		t.Run(c.name, c.run)
	}
}

// Some changes make apidiff panic, which must not look like no difference.
func TestCompareCannot(t *testing.T) {
	old := load(t, "-- sub/p.go --\npackage p\ntype T int\ntype A = T\nfunc (a *A) M() {}\n")
	d, err := apidiff.Compare(t.Context(), old, load(t, "-- sub/p.go --\npackage p\ntype T int\ntype A = T\n"))
	if err == nil || !strings.HasPrefix(err.Error(), `comparing package "example.com/m/sub": apidiff cannot compare it: `) || d.Incompatible != nil {
		t.Errorf("%v, %v", d, err)
	}
}

func TestCompareIsCancelled(t *testing.T) {
	api := load(t, "-- p.go --\npackage m\nfunc F() {}\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	cancel(cause)
	if _, err := apidiff.Compare(ctx, api, api); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

// Lines are the same every time, and nothing else is printed.
func TestCompareIsStable(t *testing.T) {
	const text = "-- p%[1]d/p.go --\npackage p\ntype A interface{ M() }\ntype B interface{ M(); N() }\ntype T int\nfunc (T) M() {}\nfunc (T) N() {}\ntype S struct{ X, Y, Z int }\n"
	var before, after strings.Builder
	for i := range 20 {
		fmt.Fprintf(&before, text, i)
		fmt.Fprint(&after, strings.NewReplacer("func (T) M() {}\n", "", "X, Y, Z int", "X string; V, W int").Replace(fmt.Sprintf(text, i)))
	}
	old, new := load(t, before.String()), load(t, after.String())
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	defer func() { os.Stdout = stdout }()
	first, err := apidiff.Compare(t.Context(), old, new)
	if err != nil || len(first.Incompatible) != 20*6 || len(first.Compatible) != 20*2 {
		t.Fatalf("%d incompatible, %d compatible, %v", len(first.Incompatible), len(first.Compatible), err)
	}
	for range 20 {
		if again, err := apidiff.Compare(t.Context(), old, new); err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("first %v, then %v, %v", first, again, err)
		}
	}
	if os.Stdout != out {
		t.Error("standard output was not given back")
	}
	if printed, err := os.ReadFile(out.Name()); err != nil || len(printed) > 0 {
		t.Errorf("printed %q, %v", printed, err)
	}
}

// A line is one line, of a length that a log can show.
func TestCompareLines(t *testing.T) {
	d, err := apidiff.Compare(t.Context(), load(t, "var V struct{ A int `a:\"\x1b[31m\n::error::\"`; B [1]int }"), load(t, "var V "+strings.Repeat("[]", 5000)+"int"))
	if err != nil || len(d.Incompatible) != 1 {
		t.Fatalf("%v, %v", d, err)
	}
	if line := d.Incompatible[0]; strings.ContainsAny(line, "\x1b\n") || len(line) > 600 || !strings.HasPrefix(line, "V: changed from struct{A int") {
		t.Errorf("%q", line)
	}
	if d, err := apidiff.Compare(t.Context(), apidiff.API{}, apidiff.API{}); err != nil || d.Incompatible != nil || d.Compatible != nil {
		t.Errorf("nothing and nothing: %v, %v", d, err)
	}
}
