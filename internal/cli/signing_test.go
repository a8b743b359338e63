package cli

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/sign"
)

// TestCommands: the commands that are printed check what was signed, whoever signed it.
func TestCommands(t *testing.T) {
	const own = "https://github.com/Octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3"
	const shared = "https://github.com/octo/workflows/.github/workflows/go.yml@refs/heads/main"
	for name, c := range map[string]struct {
		signature sign.Signature
		branches  []string
		origin    sign.Origin
		own       string
		stock     []string
	}{
		"own workflow": {sign.Signature{SAN: own, Ref: "refs/tags/v1.2.3"}, nil, sign.Origin{Logged: true},
			"pgo-release verify octo/hello@v1.2.3", []string{"--certificate-identity " + own + " ", "gh attestation verify checksums.txt --repo octo/hello --bundle provenance.sigstore.json", "--certificate-oidc-issuer https://token.actions.githubusercontent.com ghcr.io/octo/hello:1.2.3"}},
		"another's workflow": {sign.Signature{SAN: shared, Ref: "refs/tags/v1.2.3"}, nil, sign.Origin{Logged: true},
			"pgo-release verify octo/hello@v1.2.3 --workflow https://github.com/octo/workflows/.github/workflows/go.yml",
			[]string{"--certificate-identity " + shared + " ", "--signer-workflow octo/workflows/.github/workflows/go.yml"}},
		"one with a longer name": {sign.Signature{SAN: "https://github.com/octo/hello-evil/.github/workflows/x.yml@refs/heads/main"}, nil, sign.Origin{},
			"pgo-release verify octo/hello@v1.2.3 --workflow https://github.com/octo/hello-evil/.github/workflows/x.yml", []string{"--signer-workflow octo/hello-evil/.github/workflows/x.yml", "gh attestation verify oci://ghcr.io/octo/hello:1.2.3 --repo octo/hello --bundle-from-oci"}},
		"dispatched": {sign.Signature{SAN: own, Ref: "refs/heads/next"}, []string{"main", "next"}, sign.Origin{Logged: true},
			"pgo-release verify octo/hello@v1.2.3 --branches next", nil},
		"dispatched from the default branch": {sign.Signature{SAN: own, Ref: "refs/heads/main"}, nil, sign.Origin{Logged: true},
			"pgo-release verify octo/hello@v1.2.3", nil},
		"key": {sign.Signature{Key: "x"}, nil, sign.Origin{Key: true, Logged: true},
			"pgo-release verify octo/hello@v1.2.3 --key cosign.pub", []string{"--key cosign.pub checksums.txt", "cosign verify --new-bundle-format \\\n  --key cosign.pub ghcr.io/octo/hello:1.2.3"}},
		"key without a log": {sign.Signature{Key: "x"}, nil, sign.Origin{Key: true},
			"pgo-release verify octo/hello@v1.2.3 --key cosign.pub", []string{"--insecure-ignore-tlog --key cosign.pub checksums.txt", "--insecure-ignore-tlog --key cosign.pub ghcr.io/octo/hello:1.2.3"}},
		"names that a shell would obey": {
			sign.Signature{SAN: "https://github.com/octo/hello/.github/workflows/$(touch x).yml@refs/heads/a;b", Ref: "refs/heads/it's;rm -rf ~"},
			[]string{"it's;rm -rf ~"}, sign.Origin{Logged: true}, `pgo-release verify octo/hello@v1.2.3 --branches 'it'\''s;rm -rf ~'`,
			[]string{"--certificate-identity 'https://github.com/octo/hello/.github/workflows/$(touch x).yml@refs/heads/a;b' "}},
	} {
		if got := ownCommand("octo/hello", "v1.2.3", c.signature, c.branches); got != c.own {
			t.Errorf("%s: %s\nwant %s", name, got, c.own)
		}
		stock := strings.Join(stockCommands("octo/hello", c.signature, c.origin, []string{"ghcr.io/octo/hello:1.2.3"}), "\n")
		for _, part := range c.stock {
			if !strings.Contains(stock, part) {
				t.Errorf("%s: %s\nwant %s", name, stock, part)
			}
		}
		if strings.Contains(stock, "--signer-workflow") != strings.Contains(c.own, "--workflow") {
			t.Errorf("%s: %s", name, stock)
		}
	}
}

// TestQuoted: a shell reads every word as it was.
func TestQuoted(t *testing.T) {
	for _, word := range []string{"plain-1.2_3/x@y:z,=+%", "", "two words", "$(id)", "`id`", "it's", "a;b|c&d>e<f", "*?[x]", `\`, "~", "#x", "!x", "a\nb", "é"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is %q to a shell: %q, %v", word, quoted(word), out, err)
		}
	}
	if got := quoted("octo/hello@v1.2.3"); got != "octo/hello@v1.2.3" {
		t.Errorf("got %s", got)
	}
}
