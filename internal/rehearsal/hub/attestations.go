package hub

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/org/pgo-release/internal/release"
)

// maxSubjects is how many subjects GitHub takes in one attestation.
const maxSubjects = 1024

// attestation is an entry of the attestation store.
type attestation struct {
	id        int64
	bundle    json.RawMessage
	subjects  []release.Digest
	predicate string // its type
}

// createAttestation stores a bundle. As at GitHub nothing stops a bundle from being
// stored twice.
func (s *Server) createAttestation(r *http.Request) reply {
	var in struct {
		Bundle json.RawMessage `json:"bundle"`
	}
	if bad := decode(r, &in); bad != nil {
		return *bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.Bundle) == 0 {
		return invalid("Attestation", "bundle", "missing_field", "")
	}
	a, err := readBundle(in.Bundle)
	if err != nil {
		return invalid("Attestation", "bundle", "custom", err.Error())
	}
	s.lastID++
	a.id = s.lastID
	s.attestations = append(s.attestations, a)
	return created(object{"id": a.id})
}

// readBundle reads what a bundle is about. Its signature is not verified.
func readBundle(text []byte) (attestation, error) {
	var b struct {
		MediaType            string         `json:"mediaType"`
		VerificationMaterial map[string]any `json:"verificationMaterial"`
		DSSEEnvelope         struct {
			Payload     []byte `json:"payload"`
			PayloadType string `json:"payloadType"`
			Signatures  []struct {
				Sig []byte `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	err := json.Unmarshal(text, &b)
	switch e := b.DSSEEnvelope; {
	case err != nil || !strings.HasPrefix(b.MediaType, "application/vnd.dev.sigstore.bundle"):
		return attestation{}, errors.New("bundle is not a valid Sigstore bundle")
	case len(b.VerificationMaterial) == 0:
		return attestation{}, errors.New("bundle has no verification material")
	case e.PayloadType != "application/vnd.in-toto+json" || len(e.Signatures) == 0 || len(e.Signatures[0].Sig) == 0:
		return attestation{}, errors.New("bundle has no signed DSSE envelope with an in-toto statement")
	}
	a, err := readStatement(b.DSSEEnvelope.Payload)
	a.bundle = slices.Clone(text)
	return a, err
}

func readStatement(text []byte) (attestation, error) {
	var statement struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	err := json.Unmarshal(text, &statement)
	if err != nil || !strings.HasPrefix(statement.Type, "https://in-toto.io/Statement/") || statement.PredicateType == "" {
		return attestation{}, errors.New("payload is not an in-toto statement")
	}
	if n := len(statement.Subject); n == 0 || n > maxSubjects {
		return attestation{}, fmt.Errorf("statement has %d subjects, must have 1 to %d", n, maxSubjects)
	}
	a := attestation{predicate: statement.PredicateType}
	for _, subject := range statement.Subject {
		digest, err := release.ParseDigest(subject.Digest["sha256"])
		if err != nil || digest.Hex() != subject.Digest["sha256"] {
			return attestation{}, errors.New("subject has no sha256 digest")
		}
		a.subjects = append(a.subjects, digest)
	}
	return a, nil
}

// listAttestations lists what is attested of a digest, newest first; 404 when that is
// nothing. The pages hang together by cursors.
func (s *Server) listAttestations(r *http.Request) reply {
	digest, err := release.ParseDigest(r.PathValue("digest"))
	if err != nil || string(digest) != r.PathValue("digest") {
		return notFound()
	}
	query := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []attestation
	for _, a := range slices.Backward(s.attestations) {
		if slices.Contains(a.subjects, digest) && a.is(query.Get("predicate_type")) {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return notFound()
	}
	size := 30
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	from, to := window(all, size, query.Get("before"), query.Get("after"))
	list := []object{}
	for _, a := range all[from:to] {
		list = append(list, object{"bundle": a.bundle, "repository_id": s.repo.ID, "initiator": "github-actions[bot]"})
	}
	out := ok(object{"attestations": list})
	var links []string
	link := func(name, rel string, at attestation) {
		query.Del("before")
		query.Del("after")
		query.Set(name, at.cursor())
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", s.URL(), r.URL.Path[1:], query.Encode(), rel))
	}
	if from > 0 && from < to {
		link("before", "prev", all[from])
	}
	if from < to && to < len(all) {
		link("after", "next", all[to-1])
	}
	if links != nil {
		out.header = map[string]string{"Link": strings.Join(links, ", ")}
	}
	return out
}

// window is the part of all, newest first, that the cursors ask for.
func window(all []attestation, size int, before, after string) (from, to int) {
	from, to = 0, len(all)
	if id, err := cursorID(after); err == nil {
		for from < to && all[from].id >= id {
			from++
		}
	}
	if id, err := cursorID(before); err == nil {
		for to > from && all[to-1].id <= id {
			to--
		}
		return max(from, to-size), to
	}
	return from, min(to, from+size)
}

// cursor marks the place of an entry in lists.
func (a attestation) cursor() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "attestation:%d", a.id))
}

func cursorID(cursor string) (int64, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimPrefix(string(text), "attestation:"), 10, 64)
}

// is tells whether an entry has a predicate of the type, or of one of the kinds that
// GitHub has a short name for.
func (a attestation) is(kind string) bool {
	prefixes := map[string][]string{
		"":           {""},
		"provenance": {"https://slsa.dev/provenance/"},
		"sbom":       {"https://spdx.dev/Document", "https://cyclonedx.org/bom"},
		"release":    {"https://in-toto.io/attestation/release/"},
	}[kind]
	if prefixes == nil {
		return a.predicate == kind
	}
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(a.predicate, prefix) })
}
