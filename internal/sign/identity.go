package sign

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/org/pgo-release/internal/release"
)

// Issuer is the only token issuer whose identities are accepted: GitHub Actions.
const Issuer = "https://token.actions.githubusercontent.com"

const github = "https://github.com/"

// Identity is who must have signed, and for what. Owner and name of repositories are
// compared as GitHub compares them, without regard to case.
type Identity struct {
	Repository string // owner/name: the workflow ran for this repository
	Commit     string // full hash: and for this commit
	Tag        string // and for this tag: the ref is refs/tags/TAG

	// Branches are accepted beside the tag, by name: a release that is dispatched from
	// one of them makes its own tag. The commit has to be the same all the same.
	Branches []string

	// AnySource accepts every commit and every ref of the repository, for what no
	// release stands for. Commit, Tag and Branches must be empty then.
	AnySource bool

	// Workflow is the URI of the workflow that signed. One that ends in "/" is a
	// folder of workflows; any other names one workflow, at every ref unless it
	// carries "@" and a ref. Empty: any workflow of Repository, which is
	// https://github.com/OWNER/NAME/.github/workflows/. A reusable workflow lives in
	// another repository, and then must be named.
	Workflow string
}

// rules are an Identity spelt out as what the certificate must say.
type rules struct {
	workflow   *regexp.Regexp // of the whole SAN
	readable   string         // the same for people
	repository string         // URI
	anySource  bool
	commit     string
	refs       []string // accepted ones
}

// rules fails where the identity leaves something open: an empty field must not mean
// that everything is accepted.
func (w Identity) rules() (rules, error) {
	if !regexp.MustCompile(`^[\w.-]+/[\w.-]+$`).MatchString(w.Repository) {
		return rules{}, fmt.Errorf("expecting an identity: repository %q: want owner/name", w.Repository)
	}
	if err := w.checkSource(); err != nil {
		return rules{}, fmt.Errorf("expecting an identity: %w", err)
	}
	workflow := w.Workflow
	if workflow == "" {
		workflow = github + w.Repository + "/.github/workflows/"
	}
	pattern, err := workflowPattern(workflow)
	if err != nil {
		return rules{}, err
	}
	out := rules{
		workflow: pattern, readable: workflow,
		repository: github + w.Repository, commit: w.Commit, anySource: w.AnySource,
	}
	if w.Tag != "" {
		out.refs = append(out.refs, "refs/tags/"+w.Tag)
	}
	for _, branch := range w.Branches {
		out.refs = append(out.refs, "refs/heads/"+branch)
	}
	return out, nil
}

// checkSource fails where commit and refs say too little, or too much.
func (w Identity) checkSource() error {
	switch {
	case w.AnySource && (w.Commit != "" || w.Tag != "" || len(w.Branches) > 0):
		return errors.New("any source, and one in particular")
	case w.AnySource:
		return nil
	case !regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`).MatchString(w.Commit):
		return fmt.Errorf("commit %q: want the full hash", w.Commit)
	case w.Tag == "" && len(w.Branches) == 0:
		return errors.New("neither a tag nor a branch")
	case slices.Contains(w.Branches, ""):
		return errors.New("a branch without a name")
	}
	return nil
}

// workflowPattern matches the SANs that a workflow URI stands for (see Identity).
func workflowPattern(uri string) (*regexp.Regexp, error) {
	if parsed, err := url.Parse(uri); err == nil { // certificates hold URIs, in which some characters are escaped
		uri = parsed.String()
	}
	parts := regexp.MustCompile(`^(https://github\.com/[\w.-]+/[\w.-]+/)(.+)$`).FindStringSubmatch(uri)
	if parts == nil {
		return nil, fmt.Errorf("expecting an identity: workflow %q: want https://github.com/OWNER/NAME/PATH", uri)
	}
	end := "(@|$)" // release.yml must not stand for release.yml-evil.yml
	switch {
	case strings.HasSuffix(uri, "/"), strings.HasSuffix(uri, "@"):
		end = ""
	case strings.Contains(uri, "@"):
		end = "$"
	}
	return regexp.Compile("^(?i:" + regexp.QuoteMeta(parts[1]) + ")" + regexp.QuoteMeta(parts[2]) + end)
}

// check compares a certificate with the rules. The extensions are those of Fulcio
// (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md), 12 to 14.
func (r rules) check(c certificate.Summary) error {
	switch {
	case c.Issuer != Issuer:
		return differ("issuer", c.Issuer, Issuer)
	case !r.workflow.MatchString(c.SubjectAlternativeName):
		return differ("workflow", c.SubjectAlternativeName, r.readable)
	case !strings.EqualFold(c.SourceRepositoryURI, r.repository):
		return differ("repository", c.SourceRepositoryURI, r.repository)
	case r.anySource:
		return nil
	case c.SourceRepositoryDigest != r.commit:
		return differ("commit", c.SourceRepositoryDigest, r.commit)
	case c.SourceRepositoryRef == "" || !slices.Contains(r.refs, c.SourceRepositoryRef):
		err := differ("ref", c.SourceRepositoryRef, strings.Join(r.refs, " or "))
		if branch, ok := strings.CutPrefix(c.SourceRepositoryRef, "refs/heads/"); ok {
			err = &release.Problem{Err: err, Tip: fmt.Sprintf("--branches NAME accepts what was dispatched from a branch, here %q", branch)}
		}
		return err
	}
	return nil
}

// differ says which rule does not hold.
func differ(rule, found, want string) error {
	return fmt.Errorf("%s: found %q, want %q", rule, found, want)
}
