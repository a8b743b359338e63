//go:build unix

// Package owner gives files back. What root makes in a directory of somebody else, as an
// action does in the workspace of a runner, that user could not delete.
package owner

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Give gives what root owns in the directory dir, and dir itself, to the owner of the file
// like. It does nothing unless this process is root and like belongs to another, and follows no
// link: neither a symbolic one out of dir, nor a hard one, by which a file of somewhere else
// would change hands. What cannot be given away, as in some containers, stays as it is.
func Give(dir, like string) {
	info, err := os.Lstat(like)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	to := info.Sys().(*syscall.Stat_t)
	if to.Uid == 0 {
		return
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return
	}
	root, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return
	}
	defer root.Close()
	_ = fs.WalkDir(root.FS(), filepath.Base(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil { // it is gone, or nobody may look; the rest is given all the same
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if has := info.Sys().(*syscall.Stat_t); has.Uid == 0 && (info.IsDir() || has.Nlink == 1) {
			_ = root.Lchown(filepath.FromSlash(path), int(to.Uid), int(to.Gid))
		}
		return nil
	})
}
