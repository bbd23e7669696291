package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/runtime/folder"
)

// The names inside a state folder. What starts with a dot in versions is not whole.
const (
	versionsName = "versions"
	currentName  = "current"
	goodName     = "good"
	lockName     = "lock"
	checkPrefix  = ".check-"
)

// Store is a state folder: whole configurations under versions, each named by its generation, and current, a
// symbolic link to the one that a starting proxy is to read. A version is on disk before current points to it, so
// that whatever is killed whenever, current names a whole configuration.
//
// What is in it decides what is served, so it must be this user's, and nobody else may write to it (R44). Others go through
// it, for a proxy's workers may run as another user, and read nothing that could be a secret.
type Store struct {
	dir  string
	keep int
	lock *os.File
	// keys are the digests of the private keys of versions, as far as they are known.
	keys map[string]map[digest]bool
}

// secretMode is that of files which are for gatewright alone.
const secretMode fs.FileMode = 0o600

// OpenStore takes a state folder, making it when it isn't there, and clears away what an interrupted run left
// half done. keep is how many versions stay, current included; at least 2. Only one store is open at a time. A folder that
// somebody else can change is refused.
func OpenStore(dir string, keep int) (*Store, error) { return openStore(dir, keep, checkFolder) }

// OpenSharedStore is OpenStore for a folder that others may change: whoever asks for it trusts them all.
func OpenSharedStore(dir string, keep int) (*Store, error) {
	return openStore(dir, keep, func(string) error { return nil })
}

func openStore(dir string, keep int, check func(dir string) error) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	var lock *os.File
	err = prepare(dir, check)
	if err == nil {
		lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, secretMode)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("state folder %s: %w: it has to belong to user %d, as which gatewright runs: `chown` it, or name one that "+
			"isn't there yet",
			dir, err, os.Geteuid())
	case err != nil:
		return nil, fmt.Errorf("state folder %s: %w", dir, err)
	}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder %s: another gatewright uses it: give each one its own --state-dir (%w)", dir, err),
			lock.Close())
	}
	s := &Store{dir: dir, keep: max(keep, 2), lock: lock, keys: map[string]map[digest]bool{}}
	if err := errors.Join(s.sweep(), s.Prune()); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

// prepare makes what isn't there, and checks what is.
func prepare(dir string, check func(dir string) error) error {
	if err := check(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := makeFolder(dir); err != nil {
		return err
	}
	// It may have come into being meanwhile.
	if err := errors.Join(check(dir), checkContent(dir)); err != nil {
		return err
	}
	versions := filepath.Join(dir, versionsName)
	if err := makeFolder(versions); err != nil {
		return err
	}
	// An earlier gatewright made it so that everybody could list it.
	return folder.OpenUp(versions)
}

// makeFolder makes a folder unless it is there.
func makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return folder.OpenUp(dir)
}

// lockPatience is how long the lock may take: a program that is killed while it starts another one has it until
// the new one runs.
const lockPatience = time.Second

func lockFile(f *os.File) error {
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(start) > lockPatience {
			return err
		}
	}
}

// Close lets another store open the folder.
func (s *Store) Close() error { return s.lock.Close() }

// Dir is the state folder's absolute path.
func (s *Store) Dir() string { return s.dir }

// Current is the path that always names the configuration to serve. Nothing is there before the first Switch.
func (s *Store) Current() string { return filepath.Join(s.dir, currentName) }

// Generation is what current points to; "" when there is nothing whole.
func (s *Store) Generation() string {
	return s.linked(currentName)
}

func (s *Store) linked(name string) string {
	target, err := os.Readlink(filepath.Join(s.dir, name))
	if err != nil || filepath.Dir(target) != versionsName {
		return ""
	}
	generation := filepath.Base(target)
	dir, err := s.version(generation)
	if err != nil {
		return ""
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return generation
}

// Stage writes a version so that a crash can't lose it, and returns its folder. Nothing points to it yet. One
// that is there already is used again.
func (s *Store) Stage(generation string, files []generators.File) (dir string, err error) {
	dir, finish, err := s.Begin(generation, files)
	if err == nil {
		err = finish()
	}
	return dir, err
}

// Begin is Stage that doesn't wait for the disk: finish does, and must have returned before Switch.
func (s *Store) Begin(generation string, files []generators.File) (dir string, finish func() error, err error) {
	dir, err = s.version(generation)
	if err != nil {
		return "", nil, err
	}
	s.keys[generation] = keysOf(files)
	finish, err = folder.Put(dir, files)
	return dir, finish, err
}

// Discard removes a staged version that nothing points to.
func (s *Store) Discard(generation string) error {
	dir, err := s.version(generation)
	if err != nil || generation == s.Generation() {
		return err
	}
	delete(s.keys, generation)
	return os.RemoveAll(dir)
}

// Switch points current to a staged version, in one step.
func (s *Store) Switch(generation string) error {
	dir, err := s.version(generation)
	if err != nil {
		return err
	}
	if s.Generation() == generation {
		return nil
	}
	// The time orders versions by when they came into use.
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return fmt.Errorf("switch to generation %s: %w", generation, err)
	}
	if err := s.link(currentName, generation); err != nil {
		return fmt.Errorf("switch to generation %s: %w", generation, err)
	}
	return nil
}

// Confirm notes that a proxy serves what current points to.
func (s *Store) Confirm() error {
	generation := s.Generation()
	if generation == "" || generation == s.linked(goodName) {
		return nil
	}
	return s.link(goodName, generation)
}

// link points a link to a version, in one step that a crash doesn't lose.
func (s *Store) link(name, generation string) error {
	next := filepath.Join(s.dir, "."+name)
	if err := removeIfThere(next); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(versionsName, generation), next); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(s.dir, name)); err != nil {
		return err
	}
	return syncFolder(s.dir)
}

// Scratch writes files for a check and returns the folder and what removes it. A crash may lose them.
func (s *Store) Scratch(files []generators.File) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(filepath.Join(s.dir, versionsName), checkPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("state folder: %w", err)
	}
	// What stays when this fails is cleared away by the next OpenStore.
	remove = func() { _ = os.RemoveAll(dir) }
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, f.Data, secretMode)
		}
		if err != nil {
			remove()
			return "", nil, fmt.Errorf("state folder: %w", err)
		}
	}
	return dir, remove, nil
}

func (s *Store) version(generation string) (string, error) {
	if generation == "" || strings.HasPrefix(generation, ".") || filepath.Base(generation) != generation {
		return "", fmt.Errorf("generation %q can't name a folder", generation)
	}
	return filepath.Join(s.dir, versionsName, generation), nil
}

// sweep removes what isn't whole, which is everything that begins with a dot, and what no Store has made, and goes back
// from a configuration that no proxy has confirmed to the last one that was.
func (s *Store) sweep() error {
	errs := []error{removeIfThere(filepath.Join(s.dir, "."+currentName)), removeIfThere(filepath.Join(s.dir, "."+goodName))}
	if good := s.linked(goodName); good != "" && good != s.Generation() {
		errs = append(errs, s.link(currentName, good))
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, versionsName))
	errs = append(errs, err)
	for _, e := range entries {
		info, err := e.Info()
		if strings.HasPrefix(e.Name(), ".") || !e.IsDir() || err == nil && ownerOf(info) != os.Geteuid() {
			errs = append(errs, os.RemoveAll(filepath.Join(s.dir, versionsName, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
