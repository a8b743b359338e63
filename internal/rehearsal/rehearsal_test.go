package rehearsal_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/action"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/version"
)

const (
	released = "3c1a5b6d7e8f90123456789abcdef0123456789a"
	before   = "1111111111111111111111111111111111111111"
	other    = "2222222222222222222222222222222222222222"
)

var merged = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func planned() plan.Plan {
	return plan.Plan{
		Repository: plan.Repository{Owner: "octo", Name: "hello"},
		Version:    "1.2.3", Tag: "v1.2.3", Commit: released, Sign: plan.SignKeyless,
	}
}

func start(t *testing.T, refs []version.Ref, commits []history.Commit) *rehearsal.Stage {
	t.Helper()
	stage, err := rehearsal.Start(planned(), refs, commits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	})
	return stage
}

func client(t *testing.T, stage *rehearsal.Stage) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{
		Repository: planned().Repository, Token: stage.Hub.Token(), APIURL: stage.Hub.URL(), UploadURL: stage.Hub.UploadURL(),
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The GitHub of the stage knows the repository's tags; the plan's names the plan's
// commit, whatever the repository says, or when it has no such tag yet.
func TestTags(t *testing.T) {
	for name, refs := range map[string][]version.Ref{
		"not tagged":       {{Tag: "v1.2.2", Commit: before}, {Tag: "tools/v0.1.0", Commit: before}},
		"tagged":           {{Tag: "v1.2.3", Commit: released}, {Tag: "v1.2.2", Commit: before}, {Tag: "tools/v0.1.0", Commit: before}},
		"tagged elsewhere": {{Tag: "v1.2.2", Commit: before}, {Tag: "v1.2.3", Commit: other}, {Tag: "tools/v0.1.0", Commit: before}},
	} {
		c := client(t, start(t, refs, nil))
		for tag, want := range map[string]string{"v1.2.3": released, "v1.2.2": before, "tools/v0.1.0": before, "v9.9.9": ""} {
			if got, err := c.TagCommit(t.Context(), tag); err != nil || got != want {
				t.Errorf("%s: tag %s is %q, %v, want %q", name, tag, got, err, want)
			}
		}
		if page, err := c.Find(t.Context(), "v1.2.3"); err != nil || page != nil {
			t.Errorf("%s: there is a page before the release: %+v, %v", name, page, err)
		}
		if err := c.CheckWrite(t.Context(), "v1.2.3", "v1.2.2"); err != nil {
			t.Errorf("%s: the stage's token: %v", name, err)
		}
	}
}

// What a commit's message tells of its pull request comes back from the stage's GitHub
// as GitHub would have it. Commits come newest first.
func TestPullRequests(t *testing.T) {
	const hidden = "12345+ann-b@users.noreply.github.com"
	cases := []struct {
		commit history.Commit
		want   history.PullRequest // what the message tells; number 0: of none
	}{
		{history.Commit{Subject: "feat: greet (#7)", Body: "Not this", Email: hidden}, history.PullRequest{Number: 7, Title: "feat: greet", Author: "ann-b"}},
		{history.Commit{Subject: "fix: shout (#8)", Email: "bob@users.noreply.github.com"}, history.PullRequest{Number: 8, Title: "fix: shout", Author: "bob"}},
		{history.Commit{Subject: "fix: own address (#9)", Email: "bob@example.com"}, history.PullRequest{Number: 9, Title: "fix: own address"}},
		{history.Commit{Subject: "fix: foreign (#14)", Email: "x@users.noreply.github.com.example.com"}, history.PullRequest{Number: 14, Title: "fix: foreign"}},
		{history.Commit{Subject: "Bump x (#10)", Email: "49699333+dependabot[bot]@users.noreply.github.com"}, history.PullRequest{Number: 10, Title: "Bump x", Author: "dependabot[bot]", Bot: true}},
		{history.Commit{Subject: "fix: trim (#11) ", Email: hidden}, history.PullRequest{Number: 11, Title: "fix: trim", Author: "ann-b"}},
		{history.Commit{Subject: "fix: one (#3) (#12)", Email: hidden}, history.PullRequest{Number: 12, Title: "fix: one (#3)", Author: "ann-b"}},
		{history.Commit{Subject: "(#13)", Email: hidden}, history.PullRequest{Number: 13, Title: "(#13)", Author: "ann-b"}},

		// Whoever merged is not who wrote it.
		{history.Commit{Subject: "Merge pull request #21 from octo/topic", Body: "feat: sing\n\nLa la", Email: hidden}, history.PullRequest{Number: 21, Title: "feat: sing"}},
		{history.Commit{Subject: "Merge pull request #22 from octo/topic", Body: "\r\nfeat: hum\r\nLa la", Email: hidden}, history.PullRequest{Number: 22, Title: "feat: hum"}},
		{history.Commit{Subject: "Merge pull request #23 from octo/topic", Body: "\n"}, history.PullRequest{Number: 23, Title: "Merge pull request #23 from octo/topic"}},
		{history.Commit{Subject: "Merge pull request #1 into main (#24)", Body: "Not this", Email: hidden}, history.PullRequest{Number: 24, Title: "Merge pull request #1 into main", Author: "ann-b"}},

		// The newest of those that name one pull request is the one that merged it.
		{history.Commit{Subject: "feat: greet again (#7)", Email: hidden}, history.PullRequest{}},
		{history.Commit{Subject: "Merge pull request #7 from octo/topic", Body: "feat: greet"}, history.PullRequest{}},

		{history.Commit{Subject: "docs: explain #7", Body: "See (#8)", Email: hidden}, history.PullRequest{}},
		{history.Commit{Subject: `Revert "feat: greet (#7)"`, Email: hidden}, history.PullRequest{}},
		{history.Commit{Subject: "fix: no number (#0)"}, history.PullRequest{}},
		{history.Commit{Subject: "fix: no number (#7a)"}, history.PullRequest{}},
	}
	commits := make([]history.Commit, len(cases))
	for i := range cases {
		c := &cases[i]
		c.commit.SHA, c.commit.Time = fmt.Sprintf("%040x", 1000+i), merged
		c.want.MergeCommit, c.want.Base, c.want.MergedAt = c.commit.SHA, "octo/hello", merged
		c.want.URL = fmt.Sprintf("https://github.com/octo/hello/pull/%d", c.want.Number)
		commits[i] = c.commit
	}
	hub := client(t, start(t, nil, commits))
	for _, c := range cases {
		of, err := hub.PullRequestsOf(t.Context(), c.commit.SHA)
		if c.want.Number == 0 {
			if err != nil || len(of) != 0 {
				t.Errorf("%q came with %+v, %v", c.commit.Subject, of, err)
			}
			continue
		}
		if err != nil || len(of) != 1 || !reflect.DeepEqual(of[0], c.want) {
			t.Errorf("%q came with %+v, %v, want %+v", c.commit.Subject, of, err, c.want)
		}
		if got, err := hub.PullRequest(t.Context(), c.want.Number); err != nil || got == nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("pull request %d is %+v, %v, want %+v", c.want.Number, got, err, c.want)
		}
	}
}

// The stage's environment lets the product's own code ask for tokens of the workflow
// that Identity names, and leaves the rest of the environment alone.
func TestGetenv(t *testing.T) {
	stage := start(t, nil, nil)
	getenv := stage.Getenv(func(name string) string { return "outer " + name })
	if got := getenv("HOME"); got != "outer HOME" {
		t.Errorf("HOME is %q", got)
	}
	at, err := url.Parse(getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
	if err != nil || !strings.HasPrefix(at.Host, "127.0.0.1:") {
		t.Errorf("tokens come from %v, %v", at, err)
	}
	if secret := getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"); secret == "" || strings.HasPrefix(secret, "outer") {
		t.Errorf("the token endpoint takes %q", secret)
	}
	token, err := action.Token(getenv, nil)(t.Context(), "sigstore")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"aud": "sigstore", "repository": "octo/hello", "ref": "refs/tags/v1.2.3", "sha": released,
		"job_workflow_ref": "octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3",
	} {
		if claims[name] != want {
			t.Errorf("the token says %s %v, want %v", name, claims[name], want)
		}
	}
}

// A stage can be closed again, and nothing of it listens afterwards.
func TestClose(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	stage, err := rehearsal.Start(planned(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, text := range []string{
		"http://" + stage.Registry.Address(), stage.Hub.URL(), stage.Hub.UploadURL(), stage.Sigstore.URL(sigstore.OIDC),
		stage.Sigstore.URL(sigstore.Fulcio), stage.Sigstore.URL(sigstore.Rekor), stage.Sigstore.URL(sigstore.TSA),
	} {
		response, err := http.Get(text) // each of them serves by now
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, response.Request.URL.Host)
	}
	if during, err := os.ReadDir(temporary); err != nil || len(during) != 1 {
		t.Errorf("%d directories for files, %v", len(during), err)
	}
	for range 2 {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, address := range addresses {
		if c, err := net.Dial("tcp", address); err == nil {
			t.Errorf("something still listens at %s", address)
			_ = c.Close()
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := new(rehearsal.Stage).Close(); err != nil {
		t.Errorf("closing a stage that never was: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	p := planned()
	p.Repository.Owner = "../octo"
	stage, err := rehearsal.Start(p, nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "starting the rehearsal: ") || !strings.Contains(err.Error(), `"../octo/hello"`) {
		t.Errorf("error %v", err)
	}
	if stage != nil {
		t.Errorf("a stage with an error: %+v", stage)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// What cannot be kept is not the upload's fault.
func TestStoreIsGone(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	stage := start(t, nil, nil)
	made, err := filepath.Glob(filepath.Join(temporary, "*"))
	if err != nil || len(made) != 1 || os.RemoveAll(made[0]) != nil {
		t.Fatalf("%q, %v", made, err)
	}
	c := client(t, stage)
	page, err := c.Open(t.Context(), github.Draft{Tag: "v1.2.3", Commit: released})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	file := release.File{Name: "a.zip", Path: path, Size: 1, Digest: release.Digest("sha256:" + hex.EncodeToString(sum[:]))}
	if _, err := c.Put(t.Context(), page, file, nil, true); err == nil || !strings.Contains(err.Error(), "keeping the bytes of an asset") {
		t.Errorf("error %v", err)
	}
}
