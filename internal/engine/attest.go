package engine

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Attester are the edges of Attest.
type Attester struct {
	// Blob signs a file by its digest and returns the bundle.
	Blob func(ctx context.Context, file release.File) ([]byte, error)
	// Statement writes the in-toto statement about the subjects.
	Statement func(subjects []release.Asset) ([]byte, error)
	// Sign signs a statement and returns the bundle.
	Sign func(ctx context.Context, statement []byte) ([]byte, error)
	// Write stores a bundle.
	Write func(path string, content []byte) (release.File, error)

	Progress task.Progress
}

// Attest signs what was made: a bundle over checksums.txt and one provenance
// statement over every archive, every SBOM and checksums.txt. The bundles are written
// into dir. It leaves entries in a public log, which stay: so nothing is signed unless
// the statement could be made. It is not for plans that sign nothing.
func Attest(ctx context.Context, made release.Made, dir string, a Attester) (release.Signed, error) {
	subjects := append(made.Subjects(), release.Asset{File: made.Checksums, Kind: release.KindChecksums})
	statement, err := a.Statement(subjects)
	if err != nil {
		return release.Signed{}, fmt.Errorf("signing %q: %w", release.ProvenanceName, err)
	}
	signed := release.Signed{Made: made}
	jobs := []struct {
		name   string
		into   **release.File
		bundle func(ctx context.Context) ([]byte, error)
	}{
		{release.ChecksumsBundleName, &signed.Bundle, func(ctx context.Context) ([]byte, error) {
			return a.Blob(ctx, made.Checksums)
		}},
		{release.ProvenanceName, &signed.Provenance, func(ctx context.Context) ([]byte, error) {
			return a.Sign(ctx, statement)
		}},
	}
	err = task.Each(ctx, 0, len(jobs), func(ctx context.Context, i int) error {
		job := jobs[i]
		return task.Track(ctx, a.Progress, PhaseAttest, job.name, len(jobs), func(stage func(string)) (string, error) {
			stage("signing")
			bundle, err := job.bundle(ctx)
			if err != nil {
				return "", fmt.Errorf("signing %q: %w", job.name, err)
			}
			file, err := a.Write(filepath.Join(dir, job.name), bundle)
			*job.into = &file
			return "", err
		})
	})
	if err != nil {
		return release.Signed{}, err
	}
	return signed, nil
}
