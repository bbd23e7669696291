package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Absolute is a path as a process means it, which may be relative to the folder that it works in. The error says that this
// folder isn't to be seen.
func Absolute(pid int, path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return filepath.Join(dir, path), err
}

// SameFolder says whether a process that names an absolute path means a folder of ours. It may see it in another place: as
// a volume that two containers mount.
func SameFolder(pid int, path, ours string) bool {
	mine, err := os.Stat(ours)
	if err != nil {
		return false
	}
	its, err := os.Stat(filepath.Join(fmt.Sprintf("/proc/%d/root", pid), path))
	if err != nil {
		// Its files may not be for us to see; then only a name tells.
		return filepath.Clean(path) == filepath.Clean(ours)
	}
	return os.SameFile(mine, its)
}

// Below says whether a process that names an absolute path means the file of this name in a folder of ours: by no other
// link than we do, for one that is switched has to be on the way of both.
func Below(pid int, path, ours, name string) bool {
	dir, ok := strings.CutSuffix(filepath.Clean(path), string(filepath.Separator)+filepath.Clean(name))
	return ok && SameFolder(pid, dir+string(filepath.Separator), ours)
}

// SameFiles says that a process sees the files that this one does.
func SameFiles(pid int) bool {
	return sameFile(fmt.Sprintf("/proc/%d/ns/mnt", pid), "/proc/self/ns/mnt")
}

// Within says whether a path is that of a folder, or of what is in it.
func Within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
