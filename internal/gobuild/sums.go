package gobuild

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/org/pgo-release/internal/run"
)

// Sums is what the go command says about a module's go.mod and go.sum.
type Sums struct {
	Untidy  string // difference that go mod tidy would make, as a unified diff of at most 40 lines; empty: none
	Surplus bool   // all of it are lines that go.sum does not need
	Broken  string // which modules are not the ones that go.sum names; empty: none
	Unknown string // why it cannot tell, in one line; empty: it can
}

// maxAsking is how long the answer may take: the go command has no patience of its own
// for a proxy that says nothing.
const maxAsking = 3 * time.Minute

var errSlow = errors.New("it took too long")

// CheckSums asks whether go.mod and go.sum of the module in dir are tidy and agree with
// the modules of this machine. Nothing in dir is changed. (https://go.dev/ref/mod#go-mod-tidy,
// https://go.dev/ref/mod#go-mod-verify)
func (t Toolchain) CheckSums(ctx context.Context, dir string) (Sums, error) {
	var s Sums
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(outer, maxAsking, errSlow)
	defer cancel()
	diff, err := t.run.Output(ctx, dir, "go", "mod", "tidy", "-diff")
	if outer.Err() != nil {
		return Sums{}, context.Cause(outer)
	}
	if ctx.Err() != nil {
		return Sums{Unknown: "go mod tidy: " + errSlow.Error()}, nil
	}
	said := complaint(err)
	switch {
	case len(diff) > 0:
		s.Untidy, s.Surplus = head(string(diff)), surplus(string(diff))
	case strings.Contains(said, "checksum mismatch"):
		s.Broken = head(said)
		return s, nil
	case err != nil:
		s.Unknown = "go mod tidy: " + lastLine(said)
		return s, nil
	}
	if _, err = t.run.Output(ctx, dir, "go", "mod", "verify"); outer.Err() != nil {
		return Sums{}, context.Cause(outer)
	}
	switch said := complaint(err); {
	case strings.Contains(said, "has been modified"), strings.Contains(said, "checksum mismatch"):
		s.Broken = head(said)
	case err != nil && s.Untidy == "":
		s.Unknown = "go mod verify: " + lastLine(said)
	}
	return s, nil
}

// surplus tells whether a diff only takes lines out of go.sum.
func surplus(diff string) bool {
	sums := false
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "+++ "):
			sums = strings.HasSuffix(strings.TrimSpace(line), "go.sum")
		case strings.HasPrefix(line, "--- "):
		case strings.HasPrefix(line, "+"), strings.HasPrefix(line, "-") && !sums:
			return false
		}
	}
	return true
}

// complaint is what a program printed on stderr before it failed.
func complaint(err error) string {
	var failed *run.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failed) && strings.TrimSpace(failed.Output) != "":
		return failed.Output
	}
	return err.Error()
}

// head is the beginning of a text, at most 40 lines.
func head(text string) string {
	const most = 40
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > most {
		lines = append(lines[:most], "…")
	}
	return strings.Join(lines, "\n")
}

// lastLine is where the go command says what is wrong, after what it tried.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
}
