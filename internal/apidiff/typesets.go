package apidiff

import (
	"go/types"
	"slices"
	"strings"
)

// typeSets adds what apidiff does not look at: which types a type parameter or a
// constraint accepts. Accepting fewer is incompatible. Accepting more is compatible: it
// only breaks generic code of a consumer that relies on what the constraint excluded.
func (c *comparison) typeSets() {
	changed := c.changed()
	for _, name := range c.old.Scope().Names() {
		before, after := c.old.Scope().Lookup(name), c.new.Scope().Lookup(name)
		if after == nil || !before.Exported() || changed[name] {
			continue
		}
		oldList, newList := parameters(before), parameters(after)
		change := difference{name: name, what: "type parameters", before: describeList(oldList, c.old), after: describeList(newList, c.new)}
		switch {
		case oldList.Len() != newList.Len():
			change.wider, change.narrower = never, never
			c.add(change)
		case oldList.Len() > 0:
			change.wider = func() bool { return accepts(after.Type(), oldList) }
			change.narrower = func() bool { return accepts(before.Type(), newList) }
			c.add(change)
		default:
			c.constraint(before, after)
		}
	}
}

// constraint compares the terms of two interfaces; apidiff compares their methods.
func (c *comparison) constraint(before, after types.Object) {
	oldInterface, ok := underlying(c.old, before.Name()).(*types.Interface)
	newInterface, still := underlying(c.new, after.Name()).(*types.Interface)
	if !ok || !still {
		return
	}
	member := func(t *types.Interface) types.Type {
		return types.NewTypeParam(types.NewTypeName(0, nil, "T", nil), t)
	}
	c.add(difference{
		name: before.Name(), what: "type set", before: describe(terms(oldInterface, c.old)), after: describe(terms(newInterface, c.new)),
		wider:    func() bool { return types.Satisfies(member(oldInterface), newInterface) },
		narrower: func() bool { return types.Satisfies(member(newInterface), oldInterface) },
	})
}

// changed are the names of the objects that apidiff found to be other ones.
func (c *comparison) changed() map[string]bool {
	names := map[string]bool{}
	for _, line := range c.Incompatible {
		if name, _, ok := strings.Cut(line, ": changed from "); ok {
			names[strings.TrimPrefix(name, c.prefix)] = true
		}
	}
	return names
}

// difference is how something about an object is described in the two APIs. It is wider
// when new accepts whatever old did, narrower the other way round.
type difference struct {
	name, what      string
	before, after   string
	wider, narrower func() bool
}

func never() bool { return false }

// add notes a difference, if it is one. The descriptions decide first: a type of one API
// is never identical to that of the other, so what names such types seems to accept
// nothing.
func (c *comparison) add(d difference) {
	if d.before == d.after {
		return
	}
	line := c.prefix + d.name + ": " + d.what + " changed from " + d.before + " to " + d.after
	switch wider := d.wider(); {
	case wider && d.narrower():
	case wider:
		c.Compatible = append(c.Compatible, line)
	default:
		c.Incompatible = append(c.Incompatible, line)
	}
}

// parameters are the type parameters that an object declares. (The type of a variable
// may be an instance, which has those of its origin.)
func parameters(object types.Object) *types.TypeParamList {
	switch object.(type) {
	case *types.Func, *types.TypeName:
		if generic, ok := object.Type().(interface{ TypeParams() *types.TypeParamList }); ok {
			return generic.TypeParams()
		}
	}
	return nil
}

// accepts tells whether a generic type or function can be instantiated with the type
// parameters of another one.
func accepts(generic types.Type, list *types.TypeParamList) bool {
	var arguments []types.Type
	for p := range list.TypeParams() {
		arguments = append(arguments, p)
	}
	_, err := types.Instantiate(nil, generic, arguments, true)
	return err == nil
}

func describeList(list *types.TypeParamList, p *types.Package) string {
	var all []string
	for parameter := range list.TypeParams() {
		constraint := parameter.Constraint().Underlying().(*types.Interface)
		var methods []string
		for m := range constraint.Methods() {
			methods = append(methods, m.Name()+strings.TrimPrefix(types.TypeString(m.Type(), types.RelativeTo(p)), "func"))
		}
		all = append(all, parameter.Obj().Name()+" "+describe(append(methods, terms(constraint, p)...)))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func describe(elements []string) string {
	switch {
	case len(elements) == 0:
		return "any"
	case len(elements) == 1 && !strings.HasSuffix(elements[0], ")"):
		return elements[0]
	}
	return "interface{" + strings.Join(elements, "; ") + "}"
}

// terms are what an interface demands beside methods, with the named interfaces in it
// spelled out, because it is their content that a consumer meets.
func terms(t *types.Interface, p *types.Package) []string {
	var all []string
	for e := range t.EmbeddedTypes() {
		switch u := types.Unalias(e).(type) {
		case *types.Union:
			var parts []string
			for term := range u.Terms() {
				parts = append(parts, describeTerm(term, p))
			}
			slices.Sort(parts)
			all = append(all, strings.Join(slices.Compact(parts), " | "))
		default:
			all = append(all, embedded(u, p)...)
		}
	}
	if len(all) == 0 && t.IsComparable() { // the predeclared "comparable" holds nothing that could be listed
		return []string{"comparable"}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func embedded(t types.Type, p *types.Package) []string {
	if i, ok := t.Underlying().(*types.Interface); ok {
		return terms(i, p)
	}
	return []string{types.TypeString(t, types.RelativeTo(p))}
}

func describeTerm(term *types.Term, p *types.Package) string {
	if i, ok := term.Type().Underlying().(*types.Interface); ok {
		if part := terms(i, p); len(part) == 1 {
			return part[0]
		}
		return types.TypeString(term.Type(), types.RelativeTo(p))
	}
	text := types.TypeString(term.Type(), types.RelativeTo(p))
	if term.Tilde() {
		return "~" + text
	}
	return text
}
