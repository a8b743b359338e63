package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// RuleAttestation holds when a statement about a subject, other than provenance, is signed
// by the expected identity.
const RuleAttestation = "attestation"

// Evidence is a bundle about a subject. Nothing of it is believed.
type Evidence struct {
	Name      string // where it lies; empty: it stands for what was not read
	Predicate string // type that its holder claims; empty: a signature over the bytes
	Bundle    []byte
	Err       error // why there is no bundle; nil: there is
}

// Witness is what a verified bundle says.
type Witness struct {
	Predicate string // type of the statement; empty: a signature over the bytes
	Signer    string // for people
	Commit    string // by the provenance; empty elsewhere
	Builder   string // by the provenance; empty elsewhere
	Identity  string // builder that the signer may speak for
}

// SubjectVerifier are the edges of VerifySubject.
type SubjectVerifier struct {
	// Bundle verifies a bundle about the digest.
	Bundle   func(bundle []byte, digest release.Digest) (Witness, error)
	Progress task.Progress

	// Shared says that others may leave evidence too, as beside an image: statements of a
	// kind of which none holds are noted then, and do not fail.
	Shared bool
}

// VerifySubject checks what speaks for one file or image, which no release stands for. A
// signature must be there. Of each kind of evidence, one piece that holds is enough, and
// those before it are noted: who may write beside a subject can leave whatever he likes
// there. The findings come signature first, then by predicate type.
func VerifySubject(ctx context.Context, subject string, digest release.Digest, evidence []Evidence, v SubjectVerifier) ([]Finding, error) {
	kinds := map[string][]Evidence{"": nil}
	var unreadable []Evidence // of whichever kind
	for _, e := range evidence {
		kind := kindOf(e.Predicate)
		if e.Err != nil {
			unreadable = append(unreadable, e)
		} else {
			kinds[kind] = append(kinds[kind], e)
		}
	}
	kinds[""] = append(kinds[""], unreadable...)
	var findings []Finding
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		rule := ruleOf(kind)
		_ = task.Track(ctx, v.Progress, PhaseVerify, rule, 0, func(func(string)) (string, error) {
			detail, passed, err := v.kind(kind, digest, kinds[kind])
			outcome := []Finding{{Rule: rule, Subject: readable(subject), Detail: detail, Err: err}}
			if err != nil && v.Shared && kind != "" {
				detail, err, outcome = "none that holds", nil, nil
			}
			if err == nil {
				for _, reason := range passed {
					findings = append(findings, Finding{Rule: rule, Subject: readable(subject), Detail: reason, Note: true})
				}
			}
			findings = append(findings, outcome...)
			return detail, err
		})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return findings, nil
}

// kindOf is what a statement counts as, by its predicate type: cosign signs images by
// statements that say nothing else.
func kindOf(predicate string) string {
	if predicate == provenance.SignatureType {
		return ""
	}
	return predicate
}

func ruleOf(kind string) string {
	switch kind {
	case "":
		return RuleSignature
	case provenance.PredicateType:
		return RuleProvenance
	case provenance.SPDXType:
		return RuleSBOM
	}
	return RuleAttestation
}

// kind looks for one piece of evidence that holds, and otherwise says why the first does
// not. passed are the reasons against those that were looked at in vain.
func (v SubjectVerifier) kind(kind string, digest release.Digest, all []Evidence) (detail string, passed []string, err error) {
	if len(all) == 0 {
		return "", nil, errors.New("it is not signed")
	}
	var first error
	for _, e := range all {
		detail, err := v.piece(kind, digest, e)
		if err == nil {
			return detail, passed, nil
		}
		if e.Name != "" {
			err = fmt.Errorf("%s: %w", readable(e.Name), err)
		}
		passed = append(passed, readable(err.Error()))
		if first == nil {
			first = err
		}
	}
	if more := len(all) - 1; more > 0 {
		first = fmt.Errorf("%w; nor does any of %d more", first, more)
	}
	return "", passed, first
}

// piece verifies one piece of evidence, and says what it says.
func (v SubjectVerifier) piece(kind string, digest release.Digest, e Evidence) (string, error) {
	if e.Err != nil {
		return "", e.Err
	}
	witness, err := v.Bundle(e.Bundle, digest)
	switch {
	case err != nil:
		return "", err
	case witness.Predicate != e.Predicate:
		return "", fmt.Errorf("its predicate type is %q, want %q", witness.Predicate, e.Predicate)
	case witness.Builder != "" && witness.Builder != witness.Identity:
		return "", fmt.Errorf("it speaks of builder %q, want the signer, %q", witness.Builder, witness.Identity)
	}
	detail := "signed by " + witness.Signer
	if witness.Commit != "" {
		detail = fmt.Sprintf("commit %.7s, %s", witness.Commit, detail)
	}
	if ruleOf(kind) == RuleAttestation {
		detail = kind + ", " + detail
	}
	return readable(detail), nil
}
