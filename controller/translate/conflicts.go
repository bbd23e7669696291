package translate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// findConflicts marks the listeners of a Gateway that no request could be told apart by: none of them wins,
// all are refused (R27). A listener whose protocol isn't supported binds nothing, and so conflicts with nothing;
// one refused for its TLS settings does: the API leaves those out of what makes listeners distinct.
func (g *graph) findConflicts() {
	for _, gw := range g.gateways {
		ports := map[int32][]*listener{}
		for _, l := range gw.listeners {
			if l.refused == nil || l.refused.reason != string(gatewayv1.ListenerReasonUnsupportedProtocol) {
				ports[l.spec.Port] = append(ports[l.spec.Port], l)
			}
		}
		for _, same := range ports {
			for _, l := range same {
				l.conflict = conflictOf(l, same)
			}
			for _, l := range same {
				l.findOverlaps(same)
			}
		}
	}
}

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
		return &problem{
			string(gatewayv1.ListenerReasonProtocolConflict),
			fmt.Sprintf("%s.protocol: port %d has another protocol on listener %s; give one of them another port",
				l.field, l.spec.Port, strings.Join(protocol, ", ")),
		}
	case len(hostname) > 0:
		return &problem{
			string(gatewayv1.ListenerReasonHostnameConflict),
			fmt.Sprintf("%s.hostname: listener %s has the same hostname on port %d; give one of them another hostname or port",
				l.field, strings.Join(hostname, ", "), l.spec.Port),
		}
	}
	return nil
}

// findOverlaps names the other HTTPS listeners of the port with hosts in common.
func (l *listener) findOverlaps(port []*listener) {
	if l.spec.Protocol != gatewayv1.HTTPSProtocolType || l.refused != nil || l.conflict != nil {
		return
	}
	for _, other := range port {
		if _, ok := model.HostnameIntersection(l.hostname, other.hostname); ok && other != l && other.refused == nil && other.conflict == nil {
			l.overlaps = append(l.overlaps, fmt.Sprintf("%q", other.spec.Name))
		}
	}
}

// claimPorts gives each address and port to the oldest Gateway that wants it. Only accepted listeners claim
// one; whether their certificates are there doesn't matter, so that a new certificate takes no port away.
func (g *graph) claimPorts() {
	owners := map[int32][]*gateway{}
	for _, gw := range g.gateways {
		if gw.refused != nil || gw.unserved {
			continue
		}
		for _, l := range gw.listeners {
			if l.refused != nil || l.conflict != nil {
				continue
			}
			taken := false
			for _, owner := range owners[l.spec.Port] {
				if owner == gw {
					taken = true
				} else if owner.bindsLike(gw) {
					taken = true
					l.refuse(gatewayv1.ListenerReasonPortUnavailable, fmt.Sprintf(
						"%s.port: port %d is taken by the older Gateway %s; use another port, or give both Gateways IP addresses of their own in "+
							"spec.addresses",
						l.field, l.spec.Port, owner.name))
					break
				}
			}
			if !taken {
				owners[l.spec.Port] = append(owners[l.spec.Port], gw)
			}
		}
	}
}
