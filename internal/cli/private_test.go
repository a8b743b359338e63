package cli

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/run"
	"github.com/org/pgo-release/internal/ui"
)

// TestPrivateModules: the go command is told which modules no proxy has, and git the token
// for github.com; nothing else of the run is, and no other server.
func TestPrivateModules(t *testing.T) {
	const token = "ghp_of_a_bot"
	encoded := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
	env := map[string]string{"INPUT_PRIVATE-MODULES": "github.com/octo/*", "INPUT_PRIVATE-TOKEN": token}
	values, err := config.Resolve("release", nil, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	out := ui.Redact(&said)
	a := &app{World: World{Out: out, Err: out}, commands: out, values: values, redactors: []*ui.Redactor{out}, reporter: ui.New(ui.Options{Err: out})}
	plain := run.New(append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=somebody"))
	r := a.fetching(plain)
	if r.Getenv("GOPRIVATE") != "github.com/octo/*" || plain.Getenv("GOPRIVATE") == "github.com/octo/*" {
		t.Errorf("GOPRIVATE is %q, and %q for others", r.Getenv("GOPRIVATE"), plain.Getenv("GOPRIVATE"))
	}
	ask := func(r run.Runner, args ...string) string {
		text, _ := r.Output(t.Context(), t.TempDir(), "git", append([]string{"config"}, args...)...) // 1: there is none
		return strings.TrimSpace(string(text))
	}
	const header = "http.extraheader"
	if got := ask(r, "--get-urlmatch", header, "https://github.com/octo/private"); got != "AUTHORIZATION: basic "+encoded {
		t.Errorf("git shows github.com %q", got)
	}
	for _, url := range []string{"https://github.com.evil.example/x", "https://gitlab.com/x", "http://github.com/x"} {
		if got := ask(r, "--get-urlmatch", header, url); got != "" {
			t.Errorf("git shows %s %q", url, got)
		}
	}
	if got := ask(plain, "--get-urlmatch", header, "https://github.com/octo/private"); got != "" {
		t.Errorf("others show github.com %q", got)
	}
	if got := ask(r, "user.name"); got != "somebody" {
		t.Errorf("git's own configuration is gone: %q", got)
	}
	if err := a.print("the header was " + encoded + "\n"); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	if strings.Contains(said.String(), encoded) {
		t.Errorf("it is printed: %s", said.String())
	}
}
