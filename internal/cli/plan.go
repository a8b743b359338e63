package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/notes"
)

func (a *app) planCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "plan",
		Short: "Print everything that would be made and published",
		Long: `Prints everything that would be made and published, and does none of it. What is
printed is the value that release executes.`,
		Example: `  pgo-release plan
  pgo-release plan --tag v1.2.3 --json | jq .units`,
	}, func(ctx context.Context, _ []string) error {
		s, err := a.open(ctx, nil)
		if err != nil {
			return err
		}
		if a.values.Bool("json") {
			text, err := s.plan.JSON()
			if err != nil {
				return fmt.Errorf("printing the plan: %w", err)
			}
			if err := a.print(string(text)); err != nil {
				return err
			}
			return reject(s.plan.Verdict)
		}
		text, err := s.plan.Text()
		if err != nil {
			return fmt.Errorf("printing the plan: %w", err)
		}
		if !s.plan.Snapshot {
			p, err := s.local(ctx, s.plan.Verdict.Previous, "")
			if err != nil {
				return err
			}
			text += "\nnotes, from the messages of commits\n  " + notes.New(s.notesInput(p, s.plan.Verdict)).Outline() + "\n"
		}
		if err := a.print(text); err != nil {
			return err
		}
		if err := a.summarise("Plan", text, map[string]string{
			"version": s.plan.Version, "tag": s.plan.Tag, "previous-tag": s.plan.Verdict.Previous, "prerelease": strconv.FormatBool(s.plan.Verdict.Prerelease),
		}); err != nil {
			return err
		}
		return reject(s.plan.Verdict)
	})
}

// ownVersion are version and commit of this program.
func ownVersion() (version, commit string) {
	version, commit = "(unknown)", "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return version, commit
}

func (a *app) versionCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the Go version",
		Example: "  pgo-release version",
	}, func(context.Context, []string) error {
		version, commit := ownVersion()
		if a.values.Bool("json") {
			return a.printJSON(struct {
				Schema  string `json:"schema"`
				Version string `json:"version"`
				Commit  string `json:"commit"`
				Go      string `json:"go"`
			}{"https://github.com/org/pgo-release/schema/version/v1", version, commit, runtime.Version()})
		}
		return a.print(fmt.Sprintf("pgo-release %s\ncommit %s\n%s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	})
}
