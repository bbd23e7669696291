package child

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// share says what to do about a proxy that isn't among the processes here.
const share = "share its process namespace (shareProcessNamespace: true in a pod, --pid with Docker), or make gatewright the entry point " +
	"of its container (gatewright exec)"

// Named is the process of a joined proxy that its pid file names. The error is an apply.AbsentError while it may only not have
// started yet.
func (r *Runner) Named(k process.Kind, path string) (process.ID, error) {
	id, err := k.FromFile(path)
	switch {
	case err == nil:
		return id, nil
	case r.elsewhere():
		return process.ID{}, r.notHere(err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, process.ErrNoID):
		return process.ID{}, &apply.AbsentError{Err: err}
	case errors.Is(err, process.ErrEnded):
		return process.ID{}, &apply.AbsentError{Err: fmt.Errorf("%w; where it runs in another container, %s", err, share)}
	}
	if _, none := k.Find(); errors.Is(none, process.ErrNone) {
		return process.ID{}, fmt.Errorf("%w; where %s runs in another container, %s", err, r.name, share)
	}
	return process.ID{}, err
}

// Only is the only process of the kind, for a joined proxy that has no pid file.
func (r *Runner) Only(k process.Kind) (process.ID, error) {
	id, err := k.Find()
	switch {
	case err == nil:
		return id, nil
	case r.elsewhere():
		return process.ID{}, r.notHere(err)
	case errors.Is(err, process.ErrNone):
		return process.ID{}, &apply.AbsentError{Err: fmt.Errorf("%w; where it runs in another container, %s", err, share)}
	}
	return process.ID{}, err
}

// elsewhere says that the marker's socket is that of a process which isn't to be seen here.
func (r *Runner) elsewhere() bool {
	if r.marker == "" {
		return false
	}
	pid, _, err := process.Peer(r.marker)
	return err == nil && pid == 0
}

// notHere is the error for a proxy in another process namespace.
func (r *Runner) notHere(err error) error {
	return fmt.Errorf("%s runs, but not in the process namespace of gatewright, so it can't be told to reload: %s (%w)", r.name, share, err)
}

// ReadableBy is Readable for the process of a proxy.
func (r *Runner) ReadableBy(pid int, dir string) error {
	who, err := process.AccountOf(pid)
	if err != nil {
		return err
	}
	return r.Readable(who, dir)
}

// Readable says why a proxy that runs as somebody else can't read the configuration in a folder: it would end when it is started
// anew, or refuse every reload, though gatewright's own check finds nothing.
func (r *Runner) Readable(who process.Account, dir string) error {
	if who.All || who.UID == os.Geteuid() {
		return nil
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil // Nothing is written yet.
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || entry.Name()[0] == '.' {
			return nil
		}
		info, err := entry.Info()
		if err != nil || who.Reads(info) {
			return nil
		}
		return fmt.Errorf("%s runs as user %d and may not read %s (mode %04o), which belongs to gatewright's user %d: run both as the same user "+
			"(runAsUser in a pod, User= of systemd)", r.name, who.UID, path, info.Mode().Perm(), os.Geteuid())
	})
}
