package watch

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openForWriting says whether a regular file is open for writing somewhere, so that it may be half written. A
// read lease is granted only when it isn't. False where leases can't be had: on file systems that don't know
// them, and for files of other users.
func openForWriting(name string) bool {
	if !isPlain(name) {
		return false
	}
	// It may be a link or a pipe by now.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	}
	// It was only read from.
	_ = f.Close()
	return errors.Is(err, unix.EAGAIN)
}
