package version

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"
)

// Mode says how strictly the policy is applied.
type Mode string

// The modes. Whatever the mode, what Go or the registry could not take anyway stays an
// error: T01 to T03 and T05 to T07, O01, O07, G01 and G03.
const (
	Off      Mode = "off"      // only those
	Warn     Mode = "warn"     // the rest as warnings
	Standard Mode = "standard" // the default
	Strict   Mode = "strict"   // what is only unusual is an error too
)

// Level is how heavy a finding weighs.
type Level string

// The levels.
const (
	Error   Level = "error"   // the version may not be released
	Warning Level = "warning" // it may
)

// Finding is one rule that a version does not keep.
type Finding struct {
	Code  string `json:"code"` // such as "T02"; stable, for machines and for looking up
	Level Level  `json:"level"`
	Found string `json:"found"`            // what it is about: `tag "v1.2"`
	Rule  string `json:"rule"`             // what it breaks
	Want  string `json:"accept,omitempty"` // what would be accepted instead
}

// String is the finding in one line, without its level.
func (f Finding) String() string { return f.Code + ": " + f.Found + ": " + f.Rule }

// advice is what would be accepted, as something to do.
func (f Finding) advice() string {
	first, _, _ := strings.Cut(f.Want, " ")
	if _, number := Split(strings.TrimRight(first, ",;")); semver.IsValid(number) {
		return "use " + f.Want
	}
	return f.Want
}

// Rejection is the error of a version that may not be released.
type Rejection struct {
	Findings []Finding // of level Error; at least one
}

func (r *Rejection) Error() string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Title is the codes, in the order of the findings.
func (r *Rejection) Title() string {
	var codes []string
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	return strings.Join(codes, " ")
}

// Hint says what would be accepted instead.
func (r *Rejection) Hint() string {
	var lines []string
	for _, f := range r.Findings {
		switch {
		case f.Want == "":
		case len(r.Findings) == 1:
			lines = append(lines, f.advice())
		default:
			lines = append(lines, f.Code+": "+f.advice())
		}
	}
	return strings.Join(lines, "\n")
}

// weight is how heavy a rule is before the mode is applied.
type weight int

const (
	always  weight = iota + 1 // an error in every mode
	usual                     // an error in the modes standard and strict
	unusual                   // a warning; an error in the mode strict
	notice                    // a warning in every mode
)

// findings collects what the rules say in one mode.
type findings struct {
	mode Mode
	list []Finding
}

// add records that a rule is broken.
func (f *findings) add(w weight, code, found, want, rule string, args ...any) {
	level := Warning
	switch {
	case w == always, w == usual && (f.mode == Standard || f.mode == Strict), w == unusual && f.mode == Strict:
		level = Error
	case f.mode == Off:
		return
	}
	f.list = append(f.list, Finding{Code: code, Level: level, Found: found, Rule: fmt.Sprintf(rule, args...), Want: want})
}
