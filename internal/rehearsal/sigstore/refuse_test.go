package sigstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/client/write"
	tilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// TestFulcioRefuses: tokens and proofs that are not what they should be.
func TestFulcioRefuses(t *testing.T) {
	s, other := start(t, workflow()), start(t, workflow())
	bearer := s.Env()["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
	good := goodToken(t, s)
	elsewhere, _ := token(t, s, "https://example.com", bearer)
	unasked, _ := token(t, s, "", bearer)
	parts := strings.Split(good, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	forged := base64.RawURLEncoding.EncodeToString(bytes.Replace(claims, []byte("octo-repo"), []byte("evil-repo"), 1))
	k := keypair(t)
	for name, c := range map[string]struct {
		raw  string
		key  sign.Keypair
		want string
	}{
		"audience":         {elsewhere, k, "identity token"},
		"default audience": {unasked, k, "identity token"},
		"foreign issuer":   {goodToken(t, other), k, "identity token"},
		"forged claims":    {parts[0] + "." + forged + "." + parts[2], k, "identity token"},
		"another's key":    {good, liar{k, keypair(t)}, "could not be verified"},
	} {
		_, err := signWith(s, c.key, c.raw, &sign.PlainData{Data: blob(0)})
		if err == nil || !strings.Contains(err.Error(), "Fulcio returned 400") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if s.Calls(Rekor)+s.Calls(TSA) != 0 {
		t.Error("something was signed")
	}
}

// liar proves the possession of another key than it shows.
type liar struct {
	sign.Keypair
	other sign.Keypair
}

func (l liar) SignData(ctx context.Context, data []byte) (signature, digest []byte, err error) {
	return l.other.SignData(ctx, data)
}

func TestIssuerRefuses(t *testing.T) {
	s := start(t, workflow())
	if _, status := token(t, s, audience, "guess"); status != http.StatusUnauthorized {
		t.Error("wrong bearer:", status)
	}
	i, err := newIssuer(workflow())
	if err != nil {
		t.Fatal(err)
	}
	old, err := i.token(audience, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.verify(t.Context(), old); err == nil {
		t.Error("expired token accepted")
	}
}

// TestRekorRefuses: an entry twice, and one whose signature does not hold.
func TestRekorRefuses(t *testing.T) {
	s, k := start(t, workflow()), keypair(t)
	signature, digest, err := k.SignData(t.Context(), blob(0))
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.GetPublicKeyPem()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	entry := &tilespb.HashedRekordRequestV002{Digest: digest, Signature: &tilespb.Signature{Content: signature, Verifier: &tilespb.Verifier{
		KeyDetails: k.GetSigningAlgorithm(),
		Verifier:   &tilespb.Verifier_PublicKey{PublicKey: &tilespb.PublicKey{RawBytes: block.Bytes}},
	}}}
	client, err := write.NewWriter(s.URL(Rekor))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Add(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Add(t.Context(), entry); err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "with index 0") {
		t.Errorf("an entry twice: %v", err)
	}
	entry.Digest[0] ^= 1
	if _, err := client.Add(t.Context(), entry); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("wrong signature: %v", err)
	}
}

// TestGarbage: no request makes a service do anything but refuse.
func TestGarbage(t *testing.T) {
	s := start(t, workflow())
	for name, path := range map[string]string{Fulcio: "/api/v2/signingCert", Rekor: "/api/v2/log/entries", TSA: timestampPath} {
		for _, body := range []string{"", "{", "{}", "null", "\x30\x00", strings.Repeat("x", 5<<20)} {
			resp, err := http.Post(s.URL(name)+path, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if closeErr := resp.Body.Close(); err != nil || closeErr != nil || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %.8q: %s (%v)", name, body, resp.Status, err)
			}
		}
		resp, err := http.Get(s.URL(name) + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: GET: %s (%v)", name, resp.Status, err)
		}
	}
}

func TestInject(t *testing.T) {
	s := start(t, workflow())
	get := func() (int, error) {
		resp, err := http.Get(s.URL(OIDC) + "/token")
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	const healthy = http.StatusUnauthorized
	for _, step := range []struct {
		name  string
		fault Fault
		want  []int // statuses in order; 0: no answer
	}{
		{"none", nil, []int{healthy}},
		{"status", Status(503), []int{503, 503}},
		{"first", First(2, Status(500)), []int{500, 500, healthy}},
		{"slow", Slow(time.Millisecond), []int{healthy}},
		{"gone", nil, []int{healthy}},
	} {
		s.Inject(OIDC, step.fault)
		for i, want := range step.want {
			if got, err := get(); got != want {
				t.Errorf("%s, request %d: %d (%v), want %d", step.name, i, got, err, want)
			}
		}
	}
	// POST, as the client of the standard library repeats a GET by itself.
	var done atomic.Int64
	counting := func(next http.Handler) http.Handler {
		return Lost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { done.Add(1); next.ServeHTTP(w, r) }))
	}
	for name, fault := range map[string]Fault{"down": Down, "lost": counting} {
		s.Inject(TSA, fault)
		if resp, err := http.Post(s.URL(TSA)+timestampPath, "", strings.NewReader("x")); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if n := done.Load(); n != 1 {
		t.Errorf("the service did its work %d times", n)
	}
}
