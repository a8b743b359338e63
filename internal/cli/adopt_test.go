package cli

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/provenance"
	stage "github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/release"
)

// statementOf is a statement about a release of the plan, whose image has the digest.
func statementOf(t *testing.T, p plan.Plan, index release.Digest) provenance.Statement {
	t.Helper()
	at := time.Unix(1e9, 0)
	run := provenance.Run{BuilderID: "https://github.com/octo/hello/.github/workflows/release.yml@refs/tags/v1.2.3", Started: at, Finished: at}
	for _, i := range p.Images {
		run.Images = append(run.Images, release.Image{Repository: i.Repository, Digest: index})
	}
	s, err := provenance.New(p, []release.Asset{{File: release.File{Name: "a", Digest: release.Digest("sha256:" + strings.Repeat("1", 64))}}}, run)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOfPlan: what shapes the bytes has to be the same, but for the Go that compiled.
func TestOfPlan(t *testing.T) {
	p := plan.Plan{
		Project: "hello", Repository: plan.Repository{Owner: "octo", Name: "hello"}, Module: plan.Module{Path: "github.com/octo/hello", Dir: "."},
		Version: "1.2.3", Tag: "v1.2.3", Commit: strings.Repeat("0", 40), Toolchain: "go1.26.1", Environment: plan.Staging, Draft: true,
	}
	statement := statementOf(t, p, "")
	for name, c := range map[string]struct {
		change func(p *plan.Plan)
		want   string
	}{
		"the same":       {func(*plan.Plan) {}, ""},
		"a newer Go":     {func(p *plan.Plan) { p.Toolchain = "go1.26.2" }, ""},
		"production":     {func(p *plan.Plan) { p.Environment, p.Draft = plan.Production, false }, ""},
		"another commit": {func(p *plan.Plan) { p.Commit = strings.Repeat("1", 40) }, "of commit"},
		"another file":   {func(p *plan.Plan) { p.Files = []string{"LICENSE"} }, "another plan"},
	} {
		now := p
		c.change(&now)
		if err := ofPlan(statement, now); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestSameImages: an image that an earlier pgo-release made with another base is taken from
// the registry, where it is still there.
func TestSameImages(t *testing.T) {
	server, err := stage.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	const index = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	there := release.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(index))))
	repository := server.Address() + "/octo/hello"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+server.Address()+"/v2/octo/hello/manifests/"+string(there), strings.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	p := plan.Plan{
		Project: "hello", Repository: plan.Repository{Owner: "octo", Name: "hello"}, Module: plan.Module{Path: "github.com/octo/hello", Dir: "."},
		Version: "1.2.3", Tag: "v1.2.3", Commit: strings.Repeat("0", 40), Toolchain: "go1.26.1",
		Images: []plan.ImagePlan{{Repository: repository, Entrypoint: []string{"/usr/local/bin/hello"}}},
	}
	gone := release.Digest("sha256:" + strings.Repeat("2", 64))
	for name, c := range map[string]struct {
		named, made release.Digest
		ok, layout  bool // the layout here is the image
	}{
		"the same":     {gone, gone, true, true},
		"another base": {there, gone, true, false},
		"gone":         {gone, there, false, true},
	} {
		layout := filepath.Join(t.TempDir(), "image")
		if err := os.Mkdir(layout, 0o700); err != nil {
			t.Fatal(err)
		}
		images, err := sameImages(t.Context(), image.Access{}, github.Page{Draft: true}, []release.Image{{Repository: repository, Digest: c.made, Layout: layout}}, statementOf(t, p, c.named))
		var got release.Image
		if c.ok && len(images) == 1 {
			got = images[0]
		}
		if (err == nil) != c.ok || c.ok && (got.Digest != c.named || (got.Layout != "") != c.layout) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := os.Stat(layout); (err == nil) != c.layout {
			t.Errorf("%s: the layout: %v", name, err)
		}
		if _, err := sameImages(t.Context(), image.Access{}, github.Page{Draft: true}, nil, statementOf(t, p, c.named)); release.ClassOf(err) != release.Rejected {
			t.Errorf("%s: no image is made: %v", name, err)
		}
		if !c.ok && release.ClassOf(err) != release.Rejected {
			t.Errorf("%s: %v", name, err)
		}
	}
}
