package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/pgo-release/internal/plan"
)

func TestExtract(t *testing.T) {
	e := entries(t, 0o600)
	for _, format := range formats() {
		f := archiveOf(t, format, e, made())
		for _, entry := range e {
			want, err := os.ReadFile(entry.Path)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := Extract(f.Path, format, entry.Name, &got, int64(len(want))); err != nil {
				t.Errorf("%s: %v", format, err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s: %s has %d bytes, want %d", format, entry.Name, got.Len(), len(want))
			}
		}
		for name, want := range map[string]string{
			"absent":       `no such entry`,
			"README.md":    `more than 7 bytes`,
			"docs":         `no such entry`,
			"./README.md":  `no such entry`,
			"docs/LICENSE": "",
		} {
			err := Extract(f.Path, format, name, io.Discard, 7)
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+want)) {
				t.Errorf("%s: %s: error %v, want %s", format, name, err, want)
			}
		}
	}
}

func TestExtractErrorsNameTheArchive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.zip")
	for _, test := range []struct{ format, want string }{
		{plan.FormatZip, `extracting "a" from "x.zip": no such file or directory`},
		{plan.FormatTarGz, `extracting "a" from "x.zip": no such file or directory`},
		{"rar", `extracting "a" from "x.zip": format "rar": want tar.gz, tar.zst or zip`},
	} {
		if err := Extract(path, test.format, "a", io.Discard, 1); err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	if err := os.WriteFile(path, []byte("not an archive, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range formats() {
		if err := Extract(path, format, "a", io.Discard, 1); err == nil {
			t.Errorf("%s: no error for what is no archive", format)
		}
	}
}

// tarOf makes a tar file of headers with content "x" each where they may have some.
func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 1
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func store(t *testing.T, format string, content []byte) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if format == plan.FormatTarZst {
		var err error
		if w, err = zstd.NewWriter(&out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExtractRefusesHostileTars(t *testing.T) {
	hello := tar.Header{Typeflag: tar.TypeReg, Name: "hello", Mode: 0o755}
	named := func(name string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755}
	}
	good := tarOf(t, hello)
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"traversal", tarOf(t, hello, named("../hello")), `entry "../hello" leaves the directory that the archive is unpacked in`},
		{"traversal inside", tarOf(t, hello, named("a/../../hello")), `entry "a/../../hello" leaves the directory that the archive is unpacked in`},
		{"absolute", tarOf(t, hello, named("/hello")), `entry "/hello" leaves the directory that the archive is unpacked in`},
		{"backslash", tarOf(t, hello, named(`..\hello`)), `entry "..\\hello" leaves the directory that the archive is unpacked in`},
		{"drive", tarOf(t, hello, named(`c:hello`)), `entry "c:hello" leaves the directory that the archive is unpacked in`},
		{"twice", tarOf(t, hello, hello), `entry "hello" would be unpacked to the same file`},
		{"spelled otherwise", tarOf(t, hello, named("./hello")), `entry "./hello" would be unpacked to the same file`},
		{"only otherwise", tarOf(t, named("a/../hello")), `entry "a/../hello" would be unpacked to the same file`},
		{"case", tarOf(t, hello, named("Hello")), `entry "Hello" would be unpacked to the same file`},
		{"symbolic link", tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "hello", Linkname: "/bin/sh"}),
			`entry "hello" is neither a regular file nor a directory`},
		{"hard link", tarOf(t, hello, tar.Header{Typeflag: tar.TypeLink, Name: "other", Linkname: "hello"}),
			`entry "other" is neither a regular file nor a directory`},
		{"device", tarOf(t, hello, tar.Header{Typeflag: tar.TypeChar, Name: "null"}), `entry "null" is neither a regular file nor a directory`},
		{"second archive", append(bytes.Clone(good), good...), `data after the end of the archive`},
		{"directory in its place", tarOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "hello/"}), `no such entry`},
		{"cut", good[:512], `unexpected EOF`},
	} {
		for _, format := range []string{plan.FormatTarGz, plan.FormatTarZst} {
			err := Extract(store(t, format, test.content), format, "hello", io.Discard, 1<<20)
			if want := `extracting "hello" from "hostile": ` + test.want; err == nil || err.Error() != want {
				t.Errorf("%s: error %v, want %s", test.name, err, want)
			}
		}
	}
}

func TestExtractReadsToTheEnd(t *testing.T) {
	for _, format := range formats() {
		f := archiveOf(t, format, entries(t, 0o600)[:1], made())
		content, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		// The first byte of what gzip and Zstandard compare at the end; in a zip file,
		// the checksum in the central directory.
		at := map[string]int{plan.FormatTarGz: len(content) - 8, plan.FormatTarZst: len(content) - 4,
			plan.FormatZip: bytes.LastIndex(content, []byte("PK\x01\x02")) + 16}[format]
		content[at] ^= 1
		if err := os.WriteFile(f.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Extract(f.Path, format, "hello", io.Discard, 1<<20); err == nil {
			t.Errorf("%s: the checksum was not compared", format)
		}
	}
}

func TestExtractStopsAtTheCaps(t *testing.T) {
	if _, err := io.Copy(io.Discard, &capped{r: zeroes{}, left: 5000}); err == nil {
		t.Error("a decompression bomb is read on")
	}
	s := &search{name: "hello", seen: maxEntries}
	if _, err := s.wants("other", true, false); err == nil {
		t.Error("any number of entries is read")
	}
}

// zeroes never ends.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestExtractRefusesHostileZips(t *testing.T) {
	type entry struct {
		name string
		mode fs.FileMode
	}
	for _, test := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"traversal", []entry{{"hello", 0o755}, {"../hello", 0o755}}, `entry "../hello" leaves the directory that the archive is unpacked in`},
		{"backslash", []entry{{"hello", 0o755}, {`a\hello`, 0o755}}, `entry "a\\hello" leaves the directory that the archive is unpacked in`},
		{"twice", []entry{{"hello", 0o755}, {"hello", 0o755}}, `entry "hello" would be unpacked to the same file`},
		{"case", []entry{{"HELLO", 0o755}}, `entry "HELLO" would be unpacked to the same file`},
		{"link", []entry{{"hello", fs.ModeSymlink | 0o777}}, `entry "hello" is neither a regular file nor a directory`},
	} {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for _, e := range test.entries {
			h := &zip.FileHeader{Name: e.name}
			h.SetMode(e.mode)
			w, err := z.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "hostile")
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Extract(path, plan.FormatZip, "hello", io.Discard, 1<<20)
		if want := `extracting "hello" from "hostile": ` + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", test.name, err, want)
		}
	}
}
