//go:build !unix

package dist

// Lock does nothing on systems without the locks of Unix.
func (d Dir) Lock() (unlock func(), err error) { return func() {}, nil }
