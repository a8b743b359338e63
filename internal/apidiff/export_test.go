package apidiff

import (
	"slices"
)

// Packages are the import paths of the packages that other modules can import,
// sorted. Of a module that holds only commands and internal packages there are none.
func (a API) Packages() []string {
	var paths []string
	for _, p := range a.packages {
		paths = append(paths, p.Path())
	}
	slices.Sort(paths)
	return paths
}
