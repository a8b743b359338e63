// Pgo-release turns a version tag of a Go project into a signed, verifiable release.
// It is the entrypoint of the container action and the command line; see package cli
// for the commands and ARCHITECTURE.md for the way from a tag to a release.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/org/pgo-release/internal/cli"
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	world := cli.World{Args: os.Args[1:], Environ: os.Environ(), Out: os.Stdout, Err: os.Stderr}
	if dir, err := os.UserCacheDir(); err == nil {
		world.Cache = filepath.Join(dir, "pgo-release")
	}
	os.Exit(cli.Main(ctx, world))
}
