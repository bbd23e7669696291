package watch

import (
	"encoding/binary"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// marks tell what files and folders look like. Their sum is the same as long as none of them has another name, size,
// time of modification or identity.
type marks struct {
	files map[string]mark
	sum   uint64
}

// mark is what one of them looks like.
type mark struct {
	sum uint64
	// plain says that it is a file, not a folder or a link.
	plain bool
}

func (m *marks) set(name string, info fs.FileInfo, plain bool) {
	m.remove(name)
	sum := fnv.New64a()
	line := append([]byte(name), 0)
	for _, n := range []uint64{uint64(info.Size()), uint64(info.ModTime().UnixNano()), identity(info)} {
		line = binary.LittleEndian.AppendUint64(line, n)
	}
	_, _ = sum.Write(line) // It never fails.
	m.files[name] = mark{sum.Sum64(), plain}
	m.sum += sum.Sum64()
}

func (m *marks) remove(name string) {
	m.sum -= m.files[name].sum
	delete(m.files, name)
}

// fingerprint looks at everything that the paths lead to. What can't be read is as if it weren't there.
func (w *Watcher) fingerprint() marks {
	m := marks{files: make(map[string]mark, len(w.seen.files))}
	for _, path := range w.paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		_ = filepath.WalkDir(real, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			looked := name
			if entry.Type()&fs.ModeSymlink != 0 {
				if target, inside := inFolder(real, name); inside {
					looked = target
				}
			}
			if info, err := os.Lstat(looked); err == nil {
				m.set(name, info, entry.Type().IsRegular())
			}
			return nil
		})
	}
	return m
}

// inFolder says where a link in a watched folder leads to, and whether that is in the folder: no other link is followed
// (R44). Both are real paths.
func inFolder(folder, link string) (target string, inside bool) {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(folder, target)
	return target, err == nil && filepath.IsLocal(rel)
}

// see brings what was seen of some files up to date, when they are plain files, there or gone, of folders of which
// everything matters. It returns false when a look at them isn't enough.
func (w *Watcher) see(names map[string]bool) bool {
	for name := range names {
		dir := filepath.Dir(name)
		if matter, watched := w.watched[dir]; !watched || matter != nil {
			return false
		}
		if old, there := w.seen.files[name]; there && !old.plain {
			return false
		}
		info, err := os.Lstat(name)
		switch {
		case err != nil:
			w.seen.remove(name)
		case !info.Mode().IsRegular():
			return false
		default:
			w.seen.set(name, info, true)
		}
		if info, err = os.Lstat(dir); err != nil {
			return false
		}
		w.seen.set(dir, info, false)
	}
	return true
}

func isPlain(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// identity tells two files of one name, size and time apart: by the inode, and by when that was changed, for a number
// that is free again is soon in use again.
func identity(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino ^ uint64(stat.Ctim.Nano())<<20
	}
	return 0
}
