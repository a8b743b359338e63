package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/org/pgo-release/internal/cli"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
)

// listener hears the secrets that services are told, and lets one of them repeat what it
// was told in its refusal.
type listener struct {
	mu    sync.Mutex
	heard []string
}

// echo is a fault: the service answers 400 with all that it was asked.
func (l *listener) echo(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		l.mu.Lock()
		l.heard = append(l.heard, token)
		l.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(r.Header.Get("Authorization") + " " + string(body)))
	})
}

// job is a job of a workflow in a directory with the program hello at v1.2.3.
type job struct {
	dir   string
	stage *rehearsal.Stage
	env   map[string]string
	lag   int // how often the lists of GitHub do not show what is new
}

func newJob(t *testing.T) *job {
	t.Helper()
	j := checkout(t)
	j.git(t, "tag", "v1.2.3")
	p := plan.Plan{Repository: plan.Repository{Owner: "octo", Name: "hello"}, Tag: "v1.2.3", Commit: j.git(t, "rev-parse", "HEAD")}
	stage, err := rehearsal.Start(p, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.enter(t, stage, "refs/tags/v1.2.3")
	return j
}

// checkout is a job's directory, before the job has begun.
func checkout(t testing.TB) *job {
	t.Helper()
	j := &job{dir: t.TempDir()}
	if err := os.CopyFS(j.dir, os.DirFS(filepath.Join("..", "..", "testdata", "hello"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(j.dir, "dist")); err != nil {
		t.Fatal(err)
	}
	j.git(t, "init", "--quiet", "-b", "main")
	j.git(t, "add", "-A")
	j.git(t, "commit", "--quiet", "-m", "first")
	return j
}

// git runs git in the job's directory and returns what it prints. All commits have one
// time, so that all jobs have the same.
func (j *job) git(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_AUTHOR_DATE=2026-03-01T12:00:00Z",
		"GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.com", "GIT_COMMITTER_DATE=2026-03-01T12:00:00Z")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// enter makes it a job of a run that ref started.
func (j *job) enter(t *testing.T, stage *rehearsal.Stage, ref string) {
	t.Helper()
	j.stage = stage
	t.Cleanup(func() { _ = stage.Close() })
	trust := t.TempDir()
	if err := j.stage.Sigstore.WriteFiles(trust); err != nil {
		t.Fatal(err)
	}
	j.env = j.stage.Sigstore.Env()
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": strings.TrimSuffix(j.stage.Hub.URL(), "/"), "GITHUB_UPLOAD_URL": j.stage.Hub.UploadURL(),
		"GITHUB_REPOSITORY": "octo/hello", "GITHUB_REF": ref, "GITHUB_SHA": j.git(t, "rev-parse", "HEAD"),
		"GITHUB_WORKFLOW_REF": "octo/hello/.github/workflows/release.yml@" + ref, "GITHUB_RUN_ID": "1", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_OUTPUT": filepath.Join(trust, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(trust, "summary"),
		"GITHUB_TOKEN": j.stage.Hub.Token(), "GOPROXY": "off", "INPUT_IMAGE": j.stage.Registry.Address() + "/octo/hello",
		"INPUT_TRUSTED-ROOT": filepath.Join(trust, "trusted_root.json"), "INPUT_SIGNING-CONFIG": filepath.Join(trust, "signing_config.json"),
	} {
		j.env[name] = value
	}
}

// run runs a command in the job and returns all that it said and wrote but its binaries.
func (j *job) run(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	environ := os.Environ()
	for name, value := range j.env {
		environ = append([]string{name + "=" + value}, environ...)
	}
	var out, errs bytes.Buffer
	args = append(args, "-C", j.dir)
	code = cli.Main(context.WithoutCancel(t.Context()), cli.World{Args: args, Environ: environ, Out: &out, Err: &errs})
	said = out.String() + errs.String()
	for _, name := range []string{j.env["GITHUB_OUTPUT"], j.env["GITHUB_STEP_SUMMARY"]} {
		text, _ := os.ReadFile(name)
		said += string(text)
	}
	err := filepath.WalkDir(filepath.Join(j.dir, "dist"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it ended before
			return nil
		}
		if err != nil || d.IsDir() || strings.Contains(path, "binaries") {
			return err
		}
		text, err := os.ReadFile(path)
		said += string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code, said
}

// TestSecrets: tokens, keys and passwords are in nothing that is said or written, at any
// verbosity, also where a service repeats what it was told. The only place for them is
// the line that tells the runner what to hide.
func TestSecrets(t *testing.T) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("canary-password"), nil })
	if err != nil {
		t.Fatal(err)
	}
	masked := regexp.MustCompile(`(?m)^::add-mask::.*$`)
	token := regexp.MustCompile(`eyJ[\w-]{20,}\.eyJ`) // how a JWT begins
	platform := []string{"release", "--platforms", "linux/amd64"}
	for name, c := range map[string]struct {
		args  []string
		fault string // service that refuses and repeats; empty: none
		code  int
	}{
		"plain":       {platform, "", 0},
		"verbose":     {append(platform[:3:3], "--verbose"), "", 0},
		"json":        {append(platform[:3:3], "--json", "--verbose"), "", 0},
		"quiet":       {append(platform[:3:3], "--quiet"), "", 0},
		"key":         {append(platform[:3:3], "--verbose", "--key", "env://SIGNING_KEY"), "", 0},
		"wrong key":   {append(platform[:3:3], "--verbose", "--key", "env://GITHUB_TOKEN"), "", 2},
		"fulcio":      {append(platform[:3:3], "--verbose"), sigstore.Fulcio, 1},
		"fulcio json": {append(platform[:3:3], "--json"), sigstore.Fulcio, 1},
		"rekor":       {append(platform[:3:3], "--verbose"), sigstore.Rekor, 1},
		"tsa":         {append(platform[:3:3], "--verbose"), sigstore.TSA, 1},
		"oidc":        {append(platform[:3:3], "--verbose"), sigstore.OIDC, 1},
		"github":      {append(platform[:3:3], "--verbose"), "github", 1},
	} {
		if testing.Short() && len(name)%3 > 0 { // a part of them says enough about races
			continue
		}
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			j.env["COSIGN_PASSWORD"], j.env["SIGNING_KEY"] = "canary-password", string(keys.PrivateBytes)
			var heard listener
			switch c.fault {
			case "":
			case "github":
				j.stage.Hub.Inject(heard.echo)
			default:
				j.stage.Sigstore.Inject(c.fault, heard.echo)
			}
			code, said := j.run(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, said[:min(len(said), 3000)])
			}
			said = masked.ReplaceAllString(said, "")
			secrets := []string{
				"canary-password", j.stage.Hub.Token(), j.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
				strings.Split(string(keys.PrivateBytes), "\n")[1],
			}
			for _, secret := range append(secrets, heard.heard...) {
				if secret != "" && strings.Contains(said, secret) {
					t.Errorf("%.12s… is in what was said:\n%s", secret, said[:min(len(said), 3000)])
				}
			}
			if found := token.FindString(said); found != "" {
				t.Errorf("a token is in what was said: %.40s…", found)
			}
		})
	}
}
