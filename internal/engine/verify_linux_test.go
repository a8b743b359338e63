package engine_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

// Not every system's files can have the names in this file, or be pipes.

// Names are shown as what they are: none can write another line, or over one.
func TestVerifyNames(t *testing.T) {
	raise(t, map[string]doubt{
		"a line of its own": {func(s *suspect) { s.write("x\nok    signature   checksums.txt signed", "") },
			[]string{`complete "x\nok    signature   checksums.txt signed": nobody vouches for it`}},
		"over the line": {func(s *suspect) { s.write("x\r\x1b[2Kok", "") }, []string{`complete "x\r\x1b[2Kok": nobody vouches for it`}},
		"backwards":     {func(s *suspect) { s.write("x\u202egpj.exe", "") }, []string{`complete "x\u202egpj.exe": nobody vouches for it`}},
		"not UTF-8":     {func(s *suspect) { s.write("x\xff", "") }, []string{`complete "x\xff": nobody vouches for it`}},

		"like its own": {func(s *suspect) { s.write("Checksums.txt", ""); s.write("checksums.txt ", "") },
			[]string{"complete Checksums.txt: nobody vouches for it", "complete checksums.txt : nobody vouches for it"}},

		// Even when the list is signed.
		"listed": {func(s *suspect) {
			for _, name := range []string{"hello\u00a0.tar.gz", "h\u0435llo.tar.gz", "-rf.tar.gz", ".hello.tar.gz"} { // a blank and an e that are none
				s.write(name, string(read(s.T, s.path(amd64))))
				s.write(name+release.SBOMSuffix, string(read(s.T, s.path(amd64SBOM))))
			}
			s.seal(nil)
		}, []string{
			"checksums -rf.tar.gz: no asset of a release has such a name", "checksums -rf.tar.gz.spdx.json: no asset", "checksums .hello.tar.gz: no asset", "checksums .hello.tar.gz.spdx.json: no asset",
			`checksums "hello\u00a0.tar.gz": no asset`, `checksums "hello\u00a0.tar.gz.spdx.json": no asset`, "checksums h\u0435llo.tar.gz: no asset", "checksums h\u0435llo.tar.gz.spdx.json: no asset"}},
		"twins but for case": {func(s *suspect) {
			twin := strings.ToUpper(amd64[:1]) + amd64[1:]
			s.write(twin, string(read(s.T, s.path(amd64))))
			s.write(twin+release.SBOMSuffix, string(read(s.T, s.path(amd64SBOM))))
			s.seal(nil)
		}, []string{
			"checksums " + amd64 + ": lists another name that is the same but for case", "checksums " + amd64SBOM + ": lists another name that is the same but for case"}},
	})
}

// Nothing is opened that is no file: a pipe would be waited for.
func TestVerifyPipes(t *testing.T) {
	pipe := func(name string) func(s *suspect) {
		return func(s *suspect) { s.check(syscall.Mkfifo(s.path(name), 0o644)) }
	}
	raise(t, map[string]doubt{
		"pipe":          {pipe("install.sh"), []string{"complete install.sh: neither a file"}},
		"pipe as notes": {func(s *suspect) { s.remove(release.NotesName); pipe(release.NotesName)(s) }, []string{"complete RELEASE_NOTES.md: neither a file"}},
	})
}
