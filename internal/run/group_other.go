//go:build !unix

package run

import "os/exec"

// ownGroup leaves the program as it is: there are no process groups here, and
// cancelling kills the program itself.
func ownGroup(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
