package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"

	"github.com/org/pgo-release/internal/release"
)

// What is read of the attestation store at most, for one digest.
const (
	maxAttestation      = 4 << 20 // bytes of a bundle
	maxAttestationBytes = 32 << 20
	maxAttestationPages = 10
	attestationsPerPage = 30
)

// Attest puts a Sigstore bundle with an in-toto statement into the repository's
// attestation store, where `gh attestation verify` looks for it under every subject of
// the statement (https://docs.github.com/rest/repos/attestations#create-an-attestation).
// Where the store holds that very bundle nothing is written, and id is 0: GitHub tells
// the number of an entry only to whoever makes it.
func (c *Client) Attest(ctx context.Context, bundle []byte) (id int64, err error) {
	subject, err := attested(bundle)
	if err != nil {
		return 0, fmt.Errorf("storing an attestation: %w", err)
	}
	fail := func(err error) (int64, error) {
		return 0, fmt.Errorf("storing the attestation of %q: %w", subject, err)
	}
	look := func() (int64, bool, error) {
		held, err := c.attestations(ctx, subject)
		if err != nil {
			return 0, false, err
		}
		for _, b := range held {
			if sameJSON(b, bundle) {
				return 0, true, nil
			}
		}
		return 0, false, nil
	}
	switch _, held, err := look(); {
	case held:
		return 0, nil
	case err != nil && status(err) != http.StatusForbidden:
		return fail(err)
	}
	// Where reading is forbidden writing is too, and its refusal names the permission
	// that is missing.
	id, err = settle(ctx, c, func() (int64, error) {
		var stored struct {
			ID int64 `json:"id"`
		}
		body := map[string]json.RawMessage{"bundle": bundle}
		_, err := c.call(ctx, http.MethodPost, "attestations", body, &stored)
		return stored.ID, err
	}, look)
	if err != nil {
		return fail(err)
	}
	return id, nil
}

// Attestations are the bundles, as JSON, that the repository's attestation store holds
// about a digest, newest first; none when it holds none, or the token cannot see it
// (https://docs.github.com/rest/repos/attestations#list-attestations). Nothing of them
// is proven before they are verified. No more than the newest 300 are read, and 32 MiB
// of them. An entry of which GitHub gives an address instead of the bundle, or whose
// bundle has more than 4 MiB, is left out.
func (c *Client) Attestations(ctx context.Context, digest release.Digest) ([][]byte, error) {
	if d, err := release.ParseDigest(string(digest)); err != nil || d != digest {
		return nil, fmt.Errorf("reading the attestations of %q: want a digest such as sha256:…", digest)
	}
	out, err := c.attestations(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("reading the attestations of %q: %w", digest, err)
	}
	return out, nil
}

func (c *Client) attestations(ctx context.Context, digest release.Digest) ([][]byte, error) {
	var out [][]byte
	total, after := 0, ""
	for range maxAttestationPages {
		var page struct {
			Attestations []struct {
				Bundle json.RawMessage `json:"bundle"`
			} `json:"attestations"`
		}
		path := fmt.Sprintf("attestations/%s?per_page=%d", digest, attestationsPerPage)
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		resp, err := c.call(ctx, http.MethodGet, path, nil, &page)
		if status(err) == http.StatusNotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range page.Attestations {
			if !bytes.HasPrefix(entry.Bundle, []byte("{")) || len(entry.Bundle) > maxAttestation {
				continue
			}
			if total += len(entry.Bundle); total > maxAttestationBytes {
				return out, nil
			}
			out = append(out, entry.Bundle)
		}
		if resp.After == "" || resp.After == after {
			break
		}
		after = resp.After
	}
	return out, nil
}

// attested is a digest that a bundle is about: the first of its statement.
func attested(bundle []byte) (release.Digest, error) {
	var b struct {
		DSSEEnvelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if len(bundle) > maxAttestation {
		return "", fmt.Errorf("reading a Sigstore bundle: %d bytes; %d are taken at most", len(bundle), maxAttestation)
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		return "", fmt.Errorf("reading a Sigstore bundle: %w", err)
	}
	if err := json.Unmarshal(b.DSSEEnvelope.Payload, &statement); err != nil {
		return "", fmt.Errorf("reading a Sigstore bundle: want a DSSE envelope with a statement in it: %w", err)
	}
	if len(statement.Subject) == 0 {
		return "", errors.New("reading a Sigstore bundle: its statement is about nothing")
	}
	digest, err := release.ParseDigest(statement.Subject[0].Digest["sha256"])
	if err != nil {
		return "", fmt.Errorf("reading a Sigstore bundle: the first subject: %w", err)
	}
	return digest, nil
}

// sameJSON tells whether two texts are the same value: a store may lay out again what it
// was given.
func sameJSON(a, b []byte) bool {
	x, errA := value(a)
	y, errB := value(b)
	return errA == nil && errB == nil && reflect.DeepEqual(x, y)
}

// value decodes JSON with numbers as they are written: large ones would be rounded.
func value(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}
