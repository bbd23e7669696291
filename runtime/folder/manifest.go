package folder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators"
)

// Manifest is the file that lists what Write wrote into a folder, itself included. It makes a folder ours, and
// tells our files from other people's.
const Manifest = ".gatewright"

const manifestHeader = "# Written by gatewright. The files below are replaced by its next run; all others stay as they are.\n"

// withManifest returns the files with their list in front, after checking their names.
func withManifest(files []generators.File) ([]generators.File, error) {
	names := []string{Manifest}
	for _, f := range files {
		if !filepath.IsLocal(f.Path) || filepath.Clean(f.Path) != f.Path || strings.ContainsAny(f.Path, "\n\x00") {
			return nil, fmt.Errorf("file %q: the name does not stay inside the output folder", f.Path)
		}
		if slices.Contains(names, f.Path) {
			return nil, fmt.Errorf("file %q: it was rendered twice", f.Path)
		}
		names = append(names, f.Path)
	}
	slices.Sort(names)
	list := generators.File{Path: Manifest, Data: []byte(manifestHeader + strings.Join(names, "\n") + "\n")}
	return append([]generators.File{list}, files...), nil
}

// readManifest returns the names that the manifest of a folder lists; nil when the folder has none.
func readManifest(dir string) (map[string]bool, error) {
	path := filepath.Join(dir, Manifest)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	if len(data) == 0 {
		// A run that was killed had only just begun it.
		return map[string]bool{Manifest: true}, nil
	}
	list, ok := bytes.CutPrefix(data, []byte(manifestHeader))
	if !ok {
		return nil, fmt.Errorf("output folder: %s is not a list that gatewright wrote: name another folder", path)
	}
	names := map[string]bool{}
	for name := range strings.Lines(string(list)) {
		if name = strings.TrimSuffix(name, "\n"); filepath.IsLocal(name) {
			names[name] = true
		}
	}
	return names, nil
}

// carry moves everything that isn't ours from one folder to the other: a proxy's process id file, a README, a
// repository. A name that the other folder has too stays where it is and is an error.
func carry(from, to string) error {
	ours, err := readManifest(from)
	if err != nil {
		return err
	}
	return carryBelow(from, to, "", ours)
}

func carryBelow(from, to, below string, ours map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(from, below))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := filepath.Join(below, e.Name())
		target := filepath.Join(to, name)
		info, statErr := os.Lstat(target)
		switch {
		case ours[name]:
		case e.IsDir() && (holds(ours, name) || statErr == nil && info.IsDir()):
			errs = append(errs, carryBelow(from, to, name, ours))
			if !holds(ours, name) {
				errs = append(errs, removeFile(filepath.Join(from, name)))
			}
		case statErr == nil:
			errs = append(errs, fmt.Errorf("%s is in both %s and %s", name, from, to))
		default:
			errs = append(errs, os.MkdirAll(filepath.Dir(target), dirMode), os.Rename(filepath.Join(from, name), target))
		}
	}
	return errors.Join(errs...)
}

// holds says whether one of the files lies in the folder.
func holds(files map[string]bool, folder string) bool {
	for f := range files {
		if strings.HasPrefix(f, folder+"/") {
			return true
		}
	}
	return false
}

// remove deletes the files of a folder that its manifest lists, the manifest last, and then the folders that
// are empty. Anything else in it makes it fail and stays.
func remove(dir string) error {
	ours, err := readManifest(dir)
	if err != nil {
		return err
	}
	var errs []error
	folders := map[string]bool{}
	for name := range ours {
		if name != Manifest {
			errs = append(errs, removeFile(filepath.Join(dir, name)))
		}
		for _, p := range parents(name) {
			folders[p] = true
		}
	}
	innermost := make([]string, 0, len(folders))
	for f := range folders {
		innermost = append(innermost, f)
	}
	slices.SortFunc(innermost, func(a, b string) int { return len(b) - len(a) })
	for _, f := range innermost {
		errs = append(errs, removeFile(filepath.Join(dir, f)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(removeFile(filepath.Join(dir, Manifest)), os.Remove(dir))
}

// removeFile deletes a file or an empty folder that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
