package translate

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// addGateways takes the Gateways of our classes, oldest first, with their addresses.
func (g *graph) addGateways() {
	for _, o := range g.in.Gateways {
		c := g.byClass[o.Spec.GatewayClassName]
		if c == nil {
			continue
		}
		gw := &gateway{name: nameOf(o), object: o, class: c}
		g.gateways = append(g.gateways, gw)
		g.byName[gw.name] = gw
	}
	slices.SortFunc(g.gateways, func(a, b *gateway) int { return older(&a.object.ObjectMeta, &b.object.ObjectMeta) })
	for _, gw := range g.gateways {
		g.checkParameters(gw)
		gw.noteIgnored()
		gw.setSharing(g.options.CrossServing)
		if s := gw.object.Spec.DefaultScope; s != "" && s != gatewayv1.GatewayDefaultScopeNone {
			gw.notes = append(gw.notes, "spec.defaultScope isn't supported: routes must name this Gateway in parentRefs")
		}
		for i := range gw.object.Spec.Listeners {
			gw.listeners = append(gw.listeners, newListener(gw, nil, &gw.object.Spec.Listeners[i], i))
		}
	}
	g.assignAddresses()
}

// noteIgnored names the fields that change nothing here.
func (gw *gateway) noteIgnored() {
	spec := &gw.object.Spec
	if in := spec.Infrastructure; in != nil && len(in.Labels)+len(in.Annotations) > 0 {
		gw.notes = append(gw.notes, "spec.infrastructure: labels and annotations change nothing, for no resources are made for a Gateway")
	}
}

// noteUnusedPorts names the client settings of ports that no HTTPS listener has, of the Gateway or of a ListenerSet.
func (gw *gateway) noteUnusedPorts() {
	spec := &gw.object.Spec
	if spec.TLS == nil || spec.TLS.Frontend == nil {
		return
	}
	for i, p := range spec.TLS.Frontend.PerPort {
		if !slices.ContainsFunc(gw.all, func(l *listener) bool {
			return l.spec.Port == p.Port && l.spec.Protocol == gatewayv1.HTTPSProtocolType
		}) {
			gw.notes = append(gw.notes, fmt.Sprintf("spec.tls.frontend.perPort[%d] changes nothing: no HTTPS listener has port %d", i, p.Port))
		}
	}
}

func (gw *gateway) refuse(reason gatewayv1.GatewayConditionReason, message string) {
	gw.refused = join(gw.refused, string(reason), message)
}

func (gw *gateway) unprogram(reason gatewayv1.GatewayConditionReason, message string) {
	gw.unprogrammed = join(gw.unprogrammed, string(reason), message)
}

// join adds a problem to another: the first one's reason stays, the message names both.
func join(p *problem, reason, message string) *problem {
	if p == nil {
		return &problem{reason, message}
	}
	return &problem{p.reason, p.message + "; " + message}
}
