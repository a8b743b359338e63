package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// made is the time of every archive in these tests; the archive must drop the part
// of a second and the zone.
func made() time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 890, time.FixedZone("east", 2*3600))
}

// entries writes files into a fresh directory and returns them as entries.
func entries(t *testing.T, mode fs.FileMode) []Entry {
	t.Helper()
	dir := t.TempDir()
	var out []Entry
	for _, f := range []struct {
		name    string
		content string
		mode    fs.FileMode
	}{
		{"hello", strings.Repeat("\x7fELF binary\x00", 4000), 0o755},
		{"README.md", "# Hello\n", 0o644},
		{"docs/LICENSE", "MIT\n", 0o644},
	} {
		path := filepath.Join(dir, filepath.Base(f.name))
		if err := os.WriteFile(path, []byte(f.content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		out = append(out, Entry{Name: f.name, Path: path, Mode: f.mode})
	}
	return out
}

func formats() []string { return []string{plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip} }

func TestArchiveDependsOnItsInputAlone(t *testing.T) {
	// The digests pin the bytes: a change of the compressor or of a header is seen here.
	want := map[string]release.Digest{
		plan.FormatTarGz:  "sha256:f983631a3ce5209ec76f2e28c4125e85799992fe8213edf04b5cfde7034122ff",
		plan.FormatTarZst: "sha256:259f0f064861a5f474b8b47f06b482f3a6b92e1b2dc85161de076a5b6b8bef07",
		plan.FormatZip:    "sha256:f4bc860d88f89c7ce6ab030f4c138108cb8ef76bd91ca6ff05d0ed2036651834",
	}
	for _, format := range formats() {
		first := entries(t, 0o600)
		second := entries(t, 0o777)
		second[0], second[2] = second[2], second[0]
		a := archiveOf(t, format, first, made())
		before := syscall.Umask(0o077)
		b := archiveOf(t, format, second, made().UTC().Add(999*time.Millisecond-890))
		syscall.Umask(before)
		if a.Digest != b.Digest || a.Size != b.Size {
			t.Errorf("%s: %s of %d bytes, then %s of %d bytes", format, a.Digest, a.Size, b.Digest, b.Size)
		}
		if a.Digest != want[format] {
			t.Errorf("%s: digest %s, want %s", format, a.Digest, want[format])
		}
		for _, f := range []release.File{a, b} {
			checkFile(t, f)
		}
	}
}

func archiveOf(t *testing.T, format string, entries []Entry, modified time.Time) release.File {
	t.Helper()
	f, packed, err := Archive(t.Context(), format, filepath.Join(t.TempDir(), "hello."+format), entries, modified)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if packed[i].Path != e.Path || packed[i].Name != filepath.Base(e.Path) {
			t.Errorf("entry %d is %+v, want %s", i, packed[i], e.Path)
		}
		checkContent(t, packed[i])
	}
	return f
}

// checkFile compares what a file says of itself with what lies on disk.
func checkFile(t *testing.T, f release.File) {
	t.Helper()
	checkContent(t, f)
	info, err := os.Stat(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("%s: mode %v", f.Name, info.Mode())
	}
	left, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("beside %s lies something else: %v", f.Name, left)
	}
}

func checkContent(t *testing.T, f release.File) {
	t.Helper()
	content, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if got := digestOf(content); got != f.Digest || int64(len(content)) != f.Size || f.Name != filepath.Base(f.Path) {
		t.Errorf("%+v: %s of %d bytes lies on disk", f, got, len(content))
	}
}

func TestTarHeaders(t *testing.T) {
	f := archiveOf(t, plan.FormatTarGz, entries(t, 0o600), made())
	file, err := os.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() || len(z.Extra) > 0 || z.OS != 255 {
		t.Errorf("gzip header %+v", z.Header)
	}
	r := tar.NewReader(z)
	for _, want := range []tar.Header{
		{Name: "README.md", Mode: 0o644, Size: 8},
		{Name: "docs/LICENSE", Mode: 0o644, Size: 4},
		{Name: "hello", Mode: 0o755, Size: 48000},
	} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != want.Name || h.Mode != want.Mode || h.Size != want.Size || h.Format != tar.FormatUSTAR ||
			h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(made().Truncate(time.Second)) {
			t.Errorf("header %+v, want %+v", h, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last entry: %v", err)
	}
}

func TestTarUsesPaxOnlyWhereItMust(t *testing.T) {
	e := entries(t, 0o600)[:1]
	e[0].Name = strings.Repeat("long/", 60) + "größe"
	f := archiveOf(t, plan.FormatTarGz, e, made())
	var out bytes.Buffer
	if err := extract(f.Path, plan.FormatTarGz, e[0].Name, &out, 1<<20); err != nil {
		t.Fatal(err)
	}
	if out.Len() != 48000 {
		t.Errorf("%d bytes", out.Len())
	}
}

func TestZipHeaders(t *testing.T) {
	early := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for modified, want := range map[time.Time]time.Time{
		made(): made().Truncate(time.Second),
		early:  time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		f := archiveOf(t, plan.FormatZip, entries(t, 0o600), modified)
		z, err := zip.OpenReader(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close() //nolint:errcheck
		modes := map[string]fs.FileMode{}
		for _, f := range z.File {
			modes[f.Name] = f.Mode()
			if !f.Modified.Equal(want) || f.Method != zip.Deflate || f.Comment != "" {
				t.Errorf("header %+v, want time %v", f.FileHeader, want)
			}
		}
		if len(modes) != 3 || modes["hello"] != 0o755 || modes["README.md"] != 0o644 || modes["docs/LICENSE"] != 0o644 {
			t.Errorf("modes %v", modes)
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	good := entries(t, 0o600)
	with := func(change func(*Entry)) []Entry {
		e := append([]Entry{}, good...)
		change(&e[1])
		return e
	}
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, format string
		entries      []Entry
		want         string
	}{
		{"format", "rar", good, `packing "x.rar": format "rar": want tar.gz, tar.zst or zip`},
		{"none", "zip", nil, `packing "x.zip": no entries`},
		{"missing", "tar.gz", with(func(e *Entry) { e.Path = "/nonexistent/README.md" }),
			`packing "x.tar.gz": writing "README.md": stat /nonexistent/README.md: no such file or directory`},
		{"directory", "zip", with(func(e *Entry) { e.Path = dir }), `packing "x.zip": writing "README.md": ` + dir + ` is not a regular file`},
		{"pipe", "zip", with(func(e *Entry) { e.Path = pipe }), `packing "x.zip": writing "README.md": ` + pipe + ` is not a regular file`},
		{"twice", "zip", with(func(e *Entry) { e.Name = "HELLO" }), `packing "x.zip": entry "hello": would be the same file as "HELLO"`},
		{"mode", "zip", with(func(e *Entry) { e.Mode = 0o777 }), `packing "x.zip": entry "README.md": mode 0777: want 0755 or 0644`},
		{"up", "zip", with(func(e *Entry) { e.Name = "../x" }), `packing "x.zip": entry "../x": want a relative, slash-separated path`},
		{"absolute", "zip", with(func(e *Entry) { e.Name = "/x" }), `packing "x.zip": entry "/x": want a relative, slash-separated path`},
		{"backslash", "zip", with(func(e *Entry) { e.Name = `a\x` }), `packing "x.zip": entry "a\\x": want a relative, slash-separated path`},
	} {
		out := t.TempDir()
		_, _, err := Archive(t.Context(), test.format, filepath.Join(out, "x."+test.format), test.entries, made())
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
		empty(t, out)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestArchiveKeepsWhatWasThereWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.zip")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, _, err := Archive(ctx, plan.FormatZip, path, entries(t, 0o600), made()); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "before" {
		t.Errorf("%q, %v", content, err)
	}
	if _, _, err := Archive(t.Context(), plan.FormatZip, path, entries(t, 0o600), made()); err != nil {
		t.Error(err)
	}
}

func TestEntryOfAnotherSizeIsAnError(t *testing.T) {
	// Files of procfs say that they are empty and are not: as if they had grown.
	for _, format := range formats() {
		_, _, err := Archive(t.Context(), format, filepath.Join(t.TempDir(), "x"),
			[]Entry{{Name: "status", Path: "/proc/self/status", Mode: 0o644}}, made())
		if want := `packing "x": writing "status": /proc/self/status changed while it was read`; err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", format, err, want)
		}
	}
}

// full takes left bytes and then has no space any more.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, &fs.PathError{Op: "write", Path: ".pack-1234", Err: syscall.ENOSPC}
	}
	return n, nil
}

func TestDiskFull(t *testing.T) {
	e := entries(t, 0o600)
	random := make([]byte, 4<<20) // more than a compressor holds back
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e[0].Path, random, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range formats() {
		_, err := write(t.Context(), format, &counter{w: &full{left: 1000}}, e[:1], made())
		if want := `writing "hello": no space left on device`; err == nil || err.Error() != want || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: error %v, want %s", format, err, want)
		}
	}
}

func TestNothingIsLeftOfAFailedWrite(t *testing.T) {
	dir := t.TempDir()
	broken := iotest.ErrReader(errors.New("broken"))
	_, err := Copy(filepath.Join(dir, "x"), io.MultiReader(strings.NewReader("half"), broken))
	if want := `writing "x": broken`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	empty(t, dir)
	_, err = WriteFile(filepath.Join(dir, "absent", "x"), nil)
	if want := `writing "x": creating a file in "` + dir + `/absent": no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = WriteFile(filepath.Join(dir, "taken"), nil)
	if want := `writing "taken": file exists`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.md")
	for _, content := range []string{"first, and longer", "second", ""} {
		f, err := WriteFile(path, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		checkFile(t, f)
		if f.Size != int64(len(content)) {
			t.Errorf("%q: %d bytes", content, f.Size)
		}
	}
}

// The running test is an executable of a usual size.
func BenchmarkArchive(b *testing.B) {
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(executable)
	if err != nil {
		b.Fatal(err)
	}
	for _, format := range formats() {
		b.Run(format, func(b *testing.B) {
			b.SetBytes(info.Size())
			path := filepath.Join(b.TempDir(), "x")
			for b.Loop() {
				if _, _, err := Archive(b.Context(), format, path, []Entry{{Name: "hello", Path: executable, Mode: 0o755}}, made()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
