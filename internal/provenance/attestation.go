package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// The predicate types of statements about what exists already, beside PredicateType.
const (
	// SPDXType is an SPDX document about the subject (https://spdx.dev/Document).
	SPDXType = "https://spdx.dev/Document"
	// SignatureType is cosign's for a signature of an image: the statement says nothing
	// but the subject.
	SignatureType = "https://sigstore.dev/cosign/sign/v1"
	// WorkflowBuildType is GitHub's for what some step of a workflow built
	// (https://actions.github.io/buildtypes/workflow/v1): it tells which workflow ran, and
	// not how.
	WorkflowBuildType = "https://actions.github.io/buildtypes/workflow/v1"
)

// Workflow is the workflow run that a statement of WorkflowBuildType is about.
type Workflow struct {
	BuilderID    string // as in Run
	InvocationID string // URI of the run
	Repository   string // URL
	Ref          string // such as refs/tags/v1.2.3
	Path         string // such as .github/workflows/release.yml
	Commit       string // full hash
	Event        string // such as push
	RepositoryID string
	OwnerID      string
	Runner       string // github-hosted or self-hosted
}

// attestation is a statement with any predicate.
type attestation struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// Attest states that a workflow run stands behind a subject, in the form that is signed.
func (w Workflow) Attest(s release.Asset) ([]byte, error) {
	type m = map[string]any
	if w.BuilderID == "" || w.Repository == "" || w.Ref == "" || w.Path == "" || w.Commit == "" {
		return nil, fmt.Errorf("describing the run: builder %q, repository %q, ref %q, workflow %q, commit %q: want all of them",
			w.BuilderID, w.Repository, w.Ref, w.Path, w.Commit)
	}
	text, err := json.Marshal(m{
		"buildDefinition": m{
			"buildType":          WorkflowBuildType,
			"externalParameters": m{"workflow": m{"ref": w.Ref, "repository": w.Repository, "path": w.Path}},
			"internalParameters": m{"github": m{
				"event_name": w.Event, "repository_id": w.RepositoryID, "repository_owner_id": w.OwnerID, "runner_environment": w.Runner,
			}},
			"resolvedDependencies": []m{{"uri": "git+" + w.Repository + "@" + w.Ref, "digest": m{"gitCommit": w.Commit}}},
		},
		"runDetails": m{"builder": m{"id": w.BuilderID}, "metadata": m{"invocationId": w.InvocationID}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the statement: %w", err)
	}
	return encode(s, PredicateType, text)
}

// AttestSPDX states that an SPDX document, in JSON, describes a subject.
func AttestSPDX(s release.Asset, document []byte) ([]byte, error) {
	var about struct {
		Version string `json:"spdxVersion"`
	}
	err := json.Unmarshal(document, &about)
	if err == nil && !strings.HasPrefix(about.Version, "SPDX-2.") {
		err = fmt.Errorf("spdxVersion %q: want SPDX-2.x", about.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the SPDX document: %w", err)
	}
	return encode(s, SPDXType, document)
}

// AttestSignature states nothing about a subject: its signature is what counts.
func AttestSignature(s release.Asset) ([]byte, error) { return encode(s, SignatureType, []byte("{}")) }

func encode(s release.Asset, predicateType string, predicate []byte) ([]byte, error) {
	subjects, err := subjectsOf([]release.Asset{s})
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, predicate); err != nil {
		return nil, fmt.Errorf("encoding the statement: %w", err)
	}
	text, err := json.Marshal(attestation{Type: statementType, Subject: subjects, PredicateType: predicateType, Predicate: compact.Bytes()})
	if err != nil {
		return nil, fmt.Errorf("encoding the statement: %w", err)
	}
	if _, err := TypeOf(text); err != nil {
		return nil, err
	}
	return text, nil
}

// TypeOf is the predicate type of an in-toto statement v1 with any predicate. It refuses
// what Parse refuses, whatever the predicate type.
func TypeOf(text []byte) (string, error) {
	if len(text) > maxStatement {
		return "", fmt.Errorf("parsing the statement: %d bytes; at most %d are read", len(text), maxStatement)
	}
	var a attestation
	err := checkMembers(json.NewDecoder(bytes.NewReader(text)))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err == nil && a.Type != statementType {
		err = fmt.Errorf("_type %q: want %q", a.Type, statementType)
	}
	if err == nil && a.PredicateType == "" {
		err = errors.New("it has no predicateType")
	}
	if err == nil {
		err = checkSubjects(a.Subject)
	}
	if err != nil {
		return "", fmt.Errorf("parsing the statement: %w", err)
	}
	return a.PredicateType, nil
}
