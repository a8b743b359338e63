package pack

import (
	"crypto/sha256"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

func digestOf(content []byte) release.Digest {
	h := sha256.New()
	h.Write(content)
	return release.Sum(h)
}

func TestChecksums(t *testing.T) {
	dir := t.TempDir()
	var files []release.File
	for _, name := range []string{"b.tar.gz", "a.zip", "a.zip.spdx.json", "*star and space"} {
		f, err := WriteFile(filepath.Join(dir, name), []byte("content of "+name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	sums, err := Checksums(filepath.Join(dir, release.ChecksumsName), files)
	if err != nil {
		t.Fatal(err)
	}
	if sums.Name != release.ChecksumsName || files[0].Name != "b.tar.gz" {
		t.Errorf("%+v; files now begin with %s", sums, files[0].Name)
	}
	content, err := os.ReadFile(sums.Path)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", release.ChecksumsName)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	parsed, err := ParseChecksums(content)
	if err != nil {
		t.Fatal(err)
	}
	expected := map[string]release.Digest{}
	for _, f := range files {
		expected[f.Name] = f.Digest
	}
	if !maps.Equal(parsed, expected) {
		t.Errorf("parsed %v, want %v", parsed, expected)
	}
}

func TestChecksumsRefuses(t *testing.T) {
	good := digestOf(nil)
	for _, test := range []struct {
		files []release.File
		want  string
	}{
		{nil, `writing checksums: no files`},
		{[]release.File{{Name: "a", Digest: good}, {Name: "a", Digest: good}}, `writing checksums: name "a": given twice`},
		{[]release.File{{Name: "a/b", Digest: good}}, `writing checksums: name "a/b": want the base name of a file`},
		{[]release.File{{Name: "a"}}, `writing checksums: file "a": digest "": want 64 lower-case hexadecimal digits of SHA-256`},
	} {
		dir := t.TempDir()
		if _, err := Checksums(filepath.Join(dir, "sums"), test.files); err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
		empty(t, dir)
	}
}

func TestParseChecksumsRefuses(t *testing.T) {
	hex := digestOf(nil).Hex()
	good := hex + "  good\n"
	for _, test := range []struct{ name, content, want string }{
		{"nothing", "", `parsing checksums: no lines`},
		{"CRLF", good + hex + "  a\r\n", `parsing checksums: line 2: name "a\r": want the base name of a file`},
		{"no end", good + hex + "  a", `parsing checksums: line 2: no line feed at the end`},
		{"empty line", good + "\n", `parsing checksums: line 2: "": want a digest, two spaces and a name`},
		{"twice", good + good, `parsing checksums: line 2: name "good": a line before has it too`},
		{"path", hex + "  a/b\n", `parsing checksums: line 1: name "a/b": want the base name of a file`},
		{"backslash", hex + "  a\\b\n", `parsing checksums: line 1: name "a\\b": want the base name of a file`},
		{"up", hex + "  ..\n", `parsing checksums: line 1: name "..": want the base name of a file`},
		{"standard input", hex + "  -\n", `parsing checksums: line 1: name "-": want the base name of a file`},
		{"no name", hex + "  \n", `parsing checksums: line 1: name "": want the base name of a file`},
		{"three spaces", hex + "   a\n", `parsing checksums: line 1: name " a": want the base name of a file`},
		{"binary mark", hex + " *a\n", `parsing checksums: line 1: "` + hex + ` *a": want a digest, two spaces and a name`},
		{"upper case", strings.ToUpper(hex) + "  a\n", `parsing checksums: line 1: digest "` + strings.ToUpper(hex) + `": want 64 lower-case hexadecimal digits of SHA-256`},
		{"short", hex[1:] + "  a\n", `parsing checksums: line 1: digest "` + hex[1:] + `": want 64 lower-case hexadecimal digits`},
		{"prefix", "sha256:" + hex + "  a\n", `parsing checksums: line 1: digest "sha256:` + hex + `": want 64 lower-case hexadecimal digits`},
		{"SHA-512", hex + hex + "  a\n", `parsing checksums: line 1: digest "` + hex + hex[:16] + `": want 64 lower-case hexadecimal digits`},
		{"no UTF-8", hex + "  \xff\n", `parsing checksums: line 1: name "\xff": want the base name of a file`},
		{"escaped", "\\" + hex + "  a\n", `parsing checksums: line 1: digest "\\` + hex + `": want 64 lower-case hexadecimal digits`},
	} {
		if _, err := ParseChecksums([]byte(test.content)); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

func FuzzParseChecksums(f *testing.F) {
	hex := digestOf(nil).Hex()
	f.Add([]byte(hex + "  a.tar.gz\n" + hex + "  b.zip\n"))
	f.Add([]byte(hex + "  a\r\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		digests, err := ParseChecksums(content)
		if err != nil {
			return
		}
		// What is taken is what Checksums writes, but for the order of lines.
		var files []release.File
		for name, digest := range digests {
			files = append(files, release.File{Name: name, Digest: digest})
		}
		written, err := Checksums(filepath.Join(t.TempDir(), "sums"), files)
		if err != nil {
			t.Fatal(err)
		}
		if written.Size != int64(len(content)) {
			t.Errorf("%q: %d bytes were read, %d written", content, len(content), written.Size)
		}
	})
}
