//go:build unix

package run

import (
	"os/exec"
	"syscall"
)

// endWithChildren puts the program into a process group of its own and makes
// cancelling end the group: the go command's compilers would otherwise go on, and an
// interrupt at the terminal would reach them before this process could tell why.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
