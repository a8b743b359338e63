package fulcio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/sign/testdata/real/setup"
	"github.com/org/pgo-release/internal/sign/testdata/real/stub"
)

// TestRefusals: what the real Fulcio does not certify, and how the signer says so.
func TestRefusals(t *testing.T) {
	s := start(t, setup.Workflow())
	stranger, err := stub.NewIssuer(map[string]any{
		"sub": "repo:octo-org/octo-repo:ref:refs/tags/v1.2.3", "repository": "octo-org/octo-repo", "ref": "refs/tags/v1.2.3",
		"sha": setup.Workflow().SHA, "job_workflow_ref": strings.TrimPrefix(setup.Workflow().SAN(), "https://github.com/"),
	})
	if err != nil {
		t.Fatal(err)
	}
	made := func(by *stub.Issuer, audience string, at time.Time, changes map[string]any) sign.Token {
		return func(context.Context, string) (string, error) { return by.Sign(audience, at, changes) }
	}
	now := time.Now()
	const refused = "There was an error processing the identity token"
	for name, c := range map[string]struct {
		token     sign.Token
		transport http.RoundTripper
		want      string
	}{
		"audience":            {made(s.issuer, "https://example.com", now, nil), nil, refused},
		"default audience":    {made(s.issuer, "https://github.com/octo-org", now, nil), nil, refused},
		"expired":             {made(s.issuer, sign.Audience, now.Add(-time.Hour), nil), nil, refused},
		"not yet valid":       {made(s.issuer, sign.Audience, now.Add(time.Hour), nil), nil, refused},
		"key of another":      {made(stranger, sign.Audience, now, nil), nil, refused},
		"proof of possession": {s.token, tripper(unproven), "The signature supplied in the request could not be verified"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.fulcio.Calls()
			_, err := sign.NewSigner(s.trust, c.token, c.transport).Blob(t.Context(), setup.File(0))
			where := `requesting a certificate: asking Fulcio at "` + strings.TrimPrefix(s.fulcio.URL, "http://") + `": 400 Bad Request: `
			if err == nil || !strings.Contains(err.Error(), where+c.want) {
				t.Errorf("got %v", err)
			}
			if n := s.fulcio.Calls() - before; n != 1 {
				t.Errorf("Fulcio was asked %d times", n)
			}
			if hint := release.HintOf(err); hint != "" {
				t.Errorf("hint %q, though another run would not help", hint)
			}
		})
	}
	if n := s.published(); n != 0 {
		t.Errorf("%d calls after Fulcio refused", n)
	}
}

// TestOtherIssuer: the signer does not even ask Fulcio, and Fulcio would refuse.
func TestOtherIssuer(t *testing.T) {
	s := start(t, setup.Workflow())
	changed := map[string]any{"iss": "https://gitlab.com"}
	token := func(context.Context, string) (string, error) {
		return s.issuer.Sign(sign.Audience, time.Now(), changed)
	}
	_, err := sign.NewSigner(s.trust, token, nil).Blob(t.Context(), setup.File(0))
	if err == nil || !strings.Contains(err.Error(), `issuer: found "https://gitlab.com"`) || s.fulcio.Calls() != 0 {
		t.Errorf("got %v after %d calls", err, s.fulcio.Calls())
	}
	// The same request as ever, with that token in place of the good one.
	exchanged := tripper(func(r *http.Request) (*http.Response, error) {
		raw, err := token(r.Context(), sign.Audience)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+raw)
		return http.DefaultTransport.RoundTrip(r)
	})
	_, err = sign.NewSigner(s.trust, s.token, exchanged).Blob(t.Context(), setup.File(0))
	if err == nil || !strings.Contains(err.Error(), "400 Bad Request: There was an error processing the identity token") {
		t.Errorf("got %v", err)
	}
	if n := s.published(); n != 0 {
		t.Errorf("%d calls after Fulcio refused", n)
	}
}

// TestPasses: Fulcio is not well, and then it is.
func TestPasses(t *testing.T) {
	for name, fault := range map[string]sigstore.Fault{
		"503": sigstore.Status(503), "500": sigstore.Status(500), "429": sigstore.Status(429), "cut": sigstore.Down, "lost": sigstore.Lost,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup.Workflow())
			s.fulcio.Inject(sigstore.First(2, fault))
			bundle, err := s.signer().Blob(t.Context(), setup.File(0))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.trust.VerifyBlob(bundle, setup.File(0).Digest, setup.Identity()); err != nil {
				t.Error(err)
			}
			if n := s.fulcio.Calls(); n != 3 {
				t.Errorf("Fulcio was asked %d times", n)
			}
		})
	}
}

// TestWithoutCTLog: no certificate without a promise, and nothing signed without a
// certificate.
func TestWithoutCTLog(t *testing.T) {
	for name, c := range map[string]struct {
		fault sigstore.Fault
		want  string
	}{
		"refuses": {sigstore.Status(400), "500 Internal Server Error: Error entering certificate in CTL (4 attempts)"},
		"ill":     {sigstore.Status(500), "500 Internal Server Error: Error entering certificate in CTL (4 attempts)"},
		// Fulcio asks a CT log again for as long as its own client waits.
		"down": {sigstore.Down, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, setup.Workflow())
			s.ctLog.Inject(c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := s.signer().Blob(ctx, setup.File(0))
			if err == nil || !strings.Contains(err.Error(), "requesting a certificate: asking Fulcio at") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if n := s.published(); n != 0 {
				t.Errorf("%d calls without a certificate", n)
			}
			s.ctLog.Inject(nil)
			if _, err := s.signer().Blob(t.Context(), setup.File(0)); err != nil {
				t.Error("when it is over:", err)
			}
		})
	}
}

type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// unproven sends a request for a certificate with a proof that is for nothing.
func unproven(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var request map[string]any
	if err := json.Unmarshal(text, &request); err != nil {
		return nil, err
	}
	request["publicKeyRequest"].(map[string]any)["proofOfPossession"] = []byte("nothing")
	if text, err = json.Marshal(request); err != nil {
		return nil, err
	}
	changed := r.Clone(r.Context())
	changed.Body, changed.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return http.DefaultTransport.RoundTrip(changed)
}
