package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// reasonHostnameConflict refuses a route whose hosts a route of the other kind has (R25); the API names no
// reason for it.
const reasonHostnameConflict gatewayv1.RouteConditionReason = "HostnameConflict"

// reasonProtocolConflict refuses a route whose protocol its listeners' ports can't speak beside that of an older route; the API
// names no reason for it.
const reasonProtocolConflict gatewayv1.RouteConditionReason = "ProtocolConflict"

// attachRoutes joins routes to listeners, the oldest first: so the first of two that can't both have a host
// is the one that keeps it.
func (g *graph) attachRoutes() {
	mixed := len(g.in.HTTPRoutes) > 0 && len(g.in.GRPCRoutes) > 0
	for _, r := range g.routes {
		for _, p := range r.parents {
			g.selectListeners(r, p)
			if p.refused != nil {
				continue
			}
			if problem := r.invalid(); problem != nil {
				p.refused = problem
				continue
			}
			if mixed && !p.gateway.shares {
				p.leaveTaken(r)
			}
			if p.refused == nil && r.unserved != "" {
				p.refuse(gatewayv1.RouteReasonNotAllowedByListeners, r.unserved)
			}
			if p.refused == nil && r.web != nil && !g.caps.Has(model.FeatureHTTP1Shared) {
				g.leaveCleartext(p, r)
			}
			if p.refused == nil && !g.caps.Has(model.FeatureHTTP1Shared) {
				g.leavePorts(p, r)
			}
			if p.refused == nil {
				p.leaveFull(r)
			}
			if p.refused == nil {
				g.attach(p, r)
			}
		}
	}
}

// selectListeners finds the listeners that a parentRef reaches, and narrows them as R24 has it. Listeners that
// aren't accepted count too: routes attach to them all the same.
func (g *graph) selectListeners(r *route, p *parent) {
	if p.set != nil && p.set.refused != nil {
		p.refuse(gatewayv1.RouteReasonNoMatchingParent,
			fmt.Sprintf("%s isn't attached to a Gateway, so it has no listeners; its own status says why", p.object()))
		return
	}
	narrow := func(reason gatewayv1.RouteConditionReason, why func() string, keep func(*listener) bool) {
		if p.refused != nil {
			return
		}
		// The parent's own list is read only.
		var kept []*listener
		for _, l := range p.listeners {
			if keep(l) {
				kept = append(kept, l)
			}
		}
		if p.listeners = kept; len(kept) == 0 {
			p.refuse(reason, why())
		}
	}
	p.listeners = p.owned()
	if p.ref.SectionName != nil || p.ref.Port != nil || len(p.listeners) == 0 {
		narrow(gatewayv1.RouteReasonNoMatchingParent, func() string { return noListener(p) }, p.names)
	}
	narrow(gatewayv1.RouteReasonNotAllowedByListeners, func() string {
		return fmt.Sprintf("no listener of %s%s takes a %s; change its allowedRoutes.kinds or protocol", p.object(),
			p.section(" (listener", ")"), r.kind)
	}, func(l *listener) bool { return l.allowed[r.kind] })
	narrow(gatewayv1.RouteReasonNotAllowedByListeners, func() string {
		return fmt.Sprintf("allowedRoutes.namespaces of %s%s doesn't take routes of namespace %s; change it there, or move the route",
			p.object(), p.section(" (listener", ")"), r.name.namespace)
	}, func(l *listener) bool { return l.namespaces.allows(r.name.namespace, g.index.labelsOf) })
	narrow(gatewayv1.RouteReasonNoMatchingListenerHostname, func() string {
		return fmt.Sprintf("spec.hostnames: none of %s has hosts in common with a hostname of %s%s",
			strings.Join(r.hostnames, ", "), p.object(), p.section(" (listener", ")"))
	}, func(l *listener) bool {
		return slices.ContainsFunc(r.hostnames, func(h string) bool { _, ok := model.HostnameIntersection(l.hostname, h); return ok })
	})
}

// names says whether a parentRef's sectionName and port mean a listener.
func (p *parent) names(l *listener) bool {
	return (p.ref.SectionName == nil || *p.ref.SectionName == "" || *p.ref.SectionName == l.spec.Name) &&
		(p.ref.Port == nil || *p.ref.Port == l.spec.Port)
}

func noListener(p *parent) string {
	var have []string
	for _, l := range p.owned() {
		have = append(have, fmt.Sprintf("%q (port %d)", l.spec.Name, l.spec.Port))
	}
	return fmt.Sprintf("parentRefs: %s has no listener%s; it has %s", p.object(), p.section("", ""), strings.Join(have, ", "))
}

// section says which listeners a parentRef asks for, between two texts; "" when it asks for all.
func (p *parent) section(before, after string) string {
	s := ""
	if p.ref.SectionName != nil {
		s += fmt.Sprintf(" %q", *p.ref.SectionName)
	}
	if p.ref.Port != nil {
		s += fmt.Sprintf(" of port %d", *p.ref.Port)
	}
	if s == "" {
		return ""
	}
	return before + s + after
}

func (p *parent) refuse(reason gatewayv1.RouteConditionReason, message string) {
	p.refused = &problem{string(reason), message}
}

// leaveTaken drops the listeners where an older route of the other kind has a host of this route, and takes
// the hosts of the others (R25).
func (p *parent) leaveTaken(r *route) {
	other := model.HTTPRoute
	if r.kind == other {
		other = model.GRPCRoute
	}
	var kept []*listener
	for _, l := range p.listeners {
		if l.hosts == nil {
			l.hosts = map[model.RouteKind]*hostSet{model.GRPCRoute: newHostSet(), model.HTTPRoute: newHostSet()}
		}
		owner := ""
		for _, h := range r.hostnames {
			if both, ok := model.HostnameIntersection(l.hostname, h); ok && owner == "" {
				owner = l.hosts[other].intersects(both)
			}
		}
		if owner != "" {
			p.lost = append(p.lost, fmt.Sprintf("listener %q: %s is older and has hosts in common", l.spec.Name, owner))
			continue
		}
		for _, h := range r.hostnames {
			if both, ok := model.HostnameIntersection(l.hostname, h); ok {
				l.hosts[r.kind].add(both, r.object())
			}
		}
		kept = append(kept, l)
	}
	if p.listeners = kept; len(kept) == 0 {
		p.refuse(reasonHostnameConflict, fmt.Sprintf(
			"a GRPCRoute and an HTTPRoute can't share a host: %s; give them different hostnames or listeners", strings.Join(p.lost, "; ")))
	}
}

// leavePorts drops the listeners of ports in cleartext that an older route made ports for the other kind: on a proxy
// that speaks HTTP/2 or HTTP/1.1 there, and not both.
func (g *graph) leavePorts(p *parent, r *route) {
	var kept []*listener
	var lost []string
	for _, l := range p.listeners {
		if l.spec.Protocol != gatewayv1.HTTPProtocolType {
			kept = append(kept, l)
			continue
		}
		if p.gateway.portKinds == nil {
			p.gateway.portKinds = map[int32]*route{}
		}
		owner := p.gateway.portKinds[l.spec.Port]
		if owner == nil {
			owner = r
			p.gateway.portKinds[l.spec.Port] = r
		}
		l.portKind = []string{fmt.Sprintf("port %d is one for %ss, for %s is the oldest route of it: %s", l.spec.Port, owner.kind, owner.object(),
			g.caps.Missing[model.FeatureHTTP1Shared])}
		if owner.kind == r.kind {
			kept = append(kept, l)
			continue
		}
		lost = append(lost, fmt.Sprintf("listener %q: %s is older, and port %d is one for %ss: %s", l.spec.Name, owner.object(), l.spec.Port,
			owner.kind, g.caps.Missing[model.FeatureHTTP1Shared]))
	}
	if p.listeners = kept; len(kept) == 0 {
		p.refuse(reasonProtocolConflict, fmt.Sprintf("%s; give the routes listeners with different ports, or with protocol HTTPS",
			strings.Join(lost, "; ")))
		return
	}
	p.lost = append(p.lost, lost...)
}

// attach counts the route on its listeners and puts its rules under its hostnames.
func (g *graph) attach(p *parent, r *route) {
	for _, l := range p.listeners {
		if l.last == r {
			continue // by another parentRef already
		}
		l.last = r
		l.attached++
		if !l.served() {
			continue
		}
		for _, key := range r.sends {
			if c := g.clusterFor(p.gateway, key); c != nil {
				c.used = true
			}
		}
		rules := g.rulesFor(p.gateway, r)
		for _, h := range r.hostnames {
			if _, ok := model.HostnameIntersection(l.hostname, h); ok && len(r.rules) > 0 {
				s := l.scope(scopeKey{h, r.kind})
				s.rules = append(s.rules, rules...)
			}
		}
	}
	g.usePolicies(r, p.gateway.name)
	g.addAncestor(p.gateway, r)
}

func (l *listener) scope(key scopeKey) *scope {
	s := l.scopes[key]
	if s == nil {
		if l.scopes == nil {
			l.scopes = map[scopeKey]*scope{}
		}
		s = &scope{scopeKey: key}
		l.scopes[key] = s
	}
	return s
}
