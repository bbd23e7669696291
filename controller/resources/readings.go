package resources

import (
	"io/fs"
	"syscall"
	"time"
)

// readings are the texts of files by name, so that of thousands only those that have changed are read again.
type readings map[string]reading

type reading struct {
	looks appearance
	data  []byte
}

// appearance is what a change of a file changes.
type appearance struct {
	size, modified, changed int64 // bytes, and nanoseconds since 1970
	device, inode           uint64
}

// appearanceOf returns the zero appearance for a file that can't be told from others by it.
func appearanceOf(info fs.FileInfo) appearance {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return appearance{}
	}
	return appearance{size: stat.Size, modified: stat.Mtim.Nano(), changed: stat.Ctim.Nano(), device: uint64(stat.Dev), inode: stat.Ino}
}

// settled is how long ago a file must have changed for its times to tell it from what comes later. They advance in
// steps, of milliseconds to seconds by the file system, and within one a file may change twice.
const settled = 3 * time.Second

// keep remembers a file that was read just now, when its appearance tells the next change of it.
func (r readings) keep(name string, looks appearance, data []byte) {
	if r != nil && looks != (appearance{}) && time.Since(time.Unix(0, max(looks.modified, looks.changed))) > settled {
		r[name] = reading{looks, data}
	}
}

// unchanged returns the text of a file that looks as it did when it was read.
func (r readings) unchanged(name string, looks appearance) ([]byte, bool) {
	known, ok := r[name]
	return known.data, ok && known.looks == looks
}
