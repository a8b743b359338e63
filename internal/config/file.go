package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// The bounds of a configuration file. The parser takes quadratic time for deep nesting
// and for many keys, so its bytes alone do not bound it.
const (
	maxFile   = 1 << 20 // bytes
	maxTokens = 20_000  // keys, values and signs
)

// Load reads the configuration file at path. A file that is absent is the zero
// configuration, unless it is required. An unknown key, a wrong type, a key that is
// there twice or a second document is an error with file, line, column and the line
// itself; all errors are release.Problems of class Usage.
func Load(path string, required bool) (plan.Config, error) {
	// Opening a named pipe would wait for its writer, so the kind is looked at first.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !required:
		return plan.Config{}, nil
	case err != nil:
		return plan.Config{}, release.Misuse("", "reading the configuration: %w", err)
	case !info.Mode().IsRegular():
		return plan.Config{}, release.Misuse("", "reading the configuration: %s is not a regular file", path)
	}
	f, err := os.Open(path)
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

// Parse is Load of a file's content; path is for messages. The language is YAML 1.2
// without anchors, aliases, merge keys and tags.
func Parse(path string, content []byte) (plan.Config, error) {
	s := source{path: path, text: string(bytes.TrimPrefix(content, []byte("\ufeff")))}
	if len(content) > maxFile {
		return plan.Config{}, s.wrong(s.place(maxFile), "", "the file has more than %d bytes", maxFile)
	}
	if !utf8.ValidString(s.text) {
		return plan.Config{}, s.wrong(s.place(invalidAt(s.text)), "", "this is not UTF-8")
	}
	tokens := lexer.Tokenize(s.text)
	if len(tokens) > maxTokens {
		return plan.Config{}, s.wrong(tokens[maxTokens].Position, "", "the file has more than %d keys, values and signs", maxTokens)
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return plan.Config{}, s.explain(err)
	}
	body, err := s.document(file)
	if body == nil || err != nil {
		return plan.Config{}, err
	}
	var cfg plan.Config
	if err := s.check(body, reflect.TypeFor[plan.Config](), ""); err != nil {
		return plan.Config{}, err
	}
	if err := yaml.NodeToValue(body, &cfg, yaml.Strict()); err != nil {
		return plan.Config{}, s.explain(err)
	}
	return cfg, nil
}

// document is the one document of the file; nil where the file holds nothing.
func (s source) document(file *ast.File) (ast.Node, error) {
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.DirectiveType:
			// A directive such as %YAML is a document of its own to the library.
		case body != nil:
			at := doc.Start
			if at == nil {
				at = doc.Body.GetToken()
			}
			return nil, s.wrong(at.Position, "keep one", "a second document begins")
		default:
			body = doc.Body
		}
	}
	return body, nil
}

// source is a configuration file, for messages.
type source struct {
	path, text string
}

// wrong is an error about a place of the file, with the line that stands there.
func (s source) wrong(at *token.Position, hint, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if at == nil {
		return release.Misuse(hint, "%s: %s", s.path, message)
	}
	return release.Misuse(hint, "%w", &mistake{
		place: release.Place{File: filepath.ToSlash(s.path), Line: at.Line, Column: at.Column, Text: message}, path: s.path, excerpt: s.excerpt(at),
	})
}

// mistake is what is wrong at a place of the file.
type mistake struct {
	place         release.Place
	path, excerpt string
}

func (m *mistake) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s%s", m.path, m.place.Line, m.place.Column, m.place.Text, m.excerpt)
}

// Places gives the place.
func (m *mistake) Places() []release.Place { return []release.Place{m.place} }

// explain is wrong for an error of the YAML library.
func (s source) explain(err error) error {
	var positioned yaml.Error
	if !errors.As(err, &positioned) {
		return release.Misuse("", "reading the configuration %q: %w", s.path, err)
	}
	var at *token.Position
	if t := positioned.GetToken(); t != nil {
		at = t.Position
	}
	return s.wrong(at, "", "%s", positioned.GetMessage())
}
