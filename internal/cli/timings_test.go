package cli

import (
	"testing"
	"time"

	"github.com/org/pgo-release/internal/ui"
)

func TestTimings(t *testing.T) {
	const s = time.Second
	at := func(phase, task string, start, end time.Duration, memory int64, stages ...ui.Stage) ui.Span {
		return ui.Span{Phase: phase, Task: task, Start: start, End: end, Memory: memory, Stages: stages}
	}
	golden(t, "timings.txt", timings([]ui.Span{
		at("preflight", "GitHub", s/2, s, 0),
		at("make", "hello linux/amd64", s, 11*s, 1_500_000_000, ui.Stage{Name: "compiling", Start: s}, ui.Stage{Name: "packing", Start: 10 * s}),
		at("make", "hello linux/arm64", 9*s, 30*s, 0, ui.Stage{Name: "compiling", Start: 9 * s}),
		at("ship", "checksums.txt", 32*s, 32*s+10*time.Millisecond, 0),
		at("ship", "release", 32*s, 33*s, 0),
	}))
	if text := timings(nil); text != "" {
		t.Errorf("of nothing: %q", text)
	}
}
