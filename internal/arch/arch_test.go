// Package arch holds the rules of ARCHITECTURE.md about imports, as tests.
package arch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/org/pgo-release"

// pkg is what `go list -json` prints of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Main bool }
}

// packages lists the product's packages with their production imports.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Module", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 15 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

// rooms says, for each room, which other rooms it may import. Domain rooms are pure;
// workers hold one outside thing each and do not know each other.
var (
	domain  = []string{"release", "history", "version", "notes", "plan", "provenance"}
	workers = []string{"run", "repo", "gobuild", "apidiff", "modproxy", "pack", "sbom", "sign", "image", "github", "action", "ui", "dist", "task", "machine", "owner"}
	rooms   = map[string][]string{
		"":           {"cli"},
		"release":    {},
		"history":    {},
		"version":    {"history"},
		"notes":      {"plan", "history", "release", "version"},
		"plan":       {"release", "version", "history"},
		"provenance": {"release", "plan"},

		"run":      {},
		"machine":  {},
		"owner":    {},
		"task":     {},
		"ui":       {"task", "release"},
		"repo":     {"run", "owner", "plan", "release", "version", "history"},
		"gobuild":  {"run", "plan", "release"},
		"apidiff":  {},
		"modproxy": {},
		"pack":     {"plan", "release"},
		"sbom":     {"plan", "release"},
		"sign":     {"provenance", "release"},
		"image":    {"plan", "release", "version"},
		"github":   {"plan", "release", "history"},
		"action":   {"release"},
		"dist":     {"owner", "plan", "release"},

		"engine": append([]string{"task"}, domain...),
		"config": {"plan", "release", "notes"},

		"rehearsal":          {"rehearsal/hub", "rehearsal/registry", "rehearsal/sigstore", "plan", "release", "history", "version"},
		"rehearsal/answer":   {},
		"rehearsal/hub":      {"rehearsal/answer", "plan", "release", "history"},
		"rehearsal/registry": {"rehearsal/answer"},
		"rehearsal/sigstore": {},

		"cli": slices.Concat(domain, workers, []string{"engine", "config", "rehearsal"}),
	}
)

func TestRooms(t *testing.T) {
	for _, p := range packages(t) {
		room := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"), "internal/")
		if room == "arch" {
			continue
		}
		allowed, ok := rooms[room]
		if !ok {
			t.Errorf("%s: a room that ARCHITECTURE.md and this test do not know", room)
			continue
		}
		for _, path := range p.Imports {
			if other, ok := strings.CutPrefix(path, module+"/internal/"); ok && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s: allowed are %v", room, other, allowed)
			}
		}
	}
}

// Heavy and far-reaching modules have one home each; so has starting programs.
func TestHomes(t *testing.T) {
	homes := map[string][]string{
		"github.com/anchore/syft":                {"sbom"},
		"github.com/sigstore/cosign":             {"sign"},
		"github.com/sigstore/sigstore-go":        {"sign", "rehearsal/sigstore"},
		"github.com/google/go-containerregistry": {"image"},
		"github.com/google/go-github":            {"github"},
		"github.com/sethvargo/go-githubactions":  {"action"},
		"github.com/olareg/olareg":               {"rehearsal/registry"},
		"github.com/spf13/cobra":                 {"cli"},
		"github.com/dustin/go-humanize":          {"cli"},
		"github.com/goccy/go-yaml":               {"config"},
		"github.com/invopop/jsonschema":          {"config"},
		"github.com/klauspost/compress":          {"pack", "image"},
		"github.com/Masterminds/semver":          {"version"},
		"golang.org/x/exp/apidiff":               {"apidiff"},
		"golang.org/x/tools":                     {"apidiff"},
		"github.com/vektah/gqlparser":            {"rehearsal/hub"},
		"os/exec":                                {"run"},
		"net/http/httptest":                      {},
		"testing":                                {},
	}
	for _, p := range packages(t) {
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module+"/"), "internal/")
		for _, path := range p.Imports {
			for heavy, home := range homes {
				if (path == heavy || strings.HasPrefix(path, heavy+"/")) && !slices.Contains(home, room) {
					t.Errorf("%s imports %s, whose home is %v", room, path, home)
				}
			}
		}
	}
}

// The domain does no I/O: it can neither reach files nor the network nor the clock's
// side of the world.
func TestPure(t *testing.T) {
	for _, p := range packages(t) {
		room := strings.TrimPrefix(p.ImportPath, module+"/internal/")
		if !slices.Contains(domain, room) {
			continue
		}
		for _, path := range p.Imports {
			if path == "os" || path == "net" || strings.HasPrefix(path, "net/http") || strings.HasPrefix(path, "os/") || path == "context" {
				t.Errorf("%s is pure and imports %s", room, path)
			}
		}
	}
}
