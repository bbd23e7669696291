package translate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// reasonLoop is the reason of ResolvedRefs=False for a Service with an endpoint that is one of our own listeners. The
// API has none for it.
const reasonLoop gatewayv1.RouteConditionReason = "EndpointIsListener"

// findBinds notes where the listeners that are served are reached. All addresses of the host are the unspecified ones.
func (g *graph) findBinds() {
	g.binds = map[netip.AddrPort]name{}
	for _, gw := range g.gateways {
		var addresses []netip.Addr
		for _, a := range gw.addresses {
			if ip, err := netip.ParseAddr(a); err == nil {
				addresses = append(addresses, ip)
			}
		}
		if len(addresses) == 0 {
			addresses = append(addresses, netip.IPv4Unspecified(), netip.IPv6Unspecified())
		}
		for _, a := range gw.published {
			if ip, err := netip.ParseAddr(a.Value); err == nil {
				addresses = append(addresses, ip.Unmap())
			}
		}
		for _, l := range gw.all {
			for _, ip := range addresses {
				if at := netip.AddrPortFrom(ip, uint16(l.spec.Port)); l.served() && g.binds[at] == (name{}) {
					g.binds[at] = gw.name
				}
			}
		}
	}
}

// listenerAt is the Gateway that a connection to an endpoint would reach.
func (g *graph) listenerAt(e model.Endpoint) (gateway name, found bool) {
	ip, err := netip.ParseAddr(e.Address)
	if err != nil {
		return name{}, false
	}
	port := uint16(e.Port)
	every, loopback := netip.IPv6Unspecified(), netip.IPv6Loopback()
	if ip.Is4() {
		every, loopback = netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if ip.IsUnspecified() {
		ip = loopback // Who connects there reaches this.
	}
	if gateway, found = g.binds[netip.AddrPortFrom(ip, port)]; !found && (ip.IsLoopback() || slices.Contains(g.options.Addresses.Local, ip)) {
		gateway, found = g.binds[netip.AddrPortFrom(every, port)]
	}
	return gateway, found
}

// leaveLoops takes out endpoints that are our own listeners: a call would come back for ever (R43). A Service with no
// other is refused.
func (g *graph) leaveLoops(c *cluster) {
	var loops []string
	var example name
	kept := c.Endpoints[:0]
	for _, e := range c.Endpoints {
		gateway, found := g.listenerAt(e)
		if !found {
			kept = append(kept, e)
			continue
		}
		if len(loops) == 0 {
			example = gateway
		}
		loops = append(loops, netip.AddrPortFrom(netip.MustParseAddr(e.Address), uint16(e.Port)).String())
	}
	if len(loops) == 0 {
		return
	}
	c.Endpoints = kept
	text := loops[0]
	if n := len(loops); n > 1 {
		text = fmt.Sprintf("%s and %d more", strings.Join(loops[:min(n, maxNamed)], ", "), n-min(n, maxNamed))
		text = strings.TrimSuffix(text, " and 0 more")
	}
	c.flaw = &problem{string(reasonLoop), fmt.Sprintf(
		"Service %s/%s has endpoints that are listeners of this proxy, of Gateway %s: %s; calls would come back for ever, so they aren't "+
			"used: send to the Services behind that Gateway instead",
		c.Namespace, c.Service, example, text)}
	if len(kept) == 0 {
		c.problem, c.flaw = c.flaw, nil
	}
}
