package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// bundleOf is a bundle of these tests: what its verification says, in fields.
func bundleOf(predicate, builder string) []byte {
	return fmt.Appendf(nil, "ok|%s|%s", predicate, builder)
}

// witness verifies such bundles.
func witness(bundle []byte, _ release.Digest) (engine.Witness, error) {
	fields := strings.Split(string(bundle), "|")
	if fields[0] != "ok" {
		return engine.Witness{}, errors.New(fields[0])
	}
	return engine.Witness{Predicate: fields[1], Signer: "me", Commit: "0123456789", Builder: fields[2], Identity: "me"}, nil
}

// A signature must be there; of each kind of evidence, one piece must hold.
func TestVerifySubject(t *testing.T) {
	const custom = "https://example.com/tested"
	signature := engine.Evidence{Name: "a", Bundle: bundleOf("", "")}
	for name, c := range map[string]struct {
		evidence []engine.Evidence
		want     []string
	}{
		"nothing":   {nil, []string{"FAIL signature x: it is not signed"}},
		"signature": {[]engine.Evidence{signature}, []string{"ok signature x: commit 0123456, signed by me"}},
		"signature of an image": {[]engine.Evidence{{Name: "a", Predicate: provenance.SignatureType, Bundle: bundleOf(provenance.SignatureType, "")}},
			[]string{"ok signature x: commit 0123456, signed by me"}},
		"one of two": {[]engine.Evidence{{Name: "a", Bundle: []byte("foreign")}, signature}, []string{"note signature x: a: foreign", "ok signature x: commit 0123456, signed by me"}},
		"none of two": {[]engine.Evidence{{Name: "a", Bundle: []byte("foreign")}, {Name: "b", Bundle: []byte("broken")}},
			[]string{"FAIL signature x: a: foreign; nor does any of 1 more"}},
		"statements": {[]engine.Evidence{
			{Name: "d", Predicate: custom, Bundle: bundleOf(custom, "")},
			{Name: "c", Predicate: provenance.SPDXType, Bundle: bundleOf(provenance.SPDXType, "")},
			{Name: "b", Predicate: provenance.PredicateType, Bundle: bundleOf(provenance.PredicateType, "me")}, signature,
		}, []string{
			"ok signature x: commit 0123456, signed by me", "ok attestation x: https://example.com/tested, commit 0123456, signed by me",
			"ok provenance x: commit 0123456, signed by me", "ok sbom x: commit 0123456, signed by me",
		}},
		"foreign builder": {[]engine.Evidence{signature, {Name: "b", Predicate: provenance.PredicateType, Bundle: bundleOf(provenance.PredicateType, "other")}},
			[]string{"ok signature x: commit 0123456, signed by me", `FAIL provenance x: b: it speaks of builder "other", want the signer, "me"`}},
		"other kind": {[]engine.Evidence{signature, {Name: "b", Predicate: provenance.SPDXType, Bundle: bundleOf(custom, "")}},
			[]string{"ok signature x: commit 0123456, signed by me", `FAIL sbom x: b: its predicate type is "https://example.com/tested", want "https://spdx.dev/Document"`}},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := engine.VerifySubject(t.Context(), "x", digestOf(nil), c.evidence,
				engine.SubjectVerifier{Bundle: witness, Progress: func(task.Event) {}})
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(findings); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	// Beside an image, others may leave whatever they like: it is said, and does not count.
	foreign := engine.Evidence{Name: "f", Bundle: []byte("foreign")}
	broken := engine.Evidence{Name: "b", Err: errors.New("want one layer in it")}
	for name, c := range map[string]struct {
		evidence []engine.Evidence
		want     []string
	}{
		"nothing": {nil, []string{"FAIL signature x: it is not signed"}},
		"one of three": {[]engine.Evidence{broken, foreign, signature},
			[]string{"note signature x: f: foreign", "ok signature x: commit 0123456, signed by me"}},
		"none holds":     {[]engine.Evidence{broken, foreign}, []string{"FAIL signature x: f: foreign; nor does any of 1 more"}},
		"only a broken":  {[]engine.Evidence{broken}, []string{"FAIL signature x: b: want one layer in it"}},
		"more than read": {[]engine.Evidence{signature, {Err: errors.New("129 referrers")}}, []string{"ok signature x: commit 0123456, signed by me"}},
		"none within the bound": {[]engine.Evidence{foreign, {Err: errors.New("129 referrers")}},
			[]string{"FAIL signature x: f: foreign; nor does any of 1 more"}},
		"foreign statements": {[]engine.Evidence{signature,
			{Name: "b", Predicate: provenance.PredicateType, Bundle: bundleOf(provenance.PredicateType, "other")},
			{Name: "c", Predicate: provenance.SPDXType, Bundle: []byte("foreign")}, {Name: "d", Predicate: custom, Bundle: bundleOf(custom, "")},
		}, []string{"ok signature x: commit 0123456, signed by me", "ok attestation x: https://example.com/tested, commit 0123456, signed by me",
			`note provenance x: b: it speaks of builder "other", want the signer, "me"`, "note sbom x: c: foreign"}},
		"one of two statements": {[]engine.Evidence{signature,
			{Name: "b", Predicate: provenance.PredicateType, Bundle: []byte("foreign")},
			{Name: "c", Predicate: provenance.PredicateType, Bundle: bundleOf(provenance.PredicateType, "me")},
		}, []string{"ok signature x: commit 0123456, signed by me", "note provenance x: b: foreign", "ok provenance x: commit 0123456, signed by me"}},
	} {
		t.Run("shared, "+name, func(t *testing.T) {
			findings, err := engine.VerifySubject(t.Context(), "x", digestOf(nil), c.evidence,
				engine.SubjectVerifier{Bundle: witness, Shared: true, Progress: func(task.Event) {}})
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(findings); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupt)
	if _, err := engine.VerifySubject(ctx, "x", digestOf(nil), nil, engine.SubjectVerifier{Bundle: witness, Progress: func(task.Event) {}}); !errors.Is(err, errInterrupt) {
		t.Errorf("got %v", err)
	}
}
