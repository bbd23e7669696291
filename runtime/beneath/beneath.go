package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// The errors of names that aren't opened.
var (
	// ErrOutside is for a link that leads out of the folder.
	ErrOutside = errors.New("a link that leads out of the folder: put the file itself there")
	// ErrNotRegular is for a pipe, a socket or a device.
	ErrNotRegular = errors.New("not a regular file")
)

// Folder is an open folder. What its name leads to later doesn't matter: it stays the same one.
type Folder struct {
	root *os.Root
	real string
}

// Open opens a folder. Its own name may be, or lead through, links: whoever gives it says where they go.
func Open(dir string) (*Folder, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	// Opening a pipe would wait for who writes to it.
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return nil, errors.Join(err, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR})
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root, real: real}, nil
}

// Close closes the folder; files that were opened stay open.
func (f *Folder) Close() error { return f.root.Close() }

// Real is the folder's absolute path without links.
func (f *Folder) Real() string { return f.real }

// Resolve returns what a name in the folder leads to, as a name in the folder without links. The error is ErrOutside
// when it is no such name.
func (f *Folder) Resolve(name string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(f.real, name))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(f.real, real)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s: %w", name, ErrOutside)
	}
	return rel, nil
}

// Sub opens a folder in the folder, by a name without links.
func (f *Folder) Sub(name string) (*Folder, error) {
	info, err := f.Stat(name)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return nil, err
	}
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root, real: filepath.Join(f.real, name)}, nil
}

// Stat tells of a name without links.
func (f *Folder) Stat(name string) (fs.FileInfo, error) { return f.root.Lstat(name) }

// ReadDir lists a folder in the folder, sorted by name.
func (f *Folder) ReadDir(name string) (_ []fs.DirEntry, err error) {
	d, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	entries, err := d.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// Open opens a regular file, by a name without links.
func (f *Folder) Open(name string) (*os.File, error) {
	// Some devices do something already when they are opened.
	info, err := f.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	// It may be another one by now.
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
