package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/sbom"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
)

func (a *app) verifyCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "verify OWNER/REPO@TAG | DIR | FILE | IMAGE@DIGEST",
		Short: "Check a release, a dist/, or what was attested",
		Long: `Checks a published release, or a directory that holds the files of one: checksums,
signature, provenance, SBOMs, the build information of every binary, the image; with
--rebuild it makes all of it again from what the provenance records, and compares. Of a
file or an image, it checks what attest left beside it. The images of a release are read
from their registries; --image none leaves them out. Exits 0 only when all holds.`,
		Example: `  pgo-release verify owner/repo@v1.2.3
  pgo-release verify dist --repository owner/repo --trusted-root dist/rehearsal/trusted_root.json`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, args []string) error {
		if err := a.checkVerifying(); err != nil {
			return err
		}
		info, err := os.Stat(args[0]) // what is there is meant, whatever its name
		repository, tag, named := strings.Cut(args[0], "@")
		switch {
		case err == nil && info.IsDir():
			return a.verifyDir(ctx, args[0])
		case isImage(args[0]), err == nil && info.Mode().IsRegular():
			return a.verifySubject(ctx, args[0])
		case named:
			return a.verifyRelease(ctx, repository, tag)
		}
		return a.verifyDir(ctx, args[0])
	})
}

// verifyDir checks the files of a directory. The directory may say which release it
// is; whose it has to be, only the user or the project at hand can.
func (a *app) verifyDir(ctx context.Context, dir string) error {
	claim, err := a.claimOf(dir)
	if err != nil {
		return err
	}
	if claim.Repository = a.values.String("repository"); claim.Repository == "" {
		if claim.Repository, err = a.ownRepository(ctx); err != nil {
			return err
		}
	}
	switch name := a.values.String("image"); name {
	case config.NoImage:
		claim.Images = nil
	case "":
	default:
		claim.Images = []engine.ClaimedImage{{Reference: name + ":" + claim.Version}}
	}
	return a.verify(ctx, dir, dir, claim)
}

// inspector reads images from layouts, which are directories, and from registries.
func inspector(access image.Access) func(context.Context, engine.ClaimedImage) (image.Content, error) {
	return func(ctx context.Context, i engine.ClaimedImage) (image.Content, error) {
		if info, err := os.Stat(i.Reference); err == nil && info.IsDir() {
			return image.InspectLayout(ctx, i.Reference, i.Digest)
		}
		return image.Inspect(ctx, i.Reference, access)
	}
}

// registry is how this command reaches registries.
func (a *app) registry() image.Access {
	return image.Access{Token: a.values.String("token"), User: a.getenv("GITHUB_ACTOR"), Insecure: a.values.Bool("plain-http")}
}

// verifyRelease fetches a published release and checks it.
func (a *app) verifyRelease(ctx context.Context, repository, tag string) (err error) {
	if err := a.refuse("OWNER/REPO@TAG names the tag", "tag"); err != nil {
		return err
	}
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || owner == "" || name == "" || tag == "" {
		return release.Misuse("such as owner/repo@v1.2.3", "release %q: want OWNER/REPO@TAG", repository+"@"+tag)
	}
	client, err := a.gitHub(plan.Repository{Owner: owner, Name: name})
	if err != nil {
		return err
	}
	page, err := client.Find(ctx, tag)
	if err != nil {
		return err
	}
	if page == nil {
		return release.Misuse("", "release %s@%s: not found", repository, tag)
	}
	commit, err := client.TagCommit(ctx, tag)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pgo-release-verify-")
	if err != nil {
		return fmt.Errorf("verifying %s@%s: %w", repository, tag, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := download(ctx, client, *page, dir); err != nil {
		return err
	}
	claim := engine.Claim{
		Repository: repository, Tag: tag, Version: versionOf(tag), Commit: commit,
		Unsigned: a.values.String("sign") == plan.SignNone, All: a.values.String("sign") == plan.SignAll, Page: true,
	}
	switch name := a.values.String("image"); name {
	case config.NoImage:
	case "":
		claim.Named = true
	default:
		claim.Images = []engine.ClaimedImage{{Reference: name + ":" + claim.Version}}
	}
	if claim.Branches = a.values.List("branches"); len(claim.Branches) == 0 && !claim.Unsigned {
		info, err := client.Repository(ctx)
		if err != nil {
			return err
		}
		claim.Branches = []string{info.DefaultBranch}
	}
	return a.verify(ctx, repository+"@"+tag, dir, claim)
}

// download fetches every asset of a page into dir.
func download(ctx context.Context, client *github.Client, page github.Page, dir string) error {
	assets, err := client.Assets(ctx, page)
	if err != nil {
		return err
	}
	const downloads = 4
	return task.Each(ctx, downloads, len(assets), func(ctx context.Context, i int) error {
		name := assets[i].Name
		if filepath.Base(name) != name {
			return fmt.Errorf("downloading %q: not the name of a file", name)
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("downloading %q: %w", name, err)
		}
		return errors.Join(client.Download(ctx, assets[i], f), f.Close())
	})
}

// verify checks the files of dir and prints what was found.
func (a *app) verify(ctx context.Context, what, dir string, claim engine.Claim) error {
	trusts, bundle, err := a.trustsOf(ctx, dir, claim)
	if err != nil {
		return err
	}
	var proven proof
	findings, err := engine.Verify(ctx, dir, claim, a.verifierBy(func(bundle []byte) (sign.Trust, error) { return trusts.of(ctx, bundle) }, inspector(a.registry()), &proven))
	if err != nil {
		return err
	}
	more, err := a.allAttested(ctx, claim, proven.statement, trusts)
	if err != nil {
		return err
	}
	findings = append(findings, more...)
	if a.values.Bool("rebuild") && len(engine.Failed(findings)) == 0 {
		again, err := a.rebuild(ctx, dir, proven.statement)
		if err != nil {
			return err
		}
		findings = append(findings, again...)
	}
	if err := a.printFindings(findings); err != nil {
		return err
	}
	if err := conclusion(what, findings); err != nil || claim.Unsigned {
		return err
	}
	var images []string
	for _, i := range inRegistries(claim, proven.statement) {
		images = append(images, i.Reference)
	}
	return a.printStock(claim.Repository, proven.signature, sign.OriginOf(bundle), images)
}

// trustsOf are what the bundles of a release are verified with, one by one: what is missing
// is no reason to refuse what is there. bundle is the one over checksums.txt, or nil.
func (a *app) trustsOf(ctx context.Context, dir string, claim engine.Claim) (t *trusts, bundle []byte, err error) {
	t = &trusts{app: a}
	if claim.Unsigned {
		return t, nil, nil
	}
	var all [][]byte
	for _, name := range []string{release.ChecksumsBundleName, release.ProvenanceName} {
		text, err := readBundle(dir, name)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, text)
		// One run signed all of them, so where one is in a log, each is.
		t.logged = t.logged || sign.OriginOf(text).Logged
	}
	for _, text := range all { // what cannot be had is no finding about a file
		if _, err := t.of(ctx, text); err != nil {
			return nil, nil, err
		}
	}
	return t, all[0], nil
}

// readBundle reads a bundle; nil where there is none, which is for the rules to say.
func readBundle(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxKept {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	return text, nil
}

// printStock says how to check the same with other people's tools.
func (a *app) printStock(repository string, signature sign.Signature, origin sign.Origin, images []string) error {
	if a.values.Bool("json") || a.values.Bool("quiet") {
		return nil
	}
	return a.print("\nthe same with stock tools, beside the files\n\n" + strings.Join(stockCommands(repository, signature, origin, images), "\n") + "\n")
}

// ownRepository is the repository of the project in the working directory.
func (a *app) ownRepository(ctx context.Context) (string, error) {
	r, err := repo.Open(ctx, run.New(a.Environ), a.values.String("directory"), false)
	if err == nil {
		facts, reading := r.Facts(ctx, "v0.0.0")
		if err = reading; err == nil && facts.Repository.Owner != "" {
			return facts.Repository.String(), nil
		}
	}
	return "", release.Misuse("say whose release it has to be: --repository OWNER/NAME", "no repository to verify against")
}

// proof is a provenance whose signature was verified.
type proof struct {
	statement provenance.Statement
	signature sign.Signature
}

// verifier is verifierBy with one trust for everything.
func (a *app) verifier(trust sign.Trust, inspect func(context.Context, engine.ClaimedImage) (image.Content, error), proven *proof) engine.Verifier {
	return a.verifierBy(func([]byte) (sign.Trust, error) { return trust, nil }, inspect, proven)
}

// verifierBy wires the workers to the edges of Verify. trust says what a bundle is verified
// with; proven, unless nil, gets the provenance when its signature was verified.
func (a *app) verifierBy(trust func(bundle []byte) (sign.Trust, error), inspect func(context.Context, engine.ClaimedImage) (image.Content, error), proven *proof) engine.Verifier {
	identity := func(c engine.Claim) sign.Identity {
		return sign.Identity{Repository: c.Repository, Commit: c.Commit, Tag: c.Tag, Branches: c.Branches, Workflow: a.values.String("workflow")}
	}
	return engine.Verifier{
		ParseChecksums: pack.ParseChecksums,
		Blob: func(bundle []byte, digest release.Digest, c engine.Claim) (string, error) {
			by, err := trust(bundle)
			if err != nil {
				return "", err
			}
			s, err := by.VerifyBlob(bundle, digest, identity(c))
			return s.Signer(), err
		},
		Statement: func(bundle []byte, digest release.Digest, c engine.Claim) (engine.Statement, error) {
			by, err := trust(bundle)
			if err != nil {
				return engine.Statement{}, err
			}
			text, s, err := by.VerifyStatement(bundle, digest, identity(c))
			if err != nil {
				return engine.Statement{}, err
			}
			statement, err := provenance.Parse(text)
			if err != nil {
				return engine.Statement{}, err
			}
			if proven != nil {
				*proven = proof{statement, s}
			}
			return stated(statement, s), nil
		},
		SBOM: func(content []byte) (engine.Bill, error) {
			d, err := sbom.Parse(content)
			return engine.Bill{Module: d.Module, Version: d.Version, Archive: d.Archive}, err
		},
		Executables: executables,
		Image: func(ctx context.Context, i engine.ClaimedImage) (engine.ImageContent, error) {
			found, err := inspect(ctx, i)
			if err != nil {
				return engine.ImageContent{}, err
			}
			content := engine.ImageContent{
				Digest: found.Digest, Platforms: map[release.Target]map[string]release.Digest{}, Files: map[release.Target][]string{},
			}
			for _, p := range found.Platforms {
				content.Platforms[p.Target], content.Files[p.Target] = p.Files, p.Others
			}
			return content, nil
		},
		Progress: a.reporter.Progress,
	}
}

// stated is what a verified statement says, for the rules.
func stated(s provenance.Statement, by sign.Signature) engine.Statement {
	out := engine.Statement{
		BuildType: s.BuildType(), Repository: s.Repository(), Tag: s.Tag(), Commit: s.Commit(), Module: s.Module(),
		Subjects: s.Subjects(), Builder: s.BuilderID(), Signer: by.Signer(), Identity: builderOf(by),
	}
	for _, i := range s.Images() {
		out.Images = append(out.Images, engine.StatedImage(i))
	}
	out.Planned = s.Planned()
	return out
}
