package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/rehearsal/sigstore"
)

// program is the real program, compiled as users compile it.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pgo-release")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "github.com/org/pgo-release")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// process is a run of the real program in a job.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu   sync.Mutex
	said bytes.Buffer
}

// begin starts the program. line sees every line that it writes; nil: nobody does.
func (j *job) begin(t *testing.T, path string, line func(p *process, text string), args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), path, append(args, "-C", j.dir)...), done: make(chan struct{})}
	temporary, err := os.MkdirTemp("", "pgo-release-process-") // one that is killed leaves its clone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temporary) })
	p.cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	for name, value := range j.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	pipe, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(pipe)
		for {
			text, err := lines.ReadString('\n')
			p.mu.Lock()
			p.said.WriteString(text)
			p.mu.Unlock()
			if line != nil && text != "" {
				line(p, text)
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		_ = w.Close()
		<-read
		close(p.done)
	}()
	return p
}

// kill ends the program as kill -9 does, with what it started: nothing of it runs when
// kill returns.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// end waits for the end and gives the exit code and all that was said; the code is -1
// where it was killed.
func (p *process) end() (int, string) {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.ProcessState.ExitCode(), p.said.String()
}

// meet puts a fault before everything that the job talks to.
func (j *job) meet(fault func(next http.Handler) http.Handler) {
	j.stage.Hub.Inject(fault)
	j.stage.Registry.Inject(fault)
	for _, name := range []string{sigstore.OIDC, sigstore.Fulcio, sigstore.Rekor, sigstore.TSA} {
		j.stage.Sigstore.Inject(name, fault)
	}
}

// pageJSON is a release as GitHub shows it.
type pageJSON struct {
	ID     int64  `json:"id"`
	Tag    string `json:"tag_name"`
	Draft  bool   `json:"draft"`
	Body   string `json:"body"`
	Assets []struct {
		Name   string `json:"name"`
		Digest string `json:"digest"`
		State  string `json:"state"`
	} `json:"assets"`
}

// pages are the releases that GitHub has, drafts too.
func (j *job) pages(t *testing.T) []pageJSON {
	t.Helper()
	var out []pageJSON
	if err := json.Unmarshal([]byte(j.github(t, http.MethodGet, "/repos/octo/hello/releases", "")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// imageTags are the tags that the registry has, but for those of referrers, with the
// digests that they name; nil where there is no image.
func (j *job) imageTags(t *testing.T) map[string]string {
	t.Helper()
	repository, err := name.NewRepository(j.stage.Registry.Address() + "/octo/hello")
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{
		remote.WithContext(context.WithoutCancel(t.Context())), remote.WithAuth(&authn.Basic{Username: "octocat", Password: j.stage.Hub.Token()}),
	}
	tags, err := remote.List(repository, options...)
	var refused *transport.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	for _, tag := range tags {
		if strings.HasPrefix(tag, "sha256-") {
			continue
		}
		d, err := remote.Head(repository.Tag(tag), options...)
		if err != nil {
			t.Fatal(err)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[tag] = d.Digest.String()
	}
	return out
}

// content is what a release came to, without what no two runs make alike.
type content struct {
	Assets map[string]string // name → digest; of bundles only that they are there
	Images map[string]string // tag → digest
	Beside []string          // predicate types of what is attached to the image, sorted
	Body   string
	Draft  bool
}

// released is the one release of the job.
func (j *job) released(t *testing.T) content {
	t.Helper()
	pages := j.pages(t)
	if len(pages) != 1 {
		t.Fatalf("%d releases: %+v", len(pages), pages)
	}
	out := content{Assets: map[string]string{}, Images: j.imageTags(t), Body: j.body(pages[0].Body), Draft: pages[0].Draft}
	out.Beside = j.beside(t, out.Images["1.2.3"])
	for _, a := range pages[0].Assets {
		if a.State != "uploaded" || out.Assets[a.Name] != "" {
			t.Errorf("asset %+v", a)
		}
		if out.Assets[a.Name] = a.Digest; strings.HasSuffix(a.Name, ".sigstore.json") {
			out.Assets[a.Name] = "a bundle"
		}
	}
	return out
}

// body is a text of a release without what is the registry's, which every job has for
// itself: its address, and so the digest of the text.
func (j *job) body(text string) string {
	text = strings.ReplaceAll(text, j.stage.Registry.Address(), "REGISTRY")
	return regexp.MustCompile(`(<!-- pgo-release: [0-9a-f]+) [0-9a-f]+ -->`).ReplaceAllString(text, "$1 DIGEST -->")
}

// beside are the predicate types of what is attached to the image with the digest.
func (j *job) beside(t *testing.T, digest string) []string {
	t.Helper()
	if digest == "" {
		return nil
	}
	reference := j.stage.Registry.Address() + "/octo/hello@" + digest
	found, err := image.Referrers(context.WithoutCancel(t.Context()), reference, image.Access{Token: j.stage.Hub.Token()})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range found {
		if r.Err != nil {
			t.Error(r.Err)
		}
		out = append(out, r.PredicateType)
	}
	slices.Sort(out)
	return out
}

// uploads counts how often each asset was stored, by name.
func (j *job) uploads() map[string]int {
	out := map[string]int{}
	for _, call := range j.stage.Hub.Calls() {
		if name, ok := strings.CutPrefix(call.Query, "name="); ok && call.Method == http.MethodPost && call.Status == http.StatusCreated {
			out[name]++
		}
	}
	return out
}

// verified fetches the release and verifies it, as its users do.
func (j *job) verified(t *testing.T) {
	t.Helper()
	code, said := j.run(t, "verify", "octo/hello@v1.2.3", "--quiet", "--branches", "main")
	if code != 0 {
		t.Errorf("verifying: exit code %d:\n%.3000s", code, said)
	}
}

// once tells whether all values are 1.
func once(counts map[string]int) bool {
	for _, n := range counts {
		if n != 1 {
			return false
		}
	}
	return true
}
