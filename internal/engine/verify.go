package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The rules of Verify, as findings name them.
const (
	RuleChecksums  = "checksums"  // every listed file has the listed digest
	RuleComplete   = "complete"   // no file is missing, and none is there that nobody vouches for
	RuleSignature  = "signature"  // checksums.txt is signed by the expected identity
	RuleProvenance = "provenance" // the signed statement speaks of exactly these files and this commit
	RuleSBOM       = "sbom"       // every archive has an SPDX document that names the released version
	RuleBinary     = "binary"     // the binary in every archive says this version and commit
	RuleImage      = "image"      // the image holds the binaries of the archives
)

// Claim is what a release is expected to be.
type Claim struct {
	Repository string // owner/name
	Tag        string
	Version    string // without "v"
	Commit     string
	Unsigned   bool           // the release was made with signing off
	Image      string         // reference of the image; empty: none is expected
	Digest     release.Digest // of the image's index; empty: whatever the reference names
}

// Statement is what a verified provenance says.
type Statement struct {
	Subjects map[string]release.Digest
	Commit   string
	Signer   string // identity in the certificate
}

// Bill is what an SPDX document says.
type Bill struct {
	Module  string
	Version string         // of the main module, with "v"
	Archive release.Digest // of the archive that it describes
}

// Executable is a program found in an archive.
type Executable struct {
	Name    string
	Digest  release.Digest
	Version string // of the main module, with "v"
	Commit  string
}

// ImageContent is what a registry holds under the image's reference.
type ImageContent struct {
	Digest    release.Digest
	Platforms map[release.Target]map[string]release.Digest // executables by name
}

// Verifier are the edges of Verify.
type Verifier struct {
	// ParseChecksums reads checksums.txt strictly.
	ParseChecksums func(content []byte) (map[string]release.Digest, error)
	// Blob verifies a bundle over a file with the digest and returns the signer.
	Blob func(bundle []byte, digest release.Digest, c Claim) (signer string, err error)
	// Statement verifies a bundle that holds a statement about the digest.
	Statement func(bundle []byte, digest release.Digest, c Claim) (Statement, error)
	// SBOM parses an SPDX document.
	SBOM func(content []byte) (Bill, error)
	// Executables reads the programs of an archive.
	Executables func(archive release.File) ([]Executable, error)
	// Image reads a pushed image.
	Image func(ctx context.Context, reference string) (ImageContent, error)

	Progress task.Progress
}

// Finding is the outcome of one rule for one subject.
type Finding struct {
	Rule    string
	Subject string // file or reference
	Detail  string // what was seen, when it holds
	Err     error  // why it does not hold; nil: it does
}

// Failed are the findings that do not hold.
func Failed(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Err == nil })
}

// Verify checks the assets of a release, which lie in dir, as a careful user would.
// The findings come in the order of the rules, then of the files. It returns an error
// only when it could not look.
func Verify(ctx context.Context, dir string, c Claim, v Verifier) ([]Finding, error) {
	files, err := readAssets(dir)
	if err != nil {
		return nil, fmt.Errorf("verifying %q: %w", dir, err)
	}
	check := &checking{Verifier: v, claim: c, files: files}
	for _, rule := range []struct {
		name string
		run  func(ctx context.Context)
	}{
		{RuleChecksums, check.checksums},
		{RuleComplete, check.complete},
		{RuleSignature, check.signature},
		{RuleProvenance, check.provenance},
		{RuleSBOM, check.sboms},
		{RuleBinary, check.binaries},
		{RuleImage, check.image},
	} {
		check.rule = rule.name
		before := len(check.findings)
		_ = task.Track(ctx, v.Progress, PhaseVerify, rule.name, 0, func(func(string)) (string, error) {
			rule.run(ctx)
			return check.outcome(before)
		})
		if ctx.Err() != nil {
			return check.findings, context.Cause(ctx)
		}
	}
	return check.findings, nil
}

// checking is one call of Verify.
type checking struct {
	Verifier
	claim       Claim
	files       map[string]release.File // assets by name
	listed      map[string]release.Digest
	executables map[string][]Executable // by archive
	rule        string
	findings    []Finding
}

func (c *checking) outcome(from int) (string, error) {
	found := c.findings[from:]
	if failed := Failed(found); len(failed) > 0 {
		return "", failed[0].Err
	}
	switch len(found) {
	case 0:
		return "nothing to check", nil
	case 1:
		return found[0].Detail, nil
	}
	return fmt.Sprintf("%d hold", len(found)), nil
}

func (c *checking) hold(subject, format string, args ...any) {
	c.findings = append(c.findings, Finding{Rule: c.rule, Subject: subject, Detail: fmt.Sprintf(format, args...)})
}

func (c *checking) fail(subject, format string, args ...any) {
	c.findings = append(c.findings, Finding{Rule: c.rule, Subject: subject, Err: fmt.Errorf(format, args...)})
}

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

// content reads a file whose digest is known, and refuses other bytes.
func (c *checking) content(name string) ([]byte, error) {
	file, ok := c.files[name]
	if !ok {
		return nil, fmt.Errorf("missing")
	}
	if file.Size > maxText {
		return nil, fmt.Errorf("%d bytes: want at most %d", file.Size, maxText)
	}
	return os.ReadFile(file.Path)
}

// maxText bounds the text files of a release when they are read, in bytes.
const maxText = 64 << 20

func (c *checking) checksums(context.Context) {
	text, err := c.content(release.ChecksumsName)
	if err == nil {
		c.listed, err = c.ParseChecksums(text)
	}
	if err != nil {
		c.fail(release.ChecksumsName, "%w", err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.listed)) {
		file, ok := c.files[name]
		switch {
		case !ok:
			c.fail(name, "listed in %s and missing", release.ChecksumsName)
		case file.Digest != c.listed[name]:
			c.fail(name, "digest %s: %s says %s", file.Digest, release.ChecksumsName, c.listed[name])
		default:
			c.hold(name, "%s", file.Digest)
		}
	}
}

func (c *checking) complete(context.Context) {
	before := len(c.findings)
	for _, name := range c.archives() {
		if _, ok := c.listed[name+release.SBOMSuffix]; !ok {
			c.fail(name, "it has no SBOM %s", name+release.SBOMSuffix)
		}
	}
	own := []string{release.ChecksumsName, release.ChecksumsBundleName, release.ProvenanceName, release.NotesName}
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if _, ok := c.listed[name]; !ok && !slices.Contains(own, name) {
			c.fail(name, "an asset that %s does not list: nobody vouches for it", release.ChecksumsName)
		}
	}
	if len(c.findings) == before {
		c.hold(release.ChecksumsName, "%d files", len(c.listed))
	}
}

func (c *checking) signature(context.Context) {
	if c.claim.Unsigned {
		return
	}
	bundle, err := c.content(release.ChecksumsBundleName)
	if err != nil {
		c.fail(release.ChecksumsBundleName, "%w", err)
		return
	}
	signer, err := c.Blob(bundle, c.files[release.ChecksumsName].Digest, c.claim)
	if err != nil {
		c.fail(release.ChecksumsName, "%w", err)
		return
	}
	c.hold(release.ChecksumsName, "signed by %s", signer)
}

func (c *checking) provenance(context.Context) {
	if c.claim.Unsigned {
		return
	}
	bundle, err := c.content(release.ProvenanceName)
	if err != nil {
		c.fail(release.ProvenanceName, "%w", err)
		return
	}
	s, err := c.Statement(bundle, c.files[release.ChecksumsName].Digest, c.claim)
	if err != nil {
		c.fail(release.ProvenanceName, "%w", err)
		return
	}
	before := len(c.findings)
	if c.claim.Commit != "" && s.Commit != c.claim.Commit {
		c.fail(release.ProvenanceName, "it speaks of commit %s, want %s", s.Commit, c.claim.Commit)
	}
	want := map[string]release.Digest{release.ChecksumsName: c.files[release.ChecksumsName].Digest}
	for name, digest := range c.listed {
		want[name] = digest
	}
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
	if len(c.findings) == before {
		c.hold(release.ProvenanceName, "%d subjects, signed by %s", len(want), s.Signer)
	}
}

func (c *checking) sboms(context.Context) {
	for _, archive := range c.archives() {
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
		case bill.Archive != c.listed[archive]:
			c.fail(name, "it describes an archive with digest %s, want %s", bill.Archive, c.listed[archive])
		default:
			c.hold(name, "%s %s", bill.Module, bill.Version)
		}
	}
}

func (c *checking) binaries(context.Context) {
	c.executables = map[string][]Executable{}
	for _, archive := range c.archives() {
		file, ok := c.files[archive]
		if !ok {
			continue // said under checksums
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
			switch {
			case e.Version != "v"+c.claim.Version:
				c.fail(archive, "%s says version %q, want v%s", e.Name, e.Version, c.claim.Version)
			case c.claim.Commit != "" && e.Commit != c.claim.Commit:
				c.fail(archive, "%s says commit %q, want %s", e.Name, e.Commit, c.claim.Commit)
			default:
				c.hold(archive, "%s %s, commit %.7s", e.Name, e.Version, e.Commit)
			}
		}
	}
}

func (c *checking) image(ctx context.Context) {
	if c.claim.Image == "" {
		return
	}
	content, err := c.Image(ctx, c.claim.Image)
	if err != nil {
		c.fail(c.claim.Image, "%w", err)
		return
	}
	if c.claim.Digest != "" && content.Digest != c.claim.Digest {
		c.fail(c.claim.Image, "it names %s, want %s", content.Digest, c.claim.Digest)
		return
	}
	packed := map[string]map[release.Digest]bool{}
	for _, found := range c.executables {
		for _, e := range found {
			if packed[e.Name] == nil {
				packed[e.Name] = map[release.Digest]bool{}
			}
			packed[e.Name][e.Digest] = true
		}
	}
	var foreign []string
	for target, files := range content.Platforms {
		for name, digest := range files {
			if !packed[path.Base(name)][digest] {
				foreign = append(foreign, fmt.Sprintf("%s of %s", name, target))
			}
		}
	}
	slices.Sort(foreign)
	for _, name := range foreign {
		c.fail(c.claim.Image, "%s is in no archive of the release", name)
	}
	if len(foreign) == 0 {
		c.hold(c.claim.Image, "%s, %d platforms", content.Digest, len(content.Platforms))
	}
}

// readAssets hashes the files of a directory; those in folders and hidden ones are
// not assets, nor is the report of the run that made them.
func readAssets(dir string) (map[string]release.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]release.File{}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || e.Name() == release.ReportName {
			continue
		}
		if files[e.Name()], err = digest(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}
