// Package task runs work that can go on side by side: bounded, in a stable order,
// cancelled together; and it defines the events by which a run is followed.
package task

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// State says what happened to a task.
type State string

// The states of tasks. Every task starts once and ends once: done, failed or stopped.
const (
	Started State = "started"
	Working State = "working" // entered another stage
	Done    State = "done"
	Failed  State = "failed"
	Stopped State = "stopped" // ended because another one failed, or the user interrupted
	Note    State = "note"    // something worth a line, of no task
	Warning State = "warning" // something that the user should look at
)

// Event is one thing that happened during a run. Events of different tasks
// interleave; those of one task come in order.
type Event struct {
	Phase  string        // "facts", "make", "attest", "ship", "verify"
	Task   string        // what is worked on, such as "hello linux/amd64"
	State  State         //
	Stage  string        // of Working: "compiling", "packing", …
	Text   string        // for people: of Done a result, of Failed the cause, of Note and Warning the message
	Size   int64         // of Done: bytes of what was made; 0: nothing to say
	Took   time.Duration // of Done, Failed and Stopped: since Started
	Memory int64         // of Done, Failed and Stopped: bytes that its programs took at most; 0: not known
	Number int           // of Started: how many tasks the phase has in all; 0: not known
}

// Progress receives events. It may be called from several goroutines at once.
type Progress func(Event)

// Each calls do for 0 … n-1, begun in order and at most limit at once (no bound for
// limit ≤ 0). The first error cancels the context of the others, after which none
// begins, and is returned when all have ended. So is the cause of a cancelled ctx.
func Each(ctx context.Context, limit, n int, do func(ctx context.Context, i int) error) error {
	group, shared := errgroup.WithContext(ctx)
	if limit > 0 {
		group.SetLimit(limit)
	}
	for i := range n {
		if shared.Err() != nil {
			break
		}
		group.Go(func() error {
			if shared.Err() != nil { // cancelled while it waited for its place
				return context.Cause(shared)
			}
			return do(shared, i)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Flow takes 0 … n-1 through two steps: first in order and at most limit at once, and
// then, as soon as its first is done, each beside the others. Errors are as in Each;
// what has done its first step has its second one, be it with a cancelled context.
func Flow(ctx context.Context, limit, n int, first, then func(ctx context.Context, i int) error) error {
	group, shared := errgroup.WithContext(ctx)
	if limit <= 0 {
		limit = n
	}
	places := make(chan struct{}, limit)
	group.Go(func() error {
		for i := range n {
			select {
			case places <- struct{}{}:
			case <-shared.Done():
			}
			if shared.Err() != nil {
				return context.Cause(shared)
			}
			group.Go(func() error {
				if err := first(shared, i); err != nil {
					return err // its place stays taken, so that none begins
				}
				<-places
				return then(shared, i)
			})
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Track reports one task: its start, the stages that do enters, and its end. The
// text that do returns describes the result.
func Track(ctx context.Context, progress Progress, phase, name string, of int, do func(stage func(string)) (string, error)) error {
	start := time.Now()
	progress(Event{Phase: phase, Task: name, State: Started, Number: of})
	text, err := do(func(stage string) {
		progress(Event{Phase: phase, Task: name, State: Working, Stage: stage})
	})
	end := Event{Phase: phase, Task: name, State: Done, Text: text, Took: time.Since(start)}
	switch {
	case err != nil && ctx.Err() != nil:
		end.State, end.Text = Stopped, ""
	case err != nil:
		end.State, end.Text = Failed, err.Error()
	}
	progress(end)
	return err
}
