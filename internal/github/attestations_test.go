package github_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/release"
)

const (
	attests  = "POST .*/attestations$"
	attested = "GET .*/attestations/"
)

// bundleOf is a bundle about contents; note tells it from others about the same.
func bundleOf(note string, contents ...string) []byte {
	var subjects []string
	for _, content := range contents {
		subjects = append(subjects, fmt.Sprintf(`{"name":"x","digest":{"sha256":%q}}`, digest(content).Hex()))
	}
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"note":%q}}`,
		strings.Join(subjects, ","), note)
	return fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"tlogEntries":[{"logIndex":12345678901234567890}]},`+
		`"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"eA=="}]}}`,
		base64.StdEncoding.EncodeToString([]byte(statement)))
}

// attested checks the bundles about a content, in order.
func (s *stage) attested(content string, want ...[]byte) {
	s.Helper()
	got, err := s.client.Attestations(s.Context(), digest(content))
	if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
		s.Errorf("attestations %q, %v, want %q", got, err, want)
	}
}

func TestAttest(t *testing.T) {
	s := start(t, nil)
	s.attested("a")
	one, two := bundleOf("1", "a", "b"), bundleOf("2", "a")
	first, err := s.client.Attest(t.Context(), one)
	if err != nil || first <= 0 {
		t.Fatalf("%d, %v", first, err)
	}
	if again, err := s.client.Attest(t.Context(), one); again != 0 || err != nil {
		t.Errorf("the same again: %d, %v", again, err)
	}
	if second, err := s.client.Attest(t.Context(), two); second <= first || err != nil {
		t.Errorf("another: %d, %v", second, err)
	}
	s.wantCalls(attests, 2)
	s.attested("a", two, one)
	s.attested("b", one)
	s.attested("c")
	s.wantPauses()
}

// A store may lay out again what it was given, and order it anew, but not change it.
func TestAttestKnowsItsBundleAgain(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		posts    int
	}{
		"blanks":       {`,"dsseEnvelope"`, ` , "dsseEnvelope"`, 1},
		"order":        {`("verificationMaterial":.*}]}),("dsseEnvelope":.*\]})}`, `$2,$1}`, 1},
		"large number": {`12345678901234567890`, `12345678901234567891`, 2},
		"signature":    {`eA==`, `eQ==`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			bundle := bundleOf("1", "a")
			if _, err := s.client.Attest(t.Context(), bundle); err != nil {
				t.Fatal(err)
			}
			s.fault(1, attested, rewrites(test.old, test.new))
			if _, err := s.client.Attest(t.Context(), bundle); err != nil {
				t.Fatal(err)
			}
			s.wantCalls(attests, test.posts)
		})
	}
}

func TestAttestAfterFaults(t *testing.T) {
	second := time.Second
	for _, test := range []struct {
		name   string
		match  string
		fault  func(http.ResponseWriter, *http.Request, http.Handler)
		times  int
		posts  int
		known  bool // the number of the entry
		pauses []time.Duration
		fails  string
	}{
		{"500 once", attests, answers(500, ""), 1, 2, true, []time.Duration{second}, ""},
		{"500 for ever", attests, answers(500, ""), 100, 4, false, []time.Duration{second, 2 * second, 4 * second}, "500"},
		{"reset", attests, cut, 1, 2, true, []time.Duration{second}, ""},
		{"502 after success", attests, done, 1, 1, false, []time.Duration{second}, ""},
		{"reset after success", attests, cutAfter, 1, 1, false, []time.Duration{second}, ""},
		{"garbage after success", attests, rewrites(`.+`, `<html>`), 1, 1, false, []time.Duration{second}, ""},
		{"rate limit", attests, answers(429, "", "Retry-After", "7"), 1, 2, true, []time.Duration{7 * second}, ""},
		{"422", attests, answers(422, `{"message":"Validation Failed"}`), 100, 1, false, nil, "Validation Failed"},
		{"reading fails once", attested, answers(503, ""), 1, 1, true, []time.Duration{second}, ""},
		{"reading gives garbage", attested, answers(200, `{"attestations":`), 100, 0, false, nil, "unexpected EOF"},
		{"reading gives something else", attested, answers(200, `{"attestations":"x"}`), 100, 0, false, nil, "cannot unmarshal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, nil)
			s.fault(test.times, test.match, test.fault)
			bundle := bundleOf("1", "a")
			id, err := s.client.Attest(t.Context(), bundle)
			if (id > 0) != test.known {
				t.Errorf("number %d", id)
			}
			s.wantCalls(attests, test.posts)
			s.wantPauses(test.pauses...)
			if test.fails != "" {
				problem(t, err, 0, test.fails, string(digest("a")))
				return
			}
			if err != nil {
				t.Error(err)
			}
			s.attested("a", bundle)
		})
	}
}

func TestAttestRefused(t *testing.T) {
	bundle := bundleOf("1", "a")
	for name, test := range map[string]struct {
		prepare func(*stage)
		posts   int
		hint    string
	}{
		"no permission": {func(s *stage) { s.hub.WithholdAttestations(true) }, 1, "permissions: attestations: write"},
		"may not read": {func(s *stage) {
			s.fault(100, "/attestations", answers(403, `{"message":"Resource not accessible by integration"}`))
		}, 1, "permissions: attestations: write"},
		"404":              {func(s *stage) { s.fault(100, "/attestations", answers(404, `{"message":"Not Found"}`)) }, 1, "permissions: attestations: write"},
		"token is no good": {func(s *stage) { s.fault(100, "/attestations", answers(401, `{"message":"Bad credentials"}`)) }, 0, "${{ github.token }}"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nil)
			test.prepare(s)
			_, err := s.client.Attest(t.Context(), bundle)
			problem(t, err, release.Authorisation, test.hint, "storing the attestation of")
			s.wantCalls(attests, test.posts)
			s.wantPauses()
		})
	}
	s := start(t, nil)
	s.fault(1, attested, answers(403, `{"message":"Resource not accessible by integration"}`))
	_, err := s.client.Attestations(t.Context(), digest("a"))
	problem(t, err, release.Authorisation, "permissions: attestations: read", "reading the attestations of")
}

func TestBundlesThatAreNotSent(t *testing.T) {
	s := start(t, nil)
	for name, bundle := range map[string]string{
		"nothing":        ``,
		"no object":      `[]`,
		"no envelope":    `{"messageSignature":{}}`,
		"no base64":      `{"dsseEnvelope":{"payload":"*"}}`,
		"no statement":   `{"dsseEnvelope":{"payload":"eA=="}}`,
		"no subject":     string(bundleOf("1")),
		"no digest":      `{"dsseEnvelope":{"payload":"` + base64.StdEncoding.EncodeToString([]byte(`{"subject":[{"digest":{"sha256":"../x"}}]}`)) + `"}}`,
		"too large":      strings.Replace(string(bundleOf("1", "a")), "eA==", strings.Repeat("eA==", 1<<20), 1),
		"more behind it": string(bundleOf("1", "a")) + "{}",
	} {
		if id, err := s.client.Attest(t.Context(), []byte(bundle)); err == nil || !strings.HasPrefix(err.Error(), "storing an attestation: reading a Sigstore bundle") {
			t.Errorf("%s: %d, %v", name, id, err)
		}
	}
	for _, digest := range []release.Digest{"", "x", "../releases", release.Digest(digest("a").Hex()), digest("a") + "?per_page=1"} {
		if got, err := s.client.Attestations(t.Context(), digest); err == nil || !strings.Contains(err.Error(), "want a digest") {
			t.Errorf("%q: %q, %v", digest, got, err)
		}
	}
	s.wantCalls("", 0)
}

func TestManyAttestations(t *testing.T) {
	s := start(t, nil)
	var all [][]byte
	for i := range 305 {
		bundle := bundleOf(fmt.Sprint(i), "a")
		all = slices.Insert(all, 0, bundle)
		s.send("POST", s.hub.URL()+"repos/octo/hello/attestations", fmt.Sprintf(`{"bundle":%s}`, bundle))
	}
	s.attested("a", all[:300]...)
	s.wantCalls(attested, 10)
	// An answer whose next page is itself.
	s.fault(100, attested, answers(200, `{"attestations":[{"bundle":{}}]}`, "Link", `<https://api.github.com/x?after=x>; rel="next"`))
	s.attested("a", []byte("{}"), []byte("{}"))
}

func TestEntriesWithoutABundle(t *testing.T) {
	s := start(t, nil)
	large, _ := json.Marshal(map[string]string{"x": strings.Repeat("x", 4<<20)})
	fits := `{"x":"` + strings.Repeat("x", 3<<20) + `"}`
	s.fault(1, attested, answers(200, `{"attestations":[{"bundle":null,"bundle_url":"https://example.com/x"},{"bundle_url":"https://example.com/x"},`+
		`{"bundle":{"a":1}},{"bundle":"x"},{"bundle":`+string(large)+`},{}]}`))
	s.attested("a", []byte(`{"a":1}`))
	s.fault(1, attested, answers(200, `{"attestations":[`+strings.Repeat(`{"bundle":`+fits+`},`, 14)+`{}]}`))
	got, err := s.client.Attestations(t.Context(), digest("a"))
	if err != nil || len(got) != 10 {
		t.Errorf("%d of 14 that are too much together, %v", len(got), err)
	}
}

func TestHugeAnswer(t *testing.T) {
	s := start(t, nil)
	s.fault(100, attested, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 65 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := s.client.Attest(t.Context(), bundleOf("1", "a"))
	problem(t, err, 0, "longer than anything that GitHub sends")
	s.wantCalls(attested, 1)
	s.wantCalls(attests, 0)
}

// A caller does not wait longer than it wants to.
func TestSlowAttestationStore(t *testing.T) {
	for _, at := range []string{attests, attested} {
		s := start(t, nil)
		s.fault(100, at, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			_ = peek(r) // only then a server sees that its client is gone
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := s.client.Attest(ctx, bundleOf("1", "a"))
		problem(t, err, 0, context.DeadlineExceeded.Error())
		s.wantPauses()
	}
}
