//go:build unix

package run_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/run"
)

// Each script starts a grandchild that opens the pipe "alive" and keeps it open as long
// as it lives.
const (
	grandchild = `(exec 3>alive; echo ready >&3; exec sleep 1000) & wait`
	deaf       = `(trap "" TERM; exec 3>alive >/dev/null 2>&1; echo ready >&3; exec sleep 1000) & wait`
	deafHolds  = `(trap "" TERM; exec 3>alive; echo ready >&3; exec sleep 1000) & wait`
	allDeaf    = `trap "" TERM; (exec 3>alive; echo ready >&3; exec sleep 1000) & wait`
	exits      = `trap "exit 0" TERM; (exec 3>alive; echo ready >&3; exec sleep 1000) & wait; wait`
)

// Cancelling ends a program with everything that it started, whether they listen or
// not; the error is the cause of cancelling.
func TestCancelEndsGroup(t *testing.T) {
	interrupted := errors.New("interrupted")
	for name, c := range map[string]struct {
		script string
		cause  error
	}{
		"a grandchild":                          {grandchild, nil},
		"with a cause":                          {grandchild, interrupted},
		"a grandchild that does not listen":     {deaf, nil},
		"and holds the output open":             {deafHolds, nil},
		"nobody listens":                        {allDeaf, nil},
		"a program that ends well when told to": {exits, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pipe := filepath.Join(dir, "alive")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := run.WithGrace(shell(), 50*time.Millisecond).Output(ctx, dir, "sh", "-c", c.script)
				ended <- err
			}()
			alive, err := os.Open(pipe) // waits for the grandchild
			if err != nil {
				t.Fatal(err)
			}
			defer alive.Close()
			ready := make([]byte, len("ready\n"))
			if _, err := io.ReadFull(alive, ready); err != nil {
				t.Fatal(err)
			}
			cancel(c.cause)
			err = <-ended
			want := c.cause
			if want == nil {
				want = context.Canceled
			}
			if !errors.Is(err, want) && name != "a program that ends well when told to" {
				t.Errorf("%v, want %v", err, want)
			}
			// The pipe ends when the last process that has it open ends.
			if err := alive.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := alive.Read(ready); err != io.EOF {
				t.Errorf("the grandchild is still there: %v", err)
			}
		})
	}
}

// What a program said before it was interrupted says nothing about the interruption;
// what it said before its time was over does.
func TestCancelledText(t *testing.T) {
	for cause, want := range map[error]string{
		context.Canceled:         "running go build: context canceled",
		context.DeadlineExceeded: "running go build: context deadline exceeded: fetching",
	} {
		err := &run.Error{Command: "go build", Output: "fetching\n", Err: cause}
		if got := err.Error(); !strings.EqualFold(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
