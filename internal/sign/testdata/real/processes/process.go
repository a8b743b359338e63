// Package processes starts real Sigstore servers as they are deployed, each in a process
// of its own: Fulcio, Rekor v1 over Trillian, Rekor v2, and the timestamp authority. The
// tests sign with the product against them, and verify with the product and with cosign.
//
// The servers' metrics listen on every interface and, for two of them, on a port that
// cannot be chosen. The tests therefore run in a network namespace that has nothing but
// loopback; .ci/sigstore makes it.
package processes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a server that can be killed and started again.
type Process struct {
	program string
	args    []string
	env     []string
	dir     string
	ready   string // address that answers 200 when the server is up; or the path of a file

	command *exec.Cmd
	ended   chan struct{}
}

// Start runs the program and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	name := filepath.Base(p.program)
	output, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("starting %q: %w", name, err)
	}
	defer output.Close()
	p.command = exec.Command(p.program, p.args...)
	p.command.Stdout, p.command.Stderr, p.command.Dir = output, output, p.dir
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}, p.env...)
	// A test that is killed leaves no server behind.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("starting %q: %w", name, err)
	}
	p.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan struct{}) {
		_ = command.Wait() // how it ended stands in its log
		close(ended)
	}(p.command, p.ended)
	if err := p.wait(ctx); err != nil {
		text, _ := os.ReadFile(output.Name())
		return fmt.Errorf("starting %q: %w; it said: %s", name, err, text[max(0, len(text)-2000):])
	}
	return nil
}

// wait asks until the server is ready.
func (p *Process) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !p.answers(ctx) {
		select {
		case <-p.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w", p.ready, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (p *Process) answers(ctx context.Context) bool {
	if filepath.IsAbs(p.ready) {
		_, err := os.Stat(p.ready)
		return err == nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Kill ends the process without a warning and waits until it has gone. Killing again does
// nothing.
func (p *Process) Kill() error {
	if p.command == nil || p.command.Process == nil {
		return nil
	}
	err := p.command.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
