package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/release"
)

// Whatever lies in the directory was verified, is named as not holding, or is what an
// output directory has beside a release.
func TestVerifyStrangers(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := func(name string) func(s *suspect) {
		return func(s *suspect) {
			_ = os.Remove(s.path(name)) // where it is there
			s.check(os.Symlink(outside, s.path(name)))
		}
	}
	folder := func(name string) func(s *suspect) {
		return func(s *suspect) {
			s.check(os.Mkdir(s.path(name), 0o755))
			s.write(filepath.Join(name, "hello"), "#!/bin/sh\n")
		}
	}
	const strange = ": neither a file nor what an output directory has"
	raise(t, map[string]doubt{
		"link":            {link("hello_1.2.3_plan9_amd64.tar.gz"), []string{"complete hello_1.2.3_plan9_amd64.tar.gz" + strange}},
		"link to nothing": {func(s *suspect) { s.check(os.Symlink("nothing", s.path("install.sh"))) }, []string{"complete install.sh" + strange}},
		"link to a listed archive": {func(s *suspect) {
			s.check(os.Rename(s.path(amd64), outside+".tar.gz"))
			s.check(os.Symlink(outside+".tar.gz", s.path(amd64)))
		}, []string{"checksums " + amd64 + ": listed in checksums.txt and missing", "complete " + amd64 + strange}},
		"link for the notes":  {link(release.NotesName), []string{"complete RELEASE_NOTES.md" + strange}},
		"link for the report": {link(release.ReportName), []string{"complete release.json" + strange}},
		"link for a folder": {func(s *suspect) {
			s.check(os.Remove(s.path(dist.RehearsalDir)))
			s.check(os.Symlink(filepath.Dir(outside), s.path(dist.RehearsalDir)))
		}, []string{"complete rehearsal" + strange}},
		"link for the list": {func(s *suspect) {
			s.check(os.Rename(s.path(release.ChecksumsName), outside+".txt"))
			s.check(os.Symlink(outside+".txt", s.path(release.ChecksumsName)))
		}, slices.Concat([]string{"checksums checksums.txt: missing", "complete checksums.txt" + strange},
			unlisted("")[1:], []string{"signature checksums.txt.sigstore.json: checksums.txt is missing", "provenance provenance.sigstore.json: checksums.txt is missing"})},
		"unpacked archive":     {folder("hello_1.2.3_linux_amd64"), []string{"complete hello_1.2.3_linux_amd64" + strange}},
		"folder like an asset": {folder("hello_1.2.3_plan9_amd64.tar.gz"), []string{"complete hello_1.2.3_plan9_amd64.tar.gz" + strange}},
		"folder as notes":      {func(s *suspect) { s.remove(release.NotesName); folder(release.NotesName)(s) }, []string{"complete RELEASE_NOTES.md" + strange}},
		"hidden":               {func(s *suspect) { s.write(".hello", "#!/bin/sh\n") }, []string{"complete .hello: nobody vouches for it"}},
		"hidden folder":        {folder(".git"), []string{"complete .git" + strange}},
		"temporary file":       {func(s *suspect) { s.write(".pack-123", "") }, []string{"complete .pack-123: nobody vouches for it"}},
	})
}

// The notes are the one file that nobody signs: they can be nothing but text. Nor can
// they, or what describes the run, be made an asset by listing them.
func TestVerifyNotes(t *testing.T) {
	list := func(name string) func(s *suspect) {
		return func(s *suspect) {
			s.edit(release.ChecksumsName, digestOf(read(s.T, s.path(amd64))).Hex(), digestOf([]byte("x")).Hex()+"  "+name+"\n"+digestOf(read(s.T, s.path(amd64))).Hex())
			s.claim.Unsigned = true
			s.remove(release.ChecksumsBundleName, release.ProvenanceName)
			s.write(name, "x")
		}
	}
	const notes = "complete RELEASE_NOTES.md: "
	raise(t, map[string]doubt{
		"none":        {func(s *suspect) { s.remove(release.NotesName) }, nil},
		"a program":   {func(s *suspect) { s.write(release.NotesName, "\x7fELF\x02\x01\x01\x00") }, []string{notes + "it is not plain text"}},
		"an escape":   {func(s *suspect) { s.write(release.NotesName, "# New\n\x1b]0;title\a") }, []string{notes + "it is not plain text"}},
		"not UTF-8":   {func(s *suspect) { s.write(release.NotesName, "\xff") }, []string{notes + "it is not plain text"}},
		"far too big": {func(s *suspect) { s.check(os.Truncate(s.path(release.NotesName), 64<<20+1)) }, []string{notes + "want at most 67108864"}},
		"listed":      {list(release.NotesName), []string{notes + "it has no SBOM", "sbom RELEASE_NOTES.md.spdx.json: missing", "binary RELEASE_NOTES.md: reading archive"}},
		"listed report": {list(release.ReportName), []string{"checksums release.json: listed in checksums.txt and missing",
			"complete release.json: it has no SBOM", "sbom release.json.spdx.json: missing"}},
		"a listed SBOM of nothing": {list("evil.spdx.json"), []string{"complete evil.spdx.json: an SBOM of an archive that checksums.txt does not list"}},
		"a bundle of nothing": {list(release.ProvenanceName), []string{
			"complete provenance.sigstore.json: it has no SBOM", "sbom provenance.sigstore.json.spdx.json: missing", "binary provenance.sigstore.json: reading archive"}},
	})
}

// A page holds nothing beside the release.
func TestVerifyPageStrangers(t *testing.T) {
	raise(t, map[string]doubt{"page": {func(s *suspect) { s.claim.Page = true }, []string{
		"complete .gitignore: nobody vouches for it", "complete .pgo-release: nobody vouches for it", "complete binaries: neither a file",
		"complete image: neither a file", "complete rehearsal: neither a file", "complete release.json: nobody vouches for it",
	}}})
}

// A file that changes after it was hashed is not believed.
func TestVerifyChangesUnderway(t *testing.T) {
	for _, name := range []string{amd64SBOM, release.ChecksumsBundleName, release.ProvenanceName} {
		for _, replacement := range []string{"", "longer"} {
			raise(t, map[string]doubt{name + replacement: {func(s *suspect) {
				parse := s.verifier.ParseChecksums
				s.verifier.ParseChecksums = func(content []byte) (map[string]release.Digest, error) {
					s.edit(name, "{", replacement)
					return parse(content)
				}
			}, []string{map[string]string{
				amd64SBOM: "sbom ", release.ChecksumsBundleName: "signature ", release.ProvenanceName: "provenance ",
			}[name] + name + ": it was changed while it was verified"}}})
		}
	}
}
