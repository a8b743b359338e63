package release

import (
	"errors"
	"fmt"
)

// Class says which kind of problem stopped a run; each has an exit code of its own.
type Class int

// The classes of problems. What is none of these is a plain failure.
const (
	Usage         Class = iota + 1 // the command line or the configuration is wrong
	Rejected                       // the plan or the version policy says no
	Authorisation                  // a token or permission is missing
)

// Problem is an error with its class and, where the user can act, a hint.
type Problem struct {
	Class Class
	Err   error
	Tip   string // what to do, as one sentence or a few lines; may be empty
}

func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint says what to do; empty when there is nothing to say.
func (p *Problem) Hint() string { return p.Tip }

// Reject is a Problem of class Rejected.
func Reject(tip, format string, args ...any) error {
	return &Problem{Class: Rejected, Err: fmt.Errorf(format, args...), Tip: tip}
}

// Misuse is a Problem of class Usage.
func Misuse(tip, format string, args ...any) error {
	return &Problem{Class: Usage, Err: fmt.Errorf(format, args...), Tip: tip}
}

// Refuse is a Problem of class Authorisation.
func Refuse(tip, format string, args ...any) error {
	return &Problem{Class: Authorisation, Err: fmt.Errorf(format, args...), Tip: tip}
}

// ClassOf is the class of the first Problem in the chain of err; 0 without one.
func ClassOf(err error) Class {
	var p *Problem
	if errors.As(err, &p) {
		return p.Class
	}
	return 0
}

// HintOf is the first hint in the chain of err; empty without one.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
