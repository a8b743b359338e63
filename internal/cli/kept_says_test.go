package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/sign"
)

// TestKeptSays: an earlier statement is kept for the image that it names, and no other.
func TestKeptSays(t *testing.T) {
	const repository, builder = "ghcr.io/octo/hello", "https://github.com/octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3"
	digest := func(digit string) release.Digest { return release.Digest("sha256:" + strings.Repeat(digit, 64)) }
	p := plan.Plan{
		Project: "hello", Repository: plan.Repository{Owner: "octo", Name: "hello"}, Module: plan.Module{Path: "github.com/octo/hello", Dir: "."},
		Version: "1.2.3", Tag: "v1.2.3", Commit: strings.Repeat("0", 40), Toolchain: "go1.26.0",
		Images: []plan.ImagePlan{{Repository: repository, Entrypoint: []string{"/usr/local/bin/hello"}}},
	}
	imageless := p
	imageless.Images = nil
	subjects := []release.Asset{{File: release.File{Name: "a", Digest: digest("1")}}}
	for name, c := range map[string]struct {
		planned plan.Plan
		named   []release.Image // by the statement
		made    []release.Image // now
		want    string
	}{
		"the same":      {p, []release.Image{{Repository: repository, Digest: digest("2")}}, []release.Image{{Repository: repository, Digest: digest("2")}}, ""},
		"no image":      {imageless, nil, nil, ""},
		"another":       {p, []release.Image{{Repository: repository, Digest: digest("2")}}, []release.Image{{Repository: repository, Digest: digest("3")}}, "another image"},
		"one too many":  {p, []release.Image{{Repository: repository, Digest: digest("2")}}, nil, "another image"},
		"one is absent": {imageless, nil, []release.Image{{Repository: repository, Digest: digest("2")}}, "another image"},
	} {
		at := time.Unix(1e9, 0)
		s, err := provenance.New(c.planned, subjects, provenance.Run{BuilderID: builder, Started: at, Finished: at, Images: c.named})
		if err != nil {
			t.Fatal(err)
		}
		k := &kept{session: &session{plan: c.planned}}
		err = k.says(s, sign.Signature{SAN: builder}, subjects, c.made)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
