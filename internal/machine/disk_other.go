//go:build !linux && !darwin && !freebsd

package machine

// FreeDisk cannot be told here.
func FreeDisk(string) (free int64, ok bool) { return 0, false }
