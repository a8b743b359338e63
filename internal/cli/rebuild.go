package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/task"
)

// rebuild builds a release again as its provenance records it, and compares the result
// with the release, whose files lie in dir. The statement has to be verified: its
// commands run. Nothing is written but below temporary directories and into Go's
// caches. What cannot be built again is a finding; the error is an interruption.
func (a *app) rebuild(ctx context.Context, dir string, statement provenance.Statement) ([]engine.Finding, error) {
	findings, err := a.buildAgain(ctx, dir, statement)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return []engine.Finding{{Rule: engine.RuleRebuild, Subject: release.ProvenanceName, Err: &notRebuilt{err}}}, nil
	}
	return findings, nil
}

// checkRebuild refuses a rebuild of what nobody recorded.
func (a *app) checkRebuild() error {
	if a.values.Bool("rebuild") && a.values.String("sign") == plan.SignNone {
		return release.Misuse("leave one of the two out", "--rebuild builds what the signed provenance records, and with --sign none there is none")
	}
	return nil
}

// notRebuilt is why a release could not be built again. It hides the class of its
// cause: whatever that is, verify says no.
type notRebuilt struct{ cause error }

func (e *notRebuilt) Error() string { return e.cause.Error() }

// Hint says what to do.
func (e *notRebuilt) Hint() string { return release.HintOf(advise(e.cause)) }

// buildAgain is rebuild with whatever error there is.
func (a *app) buildAgain(ctx context.Context, dir string, statement provenance.Statement) (_ []engine.Finding, err error) {
	s := &session{app: a, dir: a.values.String("directory"), runner: run.New(a.Environ)}
	if s.plan, err = statement.Plan(); err != nil {
		return nil, err
	}
	if own, _ := ownVersion(); statement.BuilderVersion() != own {
		a.reporter.Progress(task.Event{Phase: engine.PhaseRebuild, State: task.Note,
			Text: fmt.Sprintf("pgo-release %q made the release, and this is %q: another compressor may make other bytes", statement.BuilderVersion(), own)})
	}
	remove, err := s.findSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if s.plan.Time, err = s.repo.CommitTime(ctx, s.plan.Commit); err != nil {
		return nil, err
	}
	if err := statement.Confirm(s.plan); err != nil {
		return nil, err
	}
	s.plan.Images = nil // they hold the binaries of the archives, which verify has seen
	if err := s.findToolchain(ctx); err != nil {
		return nil, err
	}
	out, err := os.MkdirTemp("", "pgo-release-rebuild-")
	if err != nil {
		return nil, fmt.Errorf("building %s again: %w", s.plan.Tag, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	result, err := s.makeAgain(ctx, out)
	if err != nil {
		return nil, err
	}
	return engine.Compare(ctx, dir, statement.Subjects(), result.Made, packed)
}

// makeAgain makes everything of the plan below out, and reports it as the rebuild's.
func (s *session) makeAgain(ctx context.Context, out string) (engine.Result, error) {
	layout := engine.Layout{Root: filepath.Join(out, "dist"), Binaries: filepath.Join(out, "binaries")}
	if err := os.Mkdir(layout.Root, 0o755); err != nil {
		return engine.Result{}, fmt.Errorf("building %s again: %w", s.plan.Tag, err)
	}
	maker, err := s.maker()
	if err != nil {
		return engine.Result{}, err
	}
	maker.Progress = func(e task.Event) {
		e.Phase = engine.PhaseRebuild
		s.reporter.Progress(e)
	}
	result, err := engine.Make(ctx, s.plan, layout, maker)
	var missing *repo.MissingError
	if errors.As(err, &missing) {
		return engine.Result{}, &release.Problem{
			Err: fmt.Errorf("building %s again: the release holds files that no commit has: including %q: no such file in %s", s.plan.Tag, missing.Pattern, missing.Dir),
			Tip: "make these files as they were made for the release, in the working tree that -C names",
		}
	}
	return result, err
}

// findSource finds a repository that has the plan's commit: the one that the user named,
// or a temporary one, which the function that it returns deletes. What the plan includes
// comes from the user's directory in any case.
func (s *session) findSource(ctx context.Context) (remove func() error, err error) {
	remove = func() error { return nil }
	_, inActions := action.Detect(s.getenv, io.Discard)
	from, err := filepath.Abs(s.dir)
	if err != nil {
		return nil, fmt.Errorf("looking for commit %s: %w", s.plan.Commit, err)
	}
	if here, err := repo.Open(ctx, s.runner, s.dir, inActions); err == nil {
		if found, err := here.Has(ctx, s.plan.Commit); err != nil || found {
			s.repo = here
			return remove, err
		}
		from = filepath.Join(here.Top(), filepath.FromSlash(s.plan.Module.Dir))
	}
	server := strings.TrimSuffix(s.getenv("GITHUB_SERVER_URL"), "/")
	if server == "" {
		server = "https://github.com"
	}
	remote := repo.Remote{URL: server + "/" + s.plan.Repository.String(), Server: server, Token: s.values.String("token")}
	err = task.Track(ctx, s.reporter.Progress, engine.PhaseRebuild, "source", 0, func(stage func(string)) (string, error) {
		stage("fetching")
		fetched, removal, err := repo.Fetch(ctx, s.runner, remote, s.plan.Commit)
		if err != nil {
			return "", fmt.Errorf("%q does not hold the release's commit: %w", s.dir, err)
		}
		s.repo, remove = fetched.Including(from), removal
		return fmt.Sprintf("commit %.7s from %s", s.plan.Commit, remote.URL), nil
	})
	return remove, err
}

// findToolchain finds the plan's version of Go. A user who allows the go command no
// other than the installed one is obeyed.
func (s *session) findToolchain(ctx context.Context) error {
	allowed := s.getenv("GOTOOLCHAIN")
	local := allowed == "local" || allowed == "path" || strings.HasSuffix(allowed, "+path")
	return task.Track(ctx, s.reporter.Progress, engine.PhaseRebuild, "toolchain", 0, func(stage func(string)) (_ string, err error) {
		stage("finding " + s.plan.Toolchain)
		s.toolchain, err = gobuild.ProbeVersion(ctx, s.fetching(s.runner), s.plan.Toolchain, local)
		return s.toolchain.Version, err
	})
}

// packed lists the files of an archive: every one is written to a temporary file and
// asked for the version of Go that compiled it.
func packed(ctx context.Context, archive release.File) (found []engine.Packed, err error) {
	dir, err := os.MkdirTemp("", "pgo-release-rebuild-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	err = pack.Entries(archive.Path, formatOf(archive.Name), maxExecutable, func(name string, content io.Reader) error {
		file, err := pack.Copy(filepath.Join(dir, "entry"), content)
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		entry := engine.Packed{Name: name, Digest: file.Digest}
		if stamp, err := gobuild.ReadStamp(file.Path); err == nil { // else a licence or a read-me
			entry.Go = stamp.GoVersion
		}
		found = append(found, entry)
		return nil
	})
	return found, err
}
