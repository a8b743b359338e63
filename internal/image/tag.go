package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

// TakenError says that a tag, which is an exact version, names another image.
type TakenError struct {
	Reference string
	Digest    release.Digest // of the other
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("%q names another image, %s: an exact version is never moved", e.Reference, e.Digest)
}

// Free demands that those of the tags that are exact versions name the image or nothing.
// The error is a release.Problem around a *TakenError where one names another image.
func Free(ctx context.Context, img release.Image, tags []string, a Access) error {
	for _, tag := range tags {
		if !version.IsExact(tag) {
			continue
		}
		reference := img.Repository + ":" + tag
		there, err := Digest(ctx, reference, a)
		var missing *NotFoundError
		switch {
		case errors.As(err, &missing):
		case err != nil:
			return err
		case there != img.Digest:
			return taken(reference, there)
		}
	}
	return nil
}

func taken(reference string, there release.Digest) error {
	return release.Reject("release the next version; or, where nobody has pulled it yet, delete that version of the package and run again",
		"tagging image %w", &TakenError{reference, there})
}

// Tagged is a tag that was to name an image.
type Tagged struct {
	Reference string // with the tag
	Newer     string // version that it goes on naming, because that is a later one; empty: it names the image
}

// Tag lets tags name the image that was pushed, and returns what became of each, sorted by
// reference. Tags that name it already are not written again. Exact versions are written
// first, and never taken from another image: that is the error of Free. Tags that follow
// the versions (version.IsLine) are not moved back: where one names a later version of
// its line, of the same source, it stays. Any other tag is moved.
func Tag(ctx context.Context, img release.Image, number string, tags []string, a Access) ([]Tagged, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ref, err := a.digest(img.Repository, img.Digest)
	if err != nil {
		return nil, fmt.Errorf("tagging image: %w", err)
	}
	names := make([]name.Tag, len(tags))
	for i, tag := range tags {
		if names[i], err = name.NewTag(img.Repository+":"+tag, a.naming()...); err != nil {
			return nil, fmt.Errorf("tagging image %q: %w", ref, err)
		}
	}
	t := tagger{version: number}
	options := a.options(ctx, ref.Context())
	if t.puller, err = remote.NewPuller(options...); err == nil {
		t.pusher, err = remote.NewPusher(options...)
	}
	if err != nil {
		return nil, fmt.Errorf("tagging image %q: %w", ref, err)
	}
	if t.index, err = t.puller.Get(ctx, ref); err != nil {
		return nil, explain("tagging image", ref, err)
	}
	if t.source, err = label(t.index, plan.LabelSource); err != nil {
		return nil, explain("tagging image", ref, err)
	}
	// When an exact version is taken, no other tag has moved.
	exact, others := []name.Tag{}, []name.Tag{}
	for _, n := range names {
		if version.IsExact(n.TagStr()) {
			exact = append(exact, n)
		} else {
			others = append(others, n)
		}
	}
	first, err := t.all(ctx, exact)
	if err != nil {
		return nil, err
	}
	rest, err := t.all(ctx, others)
	if err != nil {
		return nil, err
	}
	out := append(first, rest...)
	slices.SortFunc(out, func(a, b Tagged) int { return cmp.Compare(a.Reference, b.Reference) })
	return slices.Compact(out), nil
}

// tagger is one call of Tag.
type tagger struct {
	version string // of the image
	source  string // that the image says
	index   *remote.Descriptor
	puller  *remote.Puller
	pusher  *remote.Pusher
}

// all moves the tags, a few at a time.
func (t tagger) all(ctx context.Context, names []name.Tag) ([]Tagged, error) {
	out := make([]Tagged, len(names))
	group, shared := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, tag := range names {
		group.Go(func() error {
			newer, err := t.tag(shared, tag)
			out[i] = Tagged{tag.String(), newer}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// tag moves one tag, unless it is to stay; newer is the version that it names then.
func (t tagger) tag(ctx context.Context, tag name.Tag) (newer string, err error) {
	there, err := t.puller.Get(ctx, tag)
	switch {
	case missing(err):
	case err != nil:
		return "", explain("tagging image", tag, err)
	case there.Digest == t.index.Digest:
		return "", nil
	case version.IsExact(tag.TagStr()):
		return "", taken(tag.String(), release.Digest(there.Digest.String()))
	case version.IsLine(tag.TagStr()):
		named, err := t.ahead(tag, there)
		if named != "" || err != nil {
			return named, explain("tagging image", tag, err)
		}
	}
	return "", explain("tagging image", tag, t.pusher.Put(ctx, tag, t.index))
}

// ahead is the later version that a tag names; empty where it names none. An image of
// another source is of another line, whatever it says: it may be a base that was tagged.
func (t tagger) ahead(tag name.Tag, there *remote.Descriptor) (string, error) {
	named, err := label(there, plan.LabelVersion)
	if err != nil || !version.Ahead(tag.TagStr(), named, t.version) {
		return "", err
	}
	source, err := label(there, plan.LabelSource)
	if source != "" && t.source != "" && !strings.EqualFold(source, t.source) {
		return "", err
	}
	return named, err
}

// missing tells whether a registry has nothing there.
func missing(err error) bool {
	var e *transport.Error
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound
}

// label is what an image, which anybody may have made, says of itself: in its annotations,
// or in the labels of its first platform. It is empty where it says nothing, or is no
// image that could.
func label(d *remote.Descriptor, name string) (string, error) {
	var img v1.Image
	var err error
	switch {
	case d.MediaType.IsIndex():
		var index v1.ImageIndex
		var m *v1.IndexManifest
		if index, err = d.ImageIndex(); err == nil {
			m, err = index.IndexManifest()
		}
		if err != nil {
			return "", err
		}
		if said := m.Annotations[name]; said != "" || len(m.Manifests) == 0 || !m.Manifests[0].MediaType.IsImage() {
			return said, nil
		}
		img, err = index.Image(m.Manifests[0].Digest)
	case d.MediaType.IsImage():
		img, err = d.Image()
	default:
		return "", nil
	}
	var config *v1.ConfigFile
	if err == nil {
		config, err = configOf(img)
	}
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return config.Config.Labels[name], nil
}

// configOf reads a configuration, which may be anybody's.
func configOf(img v1.Image) (*v1.ConfigFile, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	if m.Config.Size < 0 || m.Config.Size > maxDocument {
		return nil, fmt.Errorf("configuration of %d bytes; %d are read at most", m.Config.Size, maxDocument)
	}
	return img.ConfigFile()
}

// CheckTag demands that a tag, which is an exact version, names nothing in a repository, or
// what says that it was made of the commit. It is for before anything is made; Free is for
// after that. The error is a release.Problem where it names something else. Where the
// registry does not say, as ghcr.io may of a package that is not there, nothing is wrong.
func CheckTag(ctx context.Context, repository, tag, commit string, a Access) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ref, err := name.NewTag(repository+":"+tag, a.naming()...)
	if err != nil {
		return fmt.Errorf("reading image: %w", err)
	}
	there, err := remote.Get(ref, a.options(ctx, ref.Context())...)
	if err = explain("reading image", ref, err); release.ClassOf(err) == release.Authorisation || errors.As(err, new(*NotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	made, err := label(there, plan.LabelRevision)
	if err != nil {
		return explain("reading image", ref, err)
	}
	if made != commit {
		return taken(ref.String(), release.Digest(there.Digest.String()))
	}
	return nil
}
