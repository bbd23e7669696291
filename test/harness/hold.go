package harness

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Hold is a file whose reader waits: for a proxy that is slow to read its configuration.
type Hold struct {
	t    T
	path string
	pipe *os.File
}

// NewHold puts a Hold in one step in the place of what has its name.
func NewHold(t T, path string) *Hold {
	t.Helper()
	if err := errors.Join(unix.Mkfifo(path+".pipe", 0o600), os.Rename(path+".pipe", path)); err != nil {
		t.Fatalf("hold %s: %v", path, err)
	}
	return &Hold{t: t, path: path}
}

// Await returns when somebody has opened it, and said tells more if nobody does. nginx, for which it is an empty file, goes on by
// that; others wait for what stands in it.
func (h *Hold) Await(said func() string) {
	h.t.Helper()
	Until(h.t, "read "+h.path, patience, func() (err error) {
		// This is refused for as long as nobody reads.
		h.pipe, err = os.OpenFile(h.path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		return err
	}, said)
}

// Release lets the reader go on with a text.
func (h *Hold) Release(text string) {
	h.t.Helper()
	_, err := h.pipe.WriteString(text)
	if err = errors.Join(err, h.pipe.Close()); err != nil {
		h.t.Errorf("release the reader of %s: %v", h.path, err)
	}
}

// NotYet says that nothing is done for longer than a signal that a proxy has lost is waited for. What is done all the same is there
// again for who waits for it.
func NotYet(t T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Errorf("done too early: %v", err)
		done <- err
	case <-time.After(2500 * time.Millisecond):
	}
}
