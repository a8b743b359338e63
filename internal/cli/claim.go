package cli

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

// claimOf is which release the files of a directory have to be: the one of the option tag,
// of release.json, or, where assets were only downloaded, of the provenance. None of that
// is believed: all of the files have to agree with it.
func (a *app) claimOf(dir string) (engine.Claim, error) {
	how := a.values.String("sign")
	claim := engine.Claim{Unsigned: how == plan.SignNone, All: how == plan.SignAll, Branches: a.values.List("branches")}
	tag := ""
	if a.values.Source("tag") == config.FromFlag { // an input or a variable is of the release that runs
		tag = strings.TrimPrefix(a.values.String("tag"), "refs/tags/")
	}
	if tag == nextTag {
		return claim, release.Misuse("such as --tag v1.2.3", "verifying %q: --tag %s is for what is not released yet", dir, nextTag)
	}
	report, err := dist.Dir(dir).Read()
	switch {
	case err == nil:
		claim.Tag, claim.Version, claim.Commit = report.Tag, report.Version, report.Commit
		claim.Images = imagesIn(dist.Dir(dir).Join(dist.ImageDir), report)
	case errors.Is(err, fs.ErrNotExist):
		claim.Page = true
		if claim.Tag, claim.Commit = statedIn(dir, claim.Unsigned); claim.Tag == "" && tag == "" {
			return claim, release.Misuse("name a dist/ that pgo-release made, a directory with the assets of a release, or a release as OWNER/REPO@TAG; or say which one it is: --tag TAG",
				"verifying %q: neither its release.json nor a provenance says which release it is: %w", dir, err)
		}
		claim.Version = versionOf(claim.Tag)
	default:
		return claim, release.Misuse("name a dist/ that pgo-release made, or a release as OWNER/REPO@TAG", "verifying %q: %w", dir, err)
	}
	if tag != "" && tag != claim.Tag {
		claim.Tag, claim.Version = tag, versionOf(tag)
	}
	return claim, nil
}

// imagesIn are the images that a layout has, and those that a report names, which are in
// their registry where the layout lacks them: all of them have to be of the release.
func imagesIn(layout string, report dist.Report) []engine.ClaimedImage {
	var out []engine.ClaimedImage
	_, absent := os.Lstat(layout)
	digests, err := image.Layout(layout)
	if err != nil && absent == nil {
		return []engine.ClaimedImage{{Reference: layout}} // whoever reads it sees why
	}
	for _, digest := range digests {
		out = append(out, engine.ClaimedImage{Reference: layout, Digest: digest})
	}
	for _, i := range report.Images {
		if !slices.Contains(digests, i.Digest) {
			out = append(out, engine.ClaimedImage{Reference: i.Repository + "@" + string(i.Digest), Digest: i.Digest})
		}
	}
	return out
}

// statedIn is which release the provenance in a directory says it is about; empty where it
// does not. It was not verified.
func statedIn(dir string, unsigned bool) (tag, commit string) {
	if unsigned {
		return "", ""
	}
	bundle, err := readBundle(dir, release.ProvenanceName)
	if err != nil {
		return "", ""
	}
	statement, err := provenance.Parse(sign.Unverified(bundle))
	if err != nil {
		return "", ""
	}
	return statement.Tag(), statement.Commit()
}

// versionOf is the version of a tag, which may have its module's directory before it.
func versionOf(tag string) string {
	return strings.TrimPrefix(tag[strings.LastIndex(tag, "/")+1:], "v")
}

// checkVerifying refuses options that cannot all be obeyed: what is asked for and not
// looked at would seem to hold.
func (a *app) checkVerifying() error {
	how, key := a.values.String("sign"), a.values.String("key")
	switch {
	case how == plan.SignKey && key == "":
		return release.Misuse("pass the public key: --key FILE", "--sign key: there is no key")
	case key != "" && (how == plan.SignKeyless || how == plan.SignNone):
		return release.Misuse("leave one of the two out", "--key and --sign %s exclude each other", how)
	}
	if how == plan.SignNone {
		if err := a.refuse("nothing is signed with --sign none", "workflow", "branches", "trusted-root"); err != nil {
			return err
		}
	}
	return a.checkRebuild()
}

// refuse is the error where one of these flags was given.
func (a *app) refuse(why string, flags ...string) error {
	for _, name := range flags {
		if given := a.values.String(name); a.values.Source(name) == config.FromFlag && given != "" && given != "false" {
			return release.Misuse("leave it out", "--%s: %s", name, why)
		}
	}
	return nil
}
