package repo

import (
	"bytes"
	"go/build"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/plan"
)

// mainCandidates are the Go files among which main packages are looked for: those of
// the module's root and of the directories in cmd, without tests.
func mainCandidates(t tree, dir string) []string {
	var out []string
	for _, name := range t.names {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		at := path.Dir(name)
		base := path.Base(at)
		ignored := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" // as the go command does
		if at == dir || path.Dir(at) == path.Join(dir, "cmd") && !ignored && !t.has(path.Join(at, "go.mod")) {
			out = append(out, name)
		}
	}
	return out
}

// mains finds the main packages among the files. A directory counts when it is a
// main package on one of the systems that a release is commonly made for, with cgo
// off, as the release is compiled.
func mains(content map[string][]byte, dir, modulePath string) []plan.Main {
	dirs := map[string]bool{}
	for name := range content {
		if strings.HasSuffix(name, ".go") {
			dirs[path.Dir(name)] = true
		}
	}
	var out []plan.Main
	for at := range dirs {
		m := plan.Main{Dir: ".", Name: path.Base(at)}
		for _, system := range []string{"darwin", "linux", "windows"} {
			if p, err := buildContext(content, system).ImportDir(at, 0); err == nil && p.Name == "main" {
				m.Systems = append(m.Systems, system)
			}
		}
		if len(m.Systems) == 0 {
			continue
		}
		if at == dir {
			m.Name = plan.BaseName(modulePath)
		} else {
			m.Dir = "./cmd/" + path.Base(at)
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b plan.Main) int { return strings.Compare(a.Dir, b.Dir) })
	return out
}

// buildContext reads build constraints as the go command does, from files in memory.
func buildContext(content map[string][]byte, system string) *build.Context {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled, c.GOPATH, c.GOROOT = system, "amd64", false, "", ""
	c.JoinPath = path.Join
	c.SplitPathList = func(string) []string { return nil }
	c.IsAbsPath = path.IsAbs
	c.IsDir = func(string) bool { return true }
	c.HasSubdir = func(string, string) (string, bool) { return "", false }
	c.ReadDir = func(dir string) ([]fs.FileInfo, error) {
		var out []fs.FileInfo
		for name, text := range content {
			if path.Dir(name) == path.Clean(dir) {
				out = append(out, file{path.Base(name), int64(len(text))})
			}
		}
		slices.SortFunc(out, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
		return out, nil
	}
	c.OpenFile = func(name string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[path.Clean(name)])), nil
	}
	return &c
}

// file is a file in memory, as far as go/build asks.
type file struct {
	name string
	size int64
}

func (f file) Name() string     { return f.name }
func (f file) Size() int64      { return f.size }
func (file) Mode() fs.FileMode  { return 0o444 }
func (file) ModTime() time.Time { return time.Time{} }
func (file) IsDir() bool        { return false }
func (file) Sys() any           { return nil }
