package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Issuer is the issuer that GitHub Actions writes into its tokens, and the carried
// one too: a rehearsal checks the identity that the release will have.
const Issuer = "https://token.actions.githubusercontent.com"

// audience is the only one that Fulcio takes.
const audience = "sigstore"

// Workflow is the workflow run that a rehearsal stands for, in the terms of the
// claims of GitHub's token.
type Workflow struct {
	Repository   string // owner/name
	RepositoryID string
	OwnerID      string
	Visibility   string // public, private, internal
	Ref          string // such as refs/tags/v1.2.3
	SHA          string // commit that Ref names
	Name         string // the workflow's name
	Path         string // such as .github/workflows/release.yml
	Called       string // job_workflow_ref of a called (reusable) workflow; empty: the workflow itself
	Event        string // such as push
	RunID        string
	RunAttempt   string
	Environment  string // of GitHub, that the job runs in; empty: none
}

func (w Workflow) owner() string {
	owner, _, _ := strings.Cut(w.Repository, "/")
	return owner
}

func (w Workflow) workflowRef() string { return w.Repository + "/" + w.Path + "@" + w.Ref }

func (w Workflow) jobWorkflowRef() string {
	if w.Called != "" {
		return w.Called
	}
	return w.workflowRef()
}

// SAN is the identity in the certificates of this run: the URI of the workflow that
// signs, with its ref, escaped as Fulcio escapes it.
func (w Workflow) SAN() string {
	raw := "https://github.com/" + w.jobWorkflowRef()
	if parsed, err := url.Parse(raw); err == nil {
		return parsed.String()
	}
	return raw
}

// claims are those that Fulcio reads, and their usual companions.
func (w Workflow) claims() map[string]any {
	claims := map[string]any{
		"sub":        "repo:" + w.Repository + ":ref:" + w.Ref,
		"repository": w.Repository, "repository_id": w.RepositoryID, "repository_visibility": w.Visibility,
		"repository_owner": w.owner(), "repository_owner_id": w.OwnerID,
		"ref": w.Ref, "sha": w.SHA, "event_name": w.Event,
		"workflow": w.Name, "workflow_ref": w.workflowRef(), "workflow_sha": w.SHA,
		"job_workflow_ref": w.jobWorkflowRef(), "job_workflow_sha": w.SHA,
		"run_id": w.RunID, "run_attempt": w.RunAttempt, "runner_environment": "github-hosted",
	}
	if w.Environment != "" {
		claims["environment"] = w.Environment
		claims["sub"] = "repo:" + w.Repository + ":environment:" + w.Environment
	}
	return claims
}

// issuer answers like the address in ACTIONS_ID_TOKEN_REQUEST_URL. It signs with
// ES256, where GitHub signs with RS256: making an RSA key would be most of the time
// that Start takes.
type issuer struct {
	bearer string
	claims map[string]any
	signer jose.Signer
	public crypto.PublicKey
}

func newIssuer(w Workflow) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	opts := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "rehearsal")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts)
	if err != nil {
		return nil, err
	}
	return &issuer{bearer: rand.Text(), claims: w.claims(), signer: signer, public: key.Public()}, nil
}

// token signs the claims for an audience. The times are those of GitHub's tokens.
func (i *issuer) token(audience string, now time.Time) (string, error) {
	claims := maps.Clone(i.claims)
	maps.Copy(claims, map[string]any{
		"iss": Issuer, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-10 * time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	jws, err := i.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// verify checks signature, issuer, audience and expiry, and returns the claims that
// are strings.
func (i *issuer) verify(ctx context.Context, raw string) (map[string]string, error) {
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{i.public}}
	config := &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}}
	token, err := oidc.NewVerifier(Issuer, keys, config).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := token.Claims(&all); err != nil {
		return nil, err
	}
	claims := make(map[string]string, len(all))
	for name, value := range all {
		if s, ok := value.(string); ok {
			claims[name] = s
		}
	}
	return claims, nil
}

// ServeHTTP answers a request for a token.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || bearer != i.bearer {
		reply(w, http.StatusUnauthorized, map[string]string{"message": "unauthorized"})
		return
	}
	aud := r.URL.Query().Get("audience")
	if aud == "" { // what GitHub takes when none is asked for
		aud = fmt.Sprintf("https://github.com/%s", i.claims["repository_owner"])
	}
	token, err := i.token(aud, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, http.StatusOK, map[string]any{"count": 1, "value": token})
}
