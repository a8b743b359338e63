package cli_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
)

// dispatched is a job of a workflow that somebody dispatched from the branch main, in an
// environment of GitHub, which may be empty. There is no tag yet.
func dispatched(t *testing.T, environment string) *job {
	t.Helper()
	j := checkout(t)
	head := j.git(t, "rev-parse", "HEAD")
	server, err1 := hub.Start(hub.Repo{Repository: plan.Repository{Owner: "octo", Name: "hello"}, Head: head})
	images, err2 := registry.StartGHCR(server.Token())
	signers, err3 := sigstore.Start(sigstore.Workflow{
		Repository: "octo/hello", RepositoryID: "1", OwnerID: "1", Visibility: "public", Ref: "refs/heads/main", SHA: head,
		Name: "release", Path: ".github/workflows/release.yml", Event: "workflow_dispatch", RunID: "1", RunAttempt: "1", Environment: environment,
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	j.enter(t, &rehearsal.Stage{Hub: server, Registry: images, Sigstore: signers}, "refs/heads/main")
	j.env["GITHUB_EVENT_NAME"] = "workflow_dispatch"
	j.env["GITHUB_EVENT_PATH"] = filepath.Join(t.TempDir(), "event.json")
	return j
}

// choose is what somebody fills in who dispatches the workflow.
func (j *job) choose(t *testing.T, inputs map[string]string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"inputs": inputs, "ref": "refs/heads/main"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.env["GITHUB_EVENT_PATH"], text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tagged is the commit that a tag names on GitHub; empty: there is no such tag.
func (j *job) tagged(t *testing.T, tag string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, j.env["GITHUB_API_URL"]+"/repos/octo/hello/git/ref/tags/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+j.stage.Hub.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var ref struct{ Object struct{ SHA string } }
	if err := json.NewDecoder(resp.Body).Decode(&ref); err != nil {
		t.Fatal(err)
	}
	return ref.Object.SHA
}

var onePlatform = []string{"release", "--platforms", "linux/amd64"}

// TestPromotion: staging makes everything and shows nobody; production publishes the same
// bytes, compiles nothing, and makes the tag.
func TestPromotion(t *testing.T) {
	j := dispatched(t, "")
	j.choose(t, map[string]string{"environment": "staging", "tag": "v1.3.0"})
	code, said := j.run(t, onePlatform...)
	if code != 0 || !strings.Contains(said, "::group::make") {
		t.Fatalf("staging: exit code %d:\n%.4000s", code, said)
	}
	for _, want := range []string{"**A draft**, made for staging", "left a draft of v1.3.0"} {
		if !strings.Contains(said, want) {
			t.Errorf("staging does not say %q:\n%.4000s", want, said)
		}
	}
	staged := j.released(t)
	if !staged.Draft || j.tagged(t, "v1.3.0") != "" || len(staged.Images) != 1 || staged.Images["staging"] == "" {
		t.Errorf("staging left %+v and the tag %q", staged, j.tagged(t, "v1.3.0"))
	}
	before := j.uploads()
	if err := os.RemoveAll(filepath.Join(j.dir, "dist")); err != nil { // as on another machine
		t.Fatal(err)
	}
	j.choose(t, map[string]string{"environment": "production", "tag": "v1.3.0"})
	code, said = j.run(t, onePlatform...)
	if code != 0 || strings.Contains(said, "::group::make") {
		t.Fatalf("production: exit code %d:\n%.4000s", code, said)
	}
	released := j.released(t)
	if released.Draft || !reflect.DeepEqual(released.Assets, staged.Assets) || released.Body != staged.Body || j.tagged(t, "v1.3.0") != j.env["GITHUB_SHA"] {
		t.Errorf("production left %+v\nstaging %+v", released, staged)
	}
	for _, tag := range []string{"1.3.0", "1.3", "1", "latest"} {
		if released.Images[tag] != staged.Images["staging"] {
			t.Errorf("image tags %v, of %v", released.Images, staged.Images)
		}
	}
	if after := j.uploads(); !reflect.DeepEqual(after, before) {
		t.Errorf("uploads %v, before %v", after, before)
	}
	code, said = j.run(t, append(onePlatform, "--environment", "staging")...)
	if code != 0 || !strings.Contains(said, "is published") {
		t.Errorf("staging what is published: exit code %d:\n%.4000s", code, said)
	}
}

// TestPromotionRefuses: production publishes no draft that is not of its commit and plan.
func TestPromotionRefuses(t *testing.T) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		change func(t *testing.T, j *job)
		want   string
	}{
		"another commit": {append(onePlatform[:3:3], "--key", "env://SIGNING_KEY"), func(t *testing.T, j *job) {
			j.git(t, "commit", "--quiet", "--allow-empty", "-m", "second")
		}, "commit"},
		"another plan": {[]string{"release", "--platforms", "linux/amd64,linux/arm64"}, nil, "it was made by another plan"},
		"another file": {onePlatform, func(t *testing.T, j *job) {
			for _, a := range j.pages(t)[0].Assets {
				if a.Name == "checksums.txt" {
					j.github(t, http.MethodPatch, j.assetPath(t, a.Name), `{"name":"x"}`)
				}
			}
			j.github(t, http.MethodPatch, j.assetPath(t, "hello_1.3.0_linux_amd64.tar.gz.spdx.json"), `{"name":"checksums.txt"}`)
			j.github(t, http.MethodPatch, j.assetPath(t, "x"), `{"name":"hello_1.3.0_linux_amd64.tar.gz.spdx.json"}`)
		}, "checksums.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := dispatched(t, "")
			j.choose(t, map[string]string{"environment": "staging", "tag": "v1.3.0"})
			j.env["COSIGN_PASSWORD"], j.env["SIGNING_KEY"] = "x", string(keys.PrivateBytes)
			staging := onePlatform
			if slices.Contains(c.args, "--key") { // a token is of one commit
				staging = c.args
			}
			if code, said := j.run(t, staging...); code != 0 {
				t.Fatalf("staging: exit code %d:\n%.4000s", code, said)
			}
			if c.change != nil {
				c.change(t, j)
			}
			before := j.pages(t)
			j.choose(t, map[string]string{"tag": "v1.3.0"})
			code, said := j.run(t, c.args...)
			if code != 3 || !strings.Contains(said, "taking over the draft") || !strings.Contains(said, c.want) || !strings.Contains(said, "--rebuild") {
				t.Errorf("exit code %d:\n%.4000s", code, said)
			}
			if after := j.pages(t); !reflect.DeepEqual(after, before) || j.tagged(t, "v1.3.0") != "" {
				t.Errorf("it became\n%+v\nfrom\n%+v", after, before)
			}
		})
	}
}

// assetPath is where the API has an asset of the one release.
func (j *job) assetPath(t *testing.T, name string) string {
	t.Helper()
	var all []struct {
		Assets []struct {
			Name string
			URL  string
		}
	}
	if err := json.Unmarshal([]byte(j.github(t, http.MethodGet, "/repos/octo/hello/releases", "")), &all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all[0].Assets {
		if a.Name == name {
			return strings.TrimPrefix(a.URL, j.env["GITHUB_API_URL"])
		}
	}
	t.Fatalf("no asset %q: %+v", name, all)
	return ""
}

// TestNextVersion: with the tag auto a dispatch releases the version that comes next, and
// run again it finds that released.
func TestNextVersion(t *testing.T) {
	j := dispatched(t, "")
	j.choose(t, map[string]string{"tag": "auto"})
	code, said := j.run(t, onePlatform...)
	if code != 0 || j.tagged(t, "v0.1.0") != j.env["GITHUB_SHA"] {
		t.Fatalf("exit code %d:\n%.4000s", code, said)
	}
	j.git(t, "tag", "v0.1.0") // as the next checkout has it
	code, said = j.run(t, onePlatform...)
	if code != 0 || strings.Contains(said, "::group::make") || len(j.pages(t)) != 1 {
		t.Errorf("again: exit code %d:\n%.4000s", code, said)
	}
}

// TestEnvironments: what the file says of environments, and what of them cannot be.
func TestEnvironments(t *testing.T) {
	const file = `
environments:
  beta:
    prerelease: true
    image-tags: [beta, "{{.Version}}-beta"]
    sign: none
  release:
    require-same-commit: true
`
	for name, c := range map[string]struct {
		environment string // of GitHub
		args        []string
		code        int
		want        []string
	}{
		"prerelease":       {"", []string{"--environment", "beta"}, 0, []string{"prerelease<<", "/octo/hello:1.3.0-beta", "Not signed"}},
		"case":             {"", []string{"--environment", "BETA"}, 0, []string{"/octo/hello:beta"}},
		"not made before":  {"", []string{"--environment", "release"}, 3, []string{"there is no complete draft of v1.3.0", "staging"}},
		"unknown":          {"", []string{"--environment", "prod"}, 2, []string{`environment "prod": not known`, "beta, production, release, staging", "environments:"}},
		"same as GitHub's": {"Production", nil, 0, nil},
		"GitHub's":         {"staging", nil, 0, []string{`::warning`, `runs in the environment "staging" of GitHub and releases to "production"`, "protection rules"}},
		"GitHub's, strict": {"staging", []string{"--version-policy", "strict", "--prerelease-style", "any"}, 3, []string{`runs in the environment "staging"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := dispatched(t, c.environment)
			if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			j.choose(t, map[string]string{"tag": "v1.3.0"})
			code, said := j.run(t, append(onePlatform[:3:3], c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d:\n%.4000s", code, said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%.4000s", want, said)
				}
			}
			if code != 0 && len(j.pages(t)) != 0 {
				t.Errorf("left: %+v", j.pages(t))
			}
			if c.environment == "Production" && strings.Contains(said, "protection rules") {
				t.Errorf("it warns:\n%.4000s", said)
			}
		})
	}
}

// TestPreflight: everything that stands against a release is said at once, each with
// what mends it, and before anything is made.
func TestPreflight(t *testing.T) {
	j := newJob(t)
	j.env["GITHUB_TOKEN"] = j.stage.Hub.Issue(hub.Permissions{Contents: hub.Read})
	j.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = ""
	j.stage.Registry.RefusePushes(true)
	code, said := j.run(t, onePlatform...)
	if code != 4 || strings.Contains(said, "::group::make") {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		"3 things stand against this release", "id-token: write", "contents: write", "packages: write",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%.4000s", said)
	}
}
