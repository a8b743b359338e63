package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/org/pgo-release/internal/plan"
)

// check tells whether a node can be a value of a type. where is its place in the
// configuration, such as "builds[0].env".
//
// The library's decoder alone is not strict enough: it leaves out a whole mapping when
// one of its keys is not text, names a random one of several unknown keys, and writes
// numbers into text in a spelling of its own (1.20 becomes "1.2").
func (s source) check(node ast.Node, t reflect.Type, where string) error {
	if sign, ok := unwanted(node); ok {
		return s.wrong(position(node), "write the value out", "%s not used in this file", sign)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.check(node, t.Elem(), where)
	case reflect.Struct:
		return s.checkStruct(node, t, where)
	case reflect.Map:
		return s.checkMap(node, t, where)
	case reflect.Slice:
		list, ok := node.(*ast.SequenceNode)
		if !ok {
			return s.mistyped(node, where, "a list")
		}
		for i, value := range list.Values {
			if err := s.check(value, t.Elem(), fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Bool:
		if _, ok := node.(*ast.BoolNode); !ok {
			return s.mistyped(node, where, "true or false")
		}
		return nil
	}
	return s.checkText(node, where)
}

func (s source) checkStruct(node ast.Node, t reflect.Type, where string) error {
	entries, ok := entriesOf(node)
	if !ok {
		return s.mistyped(node, where, "keys with values")
	}
	fields := fieldsOf(t)
	for _, e := range entries {
		key, err := s.key(e, where)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			return s.wrong(position(e.Key), s.unknownHint(key, t, fields), "unknown key %q", key)
		}
		// A key with nothing after it is one that was not given.
		if e.Value == nil || e.Value.Type() == ast.NullType {
			continue
		}
		if err := s.check(e.Value, fields[i].typ, join(where, key)); err != nil {
			return err
		}
	}
	return nil
}

func (s source) checkMap(node ast.Node, t reflect.Type, where string) error {
	entries, ok := entriesOf(node)
	if !ok {
		return s.mistyped(node, where, "keys with values")
	}
	for _, e := range entries {
		key, err := s.key(e, where)
		if err != nil {
			return err
		}
		if err := s.check(e.Value, t.Elem(), join(where, key)); err != nil {
			return err
		}
	}
	return nil
}

func (s source) checkText(node ast.Node, where string) error {
	var text string
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	default:
		return s.mistyped(node, where, "text")
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		return s.wrong(position(node), "", "%s: it holds the control character %U", where, []rune(text[i:])[0])
	}
	return nil
}

// key is an entry's key, which is text.
func (s source) key(e *ast.MappingValueNode, where string) (string, error) {
	if sign, ok := unwanted(e.Key); ok {
		return "", s.wrong(position(e.Key), "write the value out", "%s not used in this file", sign)
	}
	key, ok := e.Key.(*ast.StringNode)
	if !ok {
		return "", s.mistyped(e.Key, where, "text as key")
	}
	return key.Value, nil
}

// unknownHint names what may have been meant by an unknown key.
func (s source) unknownHint(key string, t reflect.Type, fields []field) string {
	top := t == reflect.TypeFor[plan.Config]()
	if i := slices.IndexFunc(Options(), func(o Option) bool { return o.Name == key }); top && i >= 0 {
		return fmt.Sprintf("%s is no key of the file but an option: --%s", key, key)
	}
	var known []string
	for _, f := range fields {
		known = append(known, f.key)
	}
	return meant(key, known)
}

// mistyped is the error about a node of the wrong kind.
func (s source) mistyped(node ast.Node, where, want string) error {
	found, hint := "nothing", ""
	switch n := node.(type) {
	case nil, *ast.NullNode:
	case *ast.StringNode:
		found = "text"
		if want == "a list" && n.Value != "" {
			hint = fmt.Sprintf("a list of one is [%s]", n.Value)
		}
	case *ast.LiteralNode:
		found = "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		found = node.GetToken().Value
		if want == "text" {
			hint = fmt.Sprintf("put it into quotes: %q", found)
		}
	case *ast.SequenceNode:
		found = "a list"
	default:
		found = "keys with values"
	}
	if where != "" {
		where += ": "
	}
	return s.wrong(position(node), hint, "%swant %s, found %s", where, want, found)
}

// unwanted names what a node is when it is of the parts of YAML that are not used.
func unwanted(node ast.Node) (string, bool) {
	switch node.(type) {
	case *ast.AnchorNode:
		return "anchors (&) are", true
	case *ast.AliasNode:
		return "aliases (*) are", true
	case *ast.MergeKeyNode:
		return "merge keys (<<) are", true
	case *ast.TagNode:
		return "tags (!) are", true
	}
	return "", false
}

// entriesOf are the entries of a mapping; the library has two nodes for it.
func entriesOf(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// position is where a node begins; nil: it has no place.
func position(node ast.Node) *token.Position {
	if entries, ok := entriesOf(node); ok && len(entries) > 0 {
		node = entries[0].Key
	}
	if node == nil || node.GetToken() == nil {
		return nil
	}
	return node.GetToken().Position
}

func join(where, key string) string {
	if where == "" {
		return key
	}
	return where + "." + key
}

// field is a key of a mapping with its type.
type field struct {
	key string
	typ reflect.Type
}

// fieldsOf are the keys of a struct, in its order.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			out = append(out, field{key, t.Field(i).Type})
		}
	}
	return out
}
