// Package engine holds the images of a release, and the action itself, against other
// people's programs: a real Docker engine, both versions of cosign, and act. It is a package of
// its own because it needs them and root; .ci/container runs it.
package engine

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal"
)

var (
	docker  = flag.String("docker", "", "command line of the engine that DOCKER_HOST names")
	cosign2 = flag.String("cosign2", "", "cosign 2.6.5")
	cosign3 = flag.String("cosign3", "", "cosign 3.1.3")
	product = flag.String("product", "", "pgo-release")
	act     = flag.String("act", "", "act 0.2.89")

	actionImage = flag.String("action-image", "", "image that the Dockerfile made")
	jobImage    = flag.String("job-image", "", "image that jobs run in")
)

// root is the project's directory.
var root = filepath.Join("..", "..", "..", "..")

// site is a job that has released, and the programs of those who use its images.
type site struct {
	*testing.T
	dir   string
	home  string // what the registry's users have, and the runner's files
	event string // what the runner says about the push
	env   []string
	stage *rehearsal.Stage
	image string // registry and path
}

// run runs a program in the job's directory, and returns what it prints.
func (s *site) run(program string, args ...string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), program, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// fails runs a program that has to fail, and say why.
func (s *site) fails(want, program string, args ...string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), program, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) {
		s.Errorf("%s %s: %v, want %q\n%s", filepath.Base(program), strings.Join(args, " "), err, want, out)
	}
}

// job is a checkout of the sample in a job that a tag started.
func job(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, dir: t.TempDir()}
	err := os.CopyFS(s.dir, os.DirFS(filepath.Join(root, "testdata", "hello")))
	if err == nil {
		err = os.RemoveAll(filepath.Join(s.dir, "dist"))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.env = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.com"}
	for _, args := range []string{"init -q -b main", "add -A", "commit -q -m first", "tag v1.2.3"} {
		s.run("git", strings.Fields(args)...)
	}
	commit := strings.TrimSpace(s.run("git", "rev-parse", "HEAD"))
	s.stage, err = rehearsal.Start(plan.Plan{Repository: plan.Repository{Owner: "octo", Name: "hello"}, Tag: "v1.2.3", Commit: commit}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stage.Close() })
	s.image = s.stage.Registry.Address() + "/octo/hello"
	home := t.TempDir()
	s.home = home
	if err := s.stage.Sigstore.WriteFiles(home); err != nil {
		t.Fatal(err)
	}
	login := base64.StdEncoding.EncodeToString([]byte("octocat:" + s.stage.Hub.Token()))
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.stage.Registry.Address(), login)
	if err := os.WriteFile(filepath.Join(home, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const ref = "refs/tags/v1.2.3"
	s.event = `{"ref":"` + ref + `","created":true,"deleted":false}`
	s.env = append(s.env, "DOCKER_CONFIG="+home, "GITHUB_ACTIONS=true", "GITHUB_API_URL="+strings.TrimSuffix(s.stage.Hub.URL(), "/"), "GITHUB_UPLOAD_URL="+s.stage.Hub.UploadURL(),
		"GITHUB_REPOSITORY=octo/hello", "GITHUB_REF="+ref, "GITHUB_SHA="+commit, "GITHUB_EVENT_NAME=push", "GITHUB_WORKFLOW_REF=octo/hello/.github/workflows/release.yml@"+ref,
		"GITHUB_RUN_ID=1", "GITHUB_RUN_ATTEMPT=1", "GITHUB_OUTPUT="+filepath.Join(home, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(home, "summary"),
		"GITHUB_TOKEN="+s.stage.Hub.Token(), "GOPROXY=off", "INPUT_IMAGE="+s.image,
		"INPUT_TRUSTED-ROOT="+filepath.Join(home, "trusted_root.json"), "INPUT_SIGNING-CONFIG="+filepath.Join(home, "signing_config.json"))
	for name, value := range s.stage.Sigstore.Env() {
		s.env = append(s.env, name+"="+value)
	}
	return s
}

// TestPull: the engine pulls what was released, by its tag and for other platforms, and
// runs it; the program in it is the one of the archive.
func TestPull(t *testing.T) {
	s := job(t)
	s.run(*product, "release", "--platforms", "linux/"+runtime.GOARCH+",linux/arm/v7,linux/s390x")
	s.run(*docker, "pull", "--quiet", s.image+":1.2.3")
	if out := s.run(*docker, "run", "--rm", "--network", "none", s.image+":1.2.3", "version"); !strings.HasPrefix(out, "v1.2.3 ") {
		t.Errorf("the image says %q", out)
	}
	if out := s.run(*docker, "inspect", "--format", "{{.Os}}/{{.Architecture}} {{.Config.User}} {{.Config.WorkingDir}}", s.image+":1.2.3"); strings.TrimSpace(out) != "linux/"+runtime.GOARCH+" 65532:65532 /home/nonroot" {
		t.Errorf("the image is %q", out)
	}
	id := strings.TrimSpace(s.run(*docker, "create", s.image+":1.2.3"))
	program := filepath.Join(t.TempDir(), "hello")
	s.run(*docker, "cp", id+":/usr/local/bin/hello", program)
	s.run(*docker, "rm", id)
	s.run("cmp", program, filepath.Join(s.dir, "dist", "binaries", "hello_linux_"+runtime.GOARCH, "hello"))
	for platform, want := range map[string]string{"linux/arm/v7": "arm v7", "linux/s390x": "s390x "} {
		s.run(*docker, "pull", "--quiet", "--platform", platform, s.image+":1.2")
		if out := s.run(*docker, "inspect", "--format", "{{.Architecture}} {{.Variant}}", s.image+":1.2"); strings.TrimSuffix(out, "\n") != want {
			t.Errorf("%s is %q, want %q", platform, out, want)
		}
	}
	s.fails("", *docker, "pull", "--quiet", "--platform", "linux/riscv64", s.image+":1.2.3")
}

// TestLoad: the engine takes what build leaves, without a registry.
func TestLoad(t *testing.T) {
	s := job(t)
	s.run(*product, "build", "--platforms", "linux/s390x,linux/"+runtime.GOARCH, "--docker-tar")
	if out := s.run(*docker, "load", "-i", filepath.Join("dist", "image.tar")); !strings.Contains(out, "Loaded image: "+s.image+":1.2.3") {
		t.Errorf("loading says %q", out)
	}
	if out := s.run(*docker, "run", "--rm", "--network", "none", s.image+":1.2.3", "version"); !strings.HasPrefix(out, "v1.2.3 ") {
		t.Errorf("the image says %q", out)
	}
}

// TestCosign: what is stated beside the image holds for both versions of cosign, for the
// image that was pushed and for no other workflow.
func TestCosign(t *testing.T) {
	s := job(t)
	s.run(*product, "release", "--platforms", "linux/amd64,linux/arm64")
	trust := filepath.Join(s.home, "trusted_root.json")
	const identity = "https://github.com/octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3"
	for _, program := range []struct {
		path  string
		flags []string
	}{{*cosign2, []string{"--new-bundle-format", "--use-signed-timestamps"}}, {*cosign3, nil}} {
		verify := func(identity string, args ...string) []string {
			return append(append(append([]string{}, args...), program.flags...), "--trusted-root", trust, "--allow-http-registry",
				"--certificate-identity", identity, "--certificate-oidc-issuer", "https://token.actions.githubusercontent.com", s.image+":1.2.3")
		}
		s.run(program.path, verify(identity, "verify")...)
		s.fails("", program.path, verify(identity+"x", "verify")...)
		for _, kind := range []string{"slsaprovenance1", "spdxjson"} {
			out := s.run(program.path, verify(identity, "verify-attestation", "--type", kind)...)
			if !strings.Contains(out, "payload") {
				t.Errorf("%s: %s says %q", program.path, kind, out)
			}
			s.fails("", program.path, verify(identity+"x", "verify-attestation", "--type", kind)...)
		}
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	for _, program := range []*string{docker, cosign2, cosign3, product, act} {
		if _, err := os.Stat(*program); err != nil {
			fmt.Fprintln(os.Stderr, "a program that the tests need:", err)
			os.Exit(1)
		}
	}
	if *actionImage == "" || *jobImage == "" {
		fmt.Fprintln(os.Stderr, "images that the tests need: -action-image, -job-image")
		os.Exit(1)
	}
	os.Exit(m.Run())
}
