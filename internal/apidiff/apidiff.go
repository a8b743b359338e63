// Package apidiff compares what a Go module exports at two commits.
//
// Rules and wording are those of golang.org/x/exp/apidiff: what could stop a consumer
// from compiling is incompatible, except for the few habits that Go's own compatibility
// promise leaves out too. Constants with another value, which it calls incompatible, are
// listed apart: hardly any consumer stops compiling, and every release of a module with
// a constant Version would be a breaking one. Added here is what that does not look at: the constraints of
// type parameters, and the type sets of interfaces. Not seen are struct tags, behaviour,
// and what other platforms export.
package apidiff

import (
	"context"
	"fmt"
	"go/types"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/exp/apidiff"
)

// Difference is how an API differs from an earlier one: one line each, sorted, without
// duplicates.
type Difference struct {
	Incompatible []string // could stop a consumer from compiling
	Compatible   []string // additions
	Values       []string // constants that have another value: mostly a version or a default
}

// Compare tells what new changes for consumers of old. Packages correspond by their
// path below the module's, so a module that moved from /v1 to /v2 is compared too; there
// its own types, used in another of its packages, count as changed because their names
// did. Lines name objects relative to the module ("./sub.T.Field: added") and packages by
// their import path. An error means that nothing is known about the difference. A
// cancelled context ends the waiting: what goes on has no effect.
func Compare(ctx context.Context, old, new API) (Difference, error) {
	type answer struct {
		difference Difference
		err        error
	}
	done := make(chan answer, 1)
	go func() {
		d, err := compare(ctx, old, new)
		done <- answer{d, err}
	}()
	select {
	case <-ctx.Done():
		return Difference{}, context.Cause(ctx)
	case a := <-done:
		return a.difference, a.err
	}
}

func compare(ctx context.Context, old, new API) (Difference, error) {
	var d Difference
	paths := append(slices.Collect(maps.Keys(old.packages)), slices.Collect(maps.Keys(new.packages))...)
	slices.Sort(paths)
	for _, below := range slices.Compact(paths) {
		if ctx.Err() != nil {
			return Difference{}, context.Cause(ctx)
		}
		c := comparison{prefix: prefix(below), old: old.packages[below], new: new.packages[below]}
		if err := c.run(old.path, new.path); err != nil {
			return Difference{}, fmt.Errorf("comparing package %q: %w", old.path+below, err)
		}
		d.Incompatible = append(d.Incompatible, c.Incompatible...)
		d.Compatible = append(d.Compatible, c.Compatible...)
		d.Values = append(d.Values, c.Values...)
	}
	for _, lines := range []*[]string{&d.Incompatible, &d.Compatible, &d.Values} {
		for i, line := range *lines {
			(*lines)[i] = plain(line)
		}
		slices.Sort(*lines)
		*lines = slices.Compact(*lines)
	}
	return d, nil
}

// prefix is what names of a package's objects begin with in a line.
func prefix(below string) string {
	if below == "" {
		return ""
	}
	return "." + below + "."
}

// comparison is that of one package; either may be nil.
type comparison struct {
	Difference

	prefix   string
	old, new *types.Package
}

func (c *comparison) run(oldModule, newModule string) error {
	changes, err := changes(side(oldModule, c.old), side(newModule, c.new))
	if err != nil {
		return err
	}
	for _, change := range changes {
		switch object, _, found := strings.Cut(change.Message, noLonger); {
		case found && !change.Compatible:
			c.Incompatible = append(c.Incompatible, c.unsatisfied(object)...)
		case !change.Compatible && strings.Contains(change.Message, ": value changed from "):
			c.Values = append(c.Values, change.Message)
		case change.Compatible:
			c.Compatible = append(c.Compatible, change.Message)
		default:
			c.Incompatible = append(c.Incompatible, change.Message)
		}
	}
	if c.old != nil && c.new != nil {
		return guard(c.typeSets)
	}
	return nil
}

func side(module string, p *types.Package) *apidiff.Module {
	m := &apidiff.Module{Path: module}
	if p != nil {
		m.Packages = append(m.Packages, p)
	}
	return m
}

// quiet is held while os.Stdout is another file.
var quiet sync.Mutex

// changes asks apidiff. It prints to os.Stdout when it has two things to say about an
// object, and that is where a command prints its result.
func changes(old, new *apidiff.Module) (found []apidiff.Change, err error) {
	quiet.Lock()
	defer quiet.Unlock()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	stdout := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = stdout }()
	err = guard(func() { found = apidiff.ModuleChanges(old, new).Changes })
	return found, err
}

// guard makes an error of a panic: apidiff panics when, for example, a method vanished
// that was declared with an alias as its receiver.
func guard(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("apidiff cannot compare it: %v", r)
		}
	}()
	f()
	return nil
}

const noLonger = ": no longer implements "

// unsatisfied says which interfaces of its package a type no longer implements. Of
// several, apidiff names a random one.
func (c *comparison) unsatisfied(object string) []string {
	name := object[strings.LastIndex(object, ".")+1:]
	before, after := lookup(c.old, name), lookup(c.new, name)
	var lines []string
	for _, other := range c.old.Scope().Names() {
		oldInterface, ok := underlying(c.old, other).(*types.Interface)
		newInterface, still := underlying(c.new, other).(*types.Interface)
		if ok && still && before != nil && after != nil && c.old.Scope().Lookup(other).Exported() &&
			types.Implements(before, oldInterface) && !types.Implements(after, newInterface) {
			lines = append(lines, object+noLonger+c.prefix+other)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, object+noLonger+"an interface that is not exported by its name")
	}
	return lines
}

func underlying(p *types.Package, name string) types.Type {
	if t := lookup(p, name); t != nil {
		return t.Underlying()
	}
	return nil
}

// lookup is the type that a package declares under a name, or nil.
func lookup(p *types.Package, name string) types.Type {
	if t, ok := p.Scope().Lookup(name).(*types.TypeName); ok {
		return t.Type()
	}
	return nil
}

// maxLine is the length of a line in characters; types without names can be endless.
const maxLine = 500

// plain is text without what a terminal or a log could take for anything but text.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(text); len(runes) > maxLine {
		return string(runes[:maxLine]) + "…"
	}
	return text
}
