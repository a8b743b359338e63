package notes

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/mod/modfile"
)

// Modules is how the required modules differ from those of the previous version.
type Modules struct {
	Direct   []ModuleChange // by path
	Indirect int            // how many indirectly required modules differ
}

// ModuleChange is a module that is required in another version.
type ModuleChange struct {
	Path string
	From string // empty: it was not required
	To   string // empty: it is not required any more
}

// DiffModules compares two go.mod files.
func DiffModules(from, to []byte) (Modules, error) {
	before, err := modfile.ParseLax("go.mod", from, nil)
	if err != nil {
		return Modules{}, fmt.Errorf("reading the previous go.mod: %w", err)
	}
	after, err := modfile.ParseLax("go.mod", to, nil)
	if err != nil {
		return Modules{}, fmt.Errorf("reading go.mod: %w", err)
	}
	type requirement struct {
		from, to string
		direct   bool
	}
	all := map[string]requirement{}
	for _, r := range before.Require {
		q := all[r.Mod.Path]
		q.from, q.direct = r.Mod.Version, q.direct || !r.Indirect
		all[r.Mod.Path] = q
	}
	for _, r := range after.Require {
		q := all[r.Mod.Path]
		q.to, q.direct = r.Mod.Version, q.direct || !r.Indirect
		all[r.Mod.Path] = q
	}
	var m Modules
	for path, q := range all {
		switch {
		case q.from == q.to:
		case q.direct:
			m.Direct = append(m.Direct, ModuleChange{path, q.from, q.to})
		default:
			m.Indirect++
		}
	}
	slices.SortFunc(m.Direct, func(a, b ModuleChange) int { return cmp.Compare(a.Path, b.Path) })
	return m, nil
}
