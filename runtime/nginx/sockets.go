package nginx

import (
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/runtime/process"
)

// Sockets asks the system where nginx listens: its master has all sockets. A reload binds the new ones before it closes
// the old ones.
func (p *Proxy) Sockets() (apply.Sockets, error) {
	s := apply.Sockets{Privileged: p.Child == nil || process.HasRights(p.Binary)}
	master, err := p.master()
	switch {
	case err == nil:
		s.Bound, err = process.Bound(master.PID)
	case p.Child != nil:
		err = nil // It doesn't run.
	}
	if err == nil {
		s.Listening, err = process.Listening()
	}
	return s, err
}
