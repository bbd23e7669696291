package apply

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/generators/model"
)

// Sockets are the addresses and ports of a proxy.
type Sockets struct {
	// Bound are where it takes connections now; none when it doesn't run.
	Bound []netip.AddrPort
	// Rebinds says that a reload can bind an address in place of all of the host, and the other way round. Without it the
	// port is given up first.
	Rebinds bool
	// Privileged says that it may bind ports that this process may not.
	Privileged bool
	// Listening is where anybody on the host takes connections, the proxy included.
	Listening []netip.AddrPort
}

// sockets are the proxy's. Where the system doesn't tell, those of the model that was confirmed last are; without one, they
// aren't known.
func (a *Applier) sockets() (s Sockets, known bool) {
	s = Sockets{Rebinds: true, Privileged: true}
	if a.Hooks.Sockets != nil {
		var err error
		if s, err = a.Hooks.Sockets(); err == nil {
			return s, true
		}
		a.Log.Debug("can't find out where the proxy listens", "error", err)
	}
	s.Bound, s.Listening = a.places, nil
	return s, a.places != nil
}

// placesOf are what a model binds.
func placesOf(m model.Gateways) []netip.AddrPort {
	out := []netip.AddrPort{}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			out = append(out, listenerPlaces(g, &g.Listeners[j])...)
		}
	}
	return out
}

// listenerPlaces are what a listener binds.
func listenerPlaces(g *model.Gateway, l *model.Listener) []netip.AddrPort {
	binds := g.Binds()
	if len(binds) == 0 {
		binds = []string{"0.0.0.0", "::"}
	}
	var out []netip.AddrPort
	for _, text := range binds {
		if ip, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.AddrPortFrom(ip, uint16(l.Port)))
		}
	}
	return out
}

// overlap says that two different places can't be bound by two sockets: one of them is all of the host.
func overlap(a, b netip.AddrPort) bool {
	return a != b && a.Port() == b.Port() && a.Addr().Is4() == b.Addr().Is4() && (a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// findBusy finds the listeners on places that the proxy doesn't have yet and that can't be bound. No proxy's own
// check finds all of those, and a start or a reload that fails on one costs more than the listener: nothing starts at all,
// nginx takes 2.5 seconds to give a reload up, HAProxy takes no connections on any of its ports meanwhile.
func (a *Applier) findBusy(m model.Gateways) {
	a.quarantine.busy = nil
	s, known := a.sockets()
	if !known {
		return
	}
	tried := map[netip.AddrPort]*Culprit{}
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			part := ListenerOf(g, &g.Listeners[j])
			for _, place := range listenerPlaces(g, &g.Listeners[j]) {
				c, ok := tried[place]
				if !ok {
					c = s.try(place)
					tried[place] = c
				}
				if c == nil {
					continue
				}
				if a.quarantine.busy == nil {
					a.quarantine.busy = map[Part]Culprit{}
				}
				a.quarantine.busy[part] = Culprit{Part: part, Message: c.Message, Reason: c.Reason}
			}
		}
	}
}

// try says why the proxy can't have a place; nil when it can, has it already, or gives up what is in the way.
func (s *Sockets) try(place netip.AddrPort) *Culprit {
	if slices.Contains(s.Bound, place) {
		return nil
	}
	if !slices.ContainsFunc(s.Bound, func(own netip.AddrPort) bool { return overlap(own, place) }) {
		return s.refusal(place, tryBind(place))
	}
	// The proxy's own socket is in the way of a try. Whoever else listens at the port is seen all the same.
	for _, other := range s.Listening {
		if (other == place || overlap(other, place)) && !slices.Contains(s.Bound, other) {
			return s.refusal(place, unix.EADDRINUSE)
		}
	}
	return nil
}

// Why a listener's place can't be had, as its status says it.
const (
	PortUnavailable  = "PortUnavailable"
	AddressNotUsable = "AddressNotUsable"
)

func (s *Sockets) refusal(place netip.AddrPort, err error) *Culprit {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return &Culprit{Reason: PortUnavailable, Message: fmt.Sprintf(
			"%s can't be bound: Address already in use: end what listens there, or choose another port", place)}
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EAFNOSUPPORT):
		if place.Addr().IsUnspecified() {
			return nil // A host without IPv6 has no such listener.
		}
		return &Culprit{Reason: AddressNotUsable, Message: fmt.Sprintf("%s can't be bound: no interface of this machine has the address", place)}
	case errors.Is(err, unix.EACCES) && !s.Privileged:
		return &Culprit{Reason: PortUnavailable, Message: fmt.Sprintf(
			"%s can't be bound: Permission denied: choose a port from 1024 on, let root start gatewright, give the proxy's binary the right "+
				"(setcap cap_net_bind_service=ep), or lower the sysctl net.ipv4.ip_unprivileged_port_start", place)}
	}
	return nil
}

// tryBind says why a place can't be bound. No connection gets to the socket, for nobody listens at it.
func tryBind(place netip.AddrPort) error {
	domain, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(place.Port()), Addr: place.Addr().As16()})
	if place.Addr().Is4() {
		domain, address = unix.AF_INET, &unix.SockaddrInet4{Port: int(place.Port()), Addr: place.Addr().As4()}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// As proxies do: connections that have ended don't keep a port, and IPv6 isn't IPv4 too.
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && domain == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, address)
	}
	return errors.Join(err, unix.Close(fd))
}

// moving are the listeners that a reload can't bind while the proxy has its old sockets, and what is in their way.
func moving(s Sockets, m model.Gateways) (map[Part]bool, []netip.AddrPort) {
	if s.Rebinds {
		return nil, nil
	}
	parts := map[Part]bool{}
	var way []netip.AddrPort
	for i := range m.Gateways {
		g := &m.Gateways[i]
		for j := range g.Listeners {
			for _, place := range listenerPlaces(g, &g.Listeners[j]) {
				for _, own := range s.Bound {
					if overlap(own, place) && !slices.Contains(s.Bound, place) {
						parts[ListenerOf(g, &g.Listeners[j])] = true
						way = append(way, own)
					}
				}
			}
		}
	}
	return parts, way
}

// vacate makes the proxy give up the sockets that are in the way of a configuration whose check has passed. Only the
// listeners that move take no connections until the reload that follows.
func (a *Applier) vacate(ctx context.Context, job Job, next Configuration) error {
	s, known := a.sockets()
	if !known {
		return nil
	}
	parts, way := moving(s, next.Model)
	if len(parts) == 0 {
		return nil
	}
	left := reduce(next.Model, func(p Part) bool { return !parts[p] })
	left.Clusters = next.Model.Clusters // What the proxy learns of endpoints it knows when the listeners come again.
	without, err := a.render(job, left)
	if err == nil {
		err = a.check(ctx, without)
	}
	if err == nil {
		err = a.reload(ctx, without)
	}
	if err != nil {
		return fmt.Errorf("give up %v, which other addresses of the same port take the place of: %w", way, err)
	}
	// The old workers close them as soon as they begin to drain.
	for end := time.Now().Add(time.Second); slices.ContainsFunc(way, func(p netip.AddrPort) bool { return tryBind(p) != nil }) &&
		time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
