package repo_test

import "testing"

// A job's token is shown to github.com alone, and only on a way that the repository's own
// configuration does not change.
func TestPlain(t *testing.T) {
	for name, c := range map[string]struct {
		origin string
		config []string // name and value
		want   bool
	}{
		"github.com":               {"https://github.com/o/r.git", nil, true},
		"with a header":            {"https://github.com/o/r", []string{"http.https://github.com/.extraheader", "X: y"}, true},
		"another remote":           {"https://github.com/o/r", []string{"remote.fork.url", "https://example.com/f"}, true},
		"a partial clone":          {"https://github.com/o/r", []string{"remote.origin.promisor", "true"}, true},
		"another server":           {"https://example.com/o/r", nil, false},
		"a name that looks like":   {"https://github.com.example.com/o/r", nil, false},
		"without TLS":              {"http://github.com/o/r", nil, false},
		"by SSH":                   {"git@github.com:o/r.git", nil, false},
		"a proxy":                  {"https://github.com/o/r", []string{"http.proxy", "http://example.com"}, false},
		"a proxy of the server":    {"https://github.com/o/r", []string{"http.https://github.com/.proxy", "http://example.com"}, false},
		"a proxy of the remote":    {"https://github.com/o/r", []string{"remote.origin.proxy", "http://example.com"}, false},
		"no checks of certificate": {"https://github.com/o/r", []string{"http.sslVerify", "false"}, false},
		"another address":          {"https://github.com/o/r", []string{"url.https://example.com/.insteadOf", "https://github.com/"}, false},
		"a helper":                 {"https://github.com/o/r", []string{"credential.helper", "!cat"}, false},
		"a program for SSH":        {"https://github.com/o/r", []string{"core.sshCommand", "cat"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.commit("first", program)
			f.git("remote", "add", "origin", c.origin)
			if c.config != nil {
				f.git("config", c.config[0], c.config[1])
			}
			if got := f.open("").Plain(t.Context()); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}
