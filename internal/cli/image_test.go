package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/dist"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	stage "github.com/org/pgo-release/internal/rehearsal/registry"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/ui"
)

// TestHidden: a package that not everybody can pull is told of, where everybody sees the
// repository; one of another registry is its owner's affair.
func TestHidden(t *testing.T) {
	for name, c := range map[string]struct {
		repository       string
		private, publish bool
		want             bool
	}{
		"first push":          {"ghcr.io/octo/hello", false, false, true},
		"public":              {"ghcr.io/octo/hello", false, true, false},
		"private repository":  {"ghcr.io/octo/hello", true, false, false},
		"another registry":    {"registry.example/octo/hello", false, false, false},
		"another's namespace": {"ghcr.io/team/hello", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			repository := plan.Repository{Owner: "octo", Name: "hello"}
			server, err := hub.Start(hub.Repo{Repository: repository, Private: c.private})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			registry, err := stage.StartGHCR(server.Token())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = registry.Close() })
			_, path, _ := strings.Cut(c.repository, "/")
			if c.publish {
				registry.Publish(path)
			}
			client, err := github.New(github.Options{Repository: repository, Token: server.Token(), APIURL: server.URL(), UploadURL: server.UploadURL()})
			if err != nil {
				t.Fatal(err)
			}
			access := image.Access{Token: server.Token(), Transport: registry.Transport()}
			t.Setenv("DOCKER_CONFIG", t.TempDir())
			img := pushed(t, c.repository, access)
			var said strings.Builder
			s := &session{app: &app{reporter: ui.New(ui.Options{Err: &said})}, plan: plan.Plan{Repository: repository}}
			report := dist.Report{Images: []dist.Image{{Repository: c.repository, Digest: img.Digest}}}
			if err := s.hidden(t.Context(), outside{github: client, registry: access}, &report); err != nil {
				t.Fatal(err)
			}
			if report.Images[0].Private != c.want || strings.Contains(said.String(), "Change visibility") != c.want {
				t.Errorf("private: %t; said %q", report.Images[0].Private, said.String())
			}
		})
	}
}

// pushed is a small image in its registry.
func pushed(t *testing.T, repository string, access image.Access) release.Image {
	t.Helper()
	dir := t.TempDir()
	program, err := pack.WriteFile(filepath.Join(dir, "hello"), []byte("a program"))
	if err != nil {
		t.Fatal(err)
	}
	target := release.Target{OS: "linux", Arch: "amd64"}
	images, err := image.Build(t.Context(), []image.Spec{{
		Plan: plan.ImagePlan{
			Repository: repository, Platforms: []release.Target{target}, Entrypoint: []string{"/usr/local/bin/hello"},
			User: "65532:65532", Workdir: "/home/nonroot", Compression: plan.CompressionGzip, Labels: map[string]string{},
		},
		Time: time.Unix(1e9, 0), Binaries: []image.Binary{{Target: target, Files: []release.File{program}}},
	}}, filepath.Join(dir, "image"), access)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(repository, "registry.example/") {
		return images[0] // nobody is asked about it
	}
	if err := image.Push(t.Context(), images[0], access, access); err != nil {
		t.Fatal(err)
	}
	return images[0]
}

func TestVisibility(t *testing.T) {
	r := plan.Repository{Owner: "Octo", Name: "hello"}
	for repository, page := range map[string]string{
		"ghcr.io/octo/hello":     "https://github.com/Octo/hello/pkgs/container/hello",
		"ghcr.io/octo/hello/ctl": "https://github.com/Octo/hello/pkgs/container/hello%2Fctl",
		"ghcr.io/team/hello":     "https://github.com/team?tab=packages",
	} {
		if got := visibility(r, repository); !strings.HasSuffix(got, " on "+page) {
			t.Errorf("%s: %s, want %s", repository, got, page)
		}
	}
}
