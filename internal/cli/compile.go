package cli

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/gobuild"
	"github.com/org/pgo-release/internal/machine"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// budget is what compiling may take of the machine.
type budget struct {
	builds int          // of the go command at once; 0: see engine.Maker.Compiles
	width  int          // compilers of one build at once; 0: as many as there are processors
	limit  int64        // bytes for all of them; 0: what is free
	free   func() int64 // bytes; nil: not known, or not to be asked
}

// room is memory for one compiler, in bytes: large packages take that much.
const room = 1 << 30

// budget follows from the options, and from what the machine has.
func (a *app) budget() (budget, error) {
	var b budget
	if text := a.values.String("parallelism"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return budget{}, release.Misuse("", "%s: %q: want how many builds may run at once, from 1 to 1000", a.values.Place("parallelism"), text)
		}
		b.builds = n
	}
	if text := a.values.String("max-memory"); text != "" {
		n, err := humanize.ParseBytes(text)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return budget{}, release.Misuse("", "%s: %q: want a size such as 4GB or 1500MiB", a.values.Place("max-memory"), text)
		}
		b.limit = int64(n)
	}
	memory, known := machine.ReadMemory(os.DirFS("/"))
	if b.builds == 0 {
		b.free = func() int64 { // nothing, where nobody knows
			m, _ := machine.ReadMemory(os.DirFS("/"))
			return m.Free
		}
	}
	if b.limit > 0 && (!known || b.limit < memory.Total) {
		memory.Total = b.limit
	}
	if fit := int(memory.Total / room / int64(max(1, b.builds))); memory.Total > 0 && fit < runtime.NumCPU() {
		b.width = max(1, fit)
	}
	return b, nil
}

// compile is how the engine compiles a unit within the budget.
func (s *session) compile(b budget) func(context.Context, engine.Source, plan.Unit, string, engine.Way) error {
	return func(ctx context.Context, src engine.Source, u plan.Unit, out string, w engine.Way) error {
		absolute, err := filepath.Abs(out)
		if err != nil {
			return err
		}
		job := gobuild.Job{
			Dir: src.Module, Unit: u, Vendored: s.plan.Module.Vendored, Stamped: !s.plan.Snapshot, Width: b.width,
			Load: func(memory int64, linking bool) { w.Load(engine.Load{Memory: memory, Linking: linking}) },
		}
		if w.Alone {
			job.Width = 1
		}
		err = s.toolchain.Compile(ctx, job, absolute)
		var failure *gobuild.Failure
		if errors.As(err, &failure) {
			failure.Module = s.plan.Module.Dir
		}
		return err
	}
}
