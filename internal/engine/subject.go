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
	Name      string // where it lies
	Predicate string // type that its holder claims; empty: a signature over the bytes
	Bundle    []byte
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
}

// VerifySubject checks what speaks for one file or image, which no release stands for. A
// signature must be there. Of each kind of evidence, one piece that holds is enough: who
// may write beside a subject can leave whatever he likes there. The findings come
// signature first, then by predicate type.
func VerifySubject(ctx context.Context, subject string, digest release.Digest, evidence []Evidence, v SubjectVerifier) ([]Finding, error) {
	kinds := map[string][]Evidence{"": nil}
	for _, e := range evidence {
		kind := e.Predicate
		if kind == provenance.SignatureType {
			kind = ""
		}
		kinds[kind] = append(kinds[kind], e)
	}
	var findings []Finding
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		f := Finding{Rule: ruleOf(kind), Subject: readable(subject)}
		_ = task.Track(ctx, v.Progress, PhaseVerify, f.Rule, 0, func(func(string)) (string, error) {
			f.Detail, f.Err = v.kind(kind, digest, kinds[kind])
			return f.Detail, f.Err
		})
		if ctx.Err() != nil {
			return findings, context.Cause(ctx)
		}
		findings = append(findings, f)
	}
	return findings, nil
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
// not.
func (v SubjectVerifier) kind(kind string, digest release.Digest, all []Evidence) (string, error) {
	if len(all) == 0 {
		return "", errors.New("it is not signed")
	}
	var first error
	for _, e := range all {
		witness, err := v.Bundle(e.Bundle, digest)
		switch {
		case err != nil:
		case witness.Predicate != e.Predicate:
			err = fmt.Errorf("its predicate type is %q, want %q", witness.Predicate, e.Predicate)
		case witness.Builder != "" && witness.Builder != witness.Identity:
			err = fmt.Errorf("it speaks of builder %q, want the signer, %q", witness.Builder, witness.Identity)
		default:
			detail := "signed by " + witness.Signer
			if witness.Commit != "" {
				detail = fmt.Sprintf("commit %.7s, %s", witness.Commit, detail)
			}
			if ruleOf(kind) == RuleAttestation {
				detail = kind + ", " + detail
			}
			return readable(detail), nil
		}
		if first == nil {
			first = fmt.Errorf("%s: %w", readable(e.Name), err)
		}
	}
	return "", first
}
