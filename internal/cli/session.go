package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/repo"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/task"
	"github.com/org/pgo-release/internal/version"
)

// session is what every command about a project begins with: configuration and facts
// read, the plan made. Nothing was written yet.
type session struct {
	*app
	dir       string // that the user named
	runner    run.Runner
	repo      *repo.Repo
	toolchain gobuild.Toolchain
	facts     plan.Facts
	config    plan.Config
	next      bool // the version is the one that comes next, unless the commit has one
	plan      plan.Plan
	dist      dist.Dir
}

// open reads configuration and facts and makes the plan. adjust may change the
// configuration when the facts are known; nil leaves it.
func (a *app) open(ctx context.Context, adjust func(*plan.Config, plan.Facts)) (*session, error) {
	if _, err := a.budget(); err != nil { // before anything is asked
		return nil, err
	}
	s, err := a.read(ctx, a.values.String("tag"))
	if err != nil {
		return nil, err
	}
	if s.next && s.facts.Tag == "" {
		in := plan.PolicyInput(s.config, s.facts)
		client, err := s.reader()
		if err != nil {
			return nil, err
		}
		tag, base, err := s.propose(ctx, &in, client)
		if err != nil {
			return nil, err
		}
		if tag == "" {
			return nil, release.Nothing("", "nothing changed since %s, nothing to release", base)
		}
		if s, err = a.read(ctx, tag); err != nil {
			return nil, err
		}
	}
	if adjust != nil {
		adjust(&s.config, s.facts)
	}
	if !s.config.Snapshot {
		if err := s.compareWith(ctx, version.Base(plan.PolicyInput(s.config, s.facts))); err != nil {
			return nil, err
		}
	}
	if err := s.resolveBases(ctx); err != nil {
		return nil, err
	}
	if s.plan, err = plan.New(s.config, s.facts); err != nil {
		return nil, s.untagged(err)
	}
	for _, i := range s.plan.Images {
		for _, t := range i.Unchosen() {
			s.reporter.Progress(task.Event{Phase: "plan", State: task.Warning,
				Text: fmt.Sprintf("nobody pulls %s of %s by default: engines ask for %s; build that too", t, i.Repository, t.Port())})
		}
	}
	return s, nil
}

// nextTag is the value of the option tag for the version that comes next.
const nextTag = "auto"

// read reads configuration and facts. tag is what to release; empty, or the word auto:
// what started the job, or the tag of the commit.
func (a *app) read(ctx context.Context, tag string) (*session, error) {
	s := &session{app: a, dir: a.values.String("directory"), runner: run.New(a.Environ)}
	if info, err := os.Stat(s.dir); err != nil || !info.IsDir() {
		return nil, a.noDirectory(s.dir)
	}
	s.dist = dist.Dir(filepath.Join(s.dir, "dist"))
	var err error
	if s.config, err = a.readConfig(); err != nil {
		return nil, err
	}
	_, inActions := action.Detect(a.getenv, a.Out)
	if s.next = tag == nextTag; s.next {
		tag = ""
	}
	s.config.Tag = strings.TrimPrefix(tag, "refs/tags/")
	started, err := a.started(s.config.Tag)
	if err != nil {
		return nil, err
	}
	s.config.Tag = cmp.Or(s.config.Tag, started)
	group, shared := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if s.repo, err = repo.Open(shared, s.runner, s.dir, inActions); err != nil {
			return err
		}
		if err := a.deepen(shared, s.repo, inActions, s.config.Tag); err != nil {
			return err
		}
		s.facts, err = s.repo.Facts(shared, s.config.Tag)
		return err
	})
	modules := a.fetching(s.runner)
	group.Go(func() (err error) { s.toolchain, err = gobuild.Probe(shared, modules, s.dir); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := fetched(started, s.facts); err != nil && !s.config.Snapshot {
		return nil, err
	}
	if s.facts.Commit != s.facts.Head && !s.config.Snapshot { // which may ask for another toolchain
		if s.toolchain, err = gobuild.ProbeFor(ctx, modules, s.facts.Go); err != nil {
			return nil, err
		}
	}
	s.facts.Toolchain, s.facts.Ports = s.toolchain.Version, s.toolchain.Ports
	return s, nil
}

// readConfig loads the file that the user named, or the default one where it exists,
// and puts the scalar options on top.
func (a *app) readConfig() (plan.Config, error) {
	cfg, err := config.Load(a.values.Path("config"), a.values.Given("config"))
	if errors.Is(err, fs.ErrNotExist) {
		return plan.Config{}, release.Misuse(fmt.Sprintf("it is looked for in the directory of the module, %q; without it, %s is read where there is one",
			a.values.String("directory"), config.DefaultFile), "%s: %w", a.values.Place("config"), err)
	}
	if err != nil {
		return plan.Config{}, err
	}
	return config.Apply(cfg, a.values), nil
}

// fetching is the runner of the go command, which may need modules that are not public.
func (a *app) fetching(r run.Runner) run.Runner {
	if patterns := a.values.String("private-modules"); patterns != "" {
		r = r.With("GOPRIVATE=" + patterns)
	}
	if token := a.values.String("private-token"); token != "" {
		a.hide(repo.Authorisation(token))
		r = r.With(repo.Authorise(r, "https://github.com", token)...)
	}
	return r
}
