package apply

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gatewright/gatewright/generators"
)

// Prune removes the oldest versions beyond those that are kept, and all that hold a private key which what is served, or
// would be after a restart, doesn't have: its Secret is gone or has another one, and nothing may keep it (R44).
func (s *Store) Prune() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, versionsName))
	if err != nil {
		return err
	}
	type version struct {
		name string
		used time.Time
	}
	current, good := s.Generation(), s.linked(goodName)
	wanted := map[digest]bool{}
	for _, name := range []string{current, good} {
		if name == "" {
			continue
		}
		keys, err := s.keysIn(name)
		if err != nil {
			return err
		}
		for k := range keys {
			wanted[k] = true
		}
	}
	var errs []error
	var old []version
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.Name() == current || e.Name() == good {
			continue
		}
		if keys, err := s.keysIn(e.Name()); err != nil || !within(keys, wanted) {
			errs = append(errs, s.Discard(e.Name()))
			continue
		}
		old = append(old, version{e.Name(), info.ModTime()})
	}
	slices.SortFunc(old, func(a, b version) int { return b.used.Compare(a.used) })
	for _, v := range old[min(len(old), s.keep-1):] {
		errs = append(errs, s.Discard(v.name))
	}
	return errors.Join(errs...)
}

// digest stands for a private key.
type digest [sha256.Size]byte

// keysOf are the digests of the private keys among files.
func keysOf(files []generators.File) map[digest]bool {
	keys := map[digest]bool{}
	for _, f := range files {
		if f.Secret {
			keys[sha256.Sum256(f.Data)] = true
		}
	}
	return keys
}

// keysIn are those of a version, by the files that are for their owner only.
func (s *Store) keysIn(generation string) (map[digest]bool, error) {
	if keys, known := s.keys[generation]; known {
		return keys, nil
	}
	keys := map[digest]bool{}
	err := filepath.WalkDir(filepath.Join(s.dir, versionsName, generation), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			return err
		}
		data, err := os.ReadFile(path)
		keys[sha256.Sum256(data)] = true
		return err
	})
	if err == nil {
		s.keys[generation] = keys
	}
	return keys, err
}

// within says whether all of some keys are among others.
func within(some, all map[digest]bool) bool {
	for k := range some {
		if !all[k] {
			return false
		}
	}
	return true
}
