package apply

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/gatewright/gatewright/generators/model"
)

// portsOf are the ports that a model binds.
func portsOf(m model.Gateways) map[int32]bool {
	out := map[int32]bool{}
	for _, g := range m.Gateways {
		for _, l := range g.Listeners {
			out[l.Port] = true
		}
	}
	return out
}

// findBusy finds the listeners on ports that the proxy doesn't have yet and that can't be bound. No proxy's own
// check finds those, and a reload that fails on one costs more than the listener: nginx takes 2.5 seconds to give
// up, HAProxy takes no connections on any of its ports meanwhile. Without a configuration that was confirmed
// nothing is known of the proxy's own ports, and nothing is found.
func (a *Applier) findBusy(m model.Gateways) {
	a.quarantine.busy = nil
	if a.ports == nil {
		return
	}
	known := map[string]error{}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		addresses := g.Addresses
		if len(addresses) == 0 {
			addresses = []string{""}
		}
		for j := range g.Listeners {
			l := &g.Listeners[j]
			if a.ports[l.Port] {
				continue
			}
			for _, address := range addresses {
				place := net.JoinHostPort(address, strconv.Itoa(int(l.Port)))
				err, ok := known[place]
				if !ok {
					err = tryBind(place)
					known[place] = err
				}
				if err != nil {
					if a.quarantine.busy == nil {
						a.quarantine.busy = map[Part]Culprit{}
					}
					part := ListenerOf(g, l)
					a.quarantine.busy[part] = Culprit{Part: part, Message: err.Error()}
				}
			}
		}
	}
}

// tryBind says why a place can't be bound. What needs rights that the proxy may have is left to it.
func tryBind(place string) error {
	l, err := net.Listen("tcp", place)
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s can't be bound: Address already in use: end what listens there, or choose another port", place)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s can't be bound: no interface of this machine has the address", place)
	}
	return nil
}
