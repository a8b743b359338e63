// Package engine carries a plan out in four phases: Make, Attest, Ship, Verify.
//
// The phases are barriers. Make writes only below the output directory. Attest
// leaves a public trace (a certificate, log entries), so it begins when everything
// was made. Ship is what users see: everything goes into a draft first, and one call
// publishes it. Verify reads only. Inside a phase, work flows side by side.
//
// What a phase needs of the world is declared here as edges: function fields and
// small interfaces. A rehearsal is the same engine with other edges.
package engine

import (
	"github.com/org/pgo-release/internal/release"
)

// The phases, as events name them.
const (
	PhaseMake   = "make"
	PhaseAttest = "attest"
	PhaseShip   = "ship"
	PhaseVerify = "verify"
)

// Source is the directory that is compiled.
type Source struct {
	Root   string       // of the repository
	Module string       // of the module
	Remove func() error // deletes it, where it was made for the build; never nil
}

// Entry is a file that goes into an archive.
type Entry struct {
	Name       string // in the archive
	Path       string // on this machine
	Executable bool
}

// Layout says where in the output directory things go.
type Layout struct {
	Root     string
	Binaries string
	Image    string
}

// Origin is what a binary says of where it comes from, for the provenance.
type Origin struct {
	GoVersion string
	Modules   []Module
}

// Module is a dependency as it was linked, with its go.sum checksum ("h1:…").
type Module struct{ Path, Version, Sum string }

// Result is what Make made, with what it learned about its origin.
type Result struct {
	release.Made
	Origin Origin
}
