package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// The rules of Verify, as findings name them.
const (
	RuleChecksums  = "checksums"  // every listed file has the listed digest
	RuleComplete   = "complete"   // no file is missing, and none is there that nobody vouches for
	RuleSignature  = "signature"  // checksums.txt is signed by the expected identity, and so is what has a bundle of its own
	RuleProvenance = "provenance" // the signed statement speaks of exactly these files, this repository, tag and commit, and of its signer as the builder
	RuleSBOM       = "sbom"       // every archive has an SPDX document that names the released version
	RuleBinary     = "binary"     // the binary in every archive says this version and commit
	RuleImage      = "image"      // every image is one that the statement names, and holds the binaries of the archives
)

// Claim is what a release is expected to be.
type Claim struct {
	Repository string // owner/name
	Tag        string
	Version    string         // without "v"
	Commit     string         // full hash; empty: the one that all of it agrees on
	Branches   []string       // that may have been released from, beside the tag
	Unsigned   bool           // the release was made with signing off: it has no bundles
	All        bool           // every file has a bundle of its own
	Page       bool           // the directory holds what a release page holds; else it is an output directory
	Images     []ClaimedImage // that are looked at
	Named      bool           // those that the statement names are looked at as well, in their registries
}

// ClaimedImage is an image that a release is expected to have.
type ClaimedImage struct {
	Reference string         // where it lies
	Digest    release.Digest // of its index; empty: whatever the reference names
}

// Statement is what a verified provenance says.
type Statement struct {
	BuildType  string
	Repository string // URL
	Tag        string
	Commit     string
	Module     string // path; empty: it names none
	Subjects   map[string]release.Digest
	Images     []StatedImage
	Planned    int    // how many images it says were to be made
	Builder    string // URI of who built, by what the statement says
	Signer     string // who signed, for people
	Identity   string // builder that the signer may speak for
}

// StatedImage is an image that a statement names.
type StatedImage struct {
	Repository string         // registry and path
	Digest     release.Digest // of its index
	Files      []string       // paths of the files beside the programs and the base; sorted
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
	Files     map[release.Target][]string                  // paths of files beside them and the base; sorted
}

// Verifier are the edges of Verify.
type Verifier struct {
	// ParseChecksums reads checksums.txt strictly: one form, no name twice.
	ParseChecksums func(content []byte) (map[string]release.Digest, error)
	// Blob verifies a bundle over a file with the digest and returns the signer.
	Blob func(bundle []byte, digest release.Digest, c Claim) (signer string, err error)
	// Statement verifies a bundle that holds a statement about the digest.
	Statement func(bundle []byte, digest release.Digest, c Claim) (Statement, error)
	// SBOM parses an SPDX document.
	SBOM func(content []byte) (Bill, error)
	// Executables reads the programs of an archive.
	Executables func(archive release.File) ([]Executable, error)
	// Image reads an image.
	Image func(ctx context.Context, image ClaimedImage) (ImageContent, error)

	Progress task.Progress
}

// Finding is the outcome of one rule for one subject.
type Finding struct {
	Rule    string
	Subject string // file or reference, quoted where it is not plain text
	Detail  string // what was seen, when it holds
	Err     error  // why it does not hold; nil: it does
	Note    bool   // it is no rule's outcome: Detail says what did not count
}

// Failed are the findings that do not hold.
func Failed(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Err == nil })
}

// Verify checks the assets of a release, which lie in dir, as a careful user would:
// whoever filled dir is not believed. The findings come in the order of the rules,
// then of the files. It returns an error only when it could not look; the findings
// are then those so far.
//
// RELEASE_NOTES.md is text that nobody signs, and what an output directory holds
// beside a release (its folders and release.json) is not looked at.
func Verify(ctx context.Context, dir string, c Claim, v Verifier) ([]Finding, error) {
	there, err := readAssets(ctx, dir, c.Page)
	if err != nil {
		return nil, fmt.Errorf("verifying %q: %w", dir, err)
	}
	check := &checking{Verifier: v, claim: c, commit: c.Commit, assets: there}
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
		{RuleImage, check.images},
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
	assets
	claim       Claim
	commit      string     // that everything has to be of; empty: not known yet
	stated      *Statement // whose signature holds; nil: there is none
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
	c.findings = append(c.findings, Finding{Rule: c.rule, Subject: readable(subject), Detail: fmt.Sprintf(format, readables(args)...)})
}

func (c *checking) fail(subject, format string, args ...any) {
	c.findings = append(c.findings, Finding{Rule: c.rule, Subject: readable(subject), Err: fmt.Errorf(format, readables(args)...)})
}

// readable quotes a text that would not show as it is, or would show as something
// else: names come from whoever filled the directory.
func readable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

func readables(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = readable(text)
		}
	}
	return args
}
