package bridge

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// listen takes connections at a path, in the place of whatever listened there: clients find one or the other at any time. Only
// this user may connect, and root, or the owner that it is given to unless that is -1.
func listen(path string, owner int) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("%s is not a socket: move it away", path)
	}
	// A folder of its own keeps everybody from connecting before the mode is set.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".b-")
	if err != nil {
		return nil, fmt.Errorf("a socket at %s: %w", path, err)
	}
	temporary := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a socket at %s: %w", path, err), os.Remove(dir))
	}
	// By then it is another one's, or it is replaced when another one comes.
	l.SetUnlinkOnClose(false)
	err = os.Chmod(temporary, 0o600)
	if err == nil && owner >= 0 {
		err = os.Lchown(temporary, owner, -1)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("a socket at %s: %w", path, err), l.Close())
	}
	return l, nil
}
