package gobuild

import (
	"context"
	"fmt"
	"regexp"

	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/run"
)

// fetchable is a version of Go that the go command can fetch as a module.
var fetchable = regexp.MustCompile(`^go1\.[0-9]+(?:\.[0-9]+)?(?:(?:rc|beta)[0-9]+)?$`)

// ProbeVersion is Probe for one version of Go, such as "go1.26.8", which compiles
// whatever a go.mod asks for: the installed one where that is it, else the one that the
// go command fetches from the module proxy. With local, the installed one is all there
// is. The error is a release.Problem where the version cannot be had.
func ProbeVersion(ctx context.Context, base run.Runner, version string, local bool) (Toolchain, error) {
	choice := version
	if local || !fetchable.MatchString(version) { // any other word could mean a program on the PATH
		choice = "local"
	}
	t, err := probeApart(ctx, base, "", choice)
	switch {
	case err != nil && ctx.Err() != nil:
		return Toolchain{}, err
	case err != nil:
		return Toolchain{}, &release.Problem{
			Err: fmt.Errorf("finding %s: %w", version, err),
			Tip: "install that version of Go, or let the go command fetch it from a module proxy (GOPROXY)",
		}
	case t.Version == version:
		return t, nil
	}
	problem := &release.Problem{Err: fmt.Errorf("finding %s: %s is installed", version, t.Version), Tip: "install that version of Go"}
	if local && fetchable.MatchString(version) {
		problem.Err = fmt.Errorf("finding %s: %s is installed, and GOTOOLCHAIN allows no other", version, t.Version)
		problem.Tip += ", or unset GOTOOLCHAIN so that the go command fetches it"
	}
	return Toolchain{}, problem
}
