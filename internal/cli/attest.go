package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
)

func (a *app) attestCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "attest FILE | IMAGE@DIGEST",
		Short: "Sign and attest something that exists already",
		Long: `Signs a file, or an image in a registry, that something else made; states which
workflow stands behind it (in GitHub Actions), and with --sbom what is in it. The
bundles go beside the file, as FILE.sigstore.json, FILE.provenance.sigstore.json and
FILE.sbom.sigstore.json, or beside the image, as its referrers; the statements go into
GitHub's attestation store as well.`,
		Example: `  pgo-release attest app.deb --sbom app.deb.spdx.json
  pgo-release attest ghcr.io/owner/app@sha256:HEX    in GitHub Actions
  pgo-release attest app.deb --key cosign.key        anywhere`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, args []string) error { return a.attest(ctx, args[0]) })
}

// exhibit is one bundle to make.
type exhibit struct {
	name      string // of the file, after the subject's; of the task
	predicate string // empty: a signature over the bytes
	statement []byte // nil with it
}

// attest signs a subject and what is stated about it.
func (a *app) attest(ctx context.Context, argument string) error {
	s, err := a.subjectOf(ctx, argument)
	if err != nil {
		return err
	}
	n, client, err := a.attestingNotary(ctx)
	if err != nil {
		return err
	}
	exhibits, err := a.exhibits(ctx, s, n)
	if err != nil {
		return err
	}
	bundles := make([][]byte, len(exhibits))
	err = task.Each(ctx, 0, len(exhibits), func(ctx context.Context, i int) error {
		return task.Track(ctx, a.reporter.Progress, engine.PhaseAttest, exhibits[i].name, len(exhibits), func(stage func(string)) (string, error) {
			stage("signing")
			var err error
			if exhibits[i].statement == nil {
				bundles[i], err = n.signer.Blob(ctx, s.File)
			} else {
				bundles[i], err = n.signer.Statement(ctx, exhibits[i].statement)
			}
			return "", err
		})
	})
	if err != nil {
		return fmt.Errorf("attesting %q: %w", argument, err)
	}
	for i, e := range exhibits { // one after the other: see image.Attach
		if err := a.keep(ctx, s, e, bundles[i]); err != nil {
			return err
		}
		if client != nil && e.predicate != "" && e.predicate != provenance.SignatureType {
			a.store(ctx, client, e.name, bundles[i])
		}
	}
	return nil
}

// exhibits are the signature and the statements about a subject.
func (a *app) exhibits(ctx context.Context, s subject, n notary) ([]exhibit, error) {
	out := []exhibit{{name: "signature"}}
	if s.reference != "" {
		text, err := provenance.AttestSignature(s.Asset)
		if err != nil {
			return nil, err
		}
		out[0] = exhibit{"signature", provenance.SignatureType, text}
	}
	if a.values.String("key") == "" {
		run, err := a.workflow(ctx, n)
		if err != nil {
			return nil, err
		}
		text, err := run.Attest(s.Asset)
		if err != nil {
			return nil, err
		}
		out = append(out, exhibit{"provenance", provenance.PredicateType, text})
	}
	if path := a.values.Path("sbom"); path != "" {
		document, err := readLimited(path, maxSBOM)
		if err != nil {
			return nil, release.Misuse("", "reading SBOM %q: %w", path, err)
		}
		text, err := provenance.AttestSPDX(s.Asset, document)
		if err != nil {
			return nil, release.Misuse("", "reading SBOM %q: %w", path, err)
		}
		out = append(out, exhibit{"sbom", provenance.SPDXType, text})
	}
	return out, nil
}

// maxSBOM bounds an SPDX document, in bytes: a verifier reads statements up to 8 MiB.
const maxSBOM = 8<<20 - 64<<10

// readLimited reads a file, or what a link to a file names: a pipe would be waited for.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q: not a file", path)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return text, err
}

// workflow is the run that stands behind what is attested.
func (a *app) workflow(ctx context.Context, n notary) (provenance.Workflow, error) {
	builder, err := n.builder(ctx)
	if err != nil {
		return provenance.Workflow{}, err
	}
	runner, _ := action.Detect(a.getenv, io.Discard)
	path, _, _ := strings.Cut(strings.TrimPrefix(a.getenv("GITHUB_WORKFLOW_REF"), a.getenv("GITHUB_REPOSITORY")+"/"), "@")
	return provenance.Workflow{
		BuilderID: builder, InvocationID: runner.InvocationID(), Path: path,
		Repository: "https://github.com/" + a.getenv("GITHUB_REPOSITORY"), Ref: a.getenv("GITHUB_REF"), Commit: a.getenv("GITHUB_SHA"),
		Event: a.getenv("GITHUB_EVENT_NAME"), RepositoryID: a.getenv("GITHUB_REPOSITORY_ID"), OwnerID: a.getenv("GITHUB_REPOSITORY_OWNER_ID"),
		Runner: a.getenv("RUNNER_ENVIRONMENT"),
	}, nil
}

// attestingNotary is who attests: the workflow that runs, with the client of its
// repository, or a key, which belongs to no repository.
func (a *app) attestingNotary(ctx context.Context) (notary, *github.Client, error) {
	if a.values.String("key") != "" {
		n, err := a.attestingKey(ctx)
		return n, nil, err
	}
	if _, inActions := action.Detect(a.getenv, io.Discard); !inActions {
		return notary{}, nil, release.Refuse("run it in GitHub Actions, or sign with a key: --key FILE", "signing keyless needs the identity of a workflow, and this is none")
	}
	repository := a.values.String("repository")
	owner, name, _ := strings.Cut(repository, "/")
	want := &sign.Identity{Repository: repository, Commit: a.getenv("GITHUB_SHA"), Workflow: a.values.String("workflow")}
	ref := a.getenv("GITHUB_REF")
	tag, tagged := strings.CutPrefix(ref, "refs/tags/")
	branch, onBranch := strings.CutPrefix(ref, "refs/heads/")
	switch {
	case tagged:
		want.Tag = tag
	case onBranch:
		want.Branches = []string{branch}
	default:
		return notary{}, nil, &release.Problem{
			Err: fmt.Errorf("attesting for ref %q: want a tag or a branch", ref),
			Tip: "a pull request's merge is on no branch yet: attest in a run for what was pushed or dispatched (on: push, workflow_dispatch)",
		}
	}
	client, err := a.gitHub(plan.Repository{Owner: owner, Name: name})
	if err != nil {
		return notary{}, nil, err
	}
	info, err := client.Repository(ctx)
	if err != nil {
		return notary{}, nil, err
	}
	instance, err := a.instance(ctx, info.Private)
	if err != nil {
		return notary{}, nil, err
	}
	n, err := a.newNotary(instance, want, action.Token(a.getenv, nil))
	if err != nil {
		return notary{}, nil, err
	}
	_, err = n.signer.Check(ctx)
	return n, client, err
}

// attestingKey attests with the key that the user named. Its signatures go into no log,
// unless the user names one.
func (a *app) attestingKey(ctx context.Context) (notary, error) {
	named := a.values.String("sigstore")
	if named == "" && a.values.Path("trusted-root") == "" && a.values.Path("signing-config") == "" {
		return a.newNotary(sign.Trust{}, nil, nil)
	}
	switch named {
	case sigstoreGitHub:
		return notary{}, release.Misuse("leave --sigstore out: a key needs no Sigstore", "--key and --sigstore github: GitHub's Sigstore signs for workflows only")
	case sigstorePublic:
		a.reporter.Progress(task.Event{Phase: "preflight", State: task.Warning,
			Text: "Sigstore's public log will show this signature, and the digest of what is signed, to everybody, for ever"})
	}
	instance, err := a.instance(ctx, false)
	if err != nil {
		return notary{}, err
	}
	return a.newNotary(instance, nil, nil)
}

// keep puts a bundle beside its subject.
func (a *app) keep(ctx context.Context, s subject, e exhibit, bundle []byte) error {
	if s.reference != "" {
		digest, err := image.Attach(ctx, s.reference, bundle, e.predicate, s.access)
		if err != nil {
			return err
		}
		return a.print(fmt.Sprintf("%-10s  %s@%s\n", e.name, s.Name, digest))
	}
	path := s.Path + bundleNames()[e.predicate]
	if _, err := pack.WriteFile(path, bundle); err != nil {
		return err
	}
	return a.print(fmt.Sprintf("%-10s  %s\n", e.name, filepath.ToSlash(path)))
}

// store puts a statement into GitHub's attestation store, where `gh attestation verify`
// finds it. The bundle is whole without that: what stands in the way is a warning.
func (a *app) store(ctx context.Context, client *github.Client, what string, bundle []byte) {
	_, err := client.Attest(ctx, bundle)
	if err == nil || ctx.Err() != nil {
		return
	}
	text := "it is not in GitHub's attestation store: " + err.Error()
	if hint := release.HintOf(err); hint != "" {
		text += "; " + hint
	}
	a.reporter.Progress(task.Event{Phase: engine.PhaseAttest, Task: what, State: task.Warning, Text: text})
}
