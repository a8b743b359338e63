package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// carried are the inputs by which the action finds the registry and the Sigstore of a site.
func (r *runner) carried(with map[string]string) map[string]string {
	out := map[string]string{
		"image": r.image, "platforms": "linux/amd64,linux/arm64", "trusted-root": "/github/runner_temp/trusted_root.json",
		"signing-config": "/github/runner_temp/signing_config.json",
	}
	for name, value := range with {
		out[name] = value
	}
	return out
}

// page is a release as GitHub's API shows it.
type page struct {
	Draft  bool   `json:"draft"`
	Tag    string `json:"tag_name"`
	URL    string `json:"html_url"`
	Assets []asset
}

type asset struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// published is the release that the carried GitHub shows to everybody.
func (s *site) published() page {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, strings.TrimSuffix(s.stage.Hub.URL(), "/")+"/repos/octo/hello/releases/tags/v1.2.3", nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.stage.Hub.Token())
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	var p page
	if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || answer.StatusCode != http.StatusOK {
		s.Fatalf("no release: %s, %v", answer.Status, err)
	}
	return p
}

// checkRelease holds what a step says against what is there: the release on GitHub, with
// every asset, the image in its registry, and dist/.
func (s *site) checkRelease(definition definition, outputs map[string]string) {
	s.Helper()
	for name := range definition.Outputs {
		if outputs[name] == "" && name != "previous-tag" && name != "floating-tags" { // there is none, and it is no action
			s.Errorf("output %q is empty", name)
		}
	}
	p := s.published()
	if p.Draft || p.Tag != outputs["tag"] || p.URL != outputs["release-url"] || outputs["version"] != "1.2.3" || outputs["latest"] != "true" {
		s.Errorf("the outputs are %v, the release %+v", outputs, p)
	}
	var assets []struct{ Name, SHA256 string }
	if err := json.Unmarshal([]byte(outputs["assets"]), &assets); err != nil {
		s.Fatal(err)
	}
	there := map[string]string{}
	for _, a := range p.Assets {
		there[a.Name] = a.Digest
	}
	for _, a := range assets {
		if there[a.Name] != "sha256:"+a.SHA256 {
			s.Errorf("asset %q is %q on GitHub and %q in the output", a.Name, there[a.Name], a.SHA256)
		}
	}
	for _, want := range []string{"hello_1.2.3_linux_amd64.tar.gz", "hello_1.2.3_linux_arm64.tar.gz", "hello_1.2.3_linux_amd64.tar.gz.spdx.json",
		"checksums.txt", "checksums.txt.sigstore.json", "provenance.sigstore.json"} {
		if there[want] == "" {
			s.Errorf("the release lacks %q: %v", want, there)
		}
	}
	if len(there) != len(assets) {
		s.Errorf("the release has %d assets, the output %d", len(there), len(assets))
	}
	s.run(*docker, "pull", "--quiet", s.image+":1.2.3")
	s.run(*docker, "pull", "--quiet", s.image+"@"+outputs["image-digest"])
	s.run("sha256sum", "--check", "--quiet", filepath.Base(outputs["checksums"]))
}

// TestActionReleases: a tag push makes the release, the user can delete what is left, and a
// second attempt of the run changes nothing and says the same.
func TestActionReleases(t *testing.T) {
	r := newRunner(job(t))
	s := r.start(t.Context(), r.carried(nil), nil).ends(0).says("released v1.2.3", "::group::make")
	outputs := s.outputs()
	dist := filepath.Join(r.dir, outputs["dist"])
	if foreign := s.foreign(r.dir); len(foreign) > 0 {
		t.Errorf("these belong to root: %q", foreign)
	}
	work := r.dir
	r.dir = dist
	r.checkRelease(r.action, outputs)
	r.dir = work
	for _, want := range []string{"v1.2.3", "docker pull", "```mermaid", "hello_1.2.3_linux_arm64.tar.gz"} {
		if !strings.Contains(s.file("step_summary_"), want) {
			t.Errorf("the page lacks %q:\n%s", want, s.file("step_summary_"))
		}
	}
	r.run(*product, "verify", "octo/hello@v1.2.3", "--image", r.image)
	before := r.stage.Sigstore.Calls("fulcio")
	again := r.start(t.Context(), r.carried(nil), map[string]string{"GITHUB_RUN_ATTEMPT": "2"}).ends(0).says("is published")
	for name, value := range again.outputs() {
		if value != outputs[name] {
			t.Errorf("output %q is %q again, and was %q", name, value, outputs[name])
		}
	}
	if r.stage.Sigstore.Calls("fulcio") != before {
		t.Error("the second attempt signed again")
	}
}

// TestActionRehearses: a rehearsal needs no network, no permission and no input.
func TestActionRehearses(t *testing.T) {
	r := newRunner(job(t))
	r.network = "none"
	s := r.start(t.Context(), map[string]string{"mode": "rehearse", "platforms": "linux/amd64", "token": ""}, map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL": "", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/7/merge",
	}).ends(0)
	if foreign := s.foreign(r.dir); len(foreign) > 0 {
		t.Errorf("these belong to root: %q", foreign)
	}
}

// TestActionCompletes: what a shallow checkout lacks is fetched, and belongs to the user.
func TestActionCompletes(t *testing.T) {
	origin, bare := job(t), filepath.Join(t.TempDir(), "origin.git")
	for _, args := range [][]string{
		{"tag", "tools/x/v0.1.0"}, {"commit", "--quiet", "--allow-empty", "-m", "fix: more"}, {"tag", "v1.2.4"}, {"clone", "--quiet", "--bare", ".", bare},
	} {
		origin.run("git", args...)
	}
	r := newRunner(origin)
	work := filepath.Join(t.TempDir(), "work")
	r.run("git", "-C", "/", "clone", "--quiet", "--depth", "1", "--branch", "v1.2.4", "file://"+bare, work)
	r.network, r.dir = "none", work
	r.run("git", "remote", "set-url", "origin", "file:///github/runner_temp/origin.git")
	r.own(r.dir)
	if err := os.Rename(bare, filepath.Join(r.temp, "origin.git")); err != nil { // root's, or git would not take it as a server
		t.Fatal(err)
	}
	s := r.start(t.Context(), map[string]string{"mode": "check", "token": ""}, map[string]string{"GITHUB_REF": "refs/tags/v1.2.4"}).ends(0)
	if tags := r.run("git", "-c", "safe.directory=*", "tag", "--list"); !strings.Contains(tags, "v1.2.3\n") || !strings.Contains(tags, "tools/x/v0.1.0\n") {
		t.Errorf("the tags are %q\n%s", tags, s.log.String())
	}
	if foreign := s.foreign(r.dir); len(foreign) > 0 {
		t.Errorf("these belong to root: %q", foreign)
	}
}

// TestActionRefuses: what is missing is said before anything begins.
func TestActionRefuses(t *testing.T) {
	r := newRunner(job(t))
	r.start(t.Context(), r.carried(nil), map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": ""}).ends(4).says("::error title=pgo-release::", "id-token: write")
	r.start(t.Context(), r.carried(map[string]string{"mode": "realease"}), nil).ends(2).says(`mode "realease"`, "want release or check or plan or rehearse")
	if _, err := os.Stat(filepath.Join(r.dir, "dist")); err == nil {
		t.Error("dist/ is there")
	}
}

// TestActionInterrupted: the runner cancels with SIGINT, then SIGTERM, to the client of the
// engine. Nothing is left but what a second run finishes.
func TestActionInterrupted(t *testing.T) {
	for name, signal := range map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(job(t))
			if err := os.WriteFile(filepath.Join(r.dir, ".pgo-release.yaml"), []byte("prepare: [\"sleep 600\"]\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			s := r.start(t.Context(), r.carried(nil), nil)
			ended := make(chan struct{})
			go func() { _ = s.cmd.Wait(); close(ended) }()
			for asleep := false; !asleep; {
				select {
				case <-ended:
					t.Fatalf("it ended by itself:\n%s", s.log.String())
				case <-time.After(100 * time.Millisecond):
				}
				out, _ := exec.CommandContext(t.Context(), *docker, "top", s.id).Output() // not there at first
				asleep = strings.Contains(string(out), "sleep 600")
			}
			if err := s.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			<-ended
			if got := s.cmd.ProcessState.ExitCode(); got != 130 {
				t.Errorf("exit status %d, want 130\n%s", got, s.log.String())
			}
			if _, err := os.Stat(filepath.Join(r.dir, "dist")); err == nil {
				t.Error("dist/ is left")
			}
			if err := os.Remove(filepath.Join(r.dir, ".pgo-release.yaml")); err != nil {
				t.Fatal(err)
			}
			r.start(t.Context(), r.carried(nil), nil).ends(0)
		})
	}
}

// TestActionIsWarm: the image's cache has the standard library for a release's compiles, and
// using it writes nothing, which would copy it.
func TestActionIsWarm(t *testing.T) {
	inside := func(script string) string {
		out, err := exec.CommandContext(t.Context(), *docker, "run", "--rm", "--network", "none", "--entrypoint", "sh", *actionImage, "-c", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if out := inside("CGO_ENABLED=0 go build -trimpath -v net/http encoding/json log/slog"); out != "" {
		t.Errorf("compiled again: %q", out)
	}
	if out := inside("touch /now && CGO_ENABLED=0 go build -trimpath net/http && find /var/cache/go-build -type f ! -name trim.txt -newermt '1 hour ago' ! -newermt '1 hour' "); out != "" {
		t.Errorf("written: %q", out)
	}
	if out := inside("CGO_ENABLED=0 go build -trimpath -v -gcflags=-N errors"); out == "" {
		t.Error("nothing is compiled with other flags, so the test says nothing")
	}
}

// TestActionSaysItsCommit: the image is built with everything that git knows, so that its
// program says which commit it is of, and that nothing was changed.
func TestActionSaysItsCommit(t *testing.T) {
	s := &site{T: t, dir: root}
	commit := strings.TrimSpace(s.run("git", "rev-parse", "HEAD"))
	said := s.run(*docker, "run", "--rm", "--network", "none", *actionImage, "version")
	if clean := s.run("git", "status", "--porcelain") == ""; !strings.Contains(said, "commit "+commit) || clean && strings.Contains(said, "dirty") {
		t.Errorf("built of %s, it says %q", commit, said)
	}
}

// TestAct: the workflow of README, as act runs it, makes the release. What is put into it is
// where GitHub, the registry and Sigstore are.
func TestAct(t *testing.T) {
	s := job(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	action := t.TempDir() // as a release leaves it: with an image that was made
	d := readDefinition(t)
	text, err := os.ReadFile(filepath.Join(root, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	// act tells every step that GitHub's API is the real one.
	s.run("sh", "-c", fmt.Sprintf("printf 'FROM %s\nENTRYPOINT [\"env\", \"GITHUB_API_URL=%s\", \"pgo-release\"]\n' | %s build --quiet --tag pgo-release:act -",
		*actionImage, strings.TrimSuffix(s.stage.Hub.URL(), "/"), *docker))
	pinned := regexp.MustCompile(`(?m)^  image: .*$`).ReplaceAll(text, []byte("  image: docker://pgo-release:act"))
	if err := os.WriteFile(filepath.Join(action, "action.yml"), pinned, 0o644); err != nil {
		t.Fatal(err)
	}
	workflow, err := os.ReadFile(filepath.Join(root, "testdata", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	const uses = "      - uses: org/pgo-release@v1\n"
	if !strings.HasSuffix(string(workflow), uses) {
		t.Fatalf("the workflow does not end with the action:\n%s", workflow)
	}
	steps := strings.TrimSuffix(string(workflow), uses) + "      - id: pgo\n        uses: org/pgo-release@v1\n        with:\n" +
		"          image: " + s.image + "\n          platforms: linux/amd64,linux/arm64\n" +
		"          trusted-root: .runner/trusted_root.json\n          signing-config: .runner/signing_config.json\n        env:\n"
	for _, e := range s.env {
		for _, want := range []string{"GITHUB_UPLOAD_URL", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} {
			if name, value, _ := strings.Cut(e, "="); name == want {
				steps += "          " + name + ": " + quote(value) + "\n"
			}
		}
	}
	steps += "          DOCKER_CONFIG: ${{ github.workspace }}/.runner\n" +
		"      - run: echo '${{ toJSON(steps.pgo.outputs) }}' >.runner/outputs\n"
	for name, text := range map[string]string{".github/workflows/release.yml": steps, ".runner/event.json": s.event} {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"trusted_root.json", "signing_config.json", "config.json"} {
		text, err := os.ReadFile(filepath.Join(s.home, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, ".runner", name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.run("git", "remote", "add", "origin", "https://github.com/octo/hello.git")
	cmd := exec.CommandContext(ctx, *act, "push", "--eventpath", ".runner/event.json", "--secret", "GITHUB_TOKEN="+s.stage.Hub.Token(),
		"--platform", "ubuntu-latest="+*jobImage, "--pull=false", "--action-offline-mode", "--no-cache-server", "--bind",
		"--local-repository", "org/pgo-release@v1="+action, "--container-daemon-socket", os.Getenv("DOCKER_HOST"))
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var outputs map[string]string
	text, err = os.ReadFile(filepath.Join(s.dir, ".runner", "outputs"))
	if err == nil {
		err = json.Unmarshal(text, &outputs)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.dir = filepath.Join(s.dir, outputs["dist"])
	s.checkRelease(d, outputs)
}

// quote writes a value for YAML.
func quote(s string) string {
	text, _ := json.Marshal(s) // a string always can be
	return string(text)
}
