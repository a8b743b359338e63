package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// maxStatement bounds a statement, in bytes: 1,024 subjects with long names and a
// thousand modules stay far below it.
const maxStatement = 8 << 20

// Parse reads a statement. It refuses what is larger than 8 MiB, is no in-toto
// statement v1 with SLSA provenance v1, has no subject or more than MaxSubjects, a
// subject without name or SHA-256, or one name twice; and objects with two members
// whose names are equal but for case, which readers of JSON do not understand alike.
// Members that it does not know are ignored, as the specification demands.
//
// Whether a statement is true, only its signature can tell.
func Parse(text []byte) (Statement, error) {
	if len(text) > maxStatement {
		return Statement{}, fmt.Errorf("parsing the statement: %d bytes; at most %d are read", len(text), maxStatement)
	}
	if err := checkMembers(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return Statement{}, fmt.Errorf("parsing the statement: %w", err)
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return Statement{}, fmt.Errorf("parsing the statement: %w", err)
	}
	if doc.Type != statementType {
		return Statement{}, fmt.Errorf("parsing the statement: _type %q: want %q", doc.Type, statementType)
	}
	if doc.PredicateType != PredicateType {
		return Statement{}, fmt.Errorf("parsing the statement: predicateType %q: want %q", doc.PredicateType, PredicateType)
	}
	if err := checkSubjects(doc.Subject); err != nil {
		return Statement{}, fmt.Errorf("parsing the statement: %w", err)
	}
	content := doc.Predicate.BuildDefinition.InternalParameters.ContentDigest
	if _, err := release.ParseDigest(content); content != "" && err != nil {
		return Statement{}, fmt.Errorf("parsing the statement: contentDigest: %w", err)
	}
	return Statement{doc}, nil
}

func checkSubjects(subjects []subject) error {
	if n := len(subjects); n == 0 || n > MaxSubjects {
		return fmt.Errorf("%d subjects: want 1 to %d", n, MaxSubjects)
	}
	seen := make(map[string]bool, len(subjects))
	for i, s := range subjects {
		if s.Name == "" {
			return fmt.Errorf("subject %d has no name", i)
		}
		if seen[s.Name] {
			return fmt.Errorf("subject %q is named twice", s.Name)
		}
		seen[s.Name] = true
		if digest, err := release.ParseDigest(s.Digest["sha256"]); err != nil || digest.Hex() != s.Digest["sha256"] {
			return fmt.Errorf("subject %q: sha256 %q: want 64 lower-case hexadecimal digits", s.Name, s.Digest["sha256"])
		}
	}
	return nil
}

// checkMembers reads one JSON value and fails when an object in it has two members
// whose names are equal but for case.
func checkMembers(d *json.Decoder) error {
	// One entry for each value that is open: the names of an object, nil of an array.
	var open []map[string]bool
	inName := func() bool { return len(open) > 0 && open[len(open)-1] != nil }
	name := inName() // the next token is a member's name
	for {
		token, err := d.Token()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		switch text, isText := token.(string); {
		case token == json.Delim('{'):
			open = append(open, map[string]bool{})
		case token == json.Delim('['):
			open = append(open, nil)
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case name && isText:
			key := strings.ToLower(strings.ToUpper(text)) // as encoding/json folds: ſ is s, and K (Kelvin) is k
			if open[len(open)-1][key] {
				return fmt.Errorf("member %q stands twice in one object", text)
			}
			open[len(open)-1][key] = true
			name = false
			continue
		}
		if len(open) == 0 {
			return nil
		}
		name = inName()
	}
}
