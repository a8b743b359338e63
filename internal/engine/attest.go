package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// Attester are the edges of Attest.
type Attester struct {
	// Kept gives the bundle of this name that an earlier run left, when it still holds:
	// for the one subject that it signs, or the subjects that its statement is about and
	// the images that it names. nil: there is none. No function: nothing is kept.
	Kept func(ctx context.Context, name string, subjects []release.Asset, images []release.Image) []byte
	// Blob signs a file by its digest and returns the bundle.
	Blob func(ctx context.Context, file release.File) ([]byte, error)
	// Statement writes the in-toto statement about the subjects. It names the images.
	Statement func(ctx context.Context, subjects []release.Asset, images []release.Image) ([]byte, error)
	// Sign signs a statement and returns the bundle.
	Sign func(ctx context.Context, statement []byte) ([]byte, error)
	// Write stores a bundle.
	Write func(path string, content []byte) (release.File, error)
	// Exhibits are the statements about one of the images that were made.
	Exhibits func(ctx context.Context, made release.Made, image release.Image) ([]Exhibit, error)

	All      bool // sign every archive and SBOM by itself, too
	Progress task.Progress
}

// Exhibit is a statement about an image.
type Exhibit struct {
	Predicate string // type of the statement
	Statement []byte
	Kept      []byte // bundle that an earlier run left and that holds as a new one would; nil: there is none
}

// signatures is how many bundles are made at once: a log takes about a second for an
// entry, whether one waits for it or many.
const signatures = 32

// Attest signs what was made: a bundle over checksums.txt and one provenance statement
// over every archive, every SBOM and checksums.txt, which names the images; with All, a
// bundle over each of these as well; and what is stated about every image. The bundles
// are written into dir, but for those of the images, which stay with them. It leaves
// entries in a public log, which stay: so what an earlier run signed is kept, and nothing
// is signed unless the statements could be made. It is not for plans that sign nothing.
func Attest(ctx context.Context, made release.Made, dir string, a Attester) (release.Signed, error) {
	checksums := release.Asset{File: made.Checksums, Kind: release.KindChecksums}
	subjects := append(made.Subjects(), checksums)
	attest, err := a.statement(ctx, subjects, made.Images)
	if err != nil {
		return release.Signed{}, fmt.Errorf("signing %q: %w", release.ProvenanceName, err)
	}
	images, more, err := a.exhibits(ctx, made)
	if err != nil {
		return release.Signed{}, err
	}
	made.Images = images
	signed := release.Signed{Made: made, Bundle: &release.File{}, Provenance: &release.File{}}
	jobs := []signing{
		{release.ChecksumsBundleName, a.file(dir, release.ChecksumsBundleName, signed.Bundle), a.blob(checksums)},
		{release.ProvenanceName, a.file(dir, release.ProvenanceName, signed.Provenance), attest},
	}
	if a.All {
		signed.Bundles = make([]release.File, len(subjects)-1)
		for i := range signed.Bundles {
			name := subjects[i].Name + release.BundleSuffix
			jobs = append(jobs, signing{name, a.file(dir, name, &signed.Bundles[i]), a.blob(subjects[i])})
		}
	}
	if err := a.sign(ctx, append(jobs, more...)); err != nil {
		return release.Signed{}, err
	}
	return signed, nil
}

// AttestImages signs what is stated about the images, of a release that is signed
// otherwise.
func AttestImages(ctx context.Context, signed release.Signed, a Attester) (release.Signed, error) {
	images, jobs, err := a.exhibits(ctx, signed.Made)
	if err == nil {
		err = a.sign(ctx, jobs)
	}
	signed.Images = images
	return signed, err
}

// signing is one bundle to make, or to keep.
type signing struct {
	name   string
	store  func(bundle []byte) error
	bundle func(ctx context.Context) (bundle []byte, kept bool, err error)
}

// sign makes the bundles, or keeps them.
func (a Attester) sign(ctx context.Context, jobs []signing) error {
	return task.Each(ctx, signatures, len(jobs), func(ctx context.Context, i int) error {
		job := jobs[i]
		return task.Track(ctx, a.Progress, PhaseAttest, job.name, len(jobs), func(stage func(string)) (string, error) {
			stage("signing")
			bundle, kept, err := job.bundle(ctx)
			if err != nil {
				return "", fmt.Errorf("signing %q: %w", job.name, err)
			}
			if kept {
				return "signed by an earlier run", job.store(bundle)
			}
			return "", job.store(bundle)
		})
	})
}

// file stores a bundle in a file of dir, and in into what it is.
func (a Attester) file(dir, name string, into *release.File) func([]byte) error {
	return func(bundle []byte) (err error) {
		*into, err = a.Write(filepath.Join(dir, name), bundle)
		return err
	}
}

// exhibits are the images, with room for their bundles, and how those are made.
func (a Attester) exhibits(ctx context.Context, made release.Made) ([]release.Image, []signing, error) {
	images := slices.Clone(made.Images)
	var jobs []signing
	for i := range images {
		list, err := a.Exhibits(ctx, made, images[i])
		if err != nil {
			return nil, nil, fmt.Errorf("describing the image %q: %w", images[i].Repository, err)
		}
		if len(list) > 0 {
			images[i].Bundles = make([]release.Bundle, len(list))
		}
		for j, e := range list {
			into := &images[i].Bundles[j]
			*into = release.Bundle{Predicate: e.Predicate, Content: e.Kept}
			if e.Kept != nil {
				continue
			}
			jobs = append(jobs, signing{images[i].Repository + " " + ruleOf(kindOf(e.Predicate)), func(bundle []byte) error {
				into.Content = bundle
				return nil
			}, func(ctx context.Context) ([]byte, bool, error) {
				bundle, err := a.Sign(ctx, e.Statement)
				return bundle, false, err
			}})
		}
	}
	return images, jobs, nil
}

func (a Attester) kept(ctx context.Context, name string, subjects []release.Asset, images []release.Image) []byte {
	if a.Kept == nil {
		return nil
	}
	return a.Kept(ctx, name, subjects, images)
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
func (a Attester) statement(ctx context.Context, subjects []release.Asset, images []release.Image) (func(context.Context) ([]byte, bool, error), error) {
	if kept := a.kept(ctx, release.ProvenanceName, subjects, images); kept != nil {
		return func(context.Context) ([]byte, bool, error) { return kept, true, nil }, nil
	}
	text, err := a.Statement(ctx, subjects, images)
	return func(ctx context.Context) ([]byte, bool, error) {
		bundle, err := a.Sign(ctx, text)
		return bundle, false, err
	}, err
}
