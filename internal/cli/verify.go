package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/dist"
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
file or an image, it checks what attest left beside it. Exits 0 only when all holds.`,
		Example: `  pgo-release verify owner/repo@v1.2.3
  pgo-release verify dist --repository owner/repo --trusted-root dist/rehearsal/trusted_root.json`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, args []string) error {
		info, err := os.Stat(args[0])
		if isImage(args[0]) || err == nil && info.Mode().IsRegular() {
			return a.verifySubject(ctx, args[0])
		}
		if repository, tag, ok := strings.Cut(args[0], "@"); ok {
			return a.verifyRelease(ctx, repository, tag)
		}
		return a.verifyDir(ctx, args[0])
	})
}

// verifyDir checks the files of a directory. The directory may say which release it
// is; whose it has to be, only the user or the project at hand can.
func (a *app) verifyDir(ctx context.Context, dir string) error {
	report, err := dist.Dir(dir).Read()
	if err != nil {
		return release.Misuse("name a dist/ that pgo-release made, or a release as OWNER/REPO@TAG", "verifying %q: %w", dir, err)
	}
	repository := a.values.String("repository")
	if repository == "" {
		if repository, err = a.ownRepository(ctx); err != nil {
			return err
		}
	}
	claim := engine.Claim{Repository: repository, Tag: report.Tag, Version: report.Version, Commit: report.Commit}
	claim.Unsigned, claim.Branches = a.values.String("sign") == plan.SignNone, a.values.List("branches")
	layout := dist.Dir(dir).Join(dist.ImageDir)
	if _, err := os.Stat(layout); err == nil || report.Image != nil {
		claim.Image = layout
	}
	if report.Image != nil {
		claim.Digest = report.Image.Digest
	}
	return a.verify(ctx, dir, dir, claim, func(ctx context.Context, path string) (image.Content, error) {
		return image.InspectLayout(ctx, path)
	})
}

// verifyRelease fetches a published release and checks it.
func (a *app) verifyRelease(ctx context.Context, repository, tag string) (err error) {
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
		Repository: repository, Tag: tag, Version: strings.TrimPrefix(tag[strings.LastIndex(tag, "/")+1:], "v"), Commit: commit,
		Unsigned: a.values.String("sign") == plan.SignNone, Image: a.values.String("image"), Page: true,
	}
	if claim.Image != "" {
		claim.Image += ":" + claim.Version
	}
	if claim.Branches = a.values.List("branches"); len(claim.Branches) == 0 && !claim.Unsigned {
		info, err := client.Repository(ctx)
		if err != nil {
			return err
		}
		claim.Branches = []string{info.DefaultBranch}
	}
	access := image.Access{Token: a.values.String("token")}
	return a.verify(ctx, repository+"@"+tag, dir, claim, func(ctx context.Context, reference string) (image.Content, error) {
		return image.Inspect(ctx, reference, access)
	})
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
func (a *app) verify(ctx context.Context, what, dir string, claim engine.Claim, inspect func(context.Context, string) (image.Content, error)) error {
	if err := a.checkRebuild(); err != nil {
		return err
	}
	bundle, err := readBundle(dir)
	if err != nil {
		return err
	}
	var trust sign.Trust
	if !claim.Unsigned {
		if trust, err = a.trustFor(ctx, bundle); err != nil {
			return err
		}
	}
	var proven proof
	findings, err := engine.Verify(ctx, dir, claim, a.verifier(trust, inspect, &proven))
	if err != nil {
		return err
	}
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
	return a.printStock(claim.Repository, proven.signature, sign.OriginOf(bundle))
}

// readBundle reads the bundle over checksums.txt; nil where there is none, which is for
// the rules to say.
func readBundle(dir string) ([]byte, error) {
	path := filepath.Join(dir, release.ChecksumsBundleName)
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
func (a *app) printStock(repository string, signature sign.Signature, origin sign.Origin) error {
	if a.values.Bool("json") || a.values.Bool("quiet") {
		return nil
	}
	return a.print("\nthe same with stock tools, beside the files\n\n" + strings.Join(stockCommands(repository, signature, origin), "\n") + "\n")
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

// verifier wires the workers to the edges of Verify. proven, unless nil, gets the
// provenance when its signature was verified.
func (a *app) verifier(trust sign.Trust, inspect func(context.Context, string) (image.Content, error), proven *proof) engine.Verifier {
	identity := func(c engine.Claim) sign.Identity {
		return sign.Identity{Repository: c.Repository, Commit: c.Commit, Tag: c.Tag, Branches: c.Branches, Workflow: a.values.String("workflow")}
	}
	return engine.Verifier{
		ParseChecksums: pack.ParseChecksums,
		Blob: func(bundle []byte, digest release.Digest, c engine.Claim) (string, error) {
			s, err := trust.VerifyBlob(bundle, digest, identity(c))
			return s.Signer(), err
		},
		Statement: func(bundle []byte, digest release.Digest, c engine.Claim) (engine.Statement, error) {
			text, s, err := trust.VerifyStatement(bundle, digest, identity(c))
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
			return engine.Statement{
				Subjects: statement.Subjects(), Commit: statement.Commit(), Builder: statement.BuilderID(),
				Signer: s.Signer(), Identity: builderOf(s),
			}, nil
		},
		SBOM: func(content []byte) (engine.Bill, error) {
			d, err := sbom.Parse(content)
			return engine.Bill{Module: d.Module, Version: d.Version, Archive: d.Archive}, err
		},
		Executables: executables,
		Image: func(ctx context.Context, reference string) (engine.ImageContent, error) {
			found, err := inspect(ctx, reference)
			if err != nil {
				return engine.ImageContent{}, err
			}
			content := engine.ImageContent{Digest: found.Digest, Platforms: map[release.Target]map[string]release.Digest{}}
			for _, p := range found.Platforms {
				content.Platforms[p.Target] = p.Files
			}
			return content, nil
		},
		Progress: a.reporter.Progress,
	}
}
