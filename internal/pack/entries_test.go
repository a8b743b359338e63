package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
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

// extract takes one entry of an archive.
func extract(archive, format, name string, w io.Writer, limit int64) error {
	found := false
	err := Entries(archive, format, limit, func(entry string, content io.Reader) error {
		if entry != name {
			return nil
		}
		found = true
		_, err := io.Copy(w, content)
		return err
	})
	if err == nil && !found {
		err = errors.New("no such entry")
	}
	return err
}

func TestEntries(t *testing.T) {
	e := entries(t, 0o600)
	for _, format := range formats() {
		f := archiveOf(t, format, e, made())
		got := map[string]string{}
		err := Entries(f.Path, format, 1<<20, func(name string, content io.Reader) error {
			text, err := io.ReadAll(content)
			got[name] = string(text)
			return err
		})
		if err != nil || len(got) != len(e) {
			t.Errorf("%s: %d entries, %v", format, len(got), err)
		}
		for _, entry := range e {
			want, err := os.ReadFile(entry.Path)
			if err != nil {
				t.Fatal(err)
			}
			if got[entry.Name] != string(want) {
				t.Errorf("%s: %s has %d bytes, want %d", format, entry.Name, len(got[entry.Name]), len(want))
			}
		}
		if err := Entries(f.Path, format, 7, func(string, io.Reader) error { return nil }); err == nil || !strings.Contains(err.Error(), "has more than 7 bytes") {
			t.Errorf("%s: limit: %v", format, err)
		}
		stop := errors.New("enough")
		if err := Entries(f.Path, format, 1<<20, func(string, io.Reader) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("%s: an error of take: %v", format, err)
		}
	}
}

func TestEntriesErrorsNameTheArchive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.zip")
	for _, test := range []struct{ format, want string }{
		{plan.FormatZip, `reading archive "x.zip": no such file or directory`},
		{plan.FormatTarGz, `reading archive "x.zip": no such file or directory`},
		{"rar", `reading archive "x.zip": format "rar": want tar.gz, tar.zst or zip`},
	} {
		if err := extract(path, test.format, "a", io.Discard, 1); err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	if err := os.WriteFile(path, []byte("not an archive, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range formats() {
		if err := extract(path, format, "a", io.Discard, 1); err == nil {
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

func TestEntriesRefusesHostileTars(t *testing.T) {
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
		{"twice", tarOf(t, hello, hello), `entry "hello" would be unpacked to the same file as another`},
		{"spelled otherwise", tarOf(t, hello, named("./hello")), `entry "./hello" would be unpacked to the same file as another`},
		{"only otherwise", tarOf(t, named("a/../hello")), `entry "a/../hello" would be unpacked to "hello"`},
		{"case", tarOf(t, hello, named("Hello")), `entry "Hello" would be unpacked to the same file as another`},
		{"symbolic link", tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "hello", Linkname: "/bin/sh"}),
			`entry "hello" is neither a regular file nor a directory`},
		{"hard link", tarOf(t, hello, tar.Header{Typeflag: tar.TypeLink, Name: "other", Linkname: "hello"}),
			`entry "other" is neither a regular file nor a directory`},
		{"device", tarOf(t, hello, tar.Header{Typeflag: tar.TypeChar, Name: "null"}), `entry "null" is neither a regular file nor a directory`},
		{"second archive", append(bytes.Clone(good), good...), `data after the end of the archive`},
		{"cut", good[:512], `unexpected EOF`},
	} {
		for _, format := range []string{plan.FormatTarGz, plan.FormatTarZst} {
			err := extract(store(t, format, test.content), format, "hello", io.Discard, 1<<20)
			if want := `reading archive "hostile": ` + test.want; err == nil || err.Error() != want {
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
		if err := extract(f.Path, format, "hello", io.Discard, 1<<20); err == nil {
			t.Errorf("%s: the checksum was not compared", format)
		}
	}
}

func TestEntriesStopsAtTheCaps(t *testing.T) {
	if _, err := io.Copy(io.Discard, &capped{r: zeroes{}, left: 5000}); err == nil {
		t.Error("a decompression bomb is read on")
	}
	w := &walk{count: maxEntries, seen: map[string]bool{}}
	if _, err := w.judge("other", true, false); err == nil {
		t.Error("any number of entries is read")
	}
}

// zeroes never ends.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEntriesRefusesHostileZips(t *testing.T) {
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
		{"twice", []entry{{"hello", 0o755}, {"hello", 0o755}}, `entry "hello" would be unpacked to the same file as another`},
		{"case", []entry{{"hello", 0o755}, {"HELLO", 0o755}}, `entry "HELLO" would be unpacked to the same file as another`},
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
		err := extract(path, plan.FormatZip, "hello", io.Discard, 1<<20)
		if want := `reading archive "hostile": ` + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", test.name, err, want)
		}
	}
}
