package haproxy

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

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
		return Kind(p.Binary).Find()
	}
	info, err := os.Stat(p.Join)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return Kind(p.Binary).FromFile(p.Join)
	}
	p.socket = p.Join
	// A reload that failed leaves a master without its socket, but with its process id.
	if p.known.Alive() {
		return p.known, nil
	}
	procs, err := p.shown()
	if err == nil && procs.master == 0 {
		err = errors.New("its master socket names no master")
	}
	if err != nil {
		return process.ID{}, err
	}
	p.known = p.seen(procs.master)
	return p.known, nil
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
	listener := listenerOf(p.socket)
	if listener == 0 {
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

// listenerOf is the process that began to listen at a unix socket, as it is numbered here; 0 when it isn't to be seen.
func listenerOf(socket string) int {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }() // Nothing was asked.
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(c.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}
