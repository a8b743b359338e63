package sign

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// signed are a bundle over blob(0) and one with a statement about it.
func signed(t testing.TB, w sigstore.Workflow) (trust Trust, message, attestation []byte) {
	t.Helper()
	signer := signerOf(t, start(t, w))
	message, err := signer.Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	attestation, err = signer.Statement(t.Context(), statement(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	return signer.trust, message, attestation
}

func TestOtherDigest(t *testing.T) {
	trust, message, attestation := signed(t, workflow())
	last := strings.TrimRight(string(blob(0).Digest), "0123456789abcdef")
	changed := release.Digest(last + strings.Repeat("0", 64))
	_, err := trust.VerifyBlob(message, changed, identity())
	if err == nil || !strings.Contains(err.Error(), `digest: found "`+string(blob(0).Digest)+`", want "`+string(changed)+`"`) {
		t.Errorf("blob: %v", err)
	}
	if _, _, err := trust.VerifyStatement(attestation, changed, identity()); err == nil || !strings.Contains(err.Error(), "does not match any digest in statement") {
		t.Errorf("statement: %v", err)
	}
	for _, bad := range []release.Digest{"", "sha256:", "sha256:12", "sha512:00"} {
		if _, err := trust.VerifyBlob(message, bad, identity()); err == nil {
			t.Errorf("digest %q accepted", bad)
		}
		if _, _, err := trust.VerifyStatement(attestation, bad, identity()); err == nil {
			t.Errorf("digest %q accepted for the statement", bad)
		}
	}
}

func TestOtherKind(t *testing.T) {
	trust, message, attestation := signed(t, workflow())
	if _, err := trust.VerifyBlob(attestation, blob(0).Digest, identity()); err == nil || !strings.Contains(err.Error(), "content: found") {
		t.Errorf("an attestation as a blob's: %v", err)
	}
	if _, _, err := trust.VerifyStatement(message, blob(0).Digest, identity()); err == nil || !strings.Contains(err.Error(), "content: found") {
		t.Errorf("a blob's as an attestation: %v", err)
	}
}

func TestOtherIdentity(t *testing.T) {
	from := func(change func(*sigstore.Workflow)) sigstore.Workflow {
		w := workflow()
		change(&w)
		return w
	}
	reusable := "octo-org/workflows/.github/workflows/go.yml@refs/heads/main"
	for name, c := range map[string]struct {
		by   sigstore.Workflow
		want Identity
		rule string // empty: accepted
	}{
		"same":       {workflow(), identity(), ""},
		"other case": {workflow(), Identity{Repository: "Octo-Org/Octo-Repo", Commit: commit, Tag: "v1.2.3"}, ""},
		"repository": {from(func(w *sigstore.Workflow) { w.Repository = "evil/octo-repo" }), identity(), `workflow: found "https://github.com/evil/octo-repo/`},
		"repository with a longer name": {
			from(func(w *sigstore.Workflow) { w.Repository = "octo-org/octo-repo-evil" }), identity(), "workflow: found"},
		"repository that calls the workflow": {
			from(func(w *sigstore.Workflow) {
				w.Repository, w.Called = "evil/octo-repo", "octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1.2.3"
			}), identity(), `repository: found "https://github.com/evil/octo-repo", want "https://github.com/octo-org/octo-repo"`},
		"commit": {from(func(w *sigstore.Workflow) { w.SHA = strings.Repeat("0", 40) }), identity(), `commit: found "0000`},
		"tag": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/tags/v1.2.4" }), identity(), `ref: found "refs/tags/v1.2.4", want "refs/tags/v1.2.3"`},
		"branch with the tag's name": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/heads/v1.2.3" }), identity(), `ref: found "refs/heads/v1.2.3", want "refs/tags/v1.2.3"`},
		"branch, allowed": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/heads/main" }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Branches: []string{"next", "main"}}, ""},
		"branch, not that one": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/heads/evil" }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Branches: []string{"main"}},
			`ref: found "refs/heads/evil", want "refs/tags/v1.2.3 or refs/heads/main"`},
		"branch with the tag's name where another is allowed": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/heads/v1.2.3" }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Branches: []string{"main"}}, `ref: found "refs/heads/v1.2.3"`},
		"any source": {
			from(func(w *sigstore.Workflow) { w.Ref, w.SHA = "refs/pull/1/merge", strings.Repeat("0", 40) }),
			Identity{Repository: "octo-org/octo-repo", AnySource: true}, ""},
		"any source of another repository": {
			from(func(w *sigstore.Workflow) { w.Repository = "evil/octo-repo" }), Identity{Repository: "octo-org/octo-repo", AnySource: true}, "workflow: found"},
		"other tag where branches are allowed": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/tags/v1.2.4" }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Branches: []string{"main"}},
			`want "refs/tags/v1.2.3 or refs/heads/main"`},
		"pull request": {
			from(func(w *sigstore.Workflow) { w.Ref = "refs/pull/1/merge" }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Branches: []string{"main"}}, "ref: found"},
		"foreign workflow": {
			from(func(w *sigstore.Workflow) { w.Called = reusable }), identity(), `workflow: found "https://github.com/octo-org/workflows/`},
		"foreign workflow, named": {
			from(func(w *sigstore.Workflow) { w.Called = reusable }),
			Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Workflow: "https://github.com/octo-org/workflows/.github/workflows/go.yml"}, ""},
		"other workflow of the repository": {
			workflow(), Identity{Repository: "octo-org/octo-repo", Commit: commit, Tag: "v1.2.3", Workflow: "https://github.com/octo-org/octo-repo/.github/workflows/release"},
			"workflow: found"},
	} {
		t.Run(name, func(t *testing.T) {
			trust, message, attestation := signed(t, c.by)
			_, err := trust.VerifyBlob(message, blob(0).Digest, c.want)
			_, _, statementErr := trust.VerifyStatement(attestation, blob(1).Digest, c.want)
			for _, err := range []error{err, statementErr} {
				if c.rule == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), c.rule) {
					t.Errorf("got %v, want an error with %q", err, c.rule)
				}
			}
		})
	}
}

// TestOtherRoot puts each part of another instance's trusted root in place of the own.
func TestOtherRoot(t *testing.T) {
	s, other := start(t, workflow()), start(t, workflow())
	signer := signerOf(t, s)
	message, err := signer.Blob(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := s.TrustedRoot, other.TrustedRoot
	for name, c := range map[string]struct {
		parts [4]*root.TrustedRoot // authorities, CT logs, timestamp authorities, logs
		want  string
	}{
		"none":                {[4]*root.TrustedRoot{mine, mine, mine, mine}, ""},
		"all":                 {[4]*root.TrustedRoot{theirs, theirs, theirs, theirs}, "log inclusion"},
		"certificates":        {[4]*root.TrustedRoot{theirs, mine, mine, mine}, "leaf certificate"},
		"CT log":              {[4]*root.TrustedRoot{mine, theirs, mine, mine}, "signed certificate timestamp"},
		"timestamp authority": {[4]*root.TrustedRoot{mine, mine, theirs, mine}, "timestamps"},
		"log":                 {[4]*root.TrustedRoot{mine, mine, mine, theirs}, "log inclusion"},
	} {
		mixed, err := root.NewTrustedRoot(root.TrustedRootMediaType01, c.parts[0].FulcioCertificateAuthorities(),
			c.parts[1].CTLogs(), c.parts[2].TimestampingAuthorities(), c.parts[3].RekorLogs())
		if err != nil {
			t.Fatal(err)
		}
		_, err = Trust{root: mixed}.VerifyBlob(message, blob(0).Digest, identity())
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), "checking against the trusted root") || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestAltered changes one byte in each part of the bundle that is a witness, or takes
// the part away.
func TestAltered(t *testing.T) {
	trust, message, attestation := signed(t, workflow())
	for name, c := range map[string]struct {
		bundle []byte
		path   []any
		remove bool
	}{
		"signature":    {message, []any{"messageSignature", "signature"}, false},
		"digest":       {message, []any{"messageSignature", "messageDigest", "digest"}, false},
		"no digest":    {message, []any{"messageSignature", "messageDigest"}, true},
		"certificate":  {message, []any{"verificationMaterial", "certificate", "rawBytes"}, false},
		"timestamp":    {message, []any{"verificationMaterial", "timestampVerificationData", "rfc3161Timestamps", 0, "signedTimestamp"}, false},
		"no timestamp": {message, []any{"verificationMaterial", "timestampVerificationData"}, true},
		"no log entry": {message, []any{"verificationMaterial", "tlogEntries"}, true},
		"no proof":     {message, []any{"verificationMaterial", "tlogEntries", 0, "inclusionProof"}, true},
		"no material":  {message, []any{"verificationMaterial"}, true},
		"media type":   {message, []any{"mediaType"}, true},
		"payload":      {attestation, []any{"dsseEnvelope", "payload"}, false},
		"payload type": {attestation, []any{"dsseEnvelope", "payloadType"}, true},
		"signatures":   {attestation, []any{"dsseEnvelope", "signatures"}, true},
		"DSSE":         {attestation, []any{"dsseEnvelope", "signatures", 0, "sig"}, false},
	} {
		var doc any
		if err := json.Unmarshal(c.bundle, &doc); err != nil {
			t.Fatal(err)
		}
		at, last := doc, len(c.path)-1
		for _, step := range c.path[:last] {
			if i, ok := step.(int); ok {
				at = at.([]any)[i]
			} else {
				at = at.(map[string]any)[step.(string)]
			}
		}
		holder, name2 := at.(map[string]any), c.path[last].(string)
		if _, ok := holder[name2]; !ok {
			t.Fatalf("%s: the bundle has no %q", name, name2)
		}
		if c.remove {
			delete(holder, name2)
		} else {
			raw, err := base64.StdEncoding.DecodeString(holder[name2].(string))
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)-2] ^= 1
			holder[name2] = base64.StdEncoding.EncodeToString(raw)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if &c.bundle[0] == &message[0] {
			_, err = trust.VerifyBlob(text, blob(0).Digest, identity())
		} else {
			_, _, err = trust.VerifyStatement(text, blob(0).Digest, identity())
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, text := range []string{"", "{}", "null", "[", strings.Repeat(" ", maxBundle+1)} {
		if _, err := trust.VerifyBlob([]byte(text), blob(0).Digest, identity()); err == nil {
			t.Errorf("bundle %.10q accepted", text)
		}
	}
}

// FuzzVerify: no bundle makes the verifier panic, and none is accepted for a file
// that was never signed.
func FuzzVerify(f *testing.F) {
	trust, message, attestation := signed(f, workflow())
	f.Add(message)
	f.Add(attestation)
	for _, seed := range []string{
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{}},"messageSignature":{}}`,
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{}},"dsseEnvelope":{}}`,
		`{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.1","verificationMaterial":{"x509CertificateChain":{}},"messageSignature":{}}`,
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"tlogEntries":[{}],"certificate":{"rawBytes":"AA=="},"timestampVerificationData":{}},"messageSignature":{"messageDigest":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := trust.VerifyBlob(text, blob(9).Digest, identity()); err == nil {
			t.Error("accepted")
		}
		if _, _, err := trust.VerifyStatement(text, blob(9).Digest, identity()); err == nil {
			t.Error("accepted")
		}
		// These go past the comparison of digests.
		_, _ = trust.VerifyBlob(text, blob(0).Digest, identity())
		_, _, _ = trust.VerifyStatement(text, blob(0).Digest, identity())
	})
}
