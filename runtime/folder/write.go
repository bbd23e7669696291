package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
)

// Write makes dir hold exactly the given files of ours and says whether it had to change anything: when all
// bytes and permissions are as they should be, nothing is touched. The new folder is built beside dir and the
// two are exchanged in one step. What somebody else put into dir is carried over, never removed; a dir that has
// files and was not written by Write is refused.
func Write(dir string, files []generators.File) (changed bool, err error) {
	return put(dir, files, true)
}

// Put is Write for a folder that nothing leads to yet: a crash may lose what is in it until finish has returned, which
// waits for the disk. Another Write or Put mends what was lost.
func Put(dir string, files []generators.File) (finish func() error, err error) {
	changed, err := put(dir, files, false)
	if err != nil || !changed {
		return func() error { return nil }, err
	}
	return func() error { return syncAll(dir, files) }, nil
}

func put(dir string, files []generators.File, durable bool) (changed bool, err error) {
	dir, err = resolve(dir)
	if err != nil {
		return false, err
	}
	files, err = withManifest(files)
	if err != nil {
		return false, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return false, fmt.Errorf("output folder %s: %w", dir, err)
	}
	unlock := lock(parent)
	defer unlock()

	exists, err := claim(dir, files)
	if err != nil {
		return false, err
	}
	if exists {
		sweep(dir)
		if same, err := isSame(dir, files); err != nil || same {
			return false, err
		}
	}
	next, err := build(dir, files, durable)
	if err != nil {
		return false, fmt.Errorf("output folder %s: nothing was changed: %w", dir, err)
	}
	if err := swap(next, dir, exists); err != nil {
		return false, errors.Join(fmt.Errorf("output folder %s: nothing was changed: %w", dir, err), remove(next))
	}
	if durable {
		if err := syncDir(parent); err != nil {
			return true, err
		}
	}
	if exists {
		// next is the old folder now.
		if err := errors.Join(carry(next, dir), remove(next)); err != nil {
			return true, fmt.Errorf("output folder %s is up to date, but the old one, %s, could not be cleared away: %w", dir, next, err)
		}
	}
	return true, nil
}

// resolve returns the absolute path of dir with its symbolic links followed, so that a link to the folder goes
// on pointing to it.
func resolve(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("output folder: the name is empty")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("output folder %s: %w", dir, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	switch {
	case err == nil:
		abs = real
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("output folder %s: %w", dir, err)
	}
	if filepath.Dir(abs) == abs {
		return "", fmt.Errorf("output folder %s: choose a folder below it", dir)
	}
	return abs, nil
}

// claim says whether dir exists, and refuses one that isn't ours to replace.
func claim(dir string, files []generators.File) (exists bool, err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("output folder %s: %w", dir, err)
	}
	if !info.IsDir() {
		return false, fmt.Errorf("output folder %s: it is a file: name a folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("output folder %s: %w", dir, err)
	}
	written, err := readManifest(dir)
	if err != nil {
		return false, err
	}
	if written == nil && len(entries) > 0 {
		return false, fmt.Errorf("output folder %s: it holds %s, and nothing in it says that gatewright wrote it: name a new or an empty folder",
			dir, entries[0].Name())
	}
	for _, f := range files {
		if written[f.Path] {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, f.Path)); err == nil {
			return false, fmt.Errorf("output folder %s: %s in it was not written by gatewright and stands where a new file belongs: move it away",
				dir, f.Path)
		}
	}
	return true, nil
}

// isSame says whether dir holds the files, byte for byte, and no other of ours.
func isSame(dir string, files []generators.File) (bool, error) {
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !fits(info.Mode(), f) || info.Size() != int64(len(f.Data)) {
			return false, nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		if string(data) != string(f.Data) {
			return false, nil
		}
	}
	// The manifest is one of the files, so the lists are the same too.
	return true, nil
}

// pending is the start of the names of folders that are being built or cleared away beside dir.
func pending(dir string) string {
	return "." + filepath.Base(dir) + ".gatewright-"
}

// build writes the files to a new folder beside dir and returns its path. The manifest goes first: whatever
// happens then, the next run knows what it may clear away. The others and the folders are on disk when it returns if
// they are to be durable.
func build(dir string, files []generators.File, durable bool) (next string, err error) {
	next, err = os.MkdirTemp(filepath.Dir(dir), pending(dir))
	if err != nil {
		return "", err
	}
	made := []string{next}
	defer func() {
		if err != nil {
			// What was begun would take the room that may be what is missing.
			err = errors.Join(err, remove(made[0]))
		}
	}()
	if err := OpenUp(next); err != nil {
		return "", err
	}
	for _, f := range files {
		for _, sub := range parents(f.Path) {
			switch err := os.Mkdir(filepath.Join(next, sub), dirMode); {
			case err == nil:
				made = append(made, filepath.Join(next, sub))
			case !errors.Is(err, fs.ErrExist):
				return "", err
			}
		}
	}
	if err := writeFile(filepath.Join(next, files[0].Path), files[0], true); err != nil {
		return "", err
	}
	if err := together(files[1:], func(f generators.File) error {
		return writeFile(filepath.Join(next, f.Path), f, durable)
	}); err != nil {
		return "", err
	}
	for _, d := range made {
		err := OpenUp(d)
		if durable {
			err = errors.Join(err, syncDir(d))
		}
		if err != nil {
			return "", err
		}
	}
	return next, nil
}

// parents are the folders above a relative path, the outermost first.
func parents(path string) []string {
	var out []string
	for i := range len(path) {
		if path[i] == '/' {
			out = append(out, path[:i])
		}
	}
	return out
}

// atATime is how many files are written or synced at a time: they wait for the disk together.
const atATime = 16

// together does something to all files, several at a time.
func together(files []generators.File, do func(generators.File) error) error {
	errs := make([]error, len(files))
	slots := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i, f := range files {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(f)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func writeFile(path string, f generators.File, durable bool) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretMode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Data)
	err = errors.Join(err, adjust(file, f))
	if durable {
		err = errors.Join(err, file.Sync())
	}
	return errors.Join(err, file.Close())
}

// syncAll waits until the files, and the folders that they are in, are on disk.
func syncAll(dir string, files []generators.File) error {
	dirs := map[string]bool{dir: true, filepath.Dir(dir): true}
	for _, f := range files {
		for _, sub := range parents(f.Path) {
			dirs[filepath.Join(dir, sub)] = true
		}
	}
	err := together(files, func(f generators.File) error { return syncDir(filepath.Join(dir, f.Path)) })
	for d := range dirs {
		err = errors.Join(err, syncDir(d))
	}
	return err
}

// syncDir waits until a folder's names, or a file's content, are on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// swap puts next in dir's place; when dir exists, next is what dir was afterwards.
func swap(next, dir string, exists bool) error {
	flags := uint(unix.RENAME_NOREPLACE)
	if exists {
		flags = unix.RENAME_EXCHANGE
	}
	err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, dir, flags)
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return swapInTwoSteps(next, dir, exists)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("it can't be replaced in one step, for something is mounted on it: name a folder inside it (%w)", err)
	}
	return err
}

// swapInTwoSteps is for file systems that can't exchange two folders: dir is absent for a moment.
func swapInTwoSteps(next, dir string, exists bool) error {
	if !exists {
		return os.Rename(next, dir)
	}
	old := next + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(next, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.Rename(old, next)
}

// lock keeps two writers of folders in the same parent apart. On file systems without locks there is none.
func lock(parent string) (unlock func()) {
	d, err := os.Open(parent)
	if err != nil {
		return func() {}
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	// Closing gives the lock back.
	return func() { _ = d.Close() }
}

// sweep clears away what an interrupted run left beside dir. What can't be cleared stays: it harms nobody.
func sweep(dir string) {
	parent := filepath.Dir(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), pending(dir)) {
			left := filepath.Join(parent, e.Name())
			if carry(left, dir) == nil {
				_ = remove(left)
			}
		}
	}
}
