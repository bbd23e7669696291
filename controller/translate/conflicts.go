package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// findConflicts marks the listeners that no request could be told apart by. Of those of one object none wins, all are refused (R27);
// between objects the Gateway wins over ListenerSets, and the older ListenerSet over the younger. A listener whose protocol isn't
// supported binds nothing, and so takes nothing from others; one refused for its TLS settings does: the API leaves those out of what
// makes listeners distinct.
func (g *graph) findConflicts() {
	for _, gw := range g.gateways {
		c := claims{}
		c.add(gw.listeners)
		for _, s := range gw.sets {
			c.add(s.listeners)
		}
		for _, p := range c {
			p.findOverlaps()
		}
	}
}

// claims are what the listeners of a Gateway have, by port.
type claims map[int32]*portClaims

// portClaims are the listeners that have something of a port. The first ones may have several protocols, and then
// conflict.
type portClaims struct {
	byHostname map[string]*listener // the first
	byProtocol map[gatewayv1.ProtocolType]*listener
	listeners  []*listener
}

// add lets the listeners of one object claim what is left.
func (c claims) add(object []*listener) {
	ports := map[int32][]*listener{}
	for _, l := range object {
		if l.conflict = c.lost(l); l.conflict == nil && l.binds() {
			ports[l.spec.Port] = append(ports[l.spec.Port], l)
		}
	}
	for port, same := range ports {
		p := c[port]
		if p == nil {
			p = &portClaims{byHostname: map[string]*listener{}, byProtocol: map[gatewayv1.ProtocolType]*listener{}}
			c[port] = p
		}
		for _, l := range same {
			l.conflict = conflictOf(l, same)
		}
		for _, l := range same {
			p.listeners = append(p.listeners, l)
			first(p.byHostname, l.hostname, l)
			first(p.byProtocol, l.spec.Protocol, l)
		}
	}
}

// binds says whether the listener has a protocol that is supported.
func (l *listener) binds() bool {
	return l.refused == nil || l.refused.reason != string(gatewayv1.ListenerReasonUnsupportedProtocol)
}

// lost says what an older object has that the listener wants.
func (c claims) lost(l *listener) *problem {
	p := c[l.spec.Port]
	if p == nil {
		return nil
	}
	for _, protocol := range []gatewayv1.ProtocolType{gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType} {
		if other := p.byProtocol[protocol]; other != nil && protocol != l.spec.Protocol {
			return protocolConflict(l, fmt.Sprintf("%s (%s)", other.seenFrom(l), protocol), "use another port here")
		}
	}
	if other := p.byHostname[l.hostname]; other != nil {
		return hostnameConflict(l, other.seenFrom(l), "use another hostname or port here")
	}
	return nil
}

// conflictOf says which listeners of the same object one conflicts with.
func conflictOf(l *listener, port []*listener) *problem {
	var protocol, hostname []string
	for _, other := range port {
		switch {
		case other == l:
		case other.spec.Protocol != l.spec.Protocol:
			protocol = append(protocol, fmt.Sprintf("%q (%s)", other.spec.Name, other.spec.Protocol))
		case other.hostname == l.hostname:
			hostname = append(hostname, fmt.Sprintf("%q", other.spec.Name))
		}
	}
	switch {
	case len(protocol) > 0:
		return protocolConflict(l, strings.Join(protocol, ", "), "give one of them another port")
	case len(hostname) > 0:
		return hostnameConflict(l, strings.Join(hostname, ", "), "give one of them another hostname or port")
	}
	return nil
}

func protocolConflict(l *listener, others, remedy string) *problem {
	return &problem{
		string(gatewayv1.ListenerReasonProtocolConflict),
		fmt.Sprintf("%s.protocol: port %d has another protocol on listener %s; %s", l.field, l.spec.Port, others, remedy),
	}
}

func hostnameConflict(l *listener, others, remedy string) *problem {
	return &problem{
		string(gatewayv1.ListenerReasonHostnameConflict),
		fmt.Sprintf("%s.hostname: listener %s has the same hostname on port %d; %s", l.field, others, l.spec.Port, remedy),
	}
}

// findOverlaps tells the HTTPS listeners of the port of each other where they have hosts in common. Those with a name above
// another's are found by its labels: there may be thousands.
func (p *portClaims) findOverlaps() {
	overlap := map[*listener][]*listener{}
	byHostname := map[string]*listener{}
	for _, l := range p.listeners {
		if l.spec.Protocol == gatewayv1.HTTPSProtocolType && l.refused == nil && l.conflict == nil {
			byHostname[l.hostname] = l
		}
	}
	for _, l := range byHostname {
		for _, above := range namesAbove(l.hostname) {
			if other := byHostname[above]; other != nil {
				overlap[l], overlap[other] = append(overlap[l], other), append(overlap[other], l)
			}
		}
	}
	if len(overlap) == 0 {
		return
	}
	place := make(map[*listener]int, len(p.listeners))
	for i, l := range p.listeners {
		place[l] = i
	}
	for l, others := range overlap {
		slices.SortFunc(others, func(a, b *listener) int { return place[a] - place[b] })
		for _, other := range others[:min(len(others), maxNamed)] {
			l.overlaps = append(l.overlaps, other.seenFrom(l))
		}
		if n := len(others) - maxNamed; n > 0 {
			l.overlaps = append(l.overlaps, fmt.Sprintf("%d more", n))
		}
	}
}

// namesAbove are the hostnames, other than itself, that have all hosts of one: "*.b.c", "*.c" and "" for "a.b.c".
func namesAbove(hostname string) []string {
	if hostname == "" {
		return nil
	}
	out := []string{""}
	for rest := parentDomain(strings.TrimPrefix(hostname, "*.")); rest != ""; rest = parentDomain(rest) {
		out = append(out, "*."+rest)
	}
	return out
}

// claimPorts gives each address and port to one Gateway: to the oldest that has a listener there itself, else to that of the oldest
// ListenerSet, so that nobody's ListenerSet takes a port from a Gateway. Only accepted listeners claim one; whether their certificates
// are there doesn't matter, so that a new certificate takes no port away.
func (g *graph) claimPorts() {
	owners := portOwners{}
	for _, gw := range g.gateways {
		for _, l := range gw.listeners {
			owners.claim(l)
		}
	}
	for _, s := range g.sets {
		for _, l := range s.listeners {
			owners.claim(l)
		}
	}
}

// portOwners are the Gateways that have a port, on addresses of their own.
type portOwners map[int32][]*gateway

func (owners portOwners) claim(l *listener) {
	gw := l.gateway
	if gw.refused != nil || gw.unserved || l.refused != nil || l.conflict != nil {
		return
	}
	if slices.Contains(owners[l.spec.Port], gw) {
		return
	}
	for _, owner := range owners[l.spec.Port] {
		if !owner.bindsLike(gw) {
			continue
		}
		who := "the older Gateway"
		if l.set != nil {
			who = "Gateway" // It may be a younger one.
		}
		l.refuse(gatewayv1.ListenerReasonPortUnavailable, fmt.Sprintf(
			"%s.port: port %d is taken by %s %s; use another port, or give both Gateways IP addresses of their own in spec.addresses",
			l.field, l.spec.Port, who, owner.name))
		return
	}
	owners[l.spec.Port] = append(owners[l.spec.Port], gw)
}
