package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// Kind tells HAProxy's masters from all other processes.
func Kind(binary string) process.Kind {
	return process.Kind{Program: program, Binary: binary, Role: "master (-W)", Is: isMaster}
}

const program = "haproxy"

// isMaster tells a master from its workers, which have its command line, and from an HAProxy without workers, which a signal
// to reload would end.
func isMaster(pid int) bool {
	isHAProxy := func(pid int) bool { return process.Name(pid) == program }
	if isHAProxy(process.Parent(pid)) {
		return false
	}
	args := process.Arguments(pid)
	return slices.Contains(args, "-W") || slices.Contains(args, "-Ws") || slices.ContainsFunc(process.Children(pid), isHAProxy)
}

// errNotSeen is why a master that is known by its socket alone gets no signal.
var errNotSeen = errors.New("HAProxy's master isn't among the processes that this one can see and signal, so it gets no signal: " +
	"let gatewright share its process namespace and run as its user")

// master is the running one; none when only its socket is known, for it is in another process namespace.
func (p *Proxy) master() (process.ID, error) {
	switch {
	case p.Child != nil:
		return p.Child.Process()
	case p.Join == "":
		return p.Only(Kind(p.Binary))
	}
	info, err := os.Stat(p.Join)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return p.Named(Kind(p.Binary), p.Join)
	}
	p.socket = p.Join
	// A reload that failed leaves a master without its socket, but with its process id.
	if p.known.Alive() {
		return p.known, nil
	}
	procs, err := p.shown()
	switch {
	case errors.Is(err, fs.ErrPermission):
		return process.ID{}, fmt.Errorf("%w: run gatewright as the user that HAProxy runs as, or start HAProxy with a socket for both: "+
			"-S %s,mode,660,group,GROUP", err, p.Join)
	case errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET):
		// None is there, or one that has just begun, which may start itself again and leave a question unanswered.
		return process.ID{}, &apply.AbsentError{Err: err}
	case err == nil && procs.master == 0:
		err = errors.New("its master socket names no master")
	}
	if err != nil {
		return process.ID{}, err
	}
	p.known = p.seen(procs.master)
	return p.known, nil
}

// Running asks the marker's socket which generation is served. A joined HAProxy that can't be reloaded, or can't read what is
// written for it, counts for nothing: calls would get what is served now for ever.
func (p *Proxy) Running(ctx context.Context) (string, error) {
	if p.Child == nil {
		master, err := p.master()
		if err == nil {
			err = p.reads(master)
		}
		if err != nil {
			return "", err
		}
	}
	return p.Runner.Running(ctx)
}

// reads says why a joined master can't read what is written for it.
func (p *Proxy) reads(master process.ID) error {
	if master == (process.ID{}) {
		_, who, err := process.Peer(p.socket)
		if err != nil {
			return nil // Whoever asks it next says why.
		}
		return p.Readable(who, filepath.Dir(p.Config))
	}
	return p.ReadableBy(master.PID, filepath.Dir(p.Config))
}

// restarts is how long a master that starts itself again, for a reload, may refuse connections to its socket.
const restarts = time.Second

// shown is what the master's socket tells, once it takes connections.
func (p *Proxy) shown() (processes, error) {
	ctx, cancel := context.WithTimeout(context.Background(), restarts)
	defer cancel()
	var procs processes
	err := process.Poll(ctx, func() (done bool, err error) {
		procs, err = p.show(ctx)
		return !errors.Is(err, unix.ECONNREFUSED), err
	})
	return procs, err
}

// seen is the master at the socket when it is among the processes here: what it says of itself is its number in a namespace
// that may be another one, where the same number is somebody else's here.
func (p *Proxy) seen(told int) process.ID {
	listener, _, err := process.Peer(p.socket)
	if err != nil || listener == 0 {
		return process.ID{}
	}
	if id, err := Kind(p.Binary).Verify(listener); err == nil {
		return id
	}
	// One that went to the background after it had begun to listen is another process.
	if id, err := Kind(p.Binary).Verify(told); err == nil && process.SameNamespace(told) {
		return id
	}
	return process.ID{}
}
