package stub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/org/pgo-release/internal/sign"
)

// keyID names the issuer's key in tokens and in the key set.
const keyID = "stub"

// Issuer answers like token.actions.githubusercontent.com (discovery and key set), and at
// /token like the address in ACTIONS_ID_TOKEN_REQUEST_URL. It signs with RS256, as GitHub
// does. Its methods may be called from several goroutines.
type Issuer struct {
	bearer string
	claims map[string]any
	public *rsa.PublicKey
	signer jose.Signer
}

// NewIssuer makes an issuer whose tokens carry these claims.
func NewIssuer(claims map[string]any) (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("making the issuer's key: %w", err)
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("making the issuer's signer: %w", err)
	}
	return &Issuer{bearer: rand.Text(), claims: claims, public: &key.PublicKey, signer: signer}, nil
}

// Sign makes a token: the issuer's claims, for an audience, issued at a time, with the
// life of GitHub's tokens. Changes replace claims of the token, these too.
func (i *Issuer) Sign(audience string, at time.Time, changes map[string]any) (string, error) {
	claims := maps.Clone(i.claims)
	maps.Copy(claims, map[string]any{
		"iss": sign.Issuer, "aud": audience, "jti": rand.Text(),
		"iat": at.Unix(), "nbf": at.Add(-10 * time.Minute).Unix(), "exp": at.Add(5 * time.Minute).Unix(),
	})
	maps.Copy(claims, changes)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the claims: %w", err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	return signed.CompactSerialize()
}

// Env is what a runner sets in a job with id-token: write, where the issuer answers at an
// address.
func (i *Issuer) Env(at string) map[string]string {
	return map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": at + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": i.bearer,
	}
}

// ServeHTTP answers for both of GitHub's hosts.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, value := http.StatusNotFound, any(map[string]string{"message": "not found"})
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		status, value = http.StatusOK, map[string]any{
			"issuer": sign.Issuer, "jwks_uri": sign.Issuer + "/.well-known/jwks",
			"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
			"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
		}
	case "/.well-known/jwks":
		status, value = http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: i.public, KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
		}}
	case "/token":
		status, value = i.answer(r)
	}
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte("{}")
	}
	reply(w, status, text)
}

// answer is what a runner gets for its bearer.
func (i *Issuer) answer(r *http.Request) (int, any) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || bearer != i.bearer {
		return http.StatusUnauthorized, map[string]string{"message": "unauthorized"}
	}
	audience := r.URL.Query().Get("audience")
	if audience == "" { // what GitHub takes when none is asked for
		audience = fmt.Sprintf("https://github.com/%s", i.claims["repository_owner"])
	}
	token, err := i.Sign(audience, time.Now(), nil)
	if err != nil {
		return http.StatusInternalServerError, map[string]string{"message": err.Error()}
	}
	return http.StatusOK, map[string]any{"count": 1, "value": token}
}

// Ask fetches a token as the runner's documentation says, from an environment such as Env.
func Ask(env map[string]string) sign.Token {
	return func(ctx context.Context, audience string) (string, error) {
		at := env["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + url.QueryEscape(audience)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return "", err
		}
		request.Header.Set("Authorization", "bearer "+env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return "", fmt.Errorf("asking for a token: %s", response.Status)
		}
		var answer struct{ Value string }
		err = json.NewDecoder(response.Body).Decode(&answer)
		return answer.Value, err
	}
}
