package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

func (c *checking) images(ctx context.Context) {
	list := slices.Clone(c.claim.Images)
	if c.claim.Named && c.stated != nil {
		list = append(list, c.stated.claims()...)
	}
	for _, image := range list {
		if ctx.Err() == nil {
			c.image(ctx, image)
		}
	}
}

// claims are the images that a statement names, in their registries.
func (s Statement) claims() []ClaimedImage {
	var out []ClaimedImage
	for _, i := range s.Images {
		out = append(out, ClaimedImage{Reference: i.Repository + "@" + string(i.Digest), Digest: i.Digest})
	}
	return out
}

func (c *checking) image(ctx context.Context, image ClaimedImage) {
	name := image.Reference
	content, err := c.Image(ctx, image)
	if err != nil {
		c.fail(name, "%w", err)
		return
	}
	if image.Digest != "" && content.Digest != image.Digest {
		c.fail(name, "it names %s, want %s", content.Digest, image.Digest)
		return
	}
	before := len(c.findings)
	stated, err := c.named(content.Digest)
	if err != nil {
		c.fail(name, "%w", err)
		return
	}
	if len(content.Platforms) == 0 {
		c.fail(name, "it has no platform")
	}
	byName := func(a, b release.Target) int { return strings.Compare(a.String(), b.String()) }
	for _, target := range slices.SortedFunc(maps.Keys(content.Platforms), byName) {
		files := content.Platforms[target]
		if len(files) == 0 {
			c.fail(name, "%s holds no program", target.String())
		}
		if others := content.Files[target]; stated != nil && !slices.Equal(others, stated.Files) {
			c.fail(name, "%s holds the files %q beside its programs, want %q", target.String(), others, stated.Files)
		}
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if !c.packed(path.Base(file), files[file], target) {
				c.fail(name, "%s of %s is in no archive for it", file, target.String())
			}
		}
	}
	if len(c.findings) == before {
		c.hold(name, "%s, %d platforms", content.Digest, len(content.Platforms))
	}
}

// named demands that the statement names an image by its digest: the programs in it are
// not all that an image can do. Where it was fetched from does not matter then.
func (c *checking) named(index release.Digest) (*StatedImage, error) {
	switch {
	case c.claim.Unsigned: // nobody could have named it
		return nil, nil
	case c.stated == nil:
		return nil, errors.New("no provenance that could be verified names it")
	case len(c.stated.Images) == 0:
		return nil, errors.New("the provenance names no image: nobody vouches for this one")
	}
	var names []string
	for _, image := range c.stated.Images {
		if image.Digest == index {
			return &image, nil
		}
		names = append(names, readable(image.Repository)+"@"+string(image.Digest))
	}
	return nil, fmt.Errorf("it is %s, which the provenance does not name: it names %s", index, strings.Join(names, ", "))
}

// packed tells whether an archive for the target holds the program.
func (c *checking) packed(name string, digest release.Digest, target release.Target) bool {
	for archive, found := range c.executables {
		if c.serves(archive, target) && slices.ContainsFunc(found, func(e Executable) bool { return e.Name == name && e.Digest == digest }) {
			return true
		}
	}
	return false
}

// serves tells by an archive's name, BUILD_VERSION_OS_ARCH and its variant, whether it
// is for the target's port. Variants are left open: an image does not name all of them.
func (c *checking) serves(archive string, target release.Target) bool {
	version := "_" + c.claim.Version + "_"
	at := strings.LastIndex(archive, version)
	if at < 0 {
		return false
	}
	rest, ok := strings.CutPrefix(archive[at+len(version):], target.OS+"_"+target.Arch)
	for _, format := range []string{plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip} {
		if variant, found := strings.CutSuffix(rest, "."+format); ok && found {
			_, err := release.ParseTarget(target.Port() + "/" + variant)
			return variant == "" || err == nil
		}
	}
	return false
}
