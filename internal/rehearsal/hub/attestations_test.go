package hub_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const provenanceType = "https://slsa.dev/provenance/v1"

func hexOf(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

func statementOf(predicateType string, contents ...string) string {
	var subjects []string
	for _, content := range contents {
		subjects = append(subjects, fmt.Sprintf(`{"name":"x","digest":{"sha256":%q}}`, hexOf(content)))
	}
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":%q,"predicate":{}}`,
		strings.Join(subjects, ","), predicateType)
}

func envelopeOf(statement string) string {
	return fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"eA=="}},`+
		`"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"eA=="}]}}`,
		base64.StdEncoding.EncodeToString([]byte(statement)))
}

// bundleOf is a bundle whose statement is about the contents.
func bundleOf(predicateType string, contents ...string) string {
	return envelopeOf(statementOf(predicateType, contents...))
}

// attested lists the bundles of a content, following the pages.
func (c caller) attested(content, query, direction string) (bundles []string) {
	c.Helper()
	next := c.URL() + "repos/octo/hello/attestations/sha256:" + hexOf(content) + query
	for next != "" {
		resp, text := c.do("GET", next, "")
		if resp.StatusCode == 404 {
			return nil
		}
		var page struct {
			Attestations []struct {
				Bundle       json.RawMessage
				RepositoryID int `json:"repository_id"`
			}
		}
		if err := json.Unmarshal(text, &page); err != nil || resp.StatusCode != 200 {
			c.Fatalf("%d %s: %v", resp.StatusCode, text, err)
		}
		for _, a := range page.Attestations {
			if a.RepositoryID != 7 {
				c.Errorf("repository %d", a.RepositoryID)
			}
			bundles = append(bundles, string(a.Bundle))
		}
		next = ""
		for link := range strings.SplitSeq(resp.Header.Get("Link"), ", ") {
			if at, rel, _ := strings.Cut(link, "; "); rel == `rel="`+direction+`"` {
				next = strings.Trim(at, "<>")
			}
		}
	}
	return bundles
}

func (c caller) attest(bundle string, status int) map[string]any {
	c.Helper()
	return c.json("POST", "/attestations", `{"bundle":`+bundle+`}`, status)
}

func TestAttestations(t *testing.T) {
	c := ask(t, start(t, nil))
	if got := c.attested("a", "", "next"); got != nil {
		t.Errorf("at first: %q", got)
	}
	first, second := bundleOf(provenanceType, "a", "b"), bundleOf("https://spdx.dev/Document/v2.3", "a")
	one, two := c.attest(first, 201)["id"].(float64), c.attest(second, 201)["id"].(float64)
	if one <= 0 || two <= one {
		t.Errorf("numbers %v and %v", one, two)
	}
	c.attest(first, 201)
	for query, want := range map[string][]string{
		"": {first, second, first}, "?predicate_type=provenance": {first, first}, "?predicate_type=sbom": {second},
		"?predicate_type=https://spdx.dev/Document/v2.3": {second}, "?predicate_type=release": nil, "?predicate_type=other": nil,
	} {
		if got := c.attested("a", query, "next"); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	if got := c.attested("b", "", "next"); len(got) != 2 {
		t.Errorf("second subject: %q", got)
	}
	for _, digest := range []string{hexOf("a"), "sha256:1", "sha512:" + hexOf("a"), "sha256:" + strings.ToUpper(hexOf("a"))} {
		c.json("GET", "/attestations/"+digest, "", 404)
	}
	c.json("POST", c.URL()+"repos/octo/other/attestations", `{"bundle":`+first+`}`, 404)
	c.json("GET", c.URL()+"repos/octo/other/attestations/sha256:"+hexOf("a"), "", 404)
}

func TestPagesOfAttestations(t *testing.T) {
	c := ask(t, start(t, nil))
	var want []string
	for i := range 7 {
		b := bundleOf(fmt.Sprint("https://example.com/", i), "a")
		c.attest(b, 201)
		c.attest(bundleOf(provenanceType, "b"), 201)
		want = slices.Insert(want, 0, b)
	}
	for _, size := range []int{1, 3, 7, 100} {
		if got := c.attested("a", fmt.Sprintf("?per_page=%d", size), "next"); !slices.Equal(got, want) {
			t.Errorf("%d a page: %q", size, got)
		}
	}
	resp, _ := c.do("GET", "/attestations/sha256:"+hexOf("a")+"?per_page=3", "")
	_, rest, _ := strings.Cut(resp.Header.Get("Link"), "after=")
	cursor, _, _ := strings.Cut(rest, "&")
	if got := c.attested("a", "?per_page=2&after="+cursor, "prev"); !slices.Equal(got, append(want[3:5:5], want[1], want[2], want[0])) {
		t.Errorf("backwards: %q", got)
	}
	if got := c.attested("a", "?after=nonsense", "next"); len(got) != 7 {
		t.Errorf("with a cursor that is none: %d", len(got))
	}
}

func TestAttestationsThatGitHubRefuses(t *testing.T) {
	s := start(t, nil)
	c := ask(t, s)
	good := bundleOf(provenanceType, "a")
	s.WithholdAttestations(true)
	if got := c.attest(good, 403); got["message"] != "Resource not accessible by integration" {
		t.Errorf("without permission: %v", got)
	}
	s.WithholdAttestations(false)
	many := make([]string, 1025)
	for name, bundle := range map[string]string{
		"empty":              `{}`,
		"other type":         strings.Replace(good, "application/vnd.dev.sigstore.bundle", "text/plain", 1),
		"no material":        strings.Replace(good, `{"certificate":{"rawBytes":"eA=="}}`, `{}`, 1),
		"no signature":       strings.Replace(good, `{"sig":"eA=="}`, ``, 1),
		"empty signature":    strings.Replace(good, `{"sig":"eA=="}`, `{"sig":""}`, 1),
		"other payload":      strings.Replace(good, `application/vnd.in-toto+json`, `text/plain`, 1),
		"payload no base64":  strings.Replace(good, `"payload":"`, `"payload":"*`, 1),
		"no statement":       envelopeOf(`[]`),
		"other statement":    envelopeOf(strings.Replace(statementOf(provenanceType, "a"), "in-toto.io", "example.com", 1)),
		"no predicate":       bundleOf("", "a"),
		"no subject":         bundleOf(provenanceType),
		"too many subjects":  bundleOf(provenanceType, many...),
		"other digest":       envelopeOf(strings.Replace(statementOf(provenanceType, "a"), "sha256", "sha512", 1)),
		"digest of no bytes": envelopeOf(strings.Replace(statementOf(provenanceType, "a"), hexOf("a"), "x", 1)),
		"digest with prefix": envelopeOf(strings.Replace(statementOf(provenanceType, "a"), hexOf("a"), "sha256:"+hexOf("a"), 1)),
	} {
		got := c.attest(bundle, 422)
		if problems, ok := got["errors"].([]any); !ok || problems[0].(map[string]any)["resource"] != "Attestation" {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.client.Transport = http.DefaultTransport // what follows GitHub does not describe
	c.json("POST", "/attestations", `{}`, 422)
	c.json("POST", "/attestations", `{"bundle":null}`, 422)
	c.json("POST", "/attestations", `{"bundle":[]}`, 422)
	c.json("POST", "/attestations", `{"bundle":`, 400)
	if got := c.attested("a", "", "next"); got != nil {
		t.Errorf("stored all the same: %q", got)
	}
}
