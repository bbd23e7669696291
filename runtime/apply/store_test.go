package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewright/gatewright/generators"
)

func filesOf(text string) []generators.File {
	return []generators.File{{Path: "a.conf", Data: []byte(text)}, {Path: "keys/k.pem", Data: []byte("k"), Secret: true}}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func versions(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, versionsName))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func put(t *testing.T, s *Store, generation string, confirm bool) {
	t.Helper()
	if _, err := s.Stage(generation, filesOf(generation)); err != nil {
		t.Fatal(err)
	}
	if err := s.Switch(generation); err != nil {
		t.Fatal(err)
	}
	if confirm {
		if err := s.Confirm(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if s.Generation() != "" {
		t.Errorf("an empty store has generation %q", s.Generation())
	}
	for _, g := range []string{"g1", "g2", "g3", "g1"} {
		put(t, s, g, true)
		data, err := os.ReadFile(filepath.Join(s.Current(), "a.conf"))
		if err != nil || string(data) != g || s.Generation() != g {
			t.Errorf("current after %s: %q, %v", g, data, err)
		}
	}
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(versions(t, dir), " "); got != "g1 g3" {
		t.Errorf("kept %q, want the two that were used last", got)
	}
	info, err := os.Stat(filepath.Join(s.Current(), "keys/k.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a secret: %v, %v", info, err)
	}
	if _, err := OpenStore(dir, 2); err == nil || !strings.Contains(err.Error(), "another gatewright") {
		t.Errorf("a second store of the folder: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoreForeign: a folder that somebody else can change is refused, and the message says what to do.
func TestStoreForeign(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("without root, folders of others can't be made here; those that others may write to are")
	}
	stranger := func(path string) error {
		if os.Getuid() != 0 {
			return os.Chmod(path, 0o777)
		}
		return os.Lchown(path, 4711, 4711)
	}
	for _, c := range []struct {
		name string
		make func(dir string) error // dir has a folder state, which is named as the state folder
		want string                 // "" for none
	}{
		{"our own", func(dir string) error { return nil }, ""},
		{"one that isn't there", func(dir string) error { return os.Remove(dir + "/state") }, ""},
		{"the group may write", func(dir string) error { return os.Chmod(dir+"/state", 0o770) }, "chmod go-w"},
		{"all may write", func(dir string) error { return os.Chmod(dir+"/state", 0o777) }, "chmod go-w"},
		{"all may write, sticky", func(dir string) error { return os.Chmod(dir+"/state", 0o777|fs.ModeSticky) }, "chmod go-w"},
		{"somebody else's", func(dir string) error { return stranger(dir + "/state") }, "/state"},
		{"in a folder that all may write to", func(dir string) error { return os.Chmod(dir, 0o777) }, "chmod o-w"},
		{"not there, in a folder that all may write to", func(dir string) error {
			return errors.Join(os.Remove(dir+"/state"), os.Chmod(dir, 0o777))
		}, "chmod o-w"},
		{"in a sticky folder that all may write to", func(dir string) error { return os.Chmod(dir, 0o777|fs.ModeSticky) }, ""},
		{"in somebody else's folder", func(dir string) error { return stranger(dir) }, dir0},
		{"behind a link of our own", func(dir string) error {
			return errors.Join(os.Rename(dir+"/state", dir+"/real"), os.Symlink("real", dir+"/state"))
		}, ""},
		{"behind a link, and all may write", func(dir string) error {
			return errors.Join(os.Rename(dir+"/state", dir+"/real"), os.Symlink("real", dir+"/state"), os.Chmod(dir+"/real", 0o777))
		}, "chmod go-w"},
		{"a file", func(dir string) error {
			return errors.Join(os.Remove(dir+"/state"), os.WriteFile(dir+"/state", nil, 0o600))
		}, "is a file"},
		{"versions is a link", func(dir string) error { return os.Symlink("/tmp", dir+"/state/versions") }, "/state/versions"},
		{"the lock is a link", func(dir string) error { return os.Symlink(dir+"/victim", dir+"/state/lock") }, "/state/lock is a link"},
		{"a link that would be written through", func(dir string) error { return os.Symlink(dir+"/victim", dir+"/state/nginx.log") },
			"/state/nginx.log is a link"},
		{"a link to a folder of modules", func(dir string) error { return os.Symlink("/usr", dir+"/state/modules") }, ""},
		{"current leads out", func(dir string) error { return os.Symlink("/etc", dir+"/state/current") }, ""},
		{"current leads up", func(dir string) error { return os.Symlink("versions/..", dir+"/state/current") }, ""},
		{"a version is a link", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/state/versions", 0o755), os.Symlink("/etc", dir+"/state/versions/g1"),
				os.Symlink("versions/g1", dir+"/state/current"), os.Symlink("versions/g1", dir+"/state/good"))
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/state", 0o755), c.make(dir)); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(c.want, dir0, dir)
			s, err := OpenStore(dir+"/state", 2)
			if want != "" {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "state folder") {
					t.Errorf("%v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if g := s.Generation(); g != "" {
				t.Errorf("it serves %q, which nobody here has made", g)
			}
			put(t, s, "g1", true)
			if _, err := os.Lstat("/etc/a.conf"); err == nil {
				t.Error("it was written outside")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSharedStore(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// dir0 stands for the folder of a case.
const dir0 = "DIR"

// TestStoreIsPrivate: what it writes is read by nobody else, whatever the umask, but others get through to sockets.
func TestStoreIsPrivate(t *testing.T) {
	for _, mask := range []int{0, 0o077} {
		dir := filepath.Join(t.TempDir(), "state")
		old := syscall.Umask(mask)
		s := open(t, dir)
		put(t, s, "g1", true)
		scratch, remove, err := s.Scratch(filesOf("x"))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.Type()&fs.ModeSymlink != 0 {
				return err
			}
			info, err := e.Info()
			switch {
			case err != nil:
			case strings.HasPrefix(path, scratch):
			case e.IsDir() && info.Mode().Perm() != 0o751, !e.IsDir() && info.Mode().Perm()&0o027 != 0:
				t.Errorf("umask %03o: %s has mode %v", mask, path, info.Mode())
			}
			return err
		})
		if info, scratchErr := os.Stat(scratch); scratchErr != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("what is checked has mode %v (%v)", info.Mode(), scratchErr)
		}
		remove()
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoreDropsKeys: a version that is kept for a look has no key that isn't served any more.
func TestStoreDropsKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir)
	s.keep = 10
	stage := func(generation, key string) {
		t.Helper()
		files := []generators.File{{Path: "a.conf", Data: []byte(generation)}}
		if key != "" {
			files = append(files, generators.File{Path: "keys/k.pem", Data: []byte(key), Secret: true})
		}
		if _, err := s.Stage(generation, files); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Switch(generation), s.Confirm(), s.Prune()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		if got := strings.Join(versions(t, dir), " "); got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
	}
	stage("g1", "first")
	stage("g2", "first")
	check("g1 g2")
	stage("g3", "second")
	check("g3")
	stage("g4", "second")
	// One that starts again doesn't know the keys by heart.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	s.keep = 10
	check("g3 g4")
	stage("g5", "")
	check("g5")
	stage("g4", "second")
	check("g4 g5")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoreAfterKill has what a kill can leave at each step.
func TestStoreAfterKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "good", true)
	put(t, s, "unconfirmed", false)
	for _, left := range []string{"versions/.new.gatewright-1/keys", "versions/.check-2"} {
		if err := os.MkdirAll(filepath.Join(dir, left), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{".current", ".good"} {
		if err := os.Symlink("versions/nowhere", filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if s.Generation() != "good" {
		t.Errorf("current is %q, want the last one that was confirmed", s.Generation())
	}
	if got := strings.Join(versions(t, dir), " "); got != "good unconfirmed" {
		t.Errorf("versions %q: what isn't whole is to go", got)
	}
	for _, link := range []string{".current", ".good"} {
		if _, err := os.Lstat(filepath.Join(dir, link)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", link, err)
		}
	}
	// Somebody removed the versions: nothing whole is left, and it says so.
	if err := os.RemoveAll(filepath.Join(dir, versionsName, "good")); err != nil {
		t.Fatal(err)
	}
	if s.Generation() != "" {
		t.Errorf("a link to nothing counts as %q", s.Generation())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "..", "a/b", ".x"} {
		if _, err := s.Stage(name, nil); err == nil {
			t.Errorf("generation %q was staged", name)
		}
	}
}
