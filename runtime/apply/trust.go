package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// CheckFolder says whether nobody but this user and root can change a folder, or put another one in its place. The error is an
// UntrustedError where somebody can.
func CheckFolder(dir string) error { return checkFolder(dir) }

// checkFolder says whether nobody but this user and root can change a folder, or put another one in its place (R44). The
// error says what to do. A folder that isn't there yet is as good as the one above it.
func checkFolder(dir string) error {
	root, err := os.Lstat("/")
	if err != nil {
		return err
	}
	// In a user namespace root's files belong to somebody without a name, as all other foreign ones do.
	t := trust{owners: map[int]bool{0: true, os.Geteuid(): true, ownerOf(root): true}}
	return t.check(dir, 0)
}

// UntrustedError is of a folder that somebody else can change, or replace.
type UntrustedError struct{ text string }

func (e *UntrustedError) Error() string { return e.text }

func untrusted(format string, args ...any) error {
	return &UntrustedError{fmt.Sprintf(format, args...)}
}

// trust is whom a state folder may belong to.
type trust struct {
	owners map[int]bool
}

// maxLinks ends a chain of links that leads into itself.
const maxLinks = 40

// check looks at every folder and link that a path leads through.
func (t trust) check(path string, links int) error {
	at := "/"
	rest := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range rest {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		last := i == len(rest)-1
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !t.owners[ownerOf(info)]:
			return untrusted("%s belongs to user %d, who can change what is served: %s", at, ownerOf(info), advice(at, last))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			if links == maxLinks {
				return fmt.Errorf("%s is a link that leads into itself", at)
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			return t.check(filepath.Join(append([]string{target}, rest[i+1:]...)...), links+1)
		case !info.IsDir():
			return fmt.Errorf("%s is a file: name a folder", at)
		case last && info.Mode().Perm()&0o022 != 0:
			return untrusted("others may write to %s (mode %04o) and change what is served: run `chmod go-w %s` after a look at what is in it, "+
				"or name a folder that isn't there yet", at, info.Mode().Perm(), at)
		case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
			return untrusted("everybody may write to %s (mode %04o) and put another folder in place of what is below it: "+
				"run `chmod o-w %s`, or name a folder somewhere else", at, info.Mode().Perm(), at)
		}
	}
	return nil
}

func advice(at string, last bool) string {
	if last {
		return fmt.Sprintf("run gatewright as that user, `chown %d %s` after a look at what is in it, or name a folder that isn't there yet",
			os.Geteuid(), at)
	}
	return "name a folder somewhere else, or run gatewright as that user"
}

// ownerOf is the id of the user that a file belongs to.
func ownerOf(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}

// checkContent refuses what is in a state folder and leads out of it: a program that writes to a link writes to where that
// leads. Links to folders, such as one to a proxy's modules, are their owner's affair.
func checkContent(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Name() {
		case currentName, goodName, "." + currentName, "." + goodName:
			continue
		case versionsName:
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			if !info.IsDir() || ownerOf(info) != os.Geteuid() {
				return fmt.Errorf("%s is not a folder of the user that gatewright runs as: remove it", path)
			}
			continue
		}
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return fmt.Errorf("%s is a link, and links in a state folder are not followed: remove it", path)
		}
	}
	return nil
}
