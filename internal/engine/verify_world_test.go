package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/gobuild"
	images "github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/sbom"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
)

// TestMain keeps what the tests of Verify share until the last of them has ended.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range cleanup {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var cleanup []func() error

// made is a release that Make made, with the workers of the product: of a program that
// was compiled for it.
type made struct {
	engine.Result
	plan plan.Plan
	dist dist.Dir
}

// workers are what a release is made with.
type workers struct {
	root      string
	toolchain gobuild.Toolchain
	describer *sbom.Describer
}

// build makes the release of a tag, of a repository of its own.
func (w workers) build(ctx context.Context, name, tag string, platforms ...string) (made, error) {
	dir := filepath.Join(w.root, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return made{}, err
	}
	for file, text := range map[string]string{
		"go.mod": "module github.com/octo/hello\n\ngo 1.26\n", "LICENSE": "MIT\n",
		"main.go": "package main\n\nfunc main() { println(\"hello from " + name + "\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return made{}, err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "-b", "main"}, {"add", "."},
		{"-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--no-gpg-sign", "-m", name}, {"tag", tag},
	} {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return made{}, fmt.Errorf("git %v: %w\n%s", args, err, out)
		}
	}
	r, err := repo.Open(ctx, run.New(os.Environ()), dir, false)
	if err != nil {
		return made{}, err
	}
	facts, err := r.Facts(ctx, tag)
	if err != nil {
		return made{}, err
	}
	facts.Toolchain, facts.Ports = w.toolchain.Version, w.toolchain.Ports
	out := made{dist: dist.Dir(filepath.Join(dir, "dist"))}
	if out.plan, err = plan.New(plan.Config{Repository: "octo/hello", Platforms: platforms}, facts); err != nil {
		return made{}, err
	}
	if err := out.dist.Renew(); err != nil {
		return made{}, err
	}
	layout := engine.Layout{Root: string(out.dist), Binaries: out.dist.Join(dist.BinariesDir), Image: out.dist.Join(dist.ImageDir)}
	out.Result, err = engine.Make(ctx, out.plan, layout, w.maker(r, out.plan))
	return out, err
}

// maker wires the workers to the edges of Make.
func (w workers) maker(r *repo.Repo, p plan.Plan) engine.Maker {
	return engine.Maker{
		Source: func(ctx context.Context, p plan.Plan) (engine.Source, error) {
			c, err := r.Clone(ctx, p)
			return engine.Source{Root: c.Root, Module: c.Module, Remove: c.Remove}, err
		},
		Compile: func(ctx context.Context, s engine.Source, u plan.Unit, out string, _ engine.Way) error {
			return w.toolchain.Compile(ctx, gobuild.Job{Dir: s.Module, Unit: u, Stamped: true}, out)
		},
		Inspect: func(executable string, p plan.Plan) (engine.Origin, error) {
			stamp, err := gobuild.ReadStamp(executable)
			if err != nil {
				return engine.Origin{}, err
			}
			return engine.Origin{GoVersion: stamp.GoVersion}, stamp.Check(p)
		},
		Archive: func(ctx context.Context, u plan.Unit, path string, entries []engine.Entry) (release.File, []release.File, error) {
			return packed(ctx, u.Format, path, entries)
		},
		Describe: func(ctx context.Context, executable, archive release.File, path string) (release.File, error) {
			return w.describer.Describe(ctx, sbom.Subject{
				Binary: executable, Archive: archive, Project: p.Project, Version: p.Version, Module: p.Module, Time: p.Time,
			}, path)
		},
		Checksums: pack.Checksums,
		Images: func(ctx context.Context, p plan.Plan, _ engine.Source, units []release.Unit, dir string) ([]release.Image, error) {
			var binaries []images.Binary
			for _, u := range units {
				if u.Target.OS == "linux" {
					binaries = append(binaries, images.Binary{Target: u.Target, Files: []release.File{u.Binary}})
				}
			}
			return images.Build(ctx, []images.Spec{{Plan: p.Images[0], Time: p.Time, Binaries: binaries}}, dir, images.Access{})
		},
		Progress: func(task.Event) {},
	}
}

func packed(ctx context.Context, format, path string, entries []engine.Entry) (release.File, []release.File, error) {
	var in []pack.Entry
	for _, e := range entries {
		mode := os.FileMode(0o644)
		if e.Executable {
			mode = 0o755
		}
		in = append(in, pack.Entry{Name: e.Name, Path: e.Path, Mode: mode})
	}
	return pack.Archive(ctx, format, path, in, time.Unix(1e9, 0))
}

// authority is a Sigstore on loopback, and who signs there.
type authority struct {
	trust   sign.Trust
	signer  *sign.Signer
	builder string // that its statements name; empty: the signer
}

func newAuthority(root string, p plan.Plan) (authority, error) {
	stage, err := rehearsal.Start(p, nil, nil)
	if err != nil {
		return authority{}, err
	}
	cleanup = append(cleanup, stage.Close)
	dir, err := os.MkdirTemp(root, "sigstore-")
	if err != nil {
		return authority{}, err
	}
	if err := stage.Sigstore.WriteFiles(dir); err != nil {
		return authority{}, err
	}
	trust, err := sign.LoadTrust(filepath.Join(dir, rehearsal.TrustedRootName), filepath.Join(dir, rehearsal.SigningConfigName))
	if err != nil {
		return authority{}, err
	}
	return authority{trust: trust, signer: sign.NewSigner(trust, action.Token(stage.Getenv(os.Getenv), nil), nil)}, nil
}

// shared is what all tests of Verify begin with. Nothing of it is changed.
type shared struct {
	root             string
	genuine          made // v1.2.3, signed, with its report and notes
	foreign          made // v1.2.3 of other source
	later            made // v1.2.4
	authority, other authority
}

var verified = sync.OnceValues(func() (s shared, err error) {
	ctx := context.Background()
	if s.root, err = os.MkdirTemp("", "engine-test-"); err != nil {
		return s, err
	}
	cleanup = append(cleanup, func() error { return os.RemoveAll(s.root) })
	w := workers{root: s.root}
	if w.toolchain, err = gobuild.Probe(ctx, run.New(os.Environ()), s.root); err != nil {
		return s, err
	}
	w.describer = sbom.New(sbom.Places{})
	if s.genuine, err = w.build(ctx, "genuine", "v1.2.3", "linux/amd64", "linux/arm64", "windows/amd64"); err != nil {
		return s, err
	}
	if s.foreign, err = w.build(ctx, "foreign", "v1.2.3", "linux/amd64"); err != nil {
		return s, err
	}
	if s.later, err = w.build(ctx, "later", "v1.2.4", "linux/amd64"); err != nil {
		return s, err
	}
	for _, a := range []*authority{&s.authority, &s.other} {
		if *a, err = newAuthority(s.root, s.genuine.plan); err != nil {
			return s, err
		}
	}
	return s, s.finish(ctx)
})

// finish signs the genuine release, and leaves beside it what a run leaves.
func (s shared) finish(ctx context.Context) error {
	g := s.genuine
	signed, err := engine.Attest(ctx, g.Made, string(g.dist), attester(s.authority, g.plan, nil))
	if err != nil {
		return err
	}
	report, err := dist.NewReport(g.plan, signed)
	if err != nil {
		return err
	}
	return errors.Join(g.dist.Write(report), os.Mkdir(g.dist.Join(dist.RehearsalDir), 0o755),
		os.WriteFile(g.dist.Join(release.NotesName), []byte("# What is new\r\n\n\tNothing – «é».\n"), 0o644))
}

// attester wires the workers to the edges of Attest; change may put another plan and
// other subjects into the statement, and edit may replace parts of its text, in pairs.
func attester(a authority, p plan.Plan, change func(p *plan.Plan, subjects []release.Asset) []release.Asset, edit ...string) engine.Attester {
	return engine.Attester{
		Blob: a.signer.Blob,
		Statement: func(ctx context.Context, subjects []release.Asset, made []release.Image) ([]byte, error) {
			builder, err := a.builder, error(nil)
			if builder == "" {
				builder, err = a.signer.Identity(ctx)
			}
			if err != nil {
				return nil, err
			}
			if change != nil {
				subjects = change(&p, subjects)
			}
			at := time.Unix(1e9, 0)
			made = made[:len(p.Images)]
			s, err := provenance.New(p, subjects, provenance.Run{BuilderID: builder, Started: at, Finished: at, Images: made})
			if err != nil {
				return nil, err
			}
			text, err := s.JSON()
			return []byte(strings.NewReplacer(edit...).Replace(string(text))), err
		},
		Exhibits: func(context.Context, release.Made, release.Image) ([]engine.Exhibit, error) { return nil, nil },
		Sign:     a.signer.Statement, Write: pack.WriteFile, Progress: func(task.Event) {},
	}
}

// verifier wires the workers to the edges of Verify.
func verifier(trust sign.Trust) engine.Verifier {
	identity := func(c engine.Claim) sign.Identity {
		return sign.Identity{Repository: c.Repository, Commit: c.Commit, Tag: c.Tag}
	}
	return engine.Verifier{
		ParseChecksums: pack.ParseChecksums,
		Blob: func(bundle []byte, digest release.Digest, c engine.Claim) (string, error) {
			s, err := trust.VerifyBlob(bundle, digest, identity(c))
			return s.SAN, err
		},
		Statement: func(bundle []byte, digest release.Digest, c engine.Claim) (engine.Statement, error) {
			text, s, err := trust.VerifyStatement(bundle, digest, identity(c))
			if err != nil {
				return engine.Statement{}, err
			}
			statement, err := provenance.Parse(text)
			var named []engine.StatedImage
			for _, i := range statement.Images() {
				named = append(named, engine.StatedImage(i))
			}
			return engine.Statement{
				Repository: statement.Repository(), Tag: statement.Tag(), BuildType: statement.BuildType(), Module: statement.Module(),
				Subjects: statement.Subjects(), Commit: statement.Commit(), Builder: statement.BuilderID(), Signer: s.SAN, Identity: s.SAN,
				Images: named, Planned: statement.Planned(),
			}, err
		},
		SBOM: func(content []byte) (engine.Bill, error) {
			d, err := sbom.Parse(content)
			return engine.Bill{Module: d.Module, Version: d.Version, Archive: d.Archive}, err
		},
		Executables: executables,
		Image: func(ctx context.Context, image engine.ClaimedImage) (engine.ImageContent, error) {
			digest := image.Digest
			if all, err := images.Layout(image.Reference); digest == "" && err == nil {
				digest = all[0]
			}
			found, err := images.InspectLayout(ctx, image.Reference, digest)
			if err != nil {
				return engine.ImageContent{}, err
			}
			content := engine.ImageContent{
				Digest: found.Digest, Platforms: map[release.Target]map[string]release.Digest{}, Files: map[release.Target][]string{},
			}
			for _, p := range found.Platforms {
				content.Platforms[p.Target], content.Files[p.Target] = p.Files, p.Others
			}
			return content, nil
		},
		Progress: func(task.Event) {},
	}
}

// remembered are the programs of archives that were read before, by name and digest.
var remembered sync.Map

// executables reads the programs of an archive, once.
func executables(archive release.File) ([]engine.Executable, error) {
	type result struct {
		found []engine.Executable
		err   error
	}
	key := archive.Name + " " + string(archive.Digest)
	if before, ok := remembered.Load(key); ok {
		return slices.Clone(before.(result).found), before.(result).err
	}
	found, err := unpack(archive)
	remembered.Store(key, result{found, err})
	return slices.Clone(found), err
}

func unpack(archive release.File) (found []engine.Executable, err error) {
	dir, err := os.MkdirTemp("", "engine-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	format := strings.TrimPrefix(filepath.Ext(archive.Name), ".")
	if strings.HasSuffix(archive.Name, "."+plan.FormatTarGz) {
		format = plan.FormatTarGz
	}
	err = pack.Entries(archive.Path, format, 64<<20, func(name string, content io.Reader) error {
		file, err := pack.Copy(filepath.Join(dir, "entry"), content)
		if err != nil {
			return err
		}
		if stamp, err := gobuild.ReadStamp(file.Path); err == nil {
			found = append(found, engine.Executable{Name: name, Digest: file.Digest, Version: stamp.Version, Commit: stamp.Commit})
		}
		return nil
	})
	return found, err
}
