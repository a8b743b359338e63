package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/org/pgo-release/internal/release"
)

// beside is what an output directory holds beside the files of a release (see package
// dist). It is not verified, so only these names may be there.
var beside = []string{".gitignore", ".pgo-release", "binaries", "image", "image.tar", "rehearsal", release.ReportName}

// assets are the files of a directory by name, and the names of what is there and is
// no file that could be verified: links, devices, folders that no release has.
type assets struct {
	files   map[string]release.File
	strange []string
}

// readAssets hashes the files of a directory. Of an output directory, what lies beside
// the release is left out.
func readAssets(ctx context.Context, dir string, page bool) (assets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return assets{}, err
	}
	out := assets{files: map[string]release.File{}}
	for _, e := range entries {
		regular := e.Type().IsRegular()
		switch {
		case !page && slices.Contains(beside, e.Name()) && (regular || e.IsDir()):
		case !regular:
			out.strange = append(out.strange, e.Name())
		default:
			if out.files[e.Name()], err = Digest(ctx, filepath.Join(dir, e.Name())); err != nil {
				return assets{}, err
			}
		}
	}
	return out, nil
}

// maxText bounds the text files of a release when they are read, in bytes.
const maxText = 64 << 20

// content reads a file, and refuses other bytes than were hashed.
func (a assets) content(name string) ([]byte, error) {
	file, ok := a.files[name]
	if !ok {
		return nil, errors.New("missing")
	}
	if file.Size > maxText {
		return nil, fmt.Errorf("%d bytes: want at most %d", file.Size, maxText)
	}
	f, err := os.Open(file.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	text, err := io.ReadAll(io.TeeReader(io.LimitReader(f, file.Size+1), h))
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	if release.Sum(h) != file.Digest {
		return nil, errors.New("it was changed while it was verified")
	}
	return text, nil
}
