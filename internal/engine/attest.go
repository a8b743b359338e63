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
	// Kept gives the bundle of this name that an earlier run left, when it still holds:
	// for the one subject that it signs, or the subjects that its statement is about and
	// the image that it names. nil: there is none. No function: nothing is kept.
	Kept func(ctx context.Context, name string, subjects []release.Asset, image *release.Image) []byte
	// Blob signs a file by its digest and returns the bundle.
	Blob func(ctx context.Context, file release.File) ([]byte, error)
	// Statement writes the in-toto statement about the subjects. It names the image, unless
	// there is none (nil).
	Statement func(ctx context.Context, subjects []release.Asset, image *release.Image) ([]byte, error)
	// Sign signs a statement and returns the bundle.
	Sign func(ctx context.Context, statement []byte) ([]byte, error)
	// Write stores a bundle.
	Write func(path string, content []byte) (release.File, error)

	All      bool // sign every archive and SBOM by itself, too
	Progress task.Progress
}

// signatures is how many bundles are made at once: a log takes about a second for an
// entry, whether one waits for it or many.
const signatures = 32

// Attest signs what was made: a bundle over checksums.txt and one provenance statement
// over every archive, every SBOM and checksums.txt, which names the image; with All, a bundle over each of
// these as well. The bundles are written into dir. It leaves entries in a public log,
// which stay: so what an earlier run signed is kept, and nothing is signed unless the
// statement could be made. It is not for plans that sign nothing.
func Attest(ctx context.Context, made release.Made, dir string, a Attester) (release.Signed, error) {
	checksums := release.Asset{File: made.Checksums, Kind: release.KindChecksums}
	subjects := append(made.Subjects(), checksums)
	attest, err := a.statement(ctx, subjects, made.Image)
	if err != nil {
		return release.Signed{}, fmt.Errorf("signing %q: %w", release.ProvenanceName, err)
	}
	signed := release.Signed{Made: made, Bundle: &release.File{}, Provenance: &release.File{}}
	jobs := []signing{
		{release.ChecksumsBundleName, signed.Bundle, a.blob(checksums)},
		{release.ProvenanceName, signed.Provenance, attest},
	}
	if a.All {
		signed.Bundles = make([]release.File, len(subjects)-1)
		for i := range signed.Bundles {
			jobs = append(jobs, signing{subjects[i].Name + release.BundleSuffix, &signed.Bundles[i], a.blob(subjects[i])})
		}
	}
	err = task.Each(ctx, signatures, len(jobs), func(ctx context.Context, i int) error {
		job := jobs[i]
		return task.Track(ctx, a.Progress, PhaseAttest, job.name, len(jobs), func(stage func(string)) (string, error) {
			stage("signing")
			bundle, kept, err := job.bundle(ctx)
			if err != nil {
				return "", fmt.Errorf("signing %q: %w", job.name, err)
			}
			*job.into, err = a.Write(filepath.Join(dir, job.name), bundle)
			if kept {
				return "signed by an earlier run", err
			}
			return "", err
		})
	})
	if err != nil {
		return release.Signed{}, err
	}
	return signed, nil
}

// signing is one bundle to make, or to keep.
type signing struct {
	name   string
	into   *release.File
	bundle func(ctx context.Context) (bundle []byte, kept bool, err error)
}

func (a Attester) kept(ctx context.Context, name string, subjects []release.Asset, image *release.Image) []byte {
	if a.Kept == nil {
		return nil
	}
	return a.Kept(ctx, name, subjects, image)
}

// blob signs one file.
func (a Attester) blob(subject release.Asset) func(context.Context) ([]byte, bool, error) {
	return func(ctx context.Context) ([]byte, bool, error) {
		if kept := a.kept(ctx, subject.Name+release.BundleSuffix, []release.Asset{subject}, nil); kept != nil {
			return kept, true, nil
		}
		bundle, err := a.Blob(ctx, subject.File)
		return bundle, false, err
	}
}

// statement makes the statement about the subjects, unless there is one, and leaves it
// to be signed.
func (a Attester) statement(ctx context.Context, subjects []release.Asset, image *release.Image) (func(context.Context) ([]byte, bool, error), error) {
	if kept := a.kept(ctx, release.ProvenanceName, subjects, image); kept != nil {
		return func(context.Context) ([]byte, bool, error) { return kept, true, nil }, nil
	}
	text, err := a.Statement(ctx, subjects, image)
	return func(ctx context.Context) ([]byte, bool, error) {
		bundle, err := a.Sign(ctx, text)
		return bundle, false, err
	}, err
}
