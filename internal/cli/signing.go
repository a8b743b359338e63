package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
	"github.com/org/pgo-release/internal/task"
)

// The Sigstores that the option sigstore names.
const (
	sigstorePublic = "public"
	sigstoreGitHub = "github"
)

// notary is who signs, and who has to have signed.
type notary struct {
	signer *sign.Signer // nil: nothing is signed
	trust  sign.Trust
	want   sign.Identity
}

// newNotary signs with the key that the user named, or else with the identity of the
// workflow that runs.
func (a *app) newNotary(instance sign.Trust, want *sign.Identity, token sign.Token) (notary, error) {
	n := notary{trust: instance}
	if want != nil {
		n.want = *want
	}
	if reference := a.values.String("key"); reference != "" {
		key, err := sign.LoadKey(reference, a.getenv)
		if err != nil {
			return notary{}, err
		}
		if n.trust, err = key.PublicTrust(instance); err != nil {
			return notary{}, err
		}
		n.signer, err = sign.NewKeySigner(key, instance, nil)
		return n, err
	}
	n.signer = sign.NewSigner(instance, func(ctx context.Context, audience string) (string, error) {
		raw, err := token(ctx, audience)
		a.hide(raw)
		return raw, err
	}, nil)
	n.signer.Want = want
	return n, nil
}

// builderOf is whom a provenance may name as the builder: who signs it.
func builderOf(s sign.Signature) string {
	if s.Key != "" {
		return provenance.LocalBuilder
	}
	return s.SAN
}

// builder is builderOf of what the notary will sign.
func (n notary) builder(ctx context.Context) (string, error) {
	identity, err := n.signer.Identity(ctx)
	return cmp.Or(identity, provenance.LocalBuilder), err
}

// instance is the Sigstore to sign with: the one that the user names by files or by
// name; else the public one for what is public. Its log keeps the names of repository
// and workflow for ever and for everybody, so private repositories go to GitHub's own
// instance, and what is signed with a key there goes into no log at all.
func (a *app) instance(ctx context.Context, private bool) (sign.Trust, error) {
	root, services := a.values.Path("trusted-root"), a.values.Path("signing-config")
	named := a.values.String("sigstore")
	switch {
	case root != "" && services != "" && named == "":
		return sign.LoadTrust(root, services)
	case root != "" || services != "":
		return sign.Trust{}, release.Misuse("give these two for a Sigstore of your own; or --sigstore public, or --sigstore github",
			"--trusted-root and --signing-config: one says whom to trust and the other where to sign")
	case named == sigstorePublic && private:
		a.reporter.Progress(task.Event{Phase: "preflight", State: task.Warning,
			Text: "the repository is private, and Sigstore's public log will show its signatures to everybody, for ever"})
	case named == sigstoreGitHub, named == "" && private:
		if a.values.String("key") != "" {
			return sign.Trust{}, nil
		}
		return sign.GitHubTrust(ctx)
	}
	return sign.PublicTrust(ctx)
}

// trusts are what bundles are verified with, each fetched once.
type trusts struct {
	app    *app
	logged bool // what a key signed is in a log, whatever a bundle says
	known  map[sign.Origin]sign.Trust
}

// of is the trust that a bundle is to be verified with: what the user names, or what the
// bundle itself points at, which is one of two that everybody trusts.
func (t *trusts) of(ctx context.Context, bundle []byte) (sign.Trust, error) {
	origin := sign.OriginOf(bundle)
	if trust, ok := t.known[origin]; ok {
		return trust, nil
	}
	trust, err := t.fetch(ctx, origin)
	if err != nil {
		return sign.Trust{}, err
	}
	if t.known == nil {
		t.known = map[sign.Origin]sign.Trust{}
	}
	t.known[origin] = trust
	return trust, nil
}

func (t *trusts) fetch(ctx context.Context, origin sign.Origin) (sign.Trust, error) {
	root, key := t.app.values.Path("trusted-root"), t.app.values.String("key")
	var instance sign.Trust
	var err error
	switch {
	case root != "":
		instance, err = sign.LoadTrust(root, "")
	case origin == sign.Origin{}, origin.Key && key == "", key != "" && !origin.Logged && !t.logged:
		// What is missing or unfit is said by verifying, and needs nobody's keys for that.
	case origin.GitHub:
		instance, err = sign.GitHubTrust(ctx)
	default:
		instance, err = sign.PublicTrust(ctx)
	}
	if err != nil || key == "" {
		return instance, err
	}
	return sign.LoadPublicKey(key, t.app.getenv, instance)
}

// ownCommand is the command of this program that checks a release: the way that a user goes
// who was told nothing else. branches are those that the release was allowed beside its
// tag; nil: the default branch, which verify knows.
func ownCommand(repository, tag string, s sign.Signature, branches []string) string {
	command := "pgo-release verify " + quoted(repository+"@"+tag)
	if s.Key != "" {
		return command + " --key cosign.pub"
	}
	if workflow := foreignWorkflow(repository, s); workflow != "" {
		command += " --workflow " + quoted(workflow)
	}
	if branch, ok := strings.CutPrefix(s.Ref, "refs/heads/"); ok && slices.Contains(branches, branch) {
		command += " --branches " + quoted(branch)
	}
	return command
}

// foreignWorkflow is the URI of the workflow that signed, at whichever ref, where it lives in
// another repository than it ran for.
func foreignWorkflow(repository string, s sign.Signature) string {
	workflow, _, _ := strings.Cut(s.SAN, "@")
	own := gitHubURL + repository + "/"
	if len(workflow) >= len(own) && strings.EqualFold(workflow[:len(own)], own) {
		return ""
	}
	return workflow
}

const gitHubURL = "https://github.com/"

// stockCommands are the commands of other people's tools that check a release, whose
// files lie in the working directory and whose images in their registries.
func stockCommands(repository string, s sign.Signature, o sign.Origin, images []string) []string {
	const next = " \\\n  " // line of a command
	format := " --new-bundle-format"
	if o.Timed {
		format += " --use-signed-timestamps"
	}
	signer := ""
	switch {
	case s.Key != "" && o.Logged:
		signer = "--key cosign.pub "
	case s.Key != "":
		signer = "--insecure-ignore-tlog --key cosign.pub "
	case o.Logged: // GitHub's own instance keeps no log, which cosign asks for
		signer = fmt.Sprintf("--certificate-identity %s%s--certificate-oidc-issuer %s ", quoted(s.SAN), next, sign.Issuer)
	}
	workflow := ""
	if foreign := foreignWorkflow(repository, s); foreign != "" {
		workflow = next + "--signer-workflow " + quoted(strings.TrimPrefix(foreign, gitHubURL))
	}
	out := []string{"sha256sum --check --ignore-missing " + release.ChecksumsName}
	if signer != "" {
		out = append(out, "cosign verify-blob"+format+" --bundle "+release.ChecksumsBundleName+next+signer+release.ChecksumsName)
	}
	if s.Key == "" {
		out = append(out, fmt.Sprintf("gh attestation verify %s --repo %s --bundle %s%s", release.ChecksumsName, quoted(repository), release.ProvenanceName, workflow))
	}
	for _, image := range images {
		if signer != "" {
			out = append(out, "cosign verify"+format+next+signer+quoted(image))
		} else {
			out = append(out, fmt.Sprintf("gh attestation verify %s --repo %s --bundle-from-oci%s", quoted("oci://"+image), quoted(repository), workflow))
		}
	}
	return out
}

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quoted is a word of a command that a user may copy into a POSIX shell: names of branches
// and workflows are whatever somebody called them.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
