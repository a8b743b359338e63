package gobuild_test

import (
	"archive/zip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/run"
)

const emptyMain = "package main\n\nfunc main() {}\n"

// proxy makes a module proxy of files that serves example.com/b v1.0.0.
func proxy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const mod = "module example.com/b\n\ngo 1.26\n"
	write(t, dir, map[string]string{
		"example.com/b/@v/list": "v1.0.0\n", "example.com/b/@v/v1.0.0.mod": mod, "example.com/b/@v/v1.0.0.info": `{"Version":"v1.0.0"}`,
	})
	f, err := os.Create(filepath.Join(dir, "example.com/b/@v/v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range map[string]string{"go.mod": mod, "b.go": "package b\n"} {
		w, err := z.Create("example.com/b@v1.0.0/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return "file://" + filepath.ToSlash(dir)
}

func TestCheckSums(t *testing.T) {
	served := proxy(t)
	const uses = "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n"
	const requires = "module example.com/a\n\ngo 1.26\n\nrequire example.com/b v1.0.0\n"
	const wrong = "example.com/b v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nexample.com/b v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	const gone = "example.com/gone v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for name, c := range map[string]struct {
		proxy                   string
		files                   map[string]string
		untidy, broken, unknown string
		surplus                 bool
	}{
		"tidy":             {files: map[string]string{"go.mod": "module example.com/a\n\ngo 1.26\n", "main.go": emptyMain}},
		"go.sum missing":   {proxy: served, files: map[string]string{"go.mod": requires, "main.go": uses}, untidy: "+example.com/b v1.0.0 h1:"},
		"unused":           {proxy: served, files: map[string]string{"go.mod": requires, "main.go": emptyMain}, untidy: "-require example.com/b v1.0.0"},
		"surplus":          {files: map[string]string{"go.mod": "module example.com/a\n\ngo 1.26\n", "go.sum": gone, "main.go": emptyMain}, untidy: "-example.com/gone", surplus: true},
		"another checksum": {proxy: served, files: map[string]string{"go.mod": requires, "go.sum": wrong, "main.go": uses}, broken: "checksum mismatch"},
		"no way to know":   {proxy: "off", files: map[string]string{"go.mod": requires, "main.go": uses}, unknown: "go mod tidy: "},
		"broken go.mod":    {files: map[string]string{"go.mod": "modul\n"}, unknown: "go mod tidy: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			env := callers(t, "", "GOSUMDB=off")
			if c.proxy != "" {
				env = append(env, "GOPROXY="+c.proxy)
			}
			defer command(t, dir, env, "go", "clean", "-modcache") // its files are read-only
			toolchain, err := gobuild.ProbeFor(t.Context(), run.New(env), "go 1.26\n")
			if err != nil {
				t.Fatal(err)
			}
			s, err := toolchain.CheckSums(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range []struct{ got, want string }{{s.Untidy, c.untidy}, {s.Broken, c.broken}, {s.Unknown, c.unknown}} {
				if (part.got == "") != (part.want == "") || !strings.Contains(part.got, part.want) {
					t.Errorf("got %q, want %q", part.got, part.want)
				}
			}
			if s.Surplus != c.surplus || strings.Contains(s.Unknown, "\n") {
				t.Errorf("%+v", s)
			}
			if c.files["go.sum"] == "" {
				if _, err := os.Stat(filepath.Join(dir, "go.sum")); err == nil {
					t.Error("go.sum was written")
				}
			}
		})
	}
}

// What was changed in the module cache is not what go.sum names.
func TestCheckSumsModified(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod": "module example.com/a\n\ngo 1.26\n\nrequire example.com/b v1.0.0\n", "main.go": "package main\n\nimport _ \"example.com/b\"\n\nfunc main() {}\n",
	})
	env := append(callers(t, "", "GOSUMDB=off"), "GOPROXY="+proxy(t))
	defer command(t, dir, env, "go", "clean", "-modcache") // its files are read-only
	command(t, dir, env, "go", "mod", "tidy")
	toolchain, err := gobuild.ProbeFor(t.Context(), run.New(env), "go 1.26\n")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(toolchain.ModuleCache, "example.com", "b@v1.0.0", "b.go")
	for _, path := range []string{filepath.Dir(file), file} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte("package b // changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := toolchain.CheckSums(t.Context(), dir); err != nil || !strings.Contains(s.Broken, "has been modified") {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := toolchain.CheckSums(ctx, dir); err == nil {
		t.Error("a cancelled question has an answer")
	}
}

// The toolchain that a go.mod asks for, wherever the caller stands.
func TestProbeFor(t *testing.T) {
	if _, err := gobuild.ProbeFor(t.Context(), run.New(callers(t, "")), "go 1.99\n"); err == nil || !strings.Contains(err.Error(), "1.99") {
		t.Errorf("a toolchain that cannot be fetched: %v", err)
	}
	toolchain, err := gobuild.ProbeFor(t.Context(), run.New(callers(t, "GONOPROXY=example.com/*\n")), "go 1.20\n")
	if err != nil || toolchain.Proxy != "off" || toolchain.NoProxy != "example.com/*" || len(toolchain.Ports) == 0 {
		t.Errorf("%+v, %v", toolchain, err)
	}
}
