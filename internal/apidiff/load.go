package apidiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Module is a checkout of a module whose API is read.
type Module struct {
	Dir      string   // directory of go.mod, absolute
	Path     string   // module path
	Env      []string // whole environment of the go command, NAME=value
	Vendored bool     // -mod=vendor instead of -mod=readonly
}

// API is what the packages of a module export. The zero value exports nothing.
type API struct {
	path     string
	packages map[string]*types.Package // by path below the module's: "" or "/sub"
}

// Load reads the API of a module from source, as the platform of m.Env sees it.
// Commands, internal packages, nested modules and tests are no part of it. Bodies of
// functions say nothing about an API and are not checked; any other error in a package
// or in what it imports is an error here. Nothing in m.Dir is changed.
func Load(ctx context.Context, m Module) (API, error) {
	api, err := load(ctx, m)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return API{}, fmt.Errorf("loading the API of module %q: %w", m.Path, err)
	}
	return api, nil
}

func load(ctx context.Context, m Module) (API, error) {
	config := packages.Config{
		Context: ctx, Dir: m.Dir, BuildFlags: []string{"-mod=readonly"},
		// Without this the loader starts any gopackagesdriver that it finds in PATH.
		Env:       append(slices.Clone(m.Env), "GOPACKAGESDRIVER=off"),
		ParseFile: parseDeclarations,
	}
	if m.Vendored {
		config.BuildFlags[0] = "-mod=vendor"
	}
	api := API{path: m.Path, packages: map[string]*types.Package{}}
	paths, err := importable(m, config)
	if err != nil || len(paths) == 0 {
		return api, err
	}
	config.Mode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
		packages.NeedDeps | packages.NeedTypes | packages.NeedModule
	loaded, err := packages.Load(&config, paths...)
	if err != nil {
		return API{}, m.commandError(err)
	}
	slices.SortFunc(loaded, func(a, b *packages.Package) int { return cmp.Compare(a.PkgPath, b.PkgPath) })
	// Dependencies come before what imports them, so this is the error that caused others.
	for p := range packages.Postorder(loaded) {
		if err := m.firstError(p); err != nil {
			return API{}, err
		}
	}
	for _, p := range loaded {
		api.packages[strings.TrimPrefix(p.PkgPath, m.Path)] = p.Types
	}
	if len(api.packages) != len(paths) {
		return API{}, fmt.Errorf("the go command lists %d packages and loads %d", len(paths), len(api.packages))
	}
	return api, nil
}

// importable lists the packages that other modules can import.
func importable(m Module, config packages.Config) ([]string, error) {
	config.Mode = packages.NeedName | packages.NeedFiles
	listed, err := packages.Load(&config, "./...")
	if err != nil {
		return nil, m.commandError(err)
	}
	var paths []string
	for _, p := range listed {
		below, ok := strings.CutPrefix(p.PkgPath, m.Path)
		if !ok || below != "" && below[0] != '/' {
			return nil, fmt.Errorf("its directory holds package %q", p.PkgPath)
		}
		// Without files it has tests only, or is for other platforms; or nothing is known.
		absent := len(p.GoFiles) == 0 && (len(p.Errors) == 0 || len(p.IgnoredFiles) > 0)
		if p.Name == "main" || absent || slices.Contains(strings.Split(below, "/"), "internal") {
			continue
		}
		paths = append(paths, p.PkgPath)
	}
	slices.Sort(paths)
	return paths, nil
}

// parseDeclarations parses a file without what an API does not need: comments, and
// bodies of functions, which are most of the work of checking it.
func parseDeclarations(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution|parser.AllErrors)
	if file == nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			// An endless loop needs no return statement, whatever the results are.
			f.Body.List = []ast.Stmt{&ast.ForStmt{For: f.Body.Lbrace, Body: &ast.BlockStmt{Lbrace: f.Body.Lbrace, Rbrace: f.Body.Rbrace}}}
		}
	}
	return file, err
}

// firstError is the first error of a package that makes its API unknown.
func (m Module) firstError(p *packages.Package) error {
	for _, e := range p.Errors {
		switch {
		case e.Kind == packages.TypeError && strings.HasSuffix(e.Msg, "and not used"):
			continue // an import that only bodies of functions use
		case e.Kind == packages.ListError && strings.HasPrefix(e.Msg, "pattern ") &&
			(strings.HasSuffix(e.Msg, "no matching files found") || strings.HasSuffix(e.Msg, "contains no embeddable files")):
			continue // go:embed of files that are made before a build
		}
		line, _, _ := strings.Cut(strings.TrimPrefix(e.Error(), "-: "), "\n")
		return fmt.Errorf("package %q: %s", p.PkgPath, m.relative(line))
	}
	return nil
}

// commandError is what the go command said when it could list nothing.
func (m Module) commandError(err error) error {
	text := err.Error()
	if _, printed, ok := strings.Cut(text, ": stderr: "); ok {
		text = printed
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "go: downloading ") {
			lines = append(lines, line)
		}
	}
	return errors.New(m.relative(strings.Join(lines, " ")))
}

// relative is text on one line that names files as they are called in the module.
func (m Module) relative(text string) string {
	return plain(strings.ReplaceAll(text, filepath.Clean(m.Dir)+string(filepath.Separator), ""))
}
