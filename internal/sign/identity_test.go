package sign

import (
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

func TestIdentityIncomplete(t *testing.T) {
	for name, change := range map[string]func(*Identity){
		"no repository":      func(w *Identity) { w.Repository = "" },
		"owner alone":        func(w *Identity) { w.Repository = "octo-org" },
		"repository URL":     func(w *Identity) { w.Repository = "https://github.com/octo-org/octo-repo" },
		"pattern":            func(w *Identity) { w.Repository = "octo-org/.*" },
		"no commit":          func(w *Identity) { w.Commit = "" },
		"short commit":       func(w *Identity) { w.Commit = commit[:7] },
		"upper-case commit":  func(w *Identity) { w.Commit = strings.ToUpper(commit) },
		"no ref":             func(w *Identity) { w.Tag = "" },
		"nameless branch":    func(w *Identity) { w.Branches = []string{""} },
		"any and one":        func(w *Identity) { w.AnySource = true },
		"elsewhere":          func(w *Identity) { w.Workflow = "https://gitlab.com/octo-org/octo-repo/ci.yml" },
		"workflow of nobody": func(w *Identity) { w.Workflow = "https://github.com/" },
		"whole repository":   func(w *Identity) { w.Workflow = "https://github.com/octo-org/octo-repo/" },
	} {
		w := identity()
		change(&w)
		if _, err := w.rules(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := (Trust{}).VerifyBlob(nil, blob(0).Digest, w); err == nil || !strings.Contains(err.Error(), "expecting an identity") {
			t.Errorf("%s: got %v", name, err)
		}
		if _, _, err := (Trust{}).VerifyStatement(nil, blob(0).Digest, w); err == nil || !strings.Contains(err.Error(), "expecting an identity") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWorkflowPattern(t *testing.T) {
	const folder = "https://github.com/octo-org/octo-repo/.github/workflows/"
	for _, c := range []struct {
		uri, san string
		want     bool
	}{
		{folder, folder + "release.yml@refs/tags/v1", true},
		{folder, "https://github.com/Octo-Org/OCTO-REPO/.github/workflows/release.yml@refs/tags/v1", true},
		{folder, "https://github.com/octo-org/octo-repo/.GitHub/workflows/release.yml@refs/tags/v1", false},
		{folder, "https://github.com/octo-org/octo-repo2/.github/workflows/release.yml@refs/tags/v1", false},
		{folder, "https://github.com/octo-org/octo-repo/x/.github/workflows/release.yml@refs/tags/v1", false},
		{folder, "http://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/tags/v1", false},
		{folder, "x" + folder + "release.yml", false},
		{folder + "release.yml", folder + "release.yml@refs/tags/v1", true},
		{folder + "release.yml", folder + "release.yml", true},
		{folder + "release größe.yml", folder + "release%20gr%C3%B6%C3%9Fe.yml@refs/tags/v1", true},
		{folder + "release%20all.yml", folder + "release%20all.yml@refs/tags/v1", true},
		{folder + "release.yml", folder + "release.yml-evil.yml@refs/tags/v1", false},
		{folder + "release.yml", folder + "releasexyml@refs/tags/v1", false},
		{folder + "release.yml@", folder + "release.yml@refs/heads/main", true},
		{folder + "release.yml@refs/tags/v1", folder + "release.yml@refs/tags/v1", true},
		{folder + "release.yml@refs/tags/v1", folder + "release.yml@refs/tags/v1.2", false},
		{folder + "release.yml@refs/tags/v1", folder + "release.yml@refs/tags/v1@evil", false},
		{folder + "release.yml@refs/tags/", folder + "release.yml@refs/tags/v1.2", true},
		{folder + "release.yml", folder + "release.yml@refs/tags/v1\n", true}, // no ref has a newline
		{folder + "release.yml@refs/tags/v1", folder + "release.yml@refs/tags/v1\n", false},
	} {
		pattern, err := workflowPattern(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := pattern.MatchString(c.san); got != c.want {
			t.Errorf("%s for %q: %v, want %v", c.uri, c.san, got, c.want)
		}
	}
}

// TestCheck: no rule is skipped because what it looks at is missing.
func TestCheck(t *testing.T) {
	want, err := identity().rules()
	if err != nil {
		t.Fatal(err)
	}
	good := certificate.Summary{
		SubjectAlternativeName: workflow().SAN(),
		Extensions: certificate.Extensions{
			Issuer: Issuer, SourceRepositoryURI: "https://github.com/octo-org/octo-repo",
			SourceRepositoryDigest: commit, SourceRepositoryRef: "refs/tags/v1.2.3",
		},
	}
	if err := want.check(good); err != nil {
		t.Fatal(err)
	}
	for rule, change := range map[string]func(*certificate.Summary){
		"issuer":     func(c *certificate.Summary) { c.Issuer = "" },
		"workflow":   func(c *certificate.Summary) { c.SubjectAlternativeName = "" },
		"repository": func(c *certificate.Summary) { c.SourceRepositoryURI = "" },
		"commit":     func(c *certificate.Summary) { c.SourceRepositoryDigest = "" },
		"ref":        func(c *certificate.Summary) { c.SourceRepositoryRef = "" },
	} {
		bad := good
		change(&bad)
		if err := want.check(bad); err == nil || !strings.HasPrefix(err.Error(), rule+`: found "", want "`) {
			t.Errorf("%s: got %v", rule, err)
		}
	}
}
