//go:build linux || darwin || freebsd

package machine

import "syscall"

// FreeDisk is how much an unprivileged user may still write to the file system of a
// directory, in bytes. ok is false where it cannot be told.
func FreeDisk(dir string) (free int64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	// The types of both differ from system to system.
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:unconvert // see above
}
