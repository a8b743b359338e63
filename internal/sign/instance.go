package sign

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/org/pgo-release/internal/release"
)

// The services of GitHub's own Sigstore, which signs for repositories that are not
// public: a certificate authority and a timestamp authority, and no log
// (https://docs.github.com/en/actions/concepts/security/artifact-attestations).
const (
	gitHubFulcio = "https://fulcio.githubapp.com"
	gitHubTSA    = "https://timestamp.githubapp.com/api/v1/timestamp"
	gitHubTUF    = "https://tuf-repo.github.com"
)

// gitHubRoot is where the trust in that instance begins: a version of its TUF
// repository's root, from which the client walks to the newest. It is the file that
// GitHub's command line carries (see NOTICE).
//
//go:embed github_root.json
var gitHubRoot []byte

// PublicTrust is Sigstore's public instance, fetched through TUF
// (https://docs.sigstore.dev/about/security/#tuf) and cached where cosign caches it.
func PublicTrust(ctx context.Context) (Trust, error) { return within(ctx, fetchPublic) }

// GitHubTrust is GitHub's own instance, fetched through GitHub's TUF repository. It
// keeps no log: what is signed there is known to those who get the bundle.
func GitHubTrust(ctx context.Context) (Trust, error) {
	options := tuf.DefaultOptions().WithRoot(gitHubRoot).WithRepositoryBaseURL(gitHubTUF)
	if cache := os.Getenv("TUF_ROOT"); cache != "" {
		options.CachePath = filepath.Join(cache, "github")
	}
	return within(ctx, func() (Trust, error) { return fetchGitHub(options) })
}

// within waits for fetch no longer than the context allows. The library behind fetch
// takes no context; what it was doing ends by its own timeouts.
func within(ctx context.Context, fetch func() (Trust, error)) (Trust, error) {
	type fetched struct {
		trust Trust
		err   error
	}
	done := make(chan fetched, 1)
	go func() {
		t, err := fetch()
		done <- fetched{t, err}
	}()
	select {
	case got := <-done:
		return got.trust, got.err
	case <-ctx.Done():
		return Trust{}, fmt.Errorf("fetching Sigstore's trusted root: %w", context.Cause(ctx))
	}
}

func fetchPublic() (Trust, error) {
	problem := func(what string, err error) error {
		return unfetched(what, err, "it comes from tuf-repo-cdn.sigstore.dev, or from the mirror that TUF_MIRROR and TUF_ROOT_JSON name")
	}
	material, err := cosign.TrustedRoot()
	if err != nil {
		return Trust{}, problem("trusted root", err)
	}
	config, err := cosign.SigningConfig()
	if err == nil {
		var text []byte
		if text, err = config.MarshalJSON(); err == nil {
			config, err = parseConfig(text)
		}
	}
	if err != nil {
		return Trust{}, problem("signing config", err)
	}
	return Trust{root: material, config: config}, nil
}

func fetchGitHub(options *tuf.Options) (Trust, error) {
	client, err := tuf.New(options)
	var text []byte
	if err == nil {
		text, err = client.GetTarget("trusted_root.json")
	}
	var material *root.TrustedRoot
	if err == nil {
		material, err = root.NewTrustedRootFromJSON(text)
	}
	if err != nil {
		return Trust{}, unfetched("trusted root", err, "the one of GitHub's own instance comes from tuf-repo.github.com")
	}
	at := func(url string) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: 1, ValidityPeriodStart: time.Unix(0, 0), Operator: "github.com"}}
	}
	one := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, at(gitHubFulcio), at(Issuer), nil, one, at(gitHubTSA), one)
	if err != nil {
		return Trust{}, fmt.Errorf("naming the services of GitHub's Sigstore: %w", err)
	}
	return Trust{root: material, config: config}, nil
}

func unfetched(what string, err error, tip string) error {
	return &release.Problem{Err: fmt.Errorf("fetching Sigstore's %s: %w", what, err), Tip: tip}
}
