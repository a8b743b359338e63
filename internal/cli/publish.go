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
	notary
	github     *github.Client
	registry   image.Access
	invocation string // URI of the run
	proxied    bool   // the module proxy may be asked
}

// identity is who has to have signed the plan's release: its tag's workflow, or one that
// was dispatched from a branch.
func (s *session) identity(branches ...string) *sign.Identity {
	return &sign.Identity{
		Repository: s.plan.Repository.String(), Commit: s.plan.Commit, Tag: s.plan.Tag,
		Branches: branches, Workflow: s.values.String("workflow"),
	}
}

// publish is the way from a plan to a published release, which it then verifies as a
// user would.
func (s *session) publish(ctx context.Context, o outside) (dist.Report, error) {
	started := time.Now()
	earlier := newKept(s, o) // before dist/ is made anew
	var result engine.Result
	var written notes.Notes
	var there *github.Page
	// Reading from GitHub goes on beside the compiler and ends it when it fails: there
	// is no use in compiling what may not be published.
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { written, there, err = s.judge(shared, o); return err })
	group.Go(func() (err error) { result, err = s.make(shared); return err })
	if err := group.Wait(); err != nil {
		return dist.Report{}, err
	}
	signed := release.Signed{Made: result.Made}
	how := ""                                             // to verify it
	if o.signer != nil && (there == nil || there.Draft) { // what is published was signed then
		earlier.page = there
		run := provenance.Run{InvocationID: o.invocation, Started: started}
		var err error
		if signed, err = engine.Attest(ctx, result.Made, string(s.dist), s.attester(o, earlier, result.Origin, run)); err != nil {
			return dist.Report{}, err
		}
		if how, err = s.howToVerify(o.notary, signed); err != nil {
			return dist.Report{}, err
		}
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
// tell, and writes the notes from the same history. there is the page that the release
// has already; nil: none.
func (s *session) judge(ctx context.Context, o outside) (n notes.Notes, there *github.Page, err error) {
	in := plan.PolicyInput(s.config, s.facts)
	var happened past
	var page version.Page
	var served version.Served
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		happened, err = s.learn(shared, &in, s.plan.Verdict.Previous, s.plan.Verdict.Base, o.github)
		return err
	})
	group.Go(func() (err error) { page, there, err = s.preflight(shared, o); return err })
	if o.proxied {
		group.Go(func() (err error) { served, err = s.served(shared, o.github, s.plan.Tag); return err })
	}
	if err := group.Wait(); err != nil {
		return notes.Notes{}, nil, err
	}
	in.Page, in.Served = page, served
	verdict := version.Judge(in)
	return notes.New(s.notesInput(happened, verdict)), there, s.judged(verdict)
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
func (s *session) preflight(ctx context.Context, o outside) (page version.Page, found *github.Page, err error) {
	err = task.Track(ctx, s.reporter.Progress, "preflight", "GitHub", 0, func(stage func(string)) (_ string, err error) {
		stage("asking")
		if page, found, err = s.elsewhere(ctx, o.github, s.plan.Tag); err != nil {
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
	return page, found, err
}

// attester wires signing to the edges of Attest.
func (s *session) attester(o outside, earlier *kept, origin engine.Origin, run provenance.Run) engine.Attester {
	for _, m := range origin.Modules {
		run.Modules = append(run.Modules, provenance.Module(m))
	}
	return engine.Attester{
		Kept: earlier.holding,
		Blob: o.signer.Blob,
		Statement: func(ctx context.Context, subjects []release.Asset) ([]byte, error) {
			run := run
			var err error
			if run.BuilderID, err = o.builder(ctx); err != nil {
				return nil, err
			}
			run.Version, _ = ownVersion()
			run.Finished = time.Now()
			statement, err := provenance.New(s.plan, subjects, run)
			if err != nil {
				return nil, err
			}
			return statement.JSON()
		},
		Sign:     o.signer.Statement,
		Write:    pack.WriteFile,
		All:      s.plan.SignAll,
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
		Branches: o.want.Branches, Unsigned: s.plan.Sign == plan.SignNone, Page: true,
	}
	if s.plan.Image != nil {
		claim.Image, claim.Digest = s.plan.Image.Repository+"@"+string(receipt.ImageDigest), receipt.ImageDigest
	}
	findings, err := engine.Verify(ctx, dir, claim, s.verifier(o.trust, func(ctx context.Context, reference string) (image.Content, error) {
		return image.Inspect(ctx, reference, o.registry)
	}, nil))
	if err != nil {
		return err
	}
	if err := conclusion(receipt.URL, findings); err != nil {
		return err
	}
	return s.storeProvenance(ctx, o, dir)
}

// storeProvenance puts the verified provenance into GitHub's attestation store as well,
// where `gh attestation verify` finds it without the release.
func (s *session) storeProvenance(ctx context.Context, o outside, dir string) error {
	if s.plan.Sign != plan.SignKeyless || s.plan.Draft {
		return nil
	}
	bundle, err := os.ReadFile(filepath.Join(dir, release.ProvenanceName))
	if err != nil {
		return fmt.Errorf("storing the provenance: %w", err)
	}
	s.store(ctx, o.github, release.ProvenanceName, bundle)
	return context.Cause(ctx)
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
