package run

import (
	"os/exec"
	"time"
)

// Process is one of those that a program has become.
type Process struct {
	Name   string // at most 15 bytes of it
	Memory int64  // resident, in bytes
}

// Watched is the Runner with a function that is told again and again, until the program ends, which
// processes it and what it started are at the moment. Only on Linux; nobody is told
// elsewhere.
func (r Runner) Watched(watch func([]Process)) Runner {
	r.watch = watch
	return r
}

// follow runs a program that has been prepared, and looks at it meanwhile.
func (r Runner) follow(cmd *exec.Cmd) error {
	if r.watch == nil {
		return cmd.Run()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(seen)
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				if found := look(cmd.Process.Pid); len(found) > 0 {
					r.watch(found)
				}
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-seen // nobody is told after the end
	return err
}
