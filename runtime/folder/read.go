package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// What Read takes at most: a folder that was named by mistake is noticed before memory runs out.
const (
	maxFiles = 20_000
	maxBytes = 256 << 20
)

// Read returns the files of a folder, sorted by path, with symbolic links followed as a mounted ConfigMap needs it.
// What is hidden is left out. Files that only their owner may read are Secret. A folder that is switched while it
// is read gives an error or the files of one side only when the whole folder is behind the link that is switched.
func Read(dir string) ([]generators.File, error) {
	// The link is followed once, so that all files are of one side.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	r := reader{}
	if data, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		// So is that of a ConfigMap, whose files are links through it.
		dir = data
	}
	if err := r.read(dir, "", 0); err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	generators.Sort(r.files)
	return r.files, nil
}

type reader struct {
	files []generators.File
	bytes int64
}

// maxDepth ends a chain of links that leads into itself.
const maxDepth = 20

func (r *reader) read(dir, below string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: folders are more than %d deep", below, maxDepth)
	}
	entries, err := os.ReadDir(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := filepath.Join(below, e.Name())
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			return err
		case info.IsDir():
			err = r.read(dir, name, depth+1)
		case info.Mode().IsRegular():
			err = r.file(dir, name, info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) file(dir, name string, info fs.FileInfo) (err error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes-r.bytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	r.bytes += int64(len(data))
	if r.bytes > maxBytes || len(r.files) == maxFiles {
		return fmt.Errorf("more than %d files or %d MiB: name the folder of the configuration only", maxFiles, maxBytes>>20)
	}
	r.files = append(r.files, generators.File{Path: filepath.ToSlash(name), Data: data, Secret: info.Mode().Perm()&0o077 == 0})
	return nil
}
