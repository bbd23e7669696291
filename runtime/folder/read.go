package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/beneath"
)

// What Read takes at most: a folder that was named by mistake is noticed before memory runs out.
const (
	maxEntries = 20_000
	maxBytes   = 256 << 20
)

// dataName is the link through which all files of a mounted ConfigMap lead.
const dataName = "..data"

// Read returns the files of a folder, sorted by path. Links are followed as a mounted ConfigMap needs it, but none out of
// the folder: that is an error (R44), and so is whatever else can't be read. What is hidden is left out, and what is neither
// a file nor a folder. Each file's Access is as it is there; those that only their owner may read are Secret. A folder that
// is switched while it is read gives an error or the files of one side only when the whole folder is behind the link that is
// switched.
func Read(dir string) (_ []generators.File, err error) {
	// Both links are followed once, so that all files are of one side.
	top, err := beneath.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, top.Close()) }()
	r := reader{Folder: top}
	if _, err := top.Stat(dataName); err == nil {
		name, err := top.Resolve(dataName)
		if err == nil {
			r.Folder, err = top.Sub(name)
		}
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", dir, err)
		}
		defer func() { err = errors.Join(err, r.Close()) }()
	}
	if err := r.read(".", "", 0); err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	generators.Sort(r.files)
	return r.files, nil
}

type reader struct {
	*beneath.Folder
	files   []generators.File
	entries int
	bytes   int64
}

// maxDepth ends a chain of links that leads into itself.
const maxDepth = 20

// read reads a folder without links in its name; below is what it is called.
func (r *reader) read(real, below string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: folders are more than %d deep", below, maxDepth)
	}
	entries, err := r.ReadDir(real)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if r.entries++; r.entries > maxEntries {
			return tooMuch()
		}
		target := filepath.Join(real, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			if target, err = r.Resolve(target); err != nil {
				return err
			}
		}
		info, err := r.Stat(target)
		name := filepath.Join(below, e.Name())
		switch {
		case err != nil:
			return err
		case info.IsDir():
			err = r.read(target, name, depth+1)
		case info.Mode().IsRegular():
			err = r.file(target, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func tooMuch() error {
	return fmt.Errorf("more than %d files or %d MiB: name the folder of the configuration only", maxEntries, maxBytes>>20)
}

func (r *reader) file(target, name string) error {
	f, err := r.Open(target)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes-r.bytes+1))
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if r.bytes += int64(len(data)); r.bytes > maxBytes {
		return tooMuch()
	}
	r.files = append(r.files, generators.File{
		Path: filepath.ToSlash(name), Data: data, Secret: info.Mode().Perm()&0o077 == 0,
		Access: &generators.Access{Mode: info.Mode().Perm(), Group: groupOf(info)},
	})
	return nil
}
