package engine_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

// A disk that cannot hold what is to come ends the run when that is known: before the
// first compile, where even the smallest programs do not fit, or after it, when it shows
// how large they are. What nobody knows ends nothing.
func TestMakeSpace(t *testing.T) {
	const mega = 1 << 20
	for _, test := range []struct {
		name     string
		free     []int64 // at the first question, and at all that follow the last one
		unknown  bool
		size     int64
		compiles int // that began
		fails    string
	}{
		{"none", []int64{0}, false, mega, 0, "takes 3 MB at least, and 0 MB are free"},
		{"not known", []int64{0}, true, mega, 3, ""},
		{"enough", []int64{4 * mega, 3 * mega}, false, mega, 3, ""},
		// Two executables of at least 5 MB with archives of 1 MB, and an archive of 2 MB.
		{"too large", []int64{13 * mega}, false, 10 * mega, 1, "takes 14 MB at least, and 13 MB are free"},
		{"just enough", []int64{14 * mega}, false, 10 * mega, 3, ""},
		{"somebody else writes", []int64{100 * mega, 100 * mega, 5 * mega}, false, 10 * mega, 2, "MB at least, and 5 MB are free"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkshop(t)
			w.size = test.size
			w.space = func() (int64, bool) {
				free := test.free[0]
				test.free = test.free[min(1, len(test.free)-1):]
				return free, !test.unknown
			}
			_, err := w.make(context.Background())
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
			if err != nil && release.HintOf(err) == "" {
				t.Errorf("no hint: %v", err)
			}
			if got := len(w.called(compile)); got != test.compiles {
				t.Errorf("%d compiles, want %d", got, test.compiles)
			}
			left, err := filepath.Glob(filepath.Join(w.layout.Root, "source-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left %q, %v", left, err)
			}
		})
	}
}

// A build that nobody has seen is not as large as another one.
func TestMakeSpaceOfBuilds(t *testing.T) {
	const mega = 1 << 20
	w := newWorkshop(t)
	w.size = 100 * mega
	w.plan.Units[1].Build, w.plan.Units[2].Build = "small", "tiny"
	// Two executables and archives of the smallest programs, and the archive of the large one.
	w.space = func() (int64, bool) { return 23 * mega, true }
	if _, err := w.make(context.Background()); err != nil && strings.Contains(err.Error(), "hello for") {
		t.Errorf("error %v", err)
	}
	if got := len(w.called(compile)); got < 2 {
		t.Errorf("%d compiles", got)
	}
}
