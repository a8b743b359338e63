// Package github talks to GitHub's REST API (https://docs.github.com/rest) about one
// repository: its releases and their assets, its attestations, its tags, its pull
// requests; and to its GraphQL API (https://docs.github.com/graphql) where much is read
// at once.
//
// Reads are repeated when they fail for a while. Writes are not, unless the rate limit
// refused them undone: after a failure that leaves open whether a write happened, the
// state is read, and what is missing is done. So each method may be called again, in
// this run or in another, and converges.
//
// Errors name what was being done and why it failed; they never hold the token. Where
// GitHub refuses the token they are a release.Problem of class Authorisation, whose
// hint names the permission that is missing.
package github

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/release"
)

// Options say which repository a client speaks about, and how it reaches it.
type Options struct {
	Repository plan.Repository
	Token      string // empty: anonymous
	// APIURL and UploadURL are the bases of the two hosts, such as
	// https://ghe.example.com/api/v3/ and https://ghe.example.com/api/uploads/. Empty:
	// github.com's, and for UploadURL the one that belongs to APIURL. Plain http is
	// taken on loopback only.
	APIURL, UploadURL string
	Transport         http.RoundTripper                                // nil: http.DefaultTransport
	Wait              func(ctx context.Context, d time.Duration) error // sleeps; nil: really
	// Notice is told, once in the life of a client, when GraphQL cannot be used and what
	// reading one by one costs instead. nil: nobody is.
	Notice func(text string)
	// Unlimited says that who answers refuses nothing for coming too often, as the GitHub
	// of a rehearsal: requests are not spread.
	Unlimited bool
	// Waiting is told why nothing happens for a while. nil: nobody is.
	Waiting func(text string)
	Now     func() time.Time // nil: time.Now
}

// Client speaks about one repository. Its methods may be called from several
// goroutines.
type Client struct {
	api     *gh.Client
	repo    plan.Repository
	uploads *url.URL
	wait    func(context.Context, time.Duration) error
	graph   string // where GraphQL is
	notice  func(string)

	uploadsAt sync.Map    // ID of a release → where its assets go, string
	noGraph   atomic.Bool // GraphQL cannot be used
	noticed   sync.Once
}

// Info is what GitHub says about the repository.
type Info struct {
	Private       bool
	Visibility    string // "public", "private" or "internal"
	ID, OwnerID   int64
	DefaultBranch string
	HTMLURL       string
}

var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	visibleASCII   = regexp.MustCompile(`^[!-~]*$`)
	fullCommit     = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// New prepares a client; it does not connect. Errors are release.Problems of class
// Usage.
func New(o Options) (*Client, error) {
	if !repositoryName.MatchString(o.Repository.Owner) || !repositoryName.MatchString(o.Repository.Name) {
		return nil, release.Misuse("such as octocat/hello-world", "repository %q: want owner/name", o.Repository)
	}
	if !visibleASCII.MatchString(o.Token) {
		return nil, release.Misuse("a secret that was pasted often ends with a line break",
			"reading the GitHub token: it holds a character that tokens do not have")
	}
	api, err := baseURL(o.APIURL, "https://api.github.com/")
	if err != nil {
		return nil, err
	}
	uploads, err := baseURL(o.UploadURL, uploadsOf(api))
	if err != nil {
		return nil, err
	}
	c := &Client{repo: o.Repository, uploads: uploads, wait: o.Wait, graph: graphOf(api), notice: o.Notice}
	if c.wait == nil {
		c.wait = sleep
	}
	c.noGraph.Store(o.Token == "") // GitHub answers queries of nobody unknown
	if o.Now == nil {
		o.Now = time.Now
	}
	next := o.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	limits := &pace{}
	if o.Unlimited {
		limits = nil
	}
	c.api = gh.NewClient(&http.Client{
		CheckRedirect: follow,
		Transport: &transport{
			next: next, token: o.Token, wait: c.wait, patience: patience, rate: slowest,
			trusted: []string{origin(api), origin(uploads)},
			now:     o.Now, waiting: o.Waiting, pace: limits,
		},
	})
	c.api.BaseURL, c.api.UploadURL, c.api.UserAgent = api, uploads, "pgo-release"
	return c, nil
}

// baseURL reads the base of an API; it ends with a slash.
func baseURL(text, otherwise string) (*url.URL, error) {
	if text == "" {
		text = otherwise
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, release.Misuse("such as https://api.github.com/", "GitHub API %q: want an https URL", text)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, release.Misuse("over http everybody on the way could read the token", "GitHub API %q: want an https URL", text)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// uploadsOf is where the assets of an API go: a host beside api.NAME, or a path beside
// /api/v3/ of a GitHub Enterprise Server.
func uploadsOf(api *url.URL) string {
	u := *api
	if rest, found := strings.CutPrefix(u.Host, "api."); found {
		u.Host = "uploads." + rest
	} else if rest, found := strings.CutSuffix(u.Path, "/api/v3/"); found {
		u.Path = rest + "/api/uploads/"
	}
	return u.String()
}

// graphOf is where the GraphQL of an API is: below it, or beside /v3/ of a GitHub
// Enterprise Server.
func graphOf(api *url.URL) string {
	u := *api
	if rest, found := strings.CutSuffix(u.Path, "/api/v3/"); found {
		u.Path = rest + "/api/"
	}
	return u.JoinPath("graphql").String()
}

// origin is the part of an address that decides whether it may see the token.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// follow allows the redirects that GitHub makes: reads may go anywhere, writes only
// elsewhere on the same host and unchanged, and nothing leaves https.
func follow(req *http.Request, via []*http.Request) error {
	first := via[0]
	reads := first.Method == http.MethodGet || first.Method == http.MethodHead
	switch {
	case len(via) > 5:
		return fmt.Errorf("following a redirect: more than 5 of them")
	case first.URL.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("following a redirect: it leaves https")
	case !reads && (req.Method != first.Method || origin(req.URL) != origin(first.URL)):
		return fmt.Errorf("following a redirect: a %s must not go elsewhere; was the repository renamed?", first.Method)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Repository reads what GitHub says about the repository
// (https://docs.github.com/rest/repos/repos#get-a-repository). A repository that the
// token cannot see looks like one that does not exist: a Problem of class
// Authorisation.
func (c *Client) Repository(ctx context.Context) (Info, error) {
	r, _, err := c.api.Repositories.Get(ctx, c.repo.Owner, c.repo.Name)
	if err != nil {
		err = cause(err)
		if status(err) == http.StatusNotFound {
			err = release.Refuse("check its name; to see a private repository the token needs permissions: contents: read", "%w", err)
		}
		return Info{}, fmt.Errorf("reading repository %q: %w", c.repo, err)
	}
	info := Info{
		Private: r.GetPrivate(), Visibility: r.GetVisibility(), ID: r.GetID(), OwnerID: r.GetOwner().GetID(),
		DefaultBranch: r.GetDefaultBranch(), HTMLURL: r.GetHTMLURL(),
	}
	if info.Visibility == "" { // older GitHub Enterprise Servers do not say
		info.Visibility = "public"
		if info.Private {
			info.Visibility = "private"
		}
	}
	return info, nil
}

// maxPeels bounds how many tag objects may point at each other.
const maxPeels = 5

// TagCommit is the commit that a tag names, through any tag objects, as lower-case
// hexadecimal digits; empty when the remote has no such tag
// (https://docs.github.com/rest/git/refs#get-a-reference). A tag of anything but a
// commit is an error.
func (c *Client) TagCommit(ctx context.Context, tag string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("reading tag %q of %q: %w", tag, c.repo, cause(err))
	}
	ref, _, err := c.api.Git.GetRef(ctx, c.repo.Owner, c.repo.Name, "tags/"+tag)
	if err != nil {
		if status(cause(err)) == http.StatusNotFound {
			return "", nil
		}
		return fail(err)
	}
	at := ref.GetObject()
	for peels := 0; at.GetType() == "tag" && peels < maxPeels; peels++ {
		if !fullCommit.MatchString(at.GetSHA()) {
			break
		}
		object, _, err := c.api.Git.GetTag(ctx, c.repo.Owner, c.repo.Name, at.GetSHA())
		if err != nil {
			return fail(err)
		}
		at = object.GetObject()
	}
	if at.GetType() != "commit" || !fullCommit.MatchString(at.GetSHA()) {
		return fail(fmt.Errorf("it names the %s %q, want a commit", at.GetType(), at.GetSHA()))
	}
	return at.GetSHA(), nil
}
