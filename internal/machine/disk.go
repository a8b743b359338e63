//go:build linux || darwin || freebsd

package machine

import (
	"math"
	"os"
	"syscall"
)

// FreeDisk is how much this process may still write to the file system of a directory, in
// bytes. ok is false where it cannot be told: some file systems say that they have nothing
// at all.
func FreeDisk(dir string) (free int64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	// The types differ from system to system.
	blocks, size := int64(s.Bavail), int64(s.Bsize) //nolint:unconvert // see above
	if os.Geteuid() == 0 {                          // to whom what is reserved belongs
		blocks = int64(s.Bfree)
	}
	if blocks < 0 || size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64, true
	}
	return blocks * size, true
}
