package folder

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Replace puts a file in place of another in one step, so that whoever reads it finds one of the two as a whole, after a
// crash of the machine too.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return replace(path, data, mode, func(*os.File) error { return nil })
}

// ReplaceFor is Replace for a file that a user reads and nobody else does.
func ReplaceFor(path string, data []byte, uid int) error {
	return replace(path, data, ownerMode, func(f *os.File) error { return f.Chown(uid, -1) })
}

const ownerMode fs.FileMode = 0o400

// replace makes the file with no more rights than it keeps, so that nobody reads it meanwhile.
func replace(path string, data []byte, mode fs.FileMode, give func(*os.File) error) error {
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Chmod(mode), give(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// The pauses between tries to write a file: they double.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
)

// Keeper keeps a file as it was given last. Nobody waits for that, and what can't be written is tried again.
type Keeper struct {
	path string
	mode fs.FileMode
	// failed is called when a write fails in another way than the one before, and with nil for the first that doesn't.
	failed func(error)

	mu     sync.Mutex
	newest []byte
	// fresh says that there is something newer than what was written.
	fresh  chan struct{}
	closed chan struct{}
	ended  chan error
}

// Told is for NewKeeper: it makes a line in the log of what is wrong, and one when that is mended.
func Told(log *slog.Logger, trouble, mended string) func(error) {
	return func(err error) {
		if err != nil {
			log.Error(trouble+"; it is tried again", "error", err)
		} else {
			log.Info(mended)
		}
	}
}

// NewKeeper keeps a file until Close. failed gets the error of a write, once for as long as it stays the same, and nil when it is mended.
func NewKeeper(path string, mode fs.FileMode, failed func(error)) *Keeper {
	k := &Keeper{path: path, mode: mode, failed: failed, fresh: make(chan struct{}, 1), closed: make(chan struct{}),
		ended: make(chan error, 1)}
	go func() { k.ended <- k.run() }()
	return k
}

// Put gives what the file is to have, which must not change afterwards.
func (k *Keeper) Put(data []byte) {
	k.mu.Lock()
	k.newest = data
	k.mu.Unlock()
	select {
	case k.fresh <- struct{}{}:
	default:
	}
}

// Close writes what isn't written yet and ends. The error is that of the last try.
func (k *Keeper) Close() error {
	close(k.closed)
	return <-k.ended
}

func (k *Keeper) run() error {
	var written []byte
	var last string
	pause := firstPause
	var again <-chan time.Time
	for open := true; ; {
		select {
		case <-k.fresh:
		case <-again:
		case <-k.closed:
			open = false
		}
		k.mu.Lock()
		data := k.newest
		k.mu.Unlock()
		var err error
		if data != nil && (written == nil || !bytes.Equal(data, written)) {
			err = Replace(k.path, data, k.mode)
		}
		switch {
		case !open:
			return err
		case err == nil:
			if last != "" {
				k.failed(nil)
			}
			written, last, pause, again = data, "", firstPause, nil
		default:
			if text := err.Error(); text != last {
				last = text
				k.failed(err)
			}
			again = time.After(pause)
			pause = min(2*pause, lastPause)
		}
	}
}
