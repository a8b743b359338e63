package hub

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// thing is an object of the graph. Its fields are nil, a scalar, a thing, a list of
// things, or a resolver of one of these.
type thing struct {
	kind   string // its type
	fields map[string]any
}

// resolver finds the value of a field that has arguments.
type resolver func(arguments map[string]any) (any, *fault)

// fault is why a field has no value; kind is GitHub's type of the error, such as
// NOT_FOUND.
type fault struct{ kind, message string }

// execution carries out one valid query.
type execution struct {
	schema    *ast.Schema
	variables map[string]any
	errors    []object
}

// object answers a selection of a thing's fields. It is not whole when a field that is
// never null has no value.
func (e *execution) object(t thing, set ast.SelectionSet, path []any) (out object, whole bool) {
	chosen := map[string][]*ast.Field{}
	for _, key := range e.collect(t.kind, set, chosen) {
		value, whole := e.field(t, chosen[key], append(slices.Clone(path), key))
		if !whole {
			return nil, false
		}
		if out == nil {
			out = object{}
		}
		out[key] = value
	}
	if out == nil {
		out = object{} // every fragment was about another type
	}
	return out, true
}

// collect adds the fields of a selection to chosen, by the key of their answer, and
// lists the new keys in the query's order.
func (e *execution) collect(kind string, set ast.SelectionSet, chosen map[string][]*ast.Field) (keys []string) {
	for _, selection := range set {
		switch one := selection.(type) {
		case *ast.Field:
			if !e.wanted(one.Directives) {
				continue
			}
			if chosen[one.Alias] == nil {
				keys = append(keys, one.Alias)
			}
			chosen[one.Alias] = append(chosen[one.Alias], one)
		case *ast.InlineFragment:
			if e.wanted(one.Directives) && e.is(kind, one.TypeCondition) {
				keys = append(keys, e.collect(kind, one.SelectionSet, chosen)...)
			}
		case *ast.FragmentSpread:
			if e.wanted(one.Directives) && e.is(kind, one.Definition.TypeCondition) {
				keys = append(keys, e.collect(kind, one.Definition.SelectionSet, chosen)...)
			}
		}
	}
	return keys
}

// wanted obeys @skip and @include.
func (e *execution) wanted(directives ast.DirectiveList) bool {
	for _, d := range directives {
		condition, _ := d.ArgumentMap(e.variables)["if"].(bool)
		if d.Name == "skip" && condition || d.Name == "include" && !condition {
			return false
		}
	}
	return true
}

// is tells whether a type is, or belongs to, the one that a fragment is about.
func (e *execution) is(kind, condition string) bool {
	return condition == "" || kind == condition ||
		slices.ContainsFunc(e.schema.PossibleTypes[condition], func(d *ast.Definition) bool { return d.Name == kind })
}

// field answers one field; all of fields ask for it, each with a selection.
func (e *execution) field(t thing, fields []*ast.Field, path []any) (any, bool) {
	asked := fields[0]
	if asked.Name == "__typename" {
		return t.kind, true
	}
	value, offered := t.fields[asked.Name]
	if !offered {
		e.fail(asked, path, &fault{"", "This server does not offer the field '" + asked.Name + "'"})
	}
	if resolve, dynamic := value.(resolver); dynamic {
		var wrong *fault
		if value, wrong = resolve(asked.ArgumentMap(e.variables)); wrong != nil {
			value = nil
			e.fail(asked, path, wrong)
		}
	}
	var set ast.SelectionSet
	for _, f := range fields {
		set = append(set, f.SelectionSet...)
	}
	return e.complete(asked.Definition.Type, value, set, path)
}

// complete makes the answer of a value; where a part of it that is never null is
// missing, it is null itself.
func (e *execution) complete(kind *ast.Type, value any, set ast.SelectionSet, path []any) (any, bool) {
	switch v := value.(type) {
	case nil:
		return nil, !kind.NonNull
	case thing:
		out, whole := e.object(v, set, path)
		if !whole {
			return nil, !kind.NonNull
		}
		return out, true
	case []thing:
		out := []any{}
		for i, one := range v {
			answer, whole := e.complete(kind.Elem, one, set, append(slices.Clone(path), i))
			if !whole {
				return nil, !kind.NonNull
			}
			out = append(out, answer)
		}
		return out, true
	}
	return value, true
}

func (e *execution) fail(at *ast.Field, path []any, wrong *fault) {
	one := object{
		"message": wrong.message, "path": path,
		"locations": []object{{"line": at.Position.Line, "column": at.Position.Column}},
	}
	if wrong.kind != "" {
		one["type"] = wrong.kind
	}
	e.errors = append(e.errors, one)
}
