package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/cli"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// squashed makes a repository of a small program in which n pull requests were squashed
// since v1.0.0, and gives the directory and the commits, the oldest first.
func squashed(t *testing.T, n int) (dir string, commits []string) {
	t.Helper()
	dir = t.TempDir()
	git := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	var stream strings.Builder
	for i := range n + 1 {
		message := fmt.Sprintf("feat: change number %d, with a title of some length (#%d)", i, i)
		fmt.Fprintf(&stream, "commit refs/heads/main\nmark :%d\ncommitter A <%d+user-%d@users.noreply.github.com> %d +0000\ndata %d\n%s\n", i+1, i%40, i%40, 1_700_000_000+i, len(message), message)
		for name, text := range map[string]string{"go.mod": "module github.com/octo/app\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n"} {
			if i == 0 {
				fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
			}
		}
	}
	stream.WriteString("reset refs/tags/v1.0.0\nfrom :1\n\n")
	git("", "init", "--quiet", "-b", "main")
	git(stream.String(), "fast-import", "--quiet")
	git("", "reset", "--quiet", "--hard", "main")
	return dir, strings.Fields(git("", "log", "--reverse", "--format=%H"))
}

// environ is that of a caller without a module proxy and without settings for git.
func environ(t *testing.T, more ...string) []string {
	return append(append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GOPROXY=off", "GOTOOLCHAIN=local", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
	}, goEnv(t, "GOCACHE", "GOMODCACHE", "GOROOT")...), more...)
}

// A thousand pull requests cost few requests.
func TestNotesCost(t *testing.T) {
	dir, commits := squashed(t, 1000)
	repo := hub.Repo{Repository: plan.Repository{Owner: "octo", Name: "app"}}
	for i, sha := range commits[1:] {
		repo.PullRequests = append(repo.PullRequests, history.PullRequest{
			Number: i + 1, Title: fmt.Sprintf("feat: change number %d", i+1), Author: fmt.Sprintf("user-%d", i%500), MergeCommit: sha, Base: "octo/app",
			URL: fmt.Sprintf("https://github.com/octo/app/pull/%d", i+1), MergedAt: time.Unix(1_700_000_001+int64(i), 0).UTC(),
		})
	}
	server, err := hub.Start(repo)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var out, stderr bytes.Buffer
	code := cli.Main(t.Context(), cli.World{
		Args: []string{"notes", "v1.0.0..v1.1.0", "-C", dir}, Out: &out, Err: &stderr,
		Environ: environ(t, "GITHUB_TOKEN="+server.Token(), "GITHUB_API_URL="+server.URL(), "GITHUB_REPOSITORY=octo/app"),
	})
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	got := len(server.Calls())
	t.Logf("%d requests", got)
	if got > 30 {
		t.Errorf("%d requests", got)
	}
	if got := strings.Count(out.String(), "\n- change number "); got != 1000 {
		t.Errorf("%d entries\n%.300s", got, &out)
	}
}

// Where the notes do not fit the page, the page has a part of them and all of them as
// an asset.
func TestNotesTooLong(t *testing.T) {
	dir, _ := squashed(t, 4000)
	var out, stderr bytes.Buffer
	code := cli.Main(t.Context(), cli.World{
		Args: []string{"rehearse", "--tag", "v1.1.0", "--platforms", "linux/amd64", "--json", "-C", dir}, Out: &out, Err: &stderr, Environ: environ(t),
	})
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	var report struct {
		Artifacts []struct{ Name, Kind string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, a := range report.Artifacts {
		found = found || a.Name == "RELEASE_NOTES.md" && a.Kind == "notes"
	}
	text, err := os.ReadFile(filepath.Join(dir, "dist", "RELEASE_NOTES.md"))
	if got := strings.Count(string(text), "\n- change number "); err != nil || got != 4000 || !found {
		t.Errorf("%d entries, %v; an asset: %v", got, err, found)
	}
	if !strings.Contains(stderr.String(), `"task":"RELEASE_NOTES.md","state":"done"`) {
		t.Error("the notes were not uploaded")
	}
}
