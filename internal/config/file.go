package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Load reads the configuration file at path. A file that is absent is the zero
// configuration, unless it is required. An unknown key, a wrong type, a key that is
// there twice or a second document is an error with file, line and column; all errors
// are release.Problems of class Usage.
func Load(path string, required bool) (plan.Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return plan.Config{}, nil
	}
	if err != nil {
		return plan.Config{}, release.Misuse("", "reading the configuration: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return plan.Config{}, release.Misuse("", "reading the configuration: %w", err)
	}
	return Parse(path, content)
}

// Parse is Load of a file's content; path is for messages.
func Parse(path string, content []byte) (plan.Config, error) {
	if len(content) > maxFile {
		return plan.Config{}, release.Misuse("", "reading the configuration %q: more than %d bytes", path, maxFile)
	}
	var cfg plan.Config
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return plan.Config{}, explain(path, nil, err)
	}
	if len(file.Docs) > 1 {
		return plan.Config{}, release.Misuse("keep one", "reading the configuration %q: it holds %d documents", path, len(file.Docs))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content), yaml.Strict())
	if err := decoder.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
		return plan.Config{}, explain(path, file, err)
	}
	return cfg, nil
}

// explain names the place of an error, and the nearest key where one is unknown.
func explain(path string, file *ast.File, err error) error {
	var positioned yaml.Error
	if !errors.As(err, &positioned) {
		return release.Misuse("", "reading the configuration %q: %w", path, err)
	}
	at, message := positioned.GetToken(), positioned.GetMessage()
	hint := ""
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && at != nil {
		message = fmt.Sprintf("unknown key %q", at.Value)
		hint = meant(at.Value, keys(typeAt(pathOf(file, at))))
	}
	if at != nil && at.Position != nil {
		path = fmt.Sprintf("%s:%d:%d", path, at.Position.Line, at.Position.Column)
	}
	return release.Misuse(hint, "%s: %s", path, message)
}

// pathOf is where in the document a key stands, such as "$.builds[0].ldflag".
func pathOf(file *ast.File, at *token.Token) string {
	found := finder{at: at}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&found, doc.Body)
		}
	}
	return found.path
}

type finder struct {
	at   *token.Token
	path string
}

func (f *finder) Visit(node ast.Node) ast.Visitor {
	if v, ok := node.(*ast.MappingValueNode); ok {
		if t := v.Key.GetToken(); t != nil && t.Position != nil && t.Position.Offset == f.at.Position.Offset {
			f.path = v.Key.GetPath()
		}
	}
	return f
}

// typeAt is the type of the mapping that holds the key at a path.
func typeAt(path string) reflect.Type {
	at := reflect.TypeFor[plan.Config]()
	steps := strings.Split(strings.TrimPrefix(path, "$."), ".")
	for _, step := range steps[:len(steps)-1] {
		name, _, _ := strings.Cut(step, "[")
		next, ok := field(at, name)
		if !ok {
			return at
		}
		at = next
	}
	return at
}

// field is the type of a struct's key, of its elements when it is a list.
func field(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") == key {
			t := f.Type
			for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			return t, t.Kind() == reflect.Struct
		}
	}
	return nil, false
}

// keys are the keys of a struct, in its order.
func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			out = append(out, key)
		}
	}
	return out
}
