package action_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/release"
)

func env(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func runner(t *testing.T, m map[string]string) *action.Runner {
	t.Helper()
	m["GITHUB_ACTIONS"] = "true"
	r, ok := action.Detect(env(m), io.Discard)
	if !ok {
		t.Fatal("not detected")
	}
	return r
}

func TestDetect(t *testing.T) {
	if _, ok := action.Detect(env(nil), io.Discard); ok {
		t.Error("detected outside of Actions")
	}
	r := runner(t, map[string]string{
		"GITHUB_REF":        "refs/tags/v1.2.3",
		"GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2",
	})
	if tag := r.Tag(); tag != "v1.2.3" {
		t.Errorf("tag %q", tag)
	}
	if id := r.InvocationID(); id != "https://github.com/o/r/actions/runs/7/attempts/2" {
		t.Error(id)
	}
	for _, ref := range []string{"refs/heads/refs/tags/v1", "refs/heads/release/v1", "refs/pull/1/merge", ""} {
		if tag := runner(t, map[string]string{"GITHUB_REF": ref}).Tag(); tag != "" {
			t.Errorf("%q passes for the tag %q", ref, tag)
		}
	}
}

// A value cannot end itself: what follows it stays its own.
func TestOutputs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(path, []byte("before=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runner(t, map[string]string{"GITHUB_OUTPUT": path})
	if err := r.Outputs(map[string]string{"version": "1.2.3", "notes": "a\nEOF\nevil=1"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`(?s)^before=1\nnotes<<(\S+)\na\nEOF\nevil=1\n(\S+)\nversion<<(\S+)\n1\.2\.3\n(\S+)\n$`)
	m := form.FindStringSubmatch(string(text))
	if m == nil || m[1] != m[2] || m[3] != m[4] || m[1] == m[3] {
		t.Errorf("%q", text)
	}
	if err := runner(t, map[string]string{"GITHUB_OUTPUT": filepath.Join(path, "none")}).Outputs(nil); err == nil {
		t.Error("a file that cannot be written is no error")
	}
}

// The summary never gets as long as the runner refuses, whatever stood there before.
func TestSummary(t *testing.T) {
	const notice = "(cut: the summary was longer than GitHub shows)\n"
	for name, c := range map[string]struct{ before, text, end string }{
		"short":              {"before\n", "text\n", "before\ntext\n"},
		"long":               {"", strings.Repeat("é line\n", 200_000), "é line\n\n" + notice},
		"one line":           {"", strings.Repeat("é", 600_000), "é\n\n" + notice},
		"little room":        {strings.Repeat("x", 1<<20-1000), strings.Repeat("line\n", 400), "x" + strings.Repeat("line\n", 189) + "\n" + notice},
		"no room":            {strings.Repeat("x", 1<<20-40), strings.Repeat("line\n", 400), "xx"},
		"not UTF-8 and long": {"", strings.Repeat("\xff\n", 600_000), "\n\n" + notice},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "summary")
			if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := runner(t, map[string]string{"GITHUB_STEP_SUMMARY": path}).Summary(c.text); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) >= 1<<20 || !strings.HasSuffix(string(text), c.end) || !strings.HasPrefix(string(text), c.before) || !utf8.Valid(text) {
				t.Errorf("%d bytes that end in %q, want %q", len(text), text[max(0, len(text)-80):], c.end[max(0, len(c.end)-80):])
			}
		})
	}
	if err := runner(t, map[string]string{}).Summary("text"); err != nil {
		t.Errorf("without a summary: %v", err)
	}
}

// broken is a stream that is gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestMask(t *testing.T) {
	var out strings.Builder
	r, _ := action.Detect(env(map[string]string{"GITHUB_ACTIONS": "true"}), &out)
	r.Mask("s3cret\nline")
	r.Mask("")
	if got := out.String(); got != "::add-mask::s3cret%0Aline\n" {
		t.Errorf("%q", got)
	}
	gone, _ := action.Detect(env(map[string]string{"GITHUB_ACTIONS": "true"}), broken{})
	gone.Mask("s3cret") // and no panic
}

func TestToken(t *testing.T) {
	const bearer = "request-token"
	answer := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"value":"jwt"}`) }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.Header.Get("Authorization"), code) }
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string // of the error; empty: a token
		class   release.Class
	}{
		"token":        {answer, "", 0},
		"unauthorised": {status(401), "401 Unauthorized", release.Authorisation},
		"forbidden":    {status(403), "403 Forbidden", release.Authorisation},
		"broken":       {status(500), "500 Internal Server Error", 0},
		"garbage":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{") }, "JSON", 0},
		"empty":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "holds none", 0},
		"cut":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case asked <- r.URL.Query().Get("audience") + " " + r.Header.Get("Authorization"):
				default: // the client asks again when a connection is cut
				}
				c.handler(w, r)
			}))
			defer server.Close()
			get := action.Token(env(map[string]string{
				"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearer,
			}), nil)
			token, err := get(t.Context(), "sigstore")
			if got := <-asked; got != "sigstore Bearer "+bearer {
				t.Errorf("asked %s", got)
			}
			if c.want == "" {
				if err != nil || token != "jwt" {
					t.Errorf("%q, %v", token, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || release.ClassOf(err) != c.class || strings.Contains(err.Error(), bearer) {
				t.Errorf("%v of class %d", err, release.ClassOf(err))
			}
		})
	}
}

func TestTokenWithoutPermission(t *testing.T) {
	_, err := action.Token(env(nil), nil)(t.Context(), "sigstore")
	if release.ClassOf(err) != release.Authorisation || !strings.Contains(release.HintOf(err), "id-token: write") {
		t.Errorf("%v, hint %q", err, release.HintOf(err))
	}
}

// TestTokenHanging: an endpoint that does not answer is not waited for without end.
func TestTokenHanging(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	get := action.Token(env(map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
	}), &http.Client{Timeout: 50 * time.Millisecond})
	if _, err := get(t.Context(), "sigstore"); err == nil || !strings.Contains(err.Error(), "exceeded") || release.ClassOf(err) != 0 {
		t.Error(err)
	}
}

func TestTokenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	get := action.Token(env(map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
	}), nil)
	if _, err := get(ctx, "sigstore"); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Error(err)
	}
}
