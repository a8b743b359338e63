package cli_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/history"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
)

// known is what a GitHub in a script knows. Commits are named as git rev-parse takes them.
type known struct {
	Tags      map[string]string // their commits
	Published []string          // tags with a published release
	Pulls     []struct {
		Number                    int
		Title, Body, Commit, Base string
		Author                    string   // octocat, where there is none; an app ends with "[bot]"
		Labels, Brought           []string // Brought: commits of a rebase merge
		Closes                    []int
	}
	Private bool
}

// gitHub starts a GitHub for the repository octo/app that knows what a JSON file says,
// and sets the environment that leads to it.
func gitHub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: github FILE")
	}
	var k known
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &k))
	repository := plan.Repository{Owner: "octo", Name: "app"}
	r := hub.Repo{Repository: repository, ID: 1, OwnerID: 1, DefaultBranch: "main", Private: k.Private, Tags: map[string]string{}, Brought: map[string][]int{}}
	for tag, name := range k.Tags {
		r.Tags[tag] = parse(ts, name)
	}
	for _, p := range k.Pulls {
		pr := history.PullRequest{
			Number: p.Number, Title: p.Title, Body: p.Body, Labels: p.Labels, MergeCommit: parse(ts, p.Commit),
			Base: cmp.Or(p.Base, repository.String()), Author: cmp.Or(p.Author, "octocat"), Bot: strings.HasSuffix(p.Author, "[bot]"),
			URL: fmt.Sprintf("%s/pull/%d", repository.URL(), p.Number), MergedAt: time.Date(2026, 3, 1, 12, 0, p.Number%60, 0, time.UTC),
		}
		for _, n := range p.Closes {
			pr.Closes = append(pr.Closes, history.Issue{Number: n, URL: fmt.Sprintf("%s/issues/%d", repository.URL(), n)})
		}
		r.PullRequests = append(r.PullRequests, pr)
		for _, name := range p.Brought {
			sha := parse(ts, name)
			r.Brought[sha] = append(r.Brought[sha], p.Number)
		}
	}
	server, err := hub.Start(r)
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	client, err := github.New(github.Options{Repository: repository, Token: server.Token(), APIURL: server.URL(), UploadURL: server.UploadURL()})
	ts.Check(err)
	for _, tag := range k.Published {
		page, err := client.Open(context.Background(), github.Draft{Tag: tag, Commit: r.Tags[tag], Title: tag})
		ts.Check(err)
		_, err = client.Publish(context.Background(), page, r.Tags[tag], true, false)
		ts.Check(err)
	}
	ts.Setenv("GITHUB_TOKEN", server.Token())
	ts.Setenv("GITHUB_REPOSITORY", repository.String())
	ts.Setenv("GITHUB_API_URL", strings.TrimSuffix(server.URL(), "/"))
	ts.Setenv("GITHUB_UPLOAD_URL", server.UploadURL())
}

// parse is the commit that git knows under a name.
func parse(ts *testscript.TestScript, name string) string {
	cmd := exec.Command("git", "rev-parse", name)
	cmd.Dir = ts.MkAbs(".")
	out, err := cmd.Output()
	ts.Check(err)
	return strings.TrimSpace(string(out))
}

// modProxy starts a module proxy that serves one version, from a commit that is
// not known to git.
func modProxy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: modproxy MODULE VERSION")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cached-only/"+args[0]+"/@v/"+args[1]+".info" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"Version":%q,"Time":"2026-03-01T12:00:00Z","Origin":{"VCS":"git","Hash":"%040d"}}`, args[1], 7)
	}))
	ts.Defer(server.Close)
	ts.Setenv("GOPROXY", server.URL)
}
