package cli_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/org/pgo-release/internal/cli"
)

// What licences say is kept for later runs, but nothing is in a job.
func TestCache(t *testing.T) {
	dir := checkout(t).dir
	build := func(cache string, env ...string) {
		t.Helper()
		var errs bytes.Buffer
		code := cli.Main(t.Context(), cli.World{
			Args: []string{"build", "--snapshot", "--quiet", "--platforms", "linux/amd64", "--image", "none", "-C", dir}, Environ: environ(t, env...),
			Out: io.Discard, Err: &errs, Cache: cache,
		})
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, &errs)
		}
	}
	const document = "hello_*_linux_amd64.tar.gz.spdx.json"
	read := func() string {
		found, err := filepath.Glob(filepath.Join(dir, "dist", document))
		if err != nil || len(found) != 1 {
			t.Fatalf("%q, %v", found, err)
		}
		content, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	build(cache, "GITHUB_ACTIONS=true", "GITHUB_OUTPUT="+filepath.Join(t.TempDir(), "output"))
	if _, err := os.Stat(cache); !os.IsNotExist(err) {
		t.Errorf("a job keeps a cache: %v", err)
	}
	build("")
	want := read()
	for run := range 2 {
		build(cache)
		if got := read(); got != want {
			t.Errorf("run %d: with a cache:\n%s\nwithout:\n%s", run, got, want)
		}
	}
	kept, err := os.ReadDir(filepath.Join(cache, "licences"))
	if err != nil || len(kept) == 0 {
		t.Errorf("%d licences are kept, %v", len(kept), err)
	}
}
