package folder

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/gatewright/gatewright/generators"
)

// The permissions of what is written (R44). Files with private keys are for their owner only; the others for the group
// too, which is that of the folder above when that has the set-group-ID bit. Nobody else reads what a route sets in a header,
// but workers of the proxy that run as another user go through the folders to their sockets and temporary files.
const (
	dirMode    fs.FileMode = 0o751
	fileMode   fs.FileMode = 0o640
	secretMode fs.FileMode = 0o600
)

// modeOf is what a file's permissions are to be: those of a copy are no wider than those of what it was copied from, but
// for its owner, who is another one.
func modeOf(f generators.File) fs.FileMode {
	switch {
	case f.Secret:
		return secretMode
	case f.Access != nil:
		return f.Access.Mode&0o044 | 0o600
	}
	return fileMode
}

// adjust gives a file that was just made its permissions. Where the group of what it was copied from can't have it, no
// group gets any.
func adjust(file *os.File, f generators.File) error {
	mode := modeOf(f)
	if f.Access != nil && mode&0o040 != 0 {
		if info, err := file.Stat(); err != nil || groupOf(info) != f.Access.Group && file.Chown(-1, f.Access.Group) != nil {
			mode &^= 0o040
		}
	}
	return file.Chmod(mode)
}

// fits says whether a file has the permissions that adjust gives it.
func fits(mode fs.FileMode, f generators.File) bool {
	want := modeOf(f)
	return mode == want || f.Access != nil && mode == want&^0o040
}

// groupOf is the id of a file's group.
func groupOf(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Gid)
	}
	return -1
}

// OpenUp gives a folder that was just made its permissions, whatever the umask has cut. It keeps the set-group-ID bit that
// it has from the one above.
func OpenUp(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	return os.Chmod(dir, dirMode|info.Mode()&fs.ModeSetgid)
}
