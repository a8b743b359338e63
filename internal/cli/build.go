package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/ui"
)

func (a *app) buildCommand() *cobra.Command {
	return a.command(&cobra.Command{
		Use:   "build",
		Short: "Make dist/: archives, SBOMs, checksums, OCI layout",
		Long: `Makes dist/ as a release would: archives, SBOMs, checksums and the OCI layout of the
image. Nothing is signed and nothing leaves this machine. With --snapshot the working
tree is built as it is; otherwise exactly the commit, in a temporary clone. With
--docker-tar, docker load takes the image from dist/image.tar.`,
		Example: `  pgo-release build --single-target --snapshot
  pgo-release build --snapshot --platforms linux/arm64 --docker-tar
  pgo-release build --tag v1.2.3 --platforms linux/amd64,linux/arm/v7`,
	}, func(ctx context.Context, _ []string) error {
		s, err := a.open(ctx, nil)
		if err != nil {
			return err
		}
		unlock, err := s.dist.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		if a.values.Bool("docker-tar") && len(s.plan.Images) == 0 {
			return release.Misuse("build for linux: --platforms linux/"+runtime.GOARCH, "--docker-tar: the plan has no image")
		}
		result, err := s.make(ctx)
		if err != nil {
			return err
		}
		report, err := dist.NewReport(s.plan, release.Signed{Made: result.Made})
		if err != nil {
			return err
		}
		if err := s.dist.Write(report); err != nil {
			return err
		}
		if err := s.conclude(report); err != nil || !a.values.Bool("docker-tar") {
			return err
		}
		return s.tarball(ctx, result.Images)
	})
}

// tarball writes what docker load takes, and says how.
func (s *session) tarball(ctx context.Context, images []release.Image) error {
	path := s.dist.Join(dist.TarballName)
	if err := image.Tarball(ctx, images, runtime.GOARCH, path, s.registry()); err != nil {
		return err
	}
	if s.values.Bool("json") || s.values.Bool("quiet") {
		return nil
	}
	text := fmt.Sprintf("\ntry it\n  docker load -i %s\n", quoted(filepath.ToSlash(path)))
	for _, i := range s.plan.Images {
		text += fmt.Sprintf("  docker run --rm %s:%s\n", i.Repository, s.plan.Version)
	}
	return s.print(text)
}

// conclude shows what was made: the report as JSON, or a table.
func (s *session) conclude(report dist.Report) error {
	if s.values.Bool("json") {
		text, err := report.JSON()
		if err != nil {
			return err
		}
		return s.print(string(text))
	}
	var rows [][]string
	for _, a := range report.Artifacts {
		platform := ""
		if a.Target != nil {
			platform = a.Target.String()
		}
		rows = append(rows, []string{a.Name, platform, ui.Size(a.Size), a.SHA256[:12]})
	}
	for _, i := range report.Images {
		for _, p := range i.Platforms {
			rows = append(rows, []string{i.Repository, p.Target.String(), "", p.Digest.Hex()[:12]})
		}
	}
	s.reporter.Table(report.Project+" "+report.Version, []string{"ARTIFACT", "PLATFORM", "SIZE", "SHA256"}, rows)
	return nil
}
