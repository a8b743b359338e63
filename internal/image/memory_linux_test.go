package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/org/pgo-release/internal/image"
	"github.com/org/pgo-release/internal/plan"
)

// How TestMemory tells its child what to do.
const (
	childDir  = "IMAGE_TEST_DIR"
	childPlan = "IMAGE_TEST_COMPRESSION"
	childAt   = "IMAGE_TEST_REGISTRY"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// peak is the most memory that this process ever had, in bytes. What getrusage says
// includes the parent's.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return n << 10, err
}

// child builds and pushes a small image and then a large one, and prints how much more
// memory the second took.
func child(dir string) error {
	var before int64
	for _, size := range []int64{1000, 40e6} {
		below := filepath.Join(dir, strconv.FormatInt(size, 10))
		if err := os.Mkdir(below, 0o755); err != nil {
			return err
		}
		img, err := large(below, size, os.Getenv(childPlan))
		if err != nil {
			return err
		}
		img.Repository = os.Getenv(childAt) + "/octo/hello"
		if err := image.Push(context.Background(), img, image.Access{Token: token}, image.Access{}); err != nil {
			return err
		}
		if before == 0 {
			if before, err = peak(); err != nil {
				return err
			}
		}
	}
	after, err := peak()
	fmt.Println(after - before)
	return err
}

// TestMemory: large programs pass through, and are never held in memory.
func TestMemory(t *testing.T) {
	for _, compression := range []string{plan.CompressionGzip, plan.CompressionZstd} {
		server, _ := ghcr(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+t.TempDir(), childPlan+"="+compression, childAt+"="+server.Address())
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		extra, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil || extra > 64<<20 {
			t.Errorf("%s: %d bytes more for five programs of 40 MB, %v", compression, extra, err)
		}
		t.Logf("%s: %d bytes more", compression, extra)
	}
}
