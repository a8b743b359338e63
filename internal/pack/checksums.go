package pack

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// Checksums writes the digests of files to path as `sha256sum --check` reads them:
// "<64 hexadecimal digits>  <name>\n", sorted by name. Names must be base names, and
// none may appear twice.
func Checksums(path string, files []release.File) (release.File, error) {
	fail := func(err error) (release.File, error) {
		return release.File{}, fmt.Errorf("writing checksums: %w", err)
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b release.File) int { return strings.Compare(a.Name, b.Name) })
	var text strings.Builder
	for i, f := range files {
		if err := checkName(f.Name); err != nil {
			return fail(err)
		}
		if i > 0 && files[i-1].Name == f.Name {
			return fail(fmt.Errorf("name %q: given twice", f.Name))
		}
		digest, err := release.ParseDigest(string(f.Digest))
		if err != nil {
			return fail(fmt.Errorf("file %q: %w", f.Name, err))
		}
		fmt.Fprintf(&text, "%s  %s\n", digest.Hex(), f.Name)
	}
	if len(files) == 0 {
		return fail(errors.New("no files"))
	}
	return WriteFile(path, []byte(text.String()))
}

// ParseChecksums reads what Checksums wrote, and no other form: every line is 64
// lower-case hexadecimal digits, two spaces, a base name and a line feed. The order
// of lines does not matter; a name may appear once. Errors name the line, from 1.
func ParseChecksums(content []byte) (map[string]release.Digest, error) {
	digests := map[string]release.Digest{}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		name, digest, err := parseLine(line)
		if err == nil && digests[name] != "" {
			err = fmt.Errorf("name %q: a line before has it too", name)
		}
		if err != nil {
			return nil, fmt.Errorf("parsing checksums: line %d: %w", number, err)
		}
		digests[name] = digest
	}
	if number == 0 {
		return nil, errors.New("parsing checksums: no lines")
	}
	return digests, nil
}

func parseLine(line string) (string, release.Digest, error) {
	line, ok := strings.CutSuffix(line, "\n")
	if !ok {
		return "", "", errors.New("no line feed at the end")
	}
	hex, name, ok := strings.Cut(line, "  ")
	if !ok {
		return "", "", fmt.Errorf("%.80q: want a digest, two spaces and a name", line)
	}
	// release.ParseDigest takes a prefix as well; a checksum line has none.
	if len(hex) != 64 {
		return "", "", fmt.Errorf("digest %.80q: want 64 lower-case hexadecimal digits", hex)
	}
	digest, err := release.ParseDigest(hex)
	if err != nil {
		return "", "", err
	}
	return name, digest, checkName(name)
}

// checkName refuses what is no base name, and what sha256sum would escape or read
// differently.
func checkName(name string) error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' || r == '\ufffd' }
	switch {
	case name == "", name == ".", name == "..", name == "-", // which is standard input
		strings.HasPrefix(name, " "), strings.ContainsFunc(name, bad):
		return fmt.Errorf("name %.200q: want the base name of a file", name)
	}
	return nil
}
