package cli

import (
	"context"
	"fmt"
	"os"
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
	"github.com/org/pgo-release/internal/version"
)

// outside is what lies outside this machine, or stands in for it in a rehearsal.
type outside struct {
	// enlist finds who signs, and the environment of GitHub that it runs in, if that is
	// known; nil: nothing is signed. preflight keeps who it finds.
	enlist func(context.Context) (n notary, environment string, err error)
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

// publish is the way from a plan to a published release, which is verified as a user
// would just before it is public. What an earlier run left complete is taken over, not
// made again.
func (s *session) publish(ctx context.Context, o outside) (dist.Report, error) {
	started := time.Now()
	unlock, err := s.dist.Lock()
	if err != nil {
		return dist.Report{}, err
	}
	defer unlock()
	page, there, err := s.preflight(ctx, &o)
	if err != nil {
		return dist.Report{}, err
	}
	earlier := newKept(s, o, there) // before dist/ is made anew
	signed, made, err := s.adopt(ctx, o, there)
	if err != nil {
		return dist.Report{}, err
	}
	var body string
	switch {
	case made != nil:
		if !page.Published { // else it was judged when it was published
			_, err = s.judge(ctx, o, page)
		}
		if err == nil { // what lies beside images may be lost, there or here
			run := provenance.Run{InvocationID: o.invocation, Started: started, Modules: made.Modules()}
			signed, err = engine.AttestImages(ctx, signed, s.attester(o, earlier, engine.Origin{}, run))
		}
	case s.plan.Promote && !page.Published:
		err = release.Reject("release to an earlier environment first, such as staging, which leaves a draft",
			"the environment %q publishes only what was made before, and there is no complete draft of %s", s.plan.Environment, s.plan.Tag)
	default:
		signed, body, err = s.produce(ctx, o, page, earlier, started)
	}
	if err != nil {
		return dist.Report{}, err
	}
	receipt, err := engine.Ship(ctx, s.plan, signed, body, engine.Shipper{
		Releases: pages{o.github, s.values.Bool("rebuild")}, Registry: registry{o.registry, s.app.registry(), s.reporter.Progress}, Progress: s.reporter.Progress,
		Keep: func(ctx context.Context, held release.Published, own release.Asset) (*release.File, error) {
			return earlier.take(ctx, held, own, signed)
		},
		Verify: func(ctx context.Context, receipt release.Receipt) error { return s.verifyShipped(ctx, o, receipt) },
	})
	if err != nil {
		return dist.Report{}, &leftError{receipt, err}
	}
	for _, bundle := range earlier.replaced {
		signed = signed.Replaced(bundle)
	}
	report, err := dist.NewReport(s.plan, signed)
	if err != nil {
		return dist.Report{}, err
	}
	report = report.Publish(receipt)
	if err := s.hidden(ctx, o, &report); err != nil {
		return dist.Report{}, err
	}
	if err := s.dist.Write(report); err != nil {
		return dist.Report{}, err
	}
	return report, s.storeProvenance(ctx, o, receipt, signed.Images)
}

// produce makes and signs the release, and writes its notes.
func (s *session) produce(ctx context.Context, o outside, page version.Page, earlier *kept, started time.Time) (signed release.Signed, body string, err error) {
	var result engine.Result
	var written notes.Notes
	// Reading from GitHub goes on beside the compiler and ends it when it fails: there
	// is no use in compiling what may not be published.
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) { written, err = s.judge(shared, o, page); return err })
	group.Go(func() (err error) { result, err = s.make(shared); return err })
	if err := group.Wait(); err != nil {
		return release.Signed{}, "", err
	}
	signed = release.Signed{Made: result.Made}
	how := "" // to verify it
	if o.signer != nil {
		run := provenance.Run{InvocationID: o.invocation, Started: started}
		if signed, err = engine.Attest(ctx, result.Made, string(s.dist), s.attester(o, earlier, result.Origin, run)); err != nil {
			return release.Signed{}, "", err
		}
		if how, err = s.howToVerify(o.notary, signed); err != nil {
			return release.Signed{}, "", err
		}
	}
	body, err = s.keepNotes(written, how, &signed)
	return signed, body, err
}

// judge applies the whole version policy, with what only GitHub and the files can
// tell, and writes the notes from the same history. page is what GitHub has of the
// release.
func (s *session) judge(ctx context.Context, o outside, page version.Page) (notes.Notes, error) {
	in := plan.PolicyInput(s.config, s.facts)
	var happened past
	var served version.Served
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		happened, err = s.learn(shared, &in, s.plan.Verdict.Previous, s.plan.Verdict.Base, o.github)
		return err
	})
	if o.proxied {
		group.Go(func() (err error) { served, err = s.served(shared, o.github, s.plan.Tag); return err })
	}
	if err := group.Wait(); err != nil {
		return notes.Notes{}, err
	}
	in.Page, in.Served = page, served
	verdict := version.Judge(in)
	return notes.New(s.notesInput(happened, verdict)), s.judged(verdict)
}

// keepNotes writes the whole notes beside the release and gives what fits the page;
// where that is not all of them, they are an asset too.
func (s *session) keepNotes(n notes.Notes, how string, signed *release.Signed) (body string, err error) {
	file, err := pack.WriteFile(s.dist.Join(release.NotesName), []byte(n.Whole()+how))
	if err != nil {
		return "", err
	}
	body, whole := n.Markdown(notes.MaxBytes - len(how) - notes.MarkLength)
	if !whole {
		signed.Notes = &file
	}
	return notes.Mark(body+how, s.plan.Commit), nil
}

// attester wires signing to the edges of Attest.
func (s *session) attester(o outside, earlier *kept, origin engine.Origin, run provenance.Run) engine.Attester {
	for _, m := range origin.Modules {
		run.Modules = append(run.Modules, provenance.Module(m))
	}
	state := func(ctx context.Context, subjects []release.Asset, images []release.Image) ([]byte, error) {
		run := run
		run.Images = images
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
	}
	return engine.Attester{
		Kept: earlier.holding, Blob: o.signer.Blob, Sign: o.signer.Statement, Write: pack.WriteFile, Statement: state,
		Exhibits: func(ctx context.Context, made release.Made, img release.Image) ([]engine.Exhibit, error) {
			return s.exhibits(ctx, o, made, img, state)
		},
		All: s.plan.SignAll, Progress: s.reporter.Progress,
	}
}

// verifyShipped checks what is about to become public, as a user would: the files here,
// whose digests GitHub says it holds, and the image in its registry.
func (s *session) verifyShipped(ctx context.Context, o outside, receipt release.Receipt) error {
	claim := engine.Claim{
		Repository: s.plan.Repository.String(), Tag: s.plan.Tag, Version: s.plan.Version, Commit: s.plan.Commit,
		Branches: o.want.Branches, Unsigned: s.plan.Sign == plan.SignNone,
	}
	for _, i := range receipt.Images {
		claim.Images = append(claim.Images, engine.ClaimedImage{Reference: i.Reference(), Digest: i.Digest})
	}
	findings, err := engine.Verify(ctx, string(s.dist), claim, s.verifier(o.trust, inspector(o.registry), nil))
	if err != nil {
		return err
	}
	for _, i := range receipt.Images {
		if claim.Unsigned {
			continue
		}
		more, err := attested(ctx, i.Reference(), i.Digest, o.registry, engine.SubjectVerifier{
			Bundle: witness(func([]byte) (sign.Trust, error) { return o.trust, nil }, o.want), Progress: s.reporter.Progress,
		})
		if err != nil {
			return err
		}
		findings = append(findings, more...)
	}
	return conclusion(receipt.URL, findings)
}

// storeProvenance puts the verified provenance into GitHub's attestation store as well,
// where `gh attestation verify` finds it without the release.
func (s *session) storeProvenance(ctx context.Context, o outside, receipt release.Receipt, images []release.Image) error {
	if s.plan.Sign != plan.SignKeyless || receipt.Draft {
		return nil
	}
	bundle, err := os.ReadFile(s.dist.Join(release.ProvenanceName))
	if err != nil {
		return fmt.Errorf("storing the provenance: %w", err)
	}
	s.store(ctx, o.github, release.ProvenanceName, bundle)
	for _, i := range images {
		for _, b := range i.Bundles {
			if b.Predicate == provenance.PredicateType {
				s.store(ctx, o.github, i.Repository, b.Content)
			}
		}
	}
	return context.Cause(ctx)
}
