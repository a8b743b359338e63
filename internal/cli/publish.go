package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/notes"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

// outside is what lies outside this machine, or stands in for it in a rehearsal.
type outside struct {
	github     *github.Client
	registry   image.Access
	signer     *sign.Signer // nil where the plan signs nothing
	trust      sign.Trust
	workflow   string // prefix of the identities that may have signed; empty: the repository's workflows
	invocation string // URI of the run
	proxied    bool   // the module proxy may be asked
}

// identity is who has to have signed the plan's release.
func (s *session) identity(workflow string) sign.Identity {
	return sign.Identity{Repository: s.plan.Repository.String(), Commit: s.plan.Commit, Tag: s.plan.Tag, Workflow: workflow}
}

// publish is the way from a plan to a published release, which it then verifies as a
// user would.
func (s *session) publish(ctx context.Context, o outside) (dist.Report, error) {
	started := time.Now()
	var result engine.Result
	var written notes.Notes
	var published bool
	// Reading from GitHub goes on beside the compiler and ends it when it fails: there
	// is no use in compiling what may not be published.
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { written, published, err = s.judge(shared, o); return err })
	group.Go(func() (err error) { result, err = s.make(shared); return err })
	if err := group.Wait(); err != nil {
		return dist.Report{}, err
	}
	signed := release.Signed{Made: result.Made}
	how := ""                          // to verify it
	if o.signer != nil && !published { // what is published was signed then
		identity, err := o.signer.Identity(ctx)
		if err != nil {
			return dist.Report{}, err
		}
		run := provenance.Run{BuilderID: identity, InvocationID: o.invocation, Started: started}
		if signed, err = engine.Attest(ctx, result.Made, string(s.dist), s.attester(o.signer, result.Origin, run)); err != nil {
			return dist.Report{}, err
		}
		how = howToVerify(s.plan, identity)
	}
	body, err := s.keepNotes(written, how, &signed)
	if err != nil {
		return dist.Report{}, err
	}
	receipt, err := engine.Ship(ctx, s.plan, signed, body, engine.Shipper{
		Releases: pages{o.github}, Registry: registry{o.registry}, Progress: s.reporter.Progress,
	})
	if err != nil {
		return dist.Report{}, err
	}
	report, err := dist.NewReport(s.plan, signed)
	if err != nil {
		return dist.Report{}, err
	}
	report = report.Publish(receipt, s.plan.Draft)
	if err := s.dist.Write(report); err != nil {
		return dist.Report{}, err
	}
	return report, s.verifyPublished(ctx, o, receipt)
}

// judge applies the whole version policy, with what only GitHub and the files can
// tell, and writes the notes from the same history. published tells whether the release is
// public already.
func (s *session) judge(ctx context.Context, o outside) (n notes.Notes, published bool, err error) {
	in := plan.PolicyInput(s.config, s.facts)
	var happened past
	var page version.Page
	var served version.Served
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		happened, err = s.learn(shared, &in, s.plan.Verdict.Previous, s.plan.Verdict.Base, o.github)
		return err
	})
	group.Go(func() (err error) { page, err = s.preflight(shared, o); return err })
	if o.proxied {
		group.Go(func() (err error) { served, err = s.served(shared, o.github, s.plan.Tag); return err })
	}
	if err := group.Wait(); err != nil {
		return notes.Notes{}, false, err
	}
	in.Page, in.Served = page, served
	verdict := version.Judge(in)
	return notes.New(s.notesInput(happened, verdict)), page.Published, s.judged(verdict)
}

// keepNotes writes the whole notes beside the release and gives what fits the page;
// where that is not all of them, they are an asset too.
func (s *session) keepNotes(n notes.Notes, how string, signed *release.Signed) (body string, err error) {
	file, err := pack.WriteFile(s.dist.Join(release.NotesName), []byte(n.Whole()+how))
	if err != nil {
		return "", err
	}
	body, whole := n.Markdown(notes.MaxBytes - len(how))
	if !whole {
		signed.Notes = &file
	}
	return body + how, nil
}

// preflight asks GitHub whether the release can be published at all, and what is there.
func (s *session) preflight(ctx context.Context, o outside) (page version.Page, err error) {
	err = task.Track(ctx, s.reporter.Progress, "preflight", "GitHub", 0, func(stage func(string)) (string, error) {
		stage("asking")
		there, found, err := s.elsewhere(ctx, o.github, s.plan.Tag)
		if page = there; err != nil {
			return "", err
		}
		if page.Commit != "" && page.Commit != s.plan.Commit && !page.Published { // else it is for the policy to say
			return "", release.Reject("fetch the tags again (git fetch --tags --force), or release the next version",
				"tag %q names commit %s on GitHub and %s here", s.plan.Tag, page.Commit, s.plan.Commit)
		}
		if err := o.github.CheckWrite(ctx, s.plan.Tag, s.plan.Verdict.Previous); err != nil {
			return "", err
		}
		switch {
		case found == nil:
			return "nothing there yet", nil
		case page.Published:
			return found.URL + " is published; what is missing will be added", nil
		}
		return found.URL + " is a draft; it will be finished", nil
	})
	return page, err
}

// attester wires signing to the edges of Attest.
func (s *session) attester(signer *sign.Signer, origin engine.Origin, run provenance.Run) engine.Attester {
	for _, m := range origin.Modules {
		run.Modules = append(run.Modules, provenance.Module(m))
	}
	return engine.Attester{
		Blob: signer.Blob,
		Statement: func(subjects []release.Asset) ([]byte, error) {
			run := run
			run.Finished = time.Now()
			statement, err := provenance.New(s.plan, subjects, run)
			if err != nil {
				return nil, err
			}
			return statement.JSON()
		},
		Sign:     signer.Statement,
		Write:    pack.WriteFile,
		Progress: s.reporter.Progress,
	}
}

// verifyPublished fetches what was published and checks it.
func (s *session) verifyPublished(ctx context.Context, o outside, receipt release.Receipt) (err error) {
	dir, err := os.MkdirTemp("", "pgo-release-verify-")
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	page := github.Page{ID: receipt.ID, Tag: s.plan.Tag, URL: receipt.URL, Draft: s.plan.Draft}
	if err := download(ctx, o.github, page, dir); err != nil {
		return err
	}
	claim := engine.Claim{
		Repository: s.plan.Repository.String(), Tag: s.plan.Tag, Version: s.plan.Version, Commit: s.plan.Commit,
		Unsigned: s.plan.Sign == plan.SignNone, Page: true,
	}
	if s.plan.Image != nil {
		claim.Image, claim.Digest = s.plan.Image.Repository+"@"+string(receipt.ImageDigest), receipt.ImageDigest
	}
	findings, err := engine.Verify(ctx, dir, claim, s.verifier(o.trust, o.workflow, func(ctx context.Context, reference string) (image.Content, error) {
		return image.Inspect(ctx, reference, o.registry)
	}))
	if err != nil {
		return err
	}
	return conclusion(receipt.URL, findings)
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
		return errors.Join(client.Download(ctx, page, name, f), f.Close())
	})
}
