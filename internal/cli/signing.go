package cli

import (
	"cmp"
	"context"
	"fmt"

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

// trustFor is the trust that a bundle is to be verified with: what the user names, or what
// the bundle itself points at, which is one of two that everybody trusts.
func (a *app) trustFor(ctx context.Context, bundle []byte) (sign.Trust, error) {
	root, key := a.values.Path("trusted-root"), a.values.String("key")
	origin := sign.OriginOf(bundle)
	var instance sign.Trust
	var err error
	switch {
	case root != "":
		instance, err = sign.LoadTrust(root, "")
	case origin == sign.Origin{}, origin.Key && key == "", key != "" && !origin.Logged:
		// What is missing or unfit is said by verifying, and needs nobody's keys for that.
	case origin.GitHub:
		instance, err = sign.GitHubTrust(ctx)
	default:
		instance, err = sign.PublicTrust(ctx)
	}
	if err != nil || key == "" {
		return instance, err
	}
	return sign.LoadPublicKey(key, a.getenv, instance)
}

// stockCommands are the commands of other people's tools that check a release, whose
// files lie in the working directory.
func stockCommands(repository string, s sign.Signature, o sign.Origin) []string {
	check := "cosign verify-blob --new-bundle-format"
	if o.Timed {
		check += " --use-signed-timestamps"
	}
	check += " --bundle " + release.ChecksumsBundleName + " \\\n  "
	out := []string{"sha256sum --check --ignore-missing " + release.ChecksumsName}
	switch {
	case s.Key != "" && o.Logged:
		out = append(out, check+"--key cosign.pub "+release.ChecksumsName)
	case s.Key != "":
		out = append(out, check+"--insecure-ignore-tlog --key cosign.pub "+release.ChecksumsName)
	case o.Logged: // GitHub's own instance keeps no log, which cosign asks for
		out = append(out, fmt.Sprintf("%s--certificate-identity %s \\\n  --certificate-oidc-issuer %s %s", check, s.SAN, sign.Issuer, release.ChecksumsName))
	}
	if s.Key == "" {
		out = append(out, fmt.Sprintf("gh attestation verify %s --repo %s --bundle %s", release.ChecksumsName, repository, release.ProvenanceName))
	}
	return out
}
