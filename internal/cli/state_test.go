package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"
)

// withKey makes a job sign with a key, which is of no commit as a token is.
func (j *job) withKey(t *testing.T) []string {
	t.Helper()
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	j.env["COSIGN_PASSWORD"], j.env["SIGNING_KEY"] = "x", string(keys.PrivateBytes)
	return append(onePlatform[:3:3], "--key", "env://SIGNING_KEY")
}

// TestStates: what people and other runs leave, and what a run makes of it. The release is
// v1.3.0, dispatched from main.
func TestStates(t *testing.T) {
	const sbom = "hello_1.3.0_linux_amd64.tar.gz.spdx.json"
	staged := func(t *testing.T, j *job, args []string) {
		if code, said := j.run(t, append(args[:len(args):len(args)], "--environment", "staging")...); code != 0 {
			t.Fatalf("staging: exit code %d:\n%.3000s", code, said)
		}
	}
	released := func(t *testing.T, j *job, args []string) {
		if code, said := j.run(t, args...); code != 0 {
			t.Fatalf("releasing: exit code %d:\n%.3000s", code, said)
		}
	}
	fix := func(t *testing.T, j *job) {
		j.git(t, "commit", "--quiet", "--allow-empty", "-m", "fix: what broke on Friday")
		j.env["GITHUB_SHA"] = j.git(t, "rev-parse", "HEAD")
	}
	publish := func(t *testing.T, j *job) {
		j.github(t, http.MethodPatch, "/repos/octo/hello/releases/1", `{"tag_name":"v1.3.0","draft":false}`)
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, j *job, args []string)
		more   []string // arguments
		code   int
		says   []string
		makes  bool   // it compiles
		public string // commit of the tag: "own", "other"; empty: there is none
	}{
		"an asset was deleted after publishing": {func(t *testing.T, j *job, args []string) {
			released(t, j, args)
			j.github(t, http.MethodDelete, j.assetPath(t, sbom), "")
		}, nil, 0, []string{"released v1.3.0"}, true, "own"},
		"published by hand, half-way": {func(t *testing.T, j *job, args []string) {
			staged(t, j, args)
			j.github(t, http.MethodDelete, j.assetPath(t, "provenance.sigstore.json"), "")
			publish(t, j)
		}, nil, 0, []string{"released v1.3.0"}, true, "own"},
		"a file of somebody in the draft": {func(t *testing.T, j *job, args []string) {
			staged(t, j, args)
			j.github(t, http.MethodPatch, j.assetPath(t, sbom), `{"name":"manual.pdf"}`)
		}, nil, 3, []string{"manual.pdf", "delete it there"}, false, ""},
		"another commit": {func(t *testing.T, j *job, args []string) {
			staged(t, j, args)
			fix(t, j)
		}, nil, 3, []string{"taking over the draft", "--rebuild", "push the tag there"}, false, ""},
		"another commit, without provenance": {func(t *testing.T, j *job, args []string) {
			staged(t, j, args)
			j.github(t, http.MethodDelete, j.assetPath(t, "provenance.sigstore.json"), "")
			fix(t, j)
		}, nil, 3, []string{"taking over the draft"}, false, ""},
		"another commit, made anew": {func(t *testing.T, j *job, args []string) {
			staged(t, j, args)
			fix(t, j)
		}, []string{"--rebuild"}, 0, []string{"what broke on Friday", "released v1.3.0"}, true, "own"},
		"released from another commit": {func(t *testing.T, j *job, args []string) {
			released(t, j, args)
			fix(t, j)
		}, nil, 3, []string{"is published, and its tag names commit", "next version"}, false, "other"},
		"released as a prerelease": {func(t *testing.T, j *job, args []string) {
			released(t, j, append(args[:len(args):len(args)], "--environment", "beta"))
		}, nil, 3, []string{"prerelease: true, and is to be prerelease: false"}, false, "own"},
		"a commit that was not pushed": {func(t *testing.T, j *job, _ []string) {
			j.stage.Hub.Inject(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "/git/commits/") {
						http.NotFound(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
		}, nil, 3, []string{"is not on GitHub", "push it"}, false, ""},
		"notes cannot be generated in time": {func(t *testing.T, j *job, _ []string) {
			var once sync.Once
			j.stage.Hub.Inject(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					failed := false
					if strings.HasSuffix(r.URL.Path, "/generate-notes") {
						once.Do(func() { failed = true })
					}
					if failed {
						w.WriteHeader(http.StatusBadGateway)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
		}, nil, 0, []string{"released v1.3.0"}, true, "own"},
		"an event that cannot be read": {func(t *testing.T, j *job, _ []string) {
			if err := os.WriteFile(j.env["GITHUB_EVENT_PATH"], []byte(`{"inputs":`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, 1, []string{"reading the event"}, false, ""},
		"an input in another case": {func(t *testing.T, j *job, _ []string) {
			j.choose(t, map[string]string{"Environment": "staging", "Tag": "v1.3.0"})
		}, nil, 0, []string{"left a draft of v1.3.0"}, true, ""},
	} {
		if testing.Short() && len(name)%3 > 0 { // a part of them says enough about races
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := dispatched(t, "")
			args := j.withKey(t)
			j.choose(t, map[string]string{"tag": "v1.3.0"})
			if err := os.WriteFile(filepath.Join(j.dir, ".pgo-release.yaml"), []byte("environments: {beta: {prerelease: true}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			commit := j.env["GITHUB_SHA"]
			c.before(t, j, args)
			if err := os.RemoveAll(filepath.Join(j.dir, "dist")); err != nil { // as on a new machine
				t.Fatal(err)
			}
			_ = os.Remove(j.env["GITHUB_STEP_SUMMARY"])
			code, said := j.run(t, slices.Concat(args, c.more)...)
			if code != c.code || strings.Contains(said, "::group::make") != c.makes {
				t.Errorf("exit code %d:\n%.4000s", code, said)
			}
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%.4000s", want, said)
				}
			}
			j.stage.Hub.Inject(nil)
			want := map[string]string{"own": j.env["GITHUB_SHA"], "other": commit, "": ""}[c.public]
			if got := j.tagged(t, "v1.3.0"); got != want {
				t.Errorf("the tag names %q, want %q", got, want)
			}
			if c.public == "own" && c.code == 0 {
				if code, said := j.run(t, append(args[:len(args):len(args)], c.more...)...); code != 0 {
					t.Errorf("once more: exit code %d:\n%.3000s", code, said)
				}
			}
		})
	}
}

// TestRewrittenNotes: with --rebuild, notes that nobody edited are those of the new commit;
// edited ones stay.
func TestRewrittenNotes(t *testing.T) {
	for _, edited := range []bool{false, true} {
		j := dispatched(t, "")
		args := j.withKey(t)
		j.choose(t, map[string]string{"environment": "staging", "tag": "v1.3.0"})
		if code, said := j.run(t, args...); code != 0 {
			t.Fatalf("exit code %d:\n%.3000s", code, said)
		}
		if edited {
			j.github(t, http.MethodPatch, "/repos/octo/hello/releases/1", `{"tag_name":"v1.3.0","body":"by hand"}`)
		}
		j.git(t, "commit", "--quiet", "--allow-empty", "-m", "fix: what broke on Friday")
		j.env["GITHUB_SHA"] = j.git(t, "rev-parse", "HEAD")
		j.choose(t, map[string]string{"tag": "v1.3.0"})
		if code, said := j.run(t, append(args, "--rebuild")...); code != 0 {
			t.Fatalf("again: exit code %d:\n%.3000s", code, said)
		}
		if body := j.pages(t)[0].Body; strings.Contains(body, "Friday") == edited {
			t.Errorf("edited %t: the page says\n%s", edited, body)
		}
	}
}

// TestTwoCommits: two runs of one tag from two commits. The draft of the first is refused by
// the second, at whatever moment it appears.
func TestTwoCommits(t *testing.T) {
	for _, held := range []string{"/releases/tags/v1.3.0", "/git/ref/tags/v1.3.0"} {
		a := dispatched(t, "")
		args := append(a.withKey(t), "--tag", "v1.3.0")
		a.choose(t, nil)
		b := a.twin(t)
		b.git(t, "commit", "--quiet", "--allow-empty", "-m", "second")
		b.env["GITHUB_SHA"] = b.git(t, "rev-parse", "HEAD")
		var mu sync.Mutex
		seen := 0
		reached, open := make(chan struct{}), make(chan struct{})
		a.stage.Hub.Inject(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				now := false
				if b.made(r) && strings.HasSuffix(r.URL.Path, held) {
					mu.Lock()
					seen++
					now = seen == 2 // when it opens the page
					mu.Unlock()
				}
				if now {
					close(reached)
					<-open
				}
				next.ServeHTTP(w, r)
			})
		})
		two := b.start(t, args)
		select {
		case <-reached:
		case end := <-two:
			t.Fatalf("the second ended: exit code %d:\n%.3000s", end.code, end.said)
		}
		code, said := a.run(t, append(args, "--environment", "staging")...)
		if code != 0 {
			t.Errorf("the first: exit code %d:\n%.3000s", code, said)
		}
		before := a.pages(t)
		close(open)
		end := <-two
		if end.code != 3 || !strings.Contains(end.said, a.env["GITHUB_SHA"]) {
			t.Errorf("the second: exit code %d:\n%.3000s", end.code, end.said)
		}
		if after := a.pages(t); !reflect.DeepEqual(after, before) || a.tagged(t, "v1.3.0") != "" {
			t.Errorf("it became\n%+v\nfrom\n%+v", after, before)
		}
		if code, said := a.run(t, args...); code != 0 || a.tagged(t, "v1.3.0") != a.env["GITHUB_SHA"] {
			t.Errorf("the first, to production: exit code %d:\n%.3000s", code, said)
		}
	}
}

// TestNotesThatAreTooLong: a draft whose text points at the whole notes is not complete
// without them.
func TestNotesThatAreTooLong(t *testing.T) {
	j := dispatched(t, "")
	args := j.withKey(t)
	j.git(t, "tag", "v1.2.0")
	for range 1000 {
		j.git(t, "commit", "--quiet", "--allow-empty", "-m", "fix: "+strings.Repeat("long words ", 16))
	}
	j.env["GITHUB_SHA"] = j.git(t, "rev-parse", "HEAD")
	j.choose(t, map[string]string{"environment": "staging", "tag": "v1.2.1"})
	if code, said := j.run(t, args...); code != 0 {
		t.Fatalf("exit code %d:\n%.3000s", code, said)
	}
	const whole = "RELEASE_NOTES.md"
	j.github(t, http.MethodDelete, j.assetPath(t, whole), "") // as if the run had ended before
	j.choose(t, map[string]string{"tag": "v1.2.1"})
	if code, said := j.run(t, args...); code != 0 {
		t.Fatalf("again: exit code %d:\n%.3000s", code, said)
	}
	if got := j.released(t); got.Assets[whole] == "" || !strings.Contains(got.Body, whole) {
		t.Errorf("it is lost: %v", got.Assets)
	}
}
