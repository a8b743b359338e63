package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

func (a *app) rehearseCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "rehearse",
		Short: "Do the whole release on this machine alone",
		Long: `Does the whole release, signing and publishing included, against a GitHub, an OCI
registry and a Sigstore that this program carries and runs on loopback; then verifies
the result as a user would. It needs no network, no account and no Docker, and nothing
of it becomes public. What was made stays in dist/.`,
		Example: `  pgo-release rehearse --tag v1.2.3
  pgo-release rehearse -C services/api --tag v0.1.0 --platforms linux/amd64`,
	}, func(ctx context.Context, _ []string) error {
		s, err := a.open(ctx, nameRepository)
		if err != nil {
			return err
		}
		report, err := s.rehearse(ctx)
		if err != nil {
			return err
		}
		if err := s.conclude(report); err != nil || a.values.Bool("json") {
			return err
		}
		return s.printRehearsed(report)
	})
}

// nameRepository names a repository for projects that are not on GitHub yet.
func nameRepository(cfg *plan.Config, facts plan.Facts) {
	if cfg.Repository == "" && facts.Repository.Owner == "" {
		cfg.Repository = "rehearsal/" + plan.ProjectName(*cfg, facts)
	}
}

// rehearse publishes to the stage that this process carries.
func (s *session) rehearse(ctx context.Context) (_ dist.Report, err error) {
	if !s.values.Bool("json") && !s.values.Bool("quiet") {
		text, err := s.plan.Text()
		if err != nil {
			return dist.Report{}, fmt.Errorf("printing the plan: %w", err)
		}
		s.reporter.Break()
		if _, err := fmt.Fprintln(s.Err, s.reporter.Inert(text)); err != nil {
			return dist.Report{}, fmt.Errorf("printing the plan: %w", err)
		}
	}
	history, err := s.repo.Commits(ctx, s.plan.Verdict.Previous, s.plan.Commit)
	if err != nil {
		return dist.Report{}, err
	}
	stage, err := rehearsal.Start(s.plan, s.facts.Refs, history)
	if err != nil {
		return dist.Report{}, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	o, err := s.onStage(stage)
	if err != nil {
		return dist.Report{}, err
	}
	report, err := s.publish(ctx, o)
	if err == nil {
		err = s.tellRunner(ctx, o, report, true)
	}
	if err != nil {
		return dist.Report{}, err
	}
	unlock, err := s.dist.Lock()
	if err != nil {
		return dist.Report{}, err
	}
	defer unlock()
	dir := s.dist.Join(dist.RehearsalDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return dist.Report{}, fmt.Errorf("keeping the rehearsal's trusted root: %w", err)
	}
	return report, stage.Sigstore.WriteFiles(dir)
}

// onStage are the edges of a rehearsal.
func (s *session) onStage(stage *rehearsal.Stage) (outside, error) {
	client, err := github.New(github.Options{
		Repository: s.plan.Repository, Token: stage.Hub.Token(), APIURL: stage.Hub.URL(), UploadURL: stage.Hub.UploadURL(),
		Unlimited: true,
	})
	if err != nil {
		return outside{}, err
	}
	o := outside{
		github:   client,
		registry: image.Access{Transport: stage.Registry.Transport(), Token: stage.Hub.Token()},
	}
	if s.plan.Sign == plan.SignNone {
		return o, nil
	}
	o.enlist = func(ctx context.Context) (notary, string, error) {
		trust, err := stageTrust(stage)
		if err != nil {
			return notary{}, "", err
		}
		n, err := s.newNotary(trust, s.identity(), action.Token(stage.Getenv(s.getenv), nil))
		return n, "", err
	}
	return o, nil
}

// stageTrust is the stage's trust, by way of the files that a user would have.
func stageTrust(stage *rehearsal.Stage) (trust sign.Trust, err error) {
	dir, err := os.MkdirTemp("", "pgo-release-rehearsal-")
	if err != nil {
		return sign.Trust{}, fmt.Errorf("starting the rehearsal: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := stage.Sigstore.WriteFiles(dir); err != nil {
		return sign.Trust{}, err
	}
	return sign.LoadTrust(filepath.Join(dir, rehearsal.TrustedRootName), filepath.Join(dir, rehearsal.SigningConfigName))
}

func (s *session) printRehearsed(report dist.Report) error {
	root := s.dist.Join(dist.RehearsalDir, rehearsal.TrustedRootName)
	text := fmt.Sprintf("\nrehearsed %s\n  release  %s (gone with the rehearsal)\n", s.plan.Tag, report.Release.URL)
	for _, i := range report.Images {
		text += fmt.Sprintf("  image    %s@%s\n", i.Repository, i.Digest)
		for _, tag := range i.Tags {
			text += fmt.Sprintf("           %s\n", tag)
		}
	}
	text += fmt.Sprintf("  notes    %s\n", s.dist.Join(release.NotesName))
	if s.plan.Sign != plan.SignNone {
		key := ""
		if s.plan.Sign == plan.SignKey {
			key = " --key cosign.pub"
		}
		text += fmt.Sprintf("\ncheck it again\n  pgo-release verify %s --repository %s%s --trusted-root %s\n",
			quoted(filepath.ToSlash(string(s.dist))), quoted(s.plan.Repository.String()), key, quoted(filepath.ToSlash(root)))
	}
	return s.print(text)
}
