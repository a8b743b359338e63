package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPrepare: .github/prepare signs the image of the action with the image itself, and tags
// a commit that names it; started again it does nothing. What is not real here is buildx,
// which would need another image: one with nothing but the program is pushed instead.
func TestPrepare(t *testing.T) {
	s := job(t)
	programs, home, remote := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "remote.git")
	for from, to := range map[string]string{
		filepath.Join(root, "action.yml"): "action.yml", filepath.Join(root, ".github", "prepare"): ".github/prepare", *product: ".image/pgo-release",
		filepath.Join(s.home, "config.json"): filepath.Join(home, ".docker", "config.json"),
	} {
		if !filepath.IsAbs(to) {
			to = filepath.Join(s.dir, to)
		}
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const engine = `#!/bin/sh
set -eu
case "$1 $2" in
"login ghcr.io") cat >/dev/null ;;
"buildx create") ;;
"buildx build")
  %[1]s build --quiet --tag "$IMAGE:$TAG" --file - .image >/dev/null <<'END'
FROM scratch
COPY pgo-release /pgo-release
ENTRYPOINT ["/pgo-release"]
END
  digest=$(DOCKER_CONFIG=%[2]s/.docker %[1]s push "$IMAGE:$TAG" | sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p')
  while [ "$1" != --metadata-file ]; do shift; done
  echo "{\"containerimage.digest\": \"$digest\"}" >"$2" ;;
"manifest inspect") # as one who did not log in
  grep -q auths "$DOCKER_CONFIG/config.json" 2>/dev/null && exit 1
  [ -e %[2]s/public ] ;;
"run --rm")
  shift
  exec %[1]s run --network host --env INPUT_TRUSTED-ROOT=/stage/trusted_root.json --env INPUT_SIGNING-CONFIG=/stage/signing_config.json --volume %[3]s:/stage:ro "$@" ;;
*) echo "docker $*"; exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(programs, "docker"), fmt.Appendf(nil, engine, *docker, home, s.home), 0o755); err != nil {
		t.Fatal(err)
	}
	s.run("git", "tag", "--delete", "v1.2.3")
	s.run("git", "add", "action.yml", ".github")
	s.run("git", "commit", "--quiet", "-m", "feat: be an action")
	s.run("git", "init", "--quiet", "--bare", remote)
	image := s.image + "/action"
	s.env = append(s.env, "PATH="+programs+":"+os.Getenv("PATH"), "HOME="+home, "REMOTE="+remote, "IMAGE="+image, "TAG=v1.2.3")
	verifier := s.env
	s.env = append(slices.Clip(s.env), "GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_EVENT_PATH=/of/the/runner/event.json") // which no container sees
	source := strings.TrimSpace(s.run("git", "rev-parse", "HEAD"))

	s.fails("make the package public", "bash", ".github/prepare")
	if tags := s.run("git", "--git-dir", remote, "tag", "--list"); tags != "" {
		t.Errorf("tagged in spite of that: %q", tags)
	}
	if err := os.WriteFile(filepath.Join(home, "public"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.run("bash", ".github/prepare")
	tagged := s.run("git", "--git-dir", remote, "show", "v1.2.3:action.yml")
	named := regexp.MustCompile(`(?m)^  image: docker://(\S+@sha256:[0-9a-f]{64})$`).FindStringSubmatch(tagged)
	if named == nil || !strings.HasPrefix(named[1], image+"@") {
		t.Fatalf("no image is named:\n%s", tagged)
	}
	if parent := strings.TrimSpace(s.run("git", "--git-dir", remote, "rev-parse", "v1.2.3^")); parent != source {
		t.Errorf("the tag stands above %s, want %s", parent, source)
	}
	if changed := s.run("git", "--git-dir", remote, "diff", "--name-only", "v1.2.3^", "v1.2.3"); changed != "action.yml\n" {
		t.Errorf("the commit changes %q", changed)
	}
	trust := filepath.Join(s.home, "trusted_root.json")
	job := s.env
	s.env = verifier
	out := s.run(*product, "verify", named[1], "--repository", "octo/hello", "--trusted-root", trust)
	for _, want := range []string{"ok    signature", "ok    provenance"} {
		if !strings.Contains(out, want) {
			t.Errorf("verify says %q, want %q", out, want)
		}
	}
	s.env = job
	s.run("git", "checkout", "--quiet", "-B", "main", source)
	if out := s.run("bash", ".github/prepare"); out != "v1.2.3 is there already\n" {
		t.Errorf("again it says %q", out)
	}
	s.run("git", "commit", "--quiet", "--allow-empty", "-m", "fix: more") // as happens while somebody waits
	if out := s.run("bash", ".github/prepare"); out != "v1.2.3 is there already\n" {
		t.Errorf("again it says %q", out)
	}
	s.run("git", "push", "--quiet", "--force", remote, "HEAD:refs/tags/v1.2.3")
	s.fails("is no commit that this made", "bash", ".github/prepare")
}

// TestFloat: floating tags move to the release, and not back from a higher one.
func TestFloat(t *testing.T) {
	s := &site{T: t, dir: t.TempDir()}
	remote := filepath.Join(t.TempDir(), "remote.git")
	text, err := os.ReadFile(filepath.Join(root, ".github", "float"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(s.dir, ".github"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, ".github", "float"), text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.com",
		"REMOTE=" + remote, "GITHUB_TOKEN=none", "GITHUB_REPOSITORY=octo/hello"}
	s.run("git", "init", "--quiet", "--bare", remote)
	s.run("git", "init", "--quiet", "-b", "main")
	at := map[string]string{}
	for _, tag := range []string{"v1.2.9", "v1.2.10", "v1.3.0", "v1.4.0-rc.1", "v2.0.0"} {
		s.run("git", "commit", "--quiet", "--allow-empty", "-m", tag)
		s.run("git", "tag", tag)
		at[tag] = strings.TrimSpace(s.run("git", "rev-parse", "HEAD"))
	}
	s.run("git", "push", "--quiet", "--tags", remote)
	for _, step := range []struct{ tag, floating, moved string }{
		{"v1.2.9", "v1.2 v1", ""},
		{"v1.2.10", "v1.2 v1", "v1.2"},
		{"v1.3.0", "v1.3 v1", "v1.3 v1"},
		{"v1.3.0", "", ""},
	} {
		s.run("git", "checkout", "--quiet", step.tag)
		env := s.env
		s.env = append(env, "TAG="+step.tag, "FLOATING="+step.floating)
		s.run("bash", ".github/float")
		s.env = env
		for _, tag := range strings.Fields(step.floating) {
			out, _ := exec.CommandContext(t.Context(), "git", "--git-dir", remote, "rev-parse", "--verify", "--quiet", tag).Output() // empty where there is none
			if moved := strings.TrimSpace(string(out)) == at[step.tag]; moved != slices.Contains(strings.Fields(step.moved), tag) {
				t.Errorf("after %s, %s moved: %t", step.tag, tag, moved)
			}
		}
	}
}
