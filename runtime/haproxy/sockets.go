package haproxy

import (
	"context"

	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// Sockets asks the system where HAProxy listens: the workers that serve have its sockets. A new worker shares a port with
// the old one, whatever their addresses.
func (p *Proxy) Sockets() (apply.Sockets, error) {
	s := apply.Sockets{Rebinds: true, Privileged: p.Child == nil || process.HasRights(p.Binary)}
	master, err := p.master()
	switch {
	case err == nil && master == (process.ID{}):
		err = errNotSeen
	case err == nil:
		s.Bound, err = process.Bound(append(p.procs(context.Background(), master.PID).serving, master.PID)...)
	case p.Child != nil:
		err = nil // It doesn't run.
	}
	if err == nil {
		s.Listening, err = process.Listening()
	}
	return s, err
}
