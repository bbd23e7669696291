package apply

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/gatewright/gatewright/generators/model"
)

// placesOf are what a model binds, as net.JoinHostPort writes it; without an address for all of the host.
func placesOf(m model.Gateways) map[string]bool {
	out := map[string]bool{}
	for i := range m.Gateways {
		for _, l := range m.Gateways[i].Listeners {
			for _, address := range addressesOf(&m.Gateways[i]) {
				out[place(address, l.Port)] = true
			}
		}
	}
	return out
}

func addressesOf(g *model.Gateway) []string {
	if len(g.Addresses) == 0 {
		return []string{""}
	}
	return g.Addresses
}

func place(address string, port int32) string {
	return net.JoinHostPort(address, strconv.Itoa(int(port)))
}

// findBusy finds the listeners on places that the proxy doesn't have yet and that can't be bound. No proxy's own
// check finds those, and a reload that fails on one costs more than the listener: nginx takes 2.5 seconds to give
// up, HAProxy takes no connections on any of its ports meanwhile. Without a configuration that was confirmed
// nothing is known of the proxy's own places, and nothing is found.
func (a *Applier) findBusy(m model.Gateways) {
	a.quarantine.busy = nil
	if a.places == nil {
		return
	}
	// bound are the ports that the proxy has on some address: all of the host can't be tried then.
	bound := map[string]bool{}
	for p := range a.places {
		_, port, _ := net.SplitHostPort(p) // It was joined above.
		bound[port] = true
	}
	known := map[string]error{}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			l := &g.Listeners[j]
			for _, address := range addressesOf(g) {
				p := place(address, l.Port)
				if a.places[p] || a.places[place("", l.Port)] || address == "" && bound[strconv.Itoa(int(l.Port))] {
					continue
				}
				err, ok := known[p]
				if !ok {
					err = tryBind(p)
					known[p] = err
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
