//go:build unix

package dist

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/org/pgo-release/internal/owner"
	"github.com/org/pgo-release/internal/release"
)

// Lock makes sure that no other run works on the output directory until unlock is called
// or the process ends: the second of two is refused. The lock lies on the directory that
// holds it, and leaves nothing behind. What root made in somebody else's directory, as an
// action does, belongs to that user when it is unlocked: who cleans up there has to be able
// to delete it.
func (d Dir) Lock() (unlock func(), err error) {
	f, err := os.Open(filepath.Dir(string(d)))
	if err != nil {
		return nil, d.failure("locking", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return d.unlocker(f), nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = &release.Problem{Err: errors.New("another run of pgo-release is at work on it"), Tip: "wait for that one to end, or work in another clone"}
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK): // some network file systems have no locks
		return d.unlocker(f), nil
	}
	return nil, errors.Join(d.failure("locking", err), f.Close())
}

// unlocker gives the directory, if it is this tool's, to the owner of the one that holds
// it, and unlocks that.
func (d Dir) unlocker(holder *os.File) func() {
	return func() {
		if d.Check() == nil {
			owner.Give(string(d), holder.Name())
		}
		_ = holder.Close()
	}
}
