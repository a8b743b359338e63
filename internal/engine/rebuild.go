package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

const (
	// RuleRebuild holds when what the provenance records, made again, has the digests of
	// the release.
	RuleRebuild = "rebuild"
	// PhaseRebuild is making again, as events name it.
	PhaseRebuild = "rebuild"
)

// Packed is a file in an archive.
type Packed struct {
	Name   string
	Digest release.Digest
	Go     string // version that compiled it; empty: it is no Go program
}

// Compare holds what was made again against a release, whose files lie in dir and whose
// verified digests are released, by name. Each archive, SBOM and checksums.txt has one
// finding, in the order of the plan; each that is unequal says why, where entries can
// tell it from the two archives. The error is the cause of a cancelled ctx.
func Compare(ctx context.Context, dir string, released map[string]release.Digest, made release.Made,
	entries func(ctx context.Context, archive release.File) ([]Packed, error),
) ([]Finding, error) {
	c := comparing{dir: dir, released: released, entries: entries}
	for _, u := range made.Units {
		c.file(u.Archive, func() string { return c.archive(ctx, u.Archive) })
		c.file(u.SBOM, func() string { return c.sbom(u.Archive) })
	}
	c.file(made.Checksums, func() string { return "it lists the digests of the others" })
	known := map[string]bool{made.Checksums.Name: true}
	for _, a := range made.Subjects() {
		known[a.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(released)) {
		if !known[name] {
			c.fail(name, errors.New("the release has it, and building again does not make it"))
		}
	}
	return c.findings, context.Cause(ctx)
}

// comparing is one call of Compare.
type comparing struct {
	dir      string
	released map[string]release.Digest
	entries  func(ctx context.Context, archive release.File) ([]Packed, error)
	findings []Finding
}

func (c *comparing) fail(name string, err error) {
	c.findings = append(c.findings, Finding{Rule: RuleRebuild, Subject: readable(name), Err: err})
}

// file compares one file; why is asked when it differs.
func (c *comparing) file(made release.File, why func() string) {
	switch want, ok := c.released[made.Name]; {
	case !ok:
		c.fail(made.Name, errors.New("building again makes it, and the release does not have it"))
	case made.Digest != want:
		c.fail(made.Name, fmt.Errorf("built again it has digest %s, the release has %s: %s", made.Digest, want, why()))
	default:
		c.findings = append(c.findings, Finding{Rule: RuleRebuild, Subject: readable(made.Name), Detail: "the same digest, " + string(want)})
	}
}

// archive says how an archive differs from the released one.
func (c *comparing) archive(ctx context.Context, made release.File) string {
	there, err := c.entries(ctx, release.File{Name: made.Name, Path: filepath.Join(c.dir, made.Name)})
	if err != nil {
		return "which cannot be read: " + readable(err.Error())
	}
	again, err := c.entries(ctx, made)
	if err != nil {
		return "which cannot be told: " + readable(err.Error())
	}
	var differences []string
	say := func(format string, args ...any) {
		differences = append(differences, fmt.Sprintf(format, readables(args)...))
	}
	now := map[string]Packed{}
	for _, e := range again {
		now[e.Name] = e
	}
	for _, e := range there {
		other, ok := now[e.Name]
		delete(now, e.Name)
		switch {
		case !ok:
			say("%s is in the release alone", e.Name)
		case e.Digest == other.Digest:
		case e.Go != other.Go && e.Go != "" && other.Go != "":
			say("the binary %s differs: %s compiled it, and %s that of the release", e.Name, other.Go, e.Go)
		case e.Go != "":
			say("the binary %s differs", e.Name)
		default:
			say("%s differs", e.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		say("%s is not in the release", name)
	}
	if len(differences) == 0 {
		return "its files are the same, and packed in another way; another version of pgo-release may have made it"
	}
	return strings.Join(differences, ", ")
}

// sbom says why an SBOM may differ from the released one.
func (c *comparing) sbom(archive release.File) string {
	if c.released[archive.Name] != archive.Digest {
		return "it describes an archive that differs"
	}
	return "the archive is the same; the module cache may hold other licences, or another version of pgo-release have made it"
}
