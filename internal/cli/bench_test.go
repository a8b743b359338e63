package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/org/pgo-release/internal/cli"
	"github.com/org/pgo-release/internal/engine"
	"github.com/org/pgo-release/internal/github"
	"github.com/org/pgo-release/internal/pack"
	"github.com/org/pgo-release/internal/plan"
	"github.com/org/pgo-release/internal/rehearsal/hub"
	"github.com/org/pgo-release/internal/release"
	"github.com/org/pgo-release/internal/task"
)

// BenchmarkBuild builds the sample for twelve platforms, which the go command has
// compiled before: what is left is its linking, and all that this program does itself.
// Profiles of it are of that alone.
func BenchmarkBuild(b *testing.B) {
	dir, cache := checkout(b).dir, b.TempDir()
	build := func() {
		var errs bytes.Buffer
		code := cli.Main(b.Context(), cli.World{
			Args: []string{"build", "--snapshot", "--quiet", "-C", dir, "--platforms",
				"linux/amd64,linux/arm64,linux/386,linux/ppc64le,linux/riscv64,linux/s390x,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64,freebsd/amd64,freebsd/arm64"},
			Environ: os.Environ(), Out: io.Discard, Err: &errs, Cache: cache,
		})
		if code != 0 {
			b.Fatalf("exit code %d\n%s", code, &errs)
		}
	}
	build()
	for b.Loop() {
		build()
	}
}

// slow lets every request take some time on its way.
type slow struct{ time time.Duration }

func (s slow) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.time):
	case <-req.Context().Done():
	}
	return http.DefaultTransport.RoundTrip(req)
}

// BenchmarkUpload publishes a release of 60 small assets on a GitHub that is 50 ms away.
func BenchmarkUpload(b *testing.B) {
	commit := "1111111111111111111111111111111111111111"
	p := plan.Plan{Repository: plan.Repository{Owner: "octo", Name: "hello"}, Tag: "v1.0.0", Version: "1.0.0", Commit: commit}
	dir := b.TempDir()
	file := func(name string) release.File {
		f, err := pack.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte(name), 1000))
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	signed := release.Signed{Made: release.Made{Checksums: file("checksums.txt")}}
	for i := range 29 {
		signed.Units = append(signed.Units, release.Unit{Archive: file(fmt.Sprintf("%d.tar.gz", i)), SBOM: file(fmt.Sprintf("%d.spdx.json", i))})
	}
	bundle := file("bundle")
	signed.Bundle = &bundle
	if n := len(signed.Assets()); n != 60 {
		b.Fatalf("%d assets", n)
	}
	for b.Loop() {
		server, err := hub.Start(hub.Repo{Repository: p.Repository, Tags: map[string]string{p.Tag: commit}})
		if err != nil {
			b.Fatal(err)
		}
		client, err := github.New(github.Options{
			Repository: p.Repository, Token: server.Token(), APIURL: server.URL(), UploadURL: server.UploadURL(), Transport: slow{50 * time.Millisecond},
		})
		if err != nil {
			b.Fatal(err)
		}
		receipt, err := engine.Ship(b.Context(), p, signed, "", engine.Shipper{
			Releases: cli.Pages(client), Verify: func(context.Context, release.Receipt) error { return nil }, Progress: func(task.Event) {},
		})
		if err != nil || len(receipt.Assets) != 60 {
			b.Fatalf("%d assets, %v", len(receipt.Assets), err)
		}
		b.ReportMetric(float64(len(server.Calls())), "requests/op")
		if err := server.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
