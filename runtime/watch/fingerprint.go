package watch

import (
	"encoding/binary"
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
	var line []byte
	add := func(name string, info fs.FileInfo) {
		line = append(append(line[:0], name...), 0)
		for _, n := range []uint64{uint64(info.Size()), uint64(info.ModTime().UnixNano()), identity(info)} {
			line = binary.LittleEndian.AppendUint64(line, n)
		}
		_, _ = sum.Write(line) // It never fails.
	}
	for _, path := range w.paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		_, _ = sum.Write(append([]byte(real), 0)) // It never fails.
		_ = filepath.WalkDir(real, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			var info fs.FileInfo
			if entry.Type()&fs.ModeSymlink != 0 {
				info, err = os.Stat(name)
			} else {
				info, err = entry.Info()
			}
			if err == nil {
				add(name, info)
			}
			return nil
		})
	}
	return sum.Sum64()
}

// identity tells two files of one name, size and time apart: by the inode, and by when that was changed, for a number
// that is free again is soon in use again.
func identity(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino ^ uint64(stat.Ctim.Nano())<<20
	}
	return 0
}
