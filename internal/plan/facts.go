package plan

import (
	"time"

	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/version"
)

// Facts are what the repository is, read and not judged.
type Facts struct {
	Repository Repository    // on GitHub; zero where it is not known
	Module     Module        //
	Nested     []string      // directories of other modules inside of the module's, sorted
	Head       string        // commit that is checked out
	Commit     string        // commit that Tag names, or Head
	Time       time.Time     // committer time of Commit, UTC; the only clock that content may use
	Tag        string        // tag to release; empty: none was given and HEAD carries none
	Refs       []version.Ref // all tags
	Shallow    bool          // the clone lacks a part of the history, and maybe tags
	Dirty      string        // how the tracked files differ from Head, for people; empty: clean
	Mains      []Main        // main packages in the module's root and in cmd/*, sorted by directory
	Ports      []string      // what `go tool dist list` prints
	Files      []string      // the commit's files: slash-separated, relative to the repository, sorted
	Toolchain  string        // version of Go that compiles, such as "go1.26.8"
	Go         string        // go.mod's lines "go" and "toolchain", each with its line end

	Bases map[string]BaseFacts // base images, by the name in the configuration

	Policy  version.Module   // what the version policy wants to know about the module
	Changes []history.Change // since the previous stable version, newest first
	Moved   string           // module path of the previous stable version; empty: not known
}

// Prefix is what the version tags of the module begin with.
func (f Facts) Prefix() string { return version.Prefix(f.Module.Dir, f.Module.Path) }

// Repository is a repository on GitHub.
type Repository struct {
	Owner string `json:"owner"`
	Name  string `json:"name"`
}

// String is "owner/name", or empty.
func (r Repository) String() string {
	if r.Owner == "" {
		return ""
	}
	return r.Owner + "/" + r.Name
}

// URL is the repository's page on github.com, or empty.
func (r Repository) URL() string {
	if r.Owner == "" {
		return ""
	}
	return "https://github.com/" + r.String()
}

// Module is the Go module that is released.
type Module struct {
	Path     string `json:"path"`
	Dir      string `json:"dir"` // relative to the repository, slash-separated; "." is its root
	Vendored bool   `json:"vendored,omitempty"`
}

// Main is a main package.
type Main struct {
	Dir     string   // relative to the module: "." or "./cmd/app"
	Name    string   // of the binary
	Systems []string // those of linux, darwin and windows that it exists on, with cgo off; nil: not known
}
