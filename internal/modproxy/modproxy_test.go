package modproxy

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	module1 = "github.com/Masterminds/semver/v3"
	hash    = "0123456789abcdef0123456789abcdef01234567"
	whole   = `{"Version":"v1.2.3","Time":"2026-03-01T12:00:00Z","Origin":{"VCS":"git","URL":"https://github.com/o/r","Subdir":"sub","Hash":"` + hash + `","Ref":"refs/tags/v1.2.3"}}`
)

// serve is a proxy whose every answer is the handler's.
func serve(t *testing.T, h http.HandlerFunc) Proxy {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	p, ok := New(s.URL)
	if !ok {
		t.Fatalf("%s is no proxy", s.URL)
	}
	return p
}

func TestCommit(t *testing.T) {
	for name, c := range map[string]struct {
		status       int
		body, commit string
		served       bool
		err          string
	}{
		"served":            {status: 200, body: whole, commit: hash, served: true},
		"SHA-256":           {status: 200, body: strings.Replace(whole, hash, hash+hash[:24], 1), commit: hash + hash[:24], served: true},
		"no origin":         {status: 200, body: `{"Version":"v1.2.3","Time":"2026-03-01T12:00:00Z"}`, served: true},
		"null origin":       {status: 200, body: `{"Version":"v1.2.3","Origin":null}`, served: true},
		"no hash":           {status: 200, body: `{"Version":"v1.2.3","Origin":{"VCS":"git"}}`, served: true},
		"not found":         {status: 404, body: "not found: temporarily unavailable"},
		"gone":              {status: 410},
		"no content":        {status: 204, err: "status 204"},
		"unauthorized":      {status: 401, err: "status 401"},
		"too many requests": {status: 429, err: "status 429"},
		"broken":            {status: 500, body: whole, err: "status 500"},
		"nowhere":           {status: 302, err: "status 302"},
		"short hash":        {status: 200, body: strings.Replace(whole, hash, hash[:12], 1), err: `the answer names commit "0123456789ab"`},
		"upper-case hash":   {status: 200, body: strings.Replace(whole, hash, strings.ToUpper(hash), 1), err: "the answer names commit"},
		"hash of something": {status: 200, body: strings.Replace(whole, hash, `\u001b[31m`+hash[5:], 1), err: `the answer names commit "\x1b[31m`},
		"another version":   {status: 200, body: strings.Replace(whole, "v1.2.3", "v1.2.4", 1), err: `the answer is about version "v1.2.4"`},
		"no version":        {status: 200, body: `{}`, err: `the answer is about version ""`},
		"HTML":              {status: 200, body: "<html>", err: "parsing the answer: invalid character '<'"},
		"nothing":           {status: 200, err: "parsing the answer: unexpected end of JSON input"},
		"two values":        {status: 200, body: whole + whole, err: "parsing the answer"},
		"wrong type":        {status: 200, body: `{"Version":"v1.2.3","Origin":"x"}`, err: "parsing the answer"},
		"too long":          {status: 200, body: whole + strings.Repeat(" ", 64<<10), err: "the answer has more than 65536 bytes"},
		"deep":              {status: 200, body: strings.Repeat("[", 60<<10), err: "parsing the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body) // a status may forbid a body
			})
			commit, served, err := p.Commit(t.Context(), module1, "v1.2.3")
			if commit != c.commit || served != c.served {
				t.Errorf("commit %q, served %t", commit, served)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), `asking `+p.String()+` for "`+module1+`@v1.2.3": `) {
				t.Error(err)
			}
		})
	}
}

// The question is one that makes no proxy fetch anything.
func TestQuestion(t *testing.T) {
	for _, c := range []struct{ base, module, version, want string }{
		{"", module1, "v3.0.0-RC.1", "/cached-only/github.com/!masterminds/semver/v3/@v/v3.0.0-!r!c.1.info"},
		{"/", "example.com/m", "v2.0.0+incompatible", "/cached-only/example.com/m/@v/v2.0.0+incompatible.info"},
		{"/go/proxy/", "example.com/m", "v1.0.0", "/go/proxy/cached-only/example.com/m/@v/v1.0.0.info"},
		{"/cached-only", "example.com/m", "v1.0.0", "/cached-only/example.com/m/@v/v1.0.0.info"},
	} {
		var asked *http.Request
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r
			w.WriteHeader(http.StatusNotFound)
		}))
		p, _ := New(strings.Replace(s.URL, "http://", "http://user:secret@", 1) + c.base)
		_, _, err := p.Commit(t.Context(), c.module, c.version)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		user, password, _ := asked.BasicAuth()
		if asked.Method != http.MethodGet || asked.RequestURI != c.want || asked.Header.Get("Disable-Module-Fetch") != "true" || user+password != "usersecret" {
			t.Errorf("asked %s %s, want %s; %v", asked.Method, asked.RequestURI, c.want, asked.Header)
		}
	}
	p := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked about what is no module version") })
	for _, c := range [][2]string{{"example.com/../x", "v1.0.0"}, {"", "v1.0.0"}, {"example.com/m", "v1/../x"}, {"example.com/m", "v1!"}} {
		if _, _, err := p.Commit(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("no error for %q", c)
		}
	}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "elsewhere"):
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		case strings.Contains(r.URL.Path, "round"):
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		case strings.Contains(r.URL.Path, "secure"):
			http.Redirect(w, r, "https://"+r.Host+"/x", http.StatusFound)
		case r.URL.Path != "/there":
			http.Redirect(w, r, "/there", http.StatusFound)
		default:
			_, _ = io.WriteString(w, whole) // the client checks what it gets
		}
	})
	if commit, served, err := p.Commit(t.Context(), "example.com/m", "v1.2.3"); commit != hash || !served || err != nil {
		t.Errorf("on the same host: %q, %t, %v", commit, served, err)
	}
	for path, want := range map[string]string{"example.com/elsewhere": "redirected to " + `"` + other.URL + `"`, "example.com/round": "redirected more than 3 times", "example.com/secure": "redirected to \"https://"} {
		if _, served, err := p.Commit(t.Context(), path, "v1.2.3"); served || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %t, %v", path, served, err)
		}
	}
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close() // nobody listens there
	for _, userinfo := range []string{"name:secret@", "secret@", ":secret@"} {
		p, ok := New(strings.Replace(s.URL, "http://", "http://"+userinfo, 1) + "/token-secret")
		if !ok {
			t.Fatal(userinfo)
		}
		_, _, err := p.Commit(t.Context(), "example.com/m", "v1.2.3")
		if err == nil || strings.Contains(err.Error()+p.String(), "secret") || strings.Contains(err.Error(), "name") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestHangingProxy(t *testing.T) {
	for name, begin := range map[string]bool{"before the answer": false, "in the answer": true} {
		t.Run(name, func(t *testing.T) {
			end, asked := make(chan struct{}), make(chan struct{})
			p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if begin {
					_, _ = io.WriteString(w, "{") // the client is gone sooner or later
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-end
			})
			t.Cleanup(func() { close(end) })
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			start := time.Now()
			_, served, err := p.Commit(ctx, "example.com/m", "v1.2.3")
			if served || !errors.Is(err, context.Canceled) || time.Since(start) > deadline {
				t.Errorf("%t, %v after %s", served, err, time.Since(start))
			}
		})
	}
}

// roundTrip is a transport that never leaves the process.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransport(t *testing.T) {
	p, _ := New("")
	var limit time.Duration
	p.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		end, _ := r.Context().Deadline()
		limit = time.Until(end)
		if got := r.URL.String(); got != "https://proxy.golang.org/cached-only/example.com/m/@v/v1.2.3.info" {
			t.Errorf("asked %s", got)
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(whole)), Request: r}, nil
	})
	if commit, _, err := p.Commit(t.Context(), "example.com/m", "v1.2.3"); commit != hash || err != nil {
		t.Errorf("%q, %v", commit, err)
	}
	if limit <= 0 || limit > 10*time.Second {
		t.Errorf("asked with %s to go", limit)
	}
}

func TestNew(t *testing.T) {
	for goproxy, want := range map[string]string{
		"":                                      "https://proxy.golang.org",
		"https://proxy.golang.org,direct":       "https://proxy.golang.org",
		" , https://a.example | https://b,off":  "https://a.example",
		"http://user:secret@a.example:8080/go/": "http://a.example:8080",
		"a.example/go":                          "https://a.example",
		"off":                                   "",
		"direct,https://a.example":              "",
		"file:///var/proxy,https://a.example":   "",
		"/var/proxy":                            "",
		"ftp://a.example":                       "",
		"https://":                              "",
		"https://a b/%zz":                       "",
		"none":                                  "",
		",":                                     "",
	} {
		p, ok := New(goproxy)
		if ok != (want != "") || ok && p.String() != want {
			t.Errorf("%q: %s, %t; want %q", goproxy, p, ok, want)
		}
	}
}

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		patterns, module string
		want             bool
	}{
		{"", "example.com/m", false},
		{"none", "example.com/m", false},
		{"example.com", "example.com/m/v2", true},
		{"other.com,*.example.com/team", "git.example.com/team/m", true},
		{"*.example.com/team", "git.example.com/other", false},
	} {
		if got := Private(c.patterns, c.module); got != c.want {
			t.Errorf("%q, %q: %t", c.patterns, c.module, got)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte(whole), "v1.2.3")
	f.Add([]byte(`{"Version":"v1.2.3","Origin":null}`), "v1.2.3")
	f.Add([]byte(`{"version":"","origin":{"hash":"\u0000"}}`), "")
	f.Add([]byte(`[`), "v0.0.0")
	f.Fuzz(func(t *testing.T, body []byte, version string) {
		commit, err := parseInfo(body, version)
		if err != nil {
			if commit != "" {
				t.Errorf("commit %q beside %v", commit, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Error("it is no JSON")
		}
		if bytes, err := hex.DecodeString(commit); err != nil || len(bytes) != 0 && len(bytes) != 20 && len(bytes) != 32 || strings.ToLower(commit) != commit {
			t.Errorf("commit %q", commit)
		}
	})
}
