package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/machine"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sbom"
)

// make empties the output directory and makes everything in it; when that fails, or
// is interrupted, the directory is gone.
func (s *session) make(ctx context.Context) (result engine.Result, err error) {
	if err := s.dist.Renew(); err != nil {
		return engine.Result{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.dist.Remove())
		}
	}()
	layout := engine.Layout{
		Root: string(s.dist), Binaries: s.dist.Join(dist.BinariesDir), Image: s.dist.Join(dist.ImageDir),
	}
	maker, err := s.maker()
	if err != nil {
		return engine.Result{}, err
	}
	return engine.Make(ctx, s.plan, layout, maker)
}

// maker wires the workers to the edges of Make.
func (s *session) maker() (engine.Maker, error) {
	budget, err := s.budget()
	if err != nil {
		return engine.Maker{}, err
	}
	var describer *sbom.Describer
	return engine.Maker{
		Source: func(ctx context.Context, p plan.Plan) (engine.Source, error) {
			checkout := s.repo.WorkingTree(p)
			if !p.Snapshot {
				var err error
				if checkout, err = s.repo.Clone(ctx, p); err != nil {
					return engine.Source{}, err
				}
			}
			vendor := ""
			if p.Module.Vendored {
				vendor = filepath.Join(checkout.Module, "vendor")
			}
			describer = sbom.New(sbom.Places{ModuleCache: s.toolchain.ModuleCache, Vendor: vendor, Memory: s.cache("licences")})
			ctx, stop := context.WithCancel(ctx)
			prepared := make(chan struct{})
			go func() { // to be ready when the first compile is
				defer close(prepared)
				describer.Prepare(ctx, filepath.Join(checkout.Module, "go.mod"))
			}()
			return engine.Source{Root: checkout.Root, Module: checkout.Module, Remove: func() error {
				stop()
				<-prepared
				return checkout.Remove()
			}}, nil
		},
		Compile: s.compile(budget),
		Inspect: inspect,
		Archive: func(ctx context.Context, u plan.Unit, path string, entries []engine.Entry) (release.File, []release.File, error) {
			packed := make([]pack.Entry, len(entries))
			for i, e := range entries {
				packed[i] = pack.Entry{Name: e.Name, Path: e.Path, Mode: 0o644}
				if e.Executable {
					packed[i].Mode = 0o755
				}
			}
			return pack.Archive(ctx, u.Format, path, packed, s.plan.Time)
		},
		Describe: func(ctx context.Context, executable, archive release.File, path string) (release.File, error) {
			return describer.Describe(ctx, sbom.Subject{
				Binary: executable, Archive: archive, Project: s.plan.Project, Version: s.plan.Version,
				Module: s.plan.Module, Source: s.plan.Repository.URL(), Time: s.plan.Time,
			}, path)
		},
		Checksums: pack.Checksums,
		Images: func(ctx context.Context, p plan.Plan, src engine.Source, units []release.Unit, dir string) ([]release.Image, error) {
			return s.buildImages(ctx, p, src.Root, units, dir)
		},
		Space:    func() (int64, bool) { return machine.FreeDisk(string(s.dist)) },
		Compiles: budget.builds, Memory: budget.limit, Free: budget.free, Host: runtime.GOOS + "/" + runtime.GOARCH,
		Progress: s.reporter.Progress,
	}, nil
}

// inspect reads what a binary says of its origin; a release's must say what the plan says.
func inspect(executable string, p plan.Plan) (engine.Origin, error) {
	stamp, err := gobuild.ReadStamp(executable)
	if err == nil && !p.Snapshot {
		err = stamp.Check(p)
	}
	if err != nil {
		return engine.Origin{}, err
	}
	origin := engine.Origin{GoVersion: stamp.GoVersion}
	for _, m := range stamp.Modules {
		origin.Modules = append(origin.Modules, engine.Module(m))
	}
	return origin, nil
}

// executables reads the Go programs of an archive: every entry is written to a
// temporary file and asked for its build information.
func executables(archive release.File) (found []engine.Executable, err error) {
	dir, err := os.MkdirTemp("", "pgo-release-verify-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	err = pack.Entries(archive.Path, formatOf(archive.Name), maxExecutable, func(name string, content io.Reader) error {
		file, err := pack.Copy(filepath.Join(dir, "entry"), content)
		if err != nil {
			return err
		}
		if stamp, err := gobuild.ReadStamp(file.Path); err == nil { // else a licence or a read-me
			found = append(found, engine.Executable{Name: name, Digest: file.Digest, Version: stamp.Version, Commit: stamp.Commit})
		}
		return nil
	})
	return found, err
}

// maxExecutable bounds a file of an archive when it is unpacked, in bytes.
const maxExecutable = 2 << 30

func formatOf(name string) string {
	for _, format := range []string{plan.FormatTarGz, plan.FormatTarZst, plan.FormatZip} {
		if strings.HasSuffix(name, "."+format) {
			return format
		}
	}
	return ""
}
