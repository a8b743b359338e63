package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
)

// assetName is the form of the names that releases have (see package plan): no file
// system and no terminal shows two of them as one.
var assetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// archives are the listed archives, sorted.
func (c *checking) archives() []string {
	var out []string
	for name := range c.listed {
		if !strings.HasSuffix(name, release.SBOMSuffix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (c *checking) checksums(context.Context) {
	text, err := c.content(release.ChecksumsName)
	if err == nil {
		c.listed, err = c.ParseChecksums(text)
	}
	if err != nil {
		c.fail(release.ChecksumsName, "%w", err)
		return
	}
	folded := map[string]bool{} // as systems see names that do not know case
	for _, name := range slices.Sorted(maps.Keys(c.listed)) {
		file, ok := c.files[name]
		lower := strings.ToLower(name)
		switch {
		case !assetName.MatchString(name):
			c.fail(name, "listed in %s: no asset of a release has such a name", release.ChecksumsName)
		case folded[lower]:
			c.fail(name, "%s lists another name that is the same but for case", release.ChecksumsName)
		case !ok:
			c.fail(name, "listed in %s and missing", release.ChecksumsName)
		case file.Digest != c.listed[name]:
			c.fail(name, "digest %s: %s says %s", file.Digest, release.ChecksumsName, c.listed[name])
		default:
			c.hold(name, "%s", file.Digest)
		}
		folded[lower] = true
	}
}

func (c *checking) complete(context.Context) {
	before := len(c.findings)
	archives := c.archives()
	for _, name := range archives {
		if _, ok := c.listed[name+release.SBOMSuffix]; !ok {
			c.fail(name, "it has no SBOM %s", name+release.SBOMSuffix)
		}
	}
	if c.listed != nil && len(archives) == 0 {
		c.fail(release.ChecksumsName, "it lists no archive")
	}
	for _, name := range slices.Sorted(maps.Keys(c.listed)) {
		if archive, ok := strings.CutSuffix(name, release.SBOMSuffix); ok && !slices.Contains(archives, archive) {
			c.fail(name, "an SBOM of an archive that %s does not list", release.ChecksumsName)
		}
	}
	own := []string{release.ChecksumsName}
	if !c.claim.Unsigned {
		own = append(own, release.ChecksumsBundleName, release.ProvenanceName)
	}
	for _, name := range slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(c.strange), maps.Keys(c.files)))) {
		_, file := c.files[name]
		_, listed := c.listed[name]
		switch {
		case !file:
			c.fail(name, "neither a file nor what an output directory has beside a release: it cannot be verified")
		case listed, slices.Contains(own, name), c.bundled(name):
		case name == release.NotesName:
			c.notes()
		default:
			c.fail(name, "an asset that %s does not list: nobody vouches for it", release.ChecksumsName)
		}
	}
	if len(Failed(c.findings[before:])) == 0 {
		c.hold(release.ChecksumsName, "%d files", len(c.listed))
	}
}

// bundled tells whether a file is the bundle of a listed one.
func (c *checking) bundled(name string) bool {
	signed, ok := strings.CutSuffix(name, release.BundleSuffix)
	_, listed := c.listed[signed]
	return ok && listed && !c.claim.Unsigned
}

// notes demands of the one file that nobody signs that it is text.
func (c *checking) notes() {
	text, err := c.content(release.NotesName)
	switch {
	case err != nil:
		c.fail(release.NotesName, "%w", err)
	case !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }):
		c.fail(release.NotesName, "it is not plain text")
	default:
		c.hold(release.NotesName, "text, which nobody signs")
	}
}

func (c *checking) signature(ctx context.Context) {
	if c.claim.Unsigned {
		return
	}
	c.signed(release.ChecksumsName)
	// Whoever signed one file by itself signed all of them.
	all := c.claim.All || slices.ContainsFunc(slices.Collect(maps.Keys(c.files)), c.bundled)
	for _, name := range slices.Sorted(maps.Keys(c.listed)) {
		if ctx.Err() == nil && all {
			c.signed(name)
		}
	}
}

// signed looks at the bundle of one file.
func (c *checking) signed(name string) {
	file, ok := c.files[name]
	if !ok {
		c.fail(name+release.BundleSuffix, "%s is missing", name)
		return
	}
	bundle, err := c.content(name + release.BundleSuffix)
	if err != nil {
		c.fail(name+release.BundleSuffix, "%w", err)
		return
	}
	signer, err := c.Blob(bundle, file.Digest, c.claim)
	if err != nil {
		c.fail(name, "%w", err)
		return
	}
	c.hold(name, "signed by %s", signer)
}

func (c *checking) provenance(context.Context) {
	if c.claim.Unsigned {
		return
	}
	checksums, ok := c.files[release.ChecksumsName]
	if !ok {
		c.fail(release.ProvenanceName, "%s is missing", release.ChecksumsName)
		return
	}
	var s Statement
	bundle, err := c.content(release.ProvenanceName)
	if err == nil {
		s, err = c.Statement(bundle, checksums.Digest, c.claim)
	}
	if err != nil {
		c.fail(release.ProvenanceName, "%w", err)
		return
	}
	c.stated = &s
	before := len(c.findings)
	c.release(s)
	want := map[string]release.Digest{release.ChecksumsName: checksums.Digest}
	maps.Copy(want, c.listed)
	c.subjects(s, want)
	if len(c.findings) > before {
		return
	}
	about := fmt.Sprintf("%s, %d subjects", s.Tag, len(want))
	for _, image := range s.Images {
		about += fmt.Sprintf(", image %s@%s", image.Repository, image.Digest)
	}
	c.hold(release.ProvenanceName, "%s, signed by %s", about, s.Signer)
}

// release demands that the statement speaks of the claimed release. A certificate says
// some of that too, but not what was built in the run, and a key says nothing.
func (c *checking) release(s Statement) {
	if s.BuildType != provenance.BuildType {
		c.fail(release.ProvenanceName, "its build type is %q, want %q", s.BuildType, provenance.BuildType)
	}
	if want := "https://github.com/" + c.claim.Repository; !strings.EqualFold(s.Repository, want) {
		c.fail(release.ProvenanceName, "it speaks of repository %q, want %q", s.Repository, want)
	}
	if s.Tag != c.claim.Tag {
		c.fail(release.ProvenanceName, "it speaks of tag %q, want %q", s.Tag, c.claim.Tag)
	}
	if err := c.agree(s.Commit); err != nil {
		c.fail(release.ProvenanceName, "it speaks of %w", err)
	}
	if s.Planned != len(s.Images) {
		c.fail(release.ProvenanceName, "it speaks of %d images and names %d", s.Planned, len(s.Images))
	}
	if s.Builder != s.Identity {
		c.fail(release.ProvenanceName, "it speaks of builder %q, want the signer, %q", s.Builder, s.Identity)
	}
}

// subjects demands that the statement speaks of exactly these files.
func (c *checking) subjects(s Statement, want map[string]release.Digest) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got, ok := s.Subjects[name]; {
		case !ok:
			c.fail(name, "the provenance does not speak of it")
		case got != want[name]:
			c.fail(name, "the provenance speaks of digest %s, want %s", got, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Subjects)) {
		if _, ok := want[name]; !ok {
			c.fail(name, "the provenance speaks of a file that the release does not have")
		}
	}
}

// agree demands one commit of everything: the claim's, or else the first that is named.
func (c *checking) agree(commit string) error {
	if c.commit == "" {
		c.commit = commit
	}
	switch {
	case commit == "":
		return errors.New("no commit")
	case commit != c.commit:
		return fmt.Errorf("commit %q, want %s", commit, c.commit)
	}
	return nil
}

func (c *checking) sboms(ctx context.Context) {
	for _, archive := range c.archives() {
		if ctx.Err() != nil {
			return
		}
		name := archive + release.SBOMSuffix
		text, err := c.content(name)
		if err != nil {
			c.fail(name, "%w", err)
			continue
		}
		bill, err := c.SBOM(text)
		switch {
		case err != nil:
			c.fail(name, "%w", err)
		case bill.Version != "v"+c.claim.Version:
			c.fail(name, "it names %s %s, want v%s", bill.Module, bill.Version, c.claim.Version)
		case c.stated != nil && c.stated.Module != "" && bill.Module != c.stated.Module:
			c.fail(name, "it names module %q, the provenance %q", bill.Module, c.stated.Module)
		case bill.Archive != c.listed[archive]:
			c.fail(name, "it describes an archive with digest %s, want %s", bill.Archive, c.listed[archive])
		default:
			c.hold(name, "%s %s", bill.Module, bill.Version)
		}
	}
}

func (c *checking) binaries(ctx context.Context) {
	c.executables = map[string][]Executable{}
	for _, archive := range c.archives() {
		file, ok := c.files[archive]
		if !ok {
			continue // said under checksums
		}
		if ctx.Err() != nil {
			return
		}
		found, err := c.Executables(file)
		if err == nil && len(found) == 0 {
			err = errors.New("it holds no Go program")
		}
		if err != nil {
			c.fail(archive, "%w", err)
			continue
		}
		c.executables[archive] = found
		for _, e := range found {
			err := c.agree(e.Commit)
			switch {
			case e.Version != "v"+c.claim.Version:
				c.fail(archive, "%s says version %q, want v%s", e.Name, e.Version, c.claim.Version)
			case err != nil:
				c.fail(archive, "%s says %w", e.Name, err)
			default:
				c.hold(archive, "%s %s, commit %.7s", e.Name, e.Version, e.Commit)
			}
		}
	}
}
