package release_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

// hinting is an error with a hint and no class, as workers have them.
type hinting struct{ tip string }

func (h *hinting) Error() string { return "worker" }
func (h *hinting) Hint() string  { return h.tip }

func TestClassAndHint(t *testing.T) {
	plain := errors.New("plain")
	rejected := release.Reject("tag it", "tag %q: none", "v1")
	misused := release.Misuse("see --help", "flag %q", "x")
	silent := release.Reject("", "no")
	for name, c := range map[string]struct {
		err   error
		class release.Class
		hint  string
	}{
		"nothing":                           {nil, 0, ""},
		"plain":                             {plain, 0, ""},
		"rejected":                          {rejected, release.Rejected, "tag it"},
		"misused":                           {misused, release.Usage, "see --help"},
		"refused":                           {release.Refuse("set a token", "no token"), release.Authorisation, "set a token"},
		"wrapped":                           {fmt.Errorf("planning: %w", rejected), release.Rejected, "tag it"},
		"wrapped twice":                     {fmt.Errorf("a: %w", fmt.Errorf("b: %w", misused)), release.Usage, "see --help"},
		"joined":                            {errors.Join(plain, rejected), release.Rejected, "tag it"},
		"the first of joined":               {errors.Join(misused, rejected), release.Usage, "see --help"},
		"joined inside wrapped":             {fmt.Errorf("a: %w", errors.Join(plain, fmt.Errorf("b: %w", rejected))), release.Rejected, "tag it"},
		"two wrapped at once":               {fmt.Errorf("%w, then %w", plain, rejected), release.Rejected, "tag it"},
		"worker":                            {&hinting{"wait"}, 0, "wait"},
		"worker below a problem":            {release.Reject("", "no: %w", &hinting{"wait"}), release.Rejected, "wait"},
		"silent, then one that speaks":      {errors.Join(silent, &hinting{"wait"}), release.Rejected, "wait"},
		"worker without a hint, then one":   {fmt.Errorf("%w: %w", &hinting{}, misused), release.Usage, "see --help"},
		"hint without class around a class": {&release.Problem{Err: rejected, Tip: "install git"}, release.Rejected, "install git"},
		"hint around a worker":              {&release.Problem{Err: &hinting{"wait"}, Tip: "install git"}, 0, "install git"},
	} {
		t.Run(name, func(t *testing.T) {
			if class := release.ClassOf(c.err); class != c.class {
				t.Errorf("class %d, want %d", class, c.class)
			}
			if hint := release.HintOf(c.err); hint != c.hint {
				t.Errorf("hint %q, want %q", hint, c.hint)
			}
		})
	}
}

// A Problem reads as its cause, and keeps it.
func TestProblemKeepsCause(t *testing.T) {
	err := release.Reject("make it", "opening %q: %w", "go.mod", fs.ErrNotExist)
	if want := `opening "go.mod": file does not exist`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if !errors.Is(fmt.Errorf("planning: %w", err), fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
}
