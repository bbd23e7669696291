package watch

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// fingerprint is the same as long as no file or folder that the paths lead to has another name, size, time of
// modification or identity. What can't be read is as if it weren't there.
func (w *Watcher) fingerprint() uint64 {
	sum := fnv.New64a()
	add := func(name string) {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(sum, "%q %d %d %d\n", name, info.Size(), info.ModTime().UnixNano(), identity(info))
		}
	}
	for _, path := range w.paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		fmt.Fprintf(sum, "%q\n", real)
		_ = filepath.WalkDir(real, func(name string, _ fs.DirEntry, err error) error {
			if err == nil {
				add(name)
			}
			return nil
		})
	}
	return sum.Sum64()
}

// identity tells two files of one name, size and time apart.
func identity(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
