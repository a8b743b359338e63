package cli_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/org/pgo-release/internal/cli"
)

// TestAttestLargeFile: a file is never held in memory. All that is allocated while 1 GiB
// is signed, freed or not, is less than 50 MB.
func TestAttestLargeFile(t *testing.T) {
	j := newJob(t)
	path := filepath.Join(j.dir, "large.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<30); err != nil { // sparse
		t.Fatal(err)
	}
	environ := os.Environ()
	for name, value := range j.env {
		environ = append([]string{name + "=" + value}, environ...)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code := cli.Main(context.WithoutCancel(t.Context()), cli.World{Args: []string{"attest", path}, Environ: environ, Out: io.Discard, Err: io.Discard})
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes were allocated", allocated)
	if code != 0 || allocated > 50e6 {
		t.Errorf("exit code %d, %d bytes were allocated", code, allocated)
	}
	if _, err := os.Stat(path + ".sigstore.json"); err != nil {
		t.Error(err)
	}
}
