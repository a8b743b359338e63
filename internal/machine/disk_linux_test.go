package machine

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is free is part of what there is.
func TestFreeDisk(t *testing.T) {
	dir := t.TempDir()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	free, ok := FreeDisk(dir)
	if all := int64(s.Blocks) * s.Bsize; ok != (all > 0) || free < 0 || free > all {
		t.Errorf("%d bytes of %d are free, %t", free, all, ok)
	}
	if _, ok := FreeDisk(filepath.Join(dir, "absent")); ok {
		t.Error("it is known of a directory that is not there")
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, known := FreeDisk(filepath.Join(dir, "file")); known != ok {
		t.Error("a file is not where its directory is")
	}
	if _, ok := FreeDisk("/proc"); ok { // which has no blocks
		t.Error("it is known of what is no disk")
	}
}
