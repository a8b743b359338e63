package cli_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/pgo-release/internal/config"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/release"
)

// onStage is the stage of a script, for the commands that come after "stage". It is its
// own key among the script's values.
type onStage struct{ *rehearsal.Stage }

func stageOf(ts *testscript.TestScript) *rehearsal.Stage {
	s := ts.Value(onStage{}).(*onStage).Stage
	if s == nil {
		ts.Fatalf("there is no stage")
	}
	return s
}

// private puts a GitHub in the place of the stage's whose repository is private.
func private(ts *testscript.TestScript, s *rehearsal.Stage, tag, commit string) {
	ts.Check(s.Hub.Close())
	var err error
	s.Hub, err = hub.Start(hub.Repo{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, ID: 1, OwnerID: 1, DefaultBranch: "main", Private: true, Tags: map[string]string{tag: commit},
	})
	ts.Check(err)
	s.Registry.Admit(s.Hub.Token())
}

// runner sets the environment as the runner does for a container action: every input of
// action.yml, those that the workflow does not give as the empty text, and all that is
// of the job. A script sets what the workflow gives afterwards, or before.
func runner(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: runner")
	}
	for _, o := range config.Options() {
		if o.Input == "" {
			continue
		}
		name := "INPUT_" + strings.ToUpper(o.Input)
		if ts.Getenv(name) == "" {
			ts.Setenv(name, "")
		}
	}
	ts.Setenv("INPUT_MODE", "release")
	files := filepath.Join(ts.Getenv("WORK"), ".tmp") // testscript makes it
	for name, value := range map[string]string{
		"CI": "true", "GITHUB_WORKSPACE": ts.MkAbs("."), "GITHUB_ACTOR": "octocat", "GITHUB_TRIGGERING_ACTOR": "octocat", "GITHUB_REPOSITORY_OWNER": "octo",
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_WORKFLOW": "release", "GITHUB_JOB": "release", "GITHUB_ACTION": "__org_pgo-release",
		"GITHUB_ACTION_REPOSITORY": "org/pgo-release", "GITHUB_ACTION_REF": "v1", "GITHUB_RETENTION_DAYS": "90", "GITHUB_REF_PROTECTED": "false",
		"GITHUB_BASE_REF": "", "GITHUB_HEAD_REF": "", "GITHUB_RUN_NUMBER": "1", "GITHUB_ENV": filepath.Join(files, "env"), "GITHUB_PATH": filepath.Join(files, "path"),
		"GITHUB_STATE": filepath.Join(files, "state"), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_NAME": "GitHub Actions 1",
		"RUNNER_TEMP": files, "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache", "ACTIONS_RUNTIME_URL": "https://pipelines.invalid/", "ACTIONS_RUNTIME_TOKEN": "runtime-token",
		"ACTIONS_CACHE_URL": "https://cache.invalid/", "ACTIONS_RESULTS_URL": "https://results.invalid/",
	} {
		ts.Setenv(name, value)
	}
	event(ts, false, []string{"push", ts.Getenv("GITHUB_REF")})
}

// event makes it a run that an event started for a ref, at the commit that is checked
// out, with the payload that a file holds.
func event(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: event NAME REF [PAYLOAD]")
	}
	ref, payload := args[1], "{}"
	if len(args) == 3 {
		payload = ts.ReadFile(args[2])
	}
	path := filepath.Join(ts.Getenv("WORK"), ".tmp", "event.json") // testscript makes it
	ts.Check(os.WriteFile(path, []byte(payload), 0o600))
	_, short, _ := strings.Cut(strings.TrimPrefix(ref, "refs/"), "/")
	kind := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		kind = "tag"
	}
	for name, value := range map[string]string{
		"GITHUB_EVENT_NAME": args[0], "GITHUB_EVENT_PATH": path, "GITHUB_REF": ref, "GITHUB_REF_NAME": short, "GITHUB_REF_TYPE": kind,
		"GITHUB_WORKFLOW_REF": "octo/hello/.github/workflows/release.yml@" + ref,
	} {
		ts.Setenv(name, value)
	}
}

// permissions gives the job a token with what is named, as a workflow's permissions do:
// NAME=read or NAME=write; what is not named is none.
func permissions(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	var held hub.Permissions
	packages, identity := false, false
	for _, arg := range args {
		name, level, _ := strings.Cut(arg, "=")
		access, known := map[string]hub.Access{"read": hub.Read, "write": hub.Write}[level]
		if !known {
			ts.Fatalf("usage: permissions [NAME=read|write...]")
		}
		switch name {
		case "contents":
			held.Contents = access
		case "pull-requests":
			held.PullRequests = access
		case "attestations":
			held.Attestations = access
		case "packages":
			packages = access == hub.Write
		case "id-token":
			identity = access == hub.Write
		default:
			ts.Fatalf("permission %q: not known", name)
		}
	}
	token := s.Hub.Issue(held)
	s.Registry.Admit(token)
	s.Registry.RefusePushes(!packages)
	ts.Setenv("INPUT_TOKEN", token)
	for name, value := range s.Sigstore.Env() {
		if !identity {
			value = ""
		}
		ts.Setenv(name, value)
	}
}

// unpublished demands that nothing was left anywhere: nothing on GitHub, no image, no
// certificate and no entry in the log.
func unpublished(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	for _, call := range s.Hub.Calls() {
		asks := call.Method == http.MethodGet || call.Method == http.MethodHead || strings.HasSuffix(call.Path, "/graphql") || strings.HasSuffix(call.Path, "/generate-notes")
		if !asks && call.Status < 300 {
			ts.Fatalf("it writes to GitHub: %+v", call)
		}
	}
	for _, call := range s.Registry.Calls() {
		if call.Method == http.MethodPut && call.Status < 300 {
			ts.Fatalf("it writes to the registry: %+v", call)
		}
	}
	for _, name := range []string{sigstore.Fulcio, sigstore.Rekor, sigstore.TSA} {
		if n := s.Sigstore.Calls(name); n > 0 {
			ts.Fatalf("it asked %s %d times", name, n)
		}
	}
}

// clientOf is a client of the stage's GitHub that may do everything.
func clientOf(ts *testscript.TestScript) *github.Client {
	s := stageOf(ts)
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: s.Hub.Token(), APIURL: s.Hub.URL(), UploadURL: s.Hub.UploadURL(),
	})
	ts.Check(err)
	return client
}

// byHand publishes a release of a tag as people do on GitHub's page: with a text, and
// nothing else.
func byHand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: byhand TAG")
	}
	client, commit := clientOf(ts), parse(ts, args[0])
	page, err := client.Open(context.Background(), github.Draft{Tag: args[0], Commit: commit, Title: args[0], Body: "written by a person"})
	ts.Check(err)
	_, err = client.Publish(context.Background(), page, commit, true, false)
	ts.Check(err)
}

// published demands that a release is public, of a tag that names a commit, and has
// assets.
func published(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: published TAG COMMIT [ASSET...]")
	}
	client := clientOf(ts)
	commit, err := client.TagCommit(context.Background(), args[0])
	ts.Check(err)
	page, err := client.Find(context.Background(), args[0])
	ts.Check(err)
	if want := parse(ts, args[1]); commit != want || page == nil || page.Draft {
		ts.Fatalf("%s names %q, want %q; its page is %s", args[0], commit, want, fmt.Sprint(page))
	}
	assets, err := client.Assets(context.Background(), *page)
	ts.Check(err)
	for _, name := range args[2:] {
		if !slices.ContainsFunc(assets, func(a release.Published) bool { return a.Name == name }) {
			ts.Fatalf("%s lacks %s: %v", args[0], name, assets)
		}
	}
}

// outputs demands that two files set the same outputs, with whichever delimiters.
func outputs(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: outputs FILE FILE")
	}
	a, b := setIn(ts, args[0]), setIn(ts, args[1])
	if len(a) == 0 || !maps.Equal(a, b) {
		ts.Fatalf("outputs %v\nand %v", a, b)
	}
}

// setIn are the outputs that a file sets, by name, as the runner reads it.
func setIn(ts *testscript.TestScript, file string) map[string]string {
	out := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(file), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		end := i + 1
		for ; ok && end < len(lines) && lines[end] != delimiter; end++ {
		}
		if !ok || end >= len(lines) {
			ts.Fatalf("%s, line %d: %q", file, i+1, lines[i])
		}
		out[name] = strings.Join(lines[i+1:end], "\n")
		i = end
	}
	return out
}

// repeat writes a text so many times into a file.
func repeat(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: repeat N TEXT FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Repeat(args[1], n)), 0o600))
}

// atMost demands that a file, or stdout, is there and has no more bytes.
func atMost(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: atmost BYTES FILE")
	}
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	if n := len(ts.ReadFile(args[1])); n == 0 || n > limit {
		ts.Fatalf("%s has %d bytes, want 1 to %d", args[1], n, limit)
	}
}
