package release

import (
	"fmt"
	"slices"
)

// Class says which kind of problem stopped a run; each has an exit code of its own.
type Class int

// The classes of problems. What is none of these is a plain failure.
const (
	Usage         Class = iota + 1 // the command line or the configuration is wrong
	Rejected                       // the plan or the version policy says no
	Authorisation                  // a token or permission is missing
	Idle                           // there is nothing to do, which is no failure
)

// Problem is an error with its class and, where the user can act, a hint.
type Problem struct {
	Class Class // 0: none of these; it adds a hint
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

// Nothing is a Problem of class Idle.
func Nothing(tip, format string, args ...any) error {
	return &Problem{Class: Idle, Err: fmt.Errorf(format, args...), Tip: tip}
}

// ClassOf is the first class in the tree of err, depth first as in errors.As; 0 without one.
func ClassOf(err error) Class {
	var class Class
	walk(err, func(err error) bool {
		if p, ok := err.(*Problem); ok {
			class = p.Class
		}
		return class != 0
	})
	return class
}

// HintOf is the first hint in the tree of err, depth first as in errors.As; empty
// without one. An error that could have a hint and has none does not hide another's.
func HintOf(err error) string {
	var hint string
	walk(err, func(err error) bool {
		if h, ok := err.(interface{ Hint() string }); ok {
			hint = h.Hint()
		}
		return hint != ""
	})
	return hint
}

// TitleOf is the first title in the tree of err, depth first as in errors.As, such as
// the codes of the rules that were broken; empty without one.
func TitleOf(err error) string {
	var title string
	walk(err, func(err error) bool {
		if t, ok := err.(interface{ Title() string }); ok {
			title = t.Title()
		}
		return title != ""
	})
	return title
}

// walk shows err, and what it wraps, to found until that is satisfied.
func walk(err error, found func(error) bool) bool {
	if err == nil {
		return false
	}
	if found(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return walk(e.Unwrap(), found)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return walk(err, found) })
	}
	return false
}
