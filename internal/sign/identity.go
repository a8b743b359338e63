package sign

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
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

	// AllowBranches accepts, beside the tag, any branch of the repository: a release
	// that is dispatched from a branch makes its own tag.
	AllowBranches bool

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
	commit     string
	ref        string // empty: no ref but branches
	branches   bool   // any branch will do, too
}

// rules fails where the identity leaves something open: an empty field must not mean
// that everything is accepted.
func (w Identity) rules() (rules, error) {
	if !regexp.MustCompile(`^[\w.-]+/[\w.-]+$`).MatchString(w.Repository) {
		return rules{}, fmt.Errorf("expecting an identity: repository %q: want owner/name", w.Repository)
	}
	if !regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`).MatchString(w.Commit) {
		return rules{}, fmt.Errorf("expecting an identity: commit %q: want the full hash", w.Commit)
	}
	if w.Tag == "" && !w.AllowBranches {
		return rules{}, fmt.Errorf("expecting an identity: no tag, and branches are not allowed")
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
		repository: github + w.Repository, commit: w.Commit, branches: w.AllowBranches,
	}
	if w.Tag != "" {
		out.ref = "refs/tags/" + w.Tag
	}
	return out, nil
}

// workflowPattern matches the SANs that a workflow URI stands for (see Identity).
func workflowPattern(uri string) (*regexp.Regexp, error) {
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
	case c.SourceRepositoryDigest != r.commit:
		return differ("commit", c.SourceRepositoryDigest, r.commit)
	}
	if ref := c.SourceRepositoryRef; ref != "" && ref == r.ref || r.branches && strings.HasPrefix(ref, "refs/heads/") {
		return nil
	}
	accepted := r.ref
	if r.branches {
		accepted = strings.TrimPrefix(accepted+" or refs/heads/…", " or ")
	}
	return differ("ref", c.SourceRepositoryRef, accepted)
}

// differ says which rule does not hold.
func differ(rule, found, want string) error {
	return fmt.Errorf("%s: found %q, want %q", rule, found, want)
}
