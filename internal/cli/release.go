package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

func (a *app) releaseCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "release",
		Short: "Make, sign, verify and publish the release",
		Long: `Makes the release, signs it, verifies it, and publishes it to GitHub Releases and the
registry. Everything goes into a draft first; one call makes it public. A release that
failed half-way is finished by running the same command again.`,
		Example: `  pgo-release release                       in GitHub Actions, on a tag push
  pgo-release release --tag v1.2.3 --draft  leave it a draft`,
	}, func(ctx context.Context, _ []string) error {
		s, err := a.open(ctx, nil)
		if err != nil {
			return err
		}
		if s.plan.Repository.Owner == "" {
			return release.Misuse("name it: --repository OWNER/NAME", "no repository: the remote \"origin\" is not on GitHub")
		}
		actions, inActions := action.Detect(a.getenv, a.Out)
		o, err := s.online(actions, inActions)
		if err != nil {
			return s.forFork(err)
		}
		report, err := s.publish(ctx, o)
		if err != nil {
			return s.forFork(err)
		}
		if err := s.tellRunner(ctx, o, report, false); err != nil {
			return err
		}
		if err := s.conclude(report); err != nil || a.values.Bool("json") {
			return err
		}
		if report.Release.Draft {
			return s.print(fmt.Sprintf("\nleft a draft of %s, which is not public\n  %s\n", s.plan.Tag, report.Release.URL))
		}
		return s.print(fmt.Sprintf("\nreleased %s\n  %s\n", s.plan.Tag, report.Release.URL))
	})
}

// online are the edges of a real release. What is missing is said here, before
// anything begins.
func (s *session) online(actions *action.Runner, inActions bool) (outside, error) {
	token := s.values.String("token")
	if token == "" {
		return outside{}, release.Refuse("set GITHUB_TOKEN, or pass --token; in a workflow: with: {token: ${{ github.token }}}",
			"no token for GitHub")
	}
	client, err := s.gitHub(s.plan.Repository)
	if err != nil {
		return outside{}, err
	}
	o := outside{github: client, registry: s.app.registry(), proxied: true}
	if inActions {
		o.invocation = actions.InvocationID()
	}
	switch {
	case s.plan.Sign == plan.SignKeyless && !inActions:
		return outside{}, release.Refuse("run it in GitHub Actions, rehearse it here with pgo-release rehearse, sign with a key (--key), or publish unsigned with --sign none",
			"signing keyless needs the identity of a workflow, and this is none")
	case s.plan.Sign != plan.SignNone:
		o.enlist = func(ctx context.Context) (notary, string, error) { return s.notary(ctx, client) }
	}
	return o, nil
}

// notary is who signs the session's release, and the environment of GitHub that the job
// runs in. Whether signing will be possible is seen now.
func (s *session) notary(ctx context.Context, client *github.Client) (n notary, environment string, err error) {
	if s.plan.Sign == plan.SignKeyless { // before anything is asked over the network
		if err := action.Permitted(s.getenv); err != nil {
			return notary{}, "", err
		}
	}
	info, err := client.Repository(ctx)
	if err != nil {
		return notary{}, "", err
	}
	instance, err := s.instance(ctx, info.Private)
	if err != nil {
		return notary{}, "", err
	}
	branches := s.values.List("branches")
	if len(branches) == 0 && info.DefaultBranch != "" {
		branches = []string{info.DefaultBranch}
	}
	n, err = s.newNotary(instance, s.identity(branches...), action.Token(s.getenv, nil))
	if err != nil {
		return notary{}, "", err
	}
	environment, err = n.signer.Check(ctx)
	return n, environment, err
}

// gitHub is the real one, with the user's token.
func (a *app) gitHub(r plan.Repository) (*github.Client, error) {
	return github.New(github.Options{
		Repository: r, Token: a.values.String("token"), APIURL: a.values.String("api-url"), UploadURL: a.values.String("upload-url"),
		Waiting: func(text string) {
			a.reporter.Progress(task.Event{Phase: engine.PhaseShip, Task: "GitHub", State: task.Note, Text: text})
		},
		Notice: func(text string) {
			a.reporter.Progress(task.Event{Phase: "check", Task: "history", State: task.Note, Text: text})
		},
	})
}
