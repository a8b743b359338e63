package processes_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
	"github.com/org/pgo-release/internal/sign/testdata/real/processes"
)

// job is a job of a tag push as a runner sets it up, on servers that are on loopback.
type job struct {
	dir      string // the checkout
	env      []string
	workflow sigstore.Workflow
	instance *processes.Instance
	hub      *hub.Server
}

// TestRelease releases a project with the product's binary in such a job, signed by real
// servers; then a user downloads the release and checks it with the product and cosign.
func TestRelease(t *testing.T) {
	for name, options := range map[string]processes.Options{
		"Rekor v2": {Rekor2: 1, TSA: true},
		"Rekor v1": {Rekor1: true},
		"private":  {NoCTLog: true, TSA: true},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "v1.2.3", options)
			said := j.run(t, "release", "--trusted-root", trustedRoot(j.instance),
				"--signing-config", filepath.Join(j.instance.Dir, sigstore.SigningConfigName))
			if !strings.Contains(said, "released v1.2.3") {
				t.Fatal(said)
			}
			if tokens, certificates := j.instance.Tokens.Calls(), j.instance.Fulcio.Calls(); certificates != 1 {
				t.Errorf("%d tokens and %d certificates, want one certificate", tokens, certificates)
			}
			// What was made, and what GitHub gives away.
			for _, what := range []string{filepath.Join(j.dir, "dist"), j.workflow.Repository + "@v1.2.3"} {
				said = j.run(t, "verify", what, "--repository", j.workflow.Repository, "--trusted-root", trustedRoot(j.instance))
				if !strings.Contains(said, j.workflow.SAN()) || !strings.Contains(said, "image") {
					t.Errorf("verify %s: %s", what, said)
				}
			}
			j.checkAssets(t, j.download(t))
		})
	}
}

// newJob makes a repository of testdata/hello with a tag, and what a runner provides.
func newJob(t *testing.T, tag string, o processes.Options) *job {
	t.Helper()
	j := &job{dir: filepath.Join(t.TempDir(), "hello")}
	hello := filepath.Join("..", "..", "..", "..", "..", "testdata", "hello")
	if err := os.CopyFS(j.dir, os.DirFS(hello)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(j.dir, "dist")); err != nil {
		t.Fatal(err)
	}
	j.env = append(caches(t), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(),
		"GOPROXY=off", "GOENV=off", "GOTOOLCHAIN=local", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.com")
	j.git(t, "init", "--quiet", "-b", "main")
	j.git(t, "add", "-A")
	j.git(t, "commit", "--quiet", "-m", "first")
	j.git(t, "tag", tag)
	j.workflow = sigstore.Workflow{
		Repository: "octo/hello", RepositoryID: "1", OwnerID: "1", Visibility: "public",
		Ref: "refs/tags/" + tag, SHA: j.git(t, "rev-parse", "HEAD"), Name: "release",
		Path: ".github/workflows/release.yml", Event: "push", RunID: "1", RunAttempt: "1",
	}
	if o.NoCTLog {
		j.workflow.Visibility = "private"
	}
	j.instance = start(t, j.workflow, o)
	j.serve(t, tag, o.NoCTLog)
	return j
}

// serve starts the GitHub and the registry of the job.
func (j *job) serve(t *testing.T, tag string, private bool) {
	t.Helper()
	var err error
	j.hub, err = hub.Start(hub.Repo{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, ID: 1, OwnerID: 1, DefaultBranch: "main",
		Tags: map[string]string{tag: j.workflow.SHA}, Private: private,
	})
	if err != nil {
		t.Fatal(err)
	}
	images, err := registry.Start()
	if err != nil {
		t.Fatal(errors.Join(err, j.hub.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(images.Close(), j.hub.Close()); err != nil {
			t.Error(err)
		}
	})
	for name, value := range j.instance.Issuer.Env(j.instance.Tokens.URL) {
		j.env = append(j.env, name+"="+value)
	}
	commands := t.TempDir()
	j.env = append(j.env, "GITHUB_ACTIONS=true", "CI=true", "GITHUB_REPOSITORY="+j.workflow.Repository, "GITHUB_EVENT_NAME="+j.workflow.Event,
		"GITHUB_API_URL="+strings.TrimSuffix(j.hub.URL(), "/"), "GITHUB_UPLOAD_URL="+j.hub.UploadURL(),
		"GITHUB_REF="+j.workflow.Ref, "GITHUB_SHA="+j.workflow.SHA, "GITHUB_RUN_ID=1", "GITHUB_RUN_ATTEMPT=1",
		"GITHUB_WORKFLOW_REF="+j.workflow.Repository+"/"+j.workflow.Path+"@"+j.workflow.Ref,
		"GITHUB_OUTPUT="+filepath.Join(commands, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(commands, "summary"),
		"INPUT_TOKEN="+j.hub.Token(), "INPUT_PLATFORMS=linux/amd64", "INPUT_IMAGE="+images.Address()+"/octo/hello")
}

// caches are the caller's, because there is no network to fill others from.
func caches(t *testing.T) []string {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOROOT"}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		env = append(env, names[i]+"="+value)
	}
	return env
}

func (j *job) git(t *testing.T, args ...string) string {
	t.Helper()
	return j.execute(t, "git", args...)
}

// run runs the product in the checkout.
func (j *job) run(t *testing.T, args ...string) string {
	t.Helper()
	return j.execute(t, *product, args...)
}

func (j *job) execute(t *testing.T, program string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir, command.Env = j.dir, j.env
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(program), strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// download fetches the assets of the release.
func (j *job) download(t *testing.T) string {
	t.Helper()
	client, err := github.New(github.Options{
		Repository: plan.Repository{Owner: "octo", Name: "hello"}, Token: j.hub.Token(), APIURL: j.hub.URL(), UploadURL: j.hub.UploadURL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.Find(t.Context(), "v1.2.3")
	if err != nil || page == nil {
		t.Fatalf("the release: %v (%v)", page, err)
	}
	assets, err := client.Assets(t.Context(), *page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, asset := range assets {
		f, err := os.Create(filepath.Join(dir, asset.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(client.Download(t.Context(), asset, f), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkAssets verifies what was downloaded with stock tools, and that nothing was left out.
func (j *job) checkAssets(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, f := range files {
		file, provenance := filepath.Join(dir, f.Name()), filepath.Join(dir, "provenance.sigstore.json")
		switch name := f.Name(); {
		case name == "checksums.txt":
			stockTools(t, trustedRoot(j.instance), j.workflow.SAN(), file+".sigstore.json", file)
			stockTools(t, trustedRoot(j.instance), j.workflow.SAN(), provenance, file)
		case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".zip"), strings.HasSuffix(name, ".spdx.json"):
			stockTools(t, trustedRoot(j.instance), j.workflow.SAN(), provenance, file)
		default:
			continue
		}
		checked++
	}
	if checked < 3 { // an archive, its SBOM, checksums.txt
		t.Errorf("%d files were checked: %v", checked, files)
	}
}
