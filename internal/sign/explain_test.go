package sign

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/release"
)

// edited is a bundle with another byte in the value that the path leads to.
func edited(t *testing.T, text []byte, path ...string) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	for _, step := range path[:len(path)-1] {
		switch next := at[step].(type) {
		case map[string]any:
			at = next
		case []any:
			at = next[0].(map[string]any)
		}
	}
	last := path[len(path)-1]
	raw, err := base64.StdEncoding.DecodeString(at[last].(string))
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-2] ^= 1
	at[last] = base64.StdEncoding.EncodeToString(raw)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRefusalsSayMore: a refusal is one line that says what is wrong, and has a hint where
// whoever reads it can do something.
func TestRefusalsSayMore(t *testing.T) {
	trust, message, attestation := signed(t, workflow())
	other := trustOf(t, start(t, workflow()))
	branch := workflow()
	branch.Ref = "refs/heads/next"
	branchTrust, dispatched, _ := signed(t, branch)
	p, s := newPair(t), start(t, workflow())
	keyMessage, keyAttestation := p.signAndVerify(t, p.private, trustOf(t, s))
	silent, silentAttestation := p.signAndVerify(t, p.private, Trust{})
	public := func(p pair, instance Trust) Trust {
		trust, err := LoadPublicKey(p.public, p.getenv, instance)
		if err != nil {
			t.Fatal(err)
		}
		return trust
	}
	const changedStatement, changedFile = "signature: found one over another statement: the statement was changed after it was signed", "signature: found one over another file: the file was changed"
	for name, c := range map[string]struct {
		trust      Trust
		bundle     []byte
		want, hint string
	}{
		"payload":                     {trust, edited(t, attestation, "dsseEnvelope", "payload"), changedStatement, "fetch it again"},
		"signature of a statement":    {trust, edited(t, attestation, "dsseEnvelope", "signatures", "sig"), changedStatement, "fetch it again"},
		"signature of a file":         {trust, edited(t, message, "messageSignature", "signature"), changedFile, "fetch it again"},
		"payload, a key":              {public(p, trustOf(t, s)), edited(t, keyAttestation, "dsseEnvelope", "payload"), changedStatement, "fetch it again"},
		"payload, a key without log":  {public(p, Trust{}), edited(t, silentAttestation, "dsseEnvelope", "payload"), changedStatement, "fetch it again"},
		"signature, a key":            {public(p, trustOf(t, s)), edited(t, keyMessage, "messageSignature", "signature"), changedFile, "fetch it again"},
		"another key":                 {public(newPair(t), trustOf(t, s)), keyMessage, `signer: found "key SHA256:`, ""},
		"key, and none is known":      {trust, silent, `signer: found "a key"`, "pass the public key: --key FILE"},
		"key, and nothing is known":   {Trust{}, silent, `signer: found "a key"`, "pass the public key: --key FILE"},
		"no key, and one is known":    {public(p, trust), message, `signer: found "a certificate"`, "leave --key out"},
		"unknown log":                 {other, message, "log inclusion: the trusted root does not know the log", "--trusted-root FILE"},
		"unknown log of a statement":  {other, attestation, "log inclusion: the trusted root does not know the log", "--trusted-root FILE"},
		"unknown log, a key":          {public(p, other), keyMessage, "log inclusion: the trusted root does not know the log", "--trusted-root FILE"},
		"no log is known, a key":      {public(p, Trust{}), keyMessage, "log inclusion: the trusted root does not know the log", "--trusted-root FILE"},
		"no entry":                    {trust, stripped(t, message, "tlogEntries"), "log entry: found none", "taken out of the bundle"},
		"another branch":              {branchTrust, dispatched, `ref: found "refs/heads/next"`, `--branches NAME accepts what was dispatched from a branch, here "next"`},
		"empty":                       {trust, nil, "not a Sigstore bundle: it is empty", ""},
		"garbage":                     {trust, []byte("<html>"), "not a Sigstore bundle", ""},
		"another kind of JSON":        {trust, []byte("{}"), "not a Sigstore bundle", ""},
		"entry of another signature":  {trust, swapped(t, message, attestation), "the log entry is none of this signature", ""},
		"statement about other files": {trust, attestation, "does not match any digest", "the file was changed after it was signed"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if strings.Contains(string(c.bundle), "dsseEnvelope") {
				digest := blob(0).Digest
				if name == "statement about other files" {
					digest = blob(7).Digest
				}
				_, _, err = c.trust.VerifyStatement(c.bundle, digest, identity())
			} else {
				_, err = c.trust.VerifyBlob(c.bundle, blob(0).Digest, identity())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || release.ClassOf(err) != 0 {
				t.Errorf("got %v, want %q in one line", err, c.want)
			}
			if hint := release.HintOf(err); !strings.Contains(hint, c.hint) || c.hint == "" && hint != "" {
				t.Errorf("hint %q, want %q", hint, c.hint)
			}
		})
	}
	if _, err := trust.VerifyBlob(message, blob(1).Digest, identity()); !strings.Contains(release.HintOf(err), "the file was changed") {
		t.Errorf("%v has the hint %q", err, release.HintOf(err))
	}
}

// What a bundle says can be read before it is verified.
func TestUnverified(t *testing.T) {
	_, message, attestation := signed(t, workflow())
	if got := Unverified(attestation); string(got) != string(statement(t, 2)) {
		t.Errorf("got %q", got)
	}
	for _, none := range [][]byte{message, nil, []byte("{}")} {
		if got := Unverified(none); got != nil {
			t.Errorf("got %q", got)
		}
	}
}

// swapped is a bundle with the log entry of another.
func swapped(t *testing.T, text, from []byte) []byte {
	t.Helper()
	var doc, other map[string]any
	for raw, into := range map[*[]byte]*map[string]any{&text: &doc, &from: &other} {
		if err := json.Unmarshal(*raw, into); err != nil {
			t.Fatal(err)
		}
	}
	doc["verificationMaterial"].(map[string]any)["tlogEntries"] = other["verificationMaterial"].(map[string]any)["tlogEntries"]
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
