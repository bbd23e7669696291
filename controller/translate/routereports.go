package translate

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
)

// routeSlab is where the statuses of all routes are cut from: there are thousands of them, mostly alike.
type routeSlab struct {
	statuses   []gatewayv1.RouteStatus
	parents    []gatewayv1.RouteParentStatus
	conditions []metav1.Condition
}

func (g *graph) routeReport(r *route, slab *routeSlab) status.Report {
	report := newReport(string(r.kind), r.meta)
	start := len(slab.parents)
	for _, p := range r.parents {
		first := len(slab.conditions)
		slab.conditions = r.appendConditions(slab.conditions, p, report.Generation)
		slab.parents = append(slab.parents, gatewayv1.RouteParentStatus{
			ParentRef:      *p.ref,
			ControllerName: gatewayv1.GatewayController(g.options.Controller),
			Conditions:     slab.conditions[first:len(slab.conditions):len(slab.conditions)],
		})
	}
	slab.statuses = append(slab.statuses, gatewayv1.RouteStatus{
		Parents: slab.parents[start:len(slab.parents):len(slab.parents)],
	})
	report.Route = &slab.statuses[len(slab.statuses)-1]
	return report
}

// appendConditions adds the conditions of a route for one parent.
func (r *route) appendConditions(out []metav1.Condition, p *parent, gen int64) []metav1.Condition {
	if p.refused != nil {
		out = append(out, status.RouteNotAccepted(gen, gatewayv1.RouteConditionReason(p.refused.reason), p.refused.message))
	} else {
		out = append(out, status.RouteAccepted(gen, r.acceptedMessage(p)))
	}
	if r.unserved != "" {
		return out // its references weren't looked at
	}
	if len(r.refs) > 0 {
		out = append(out, status.RouteRefsNotResolved(gen, gatewayv1.RouteConditionReason(r.refs[0].reason), messages(r.refs, "; ")))
	} else {
		out = append(out, status.RouteResolvedRefs(gen))
	}
	if p.refused == nil && len(r.lacks) > 0 {
		first := r.lacks[0]
		if i := slices.IndexFunc(r.lacks, func(l problem) bool { return l.reason == status.ReasonNoEndpointPort }); i >= 0 {
			first = r.lacks[i] // What is certainly wrong gives the reason before what may still come.
		}
		out = append(out, status.RouteEndpointsNotFound(gen, first.reason, messages(r.lacks, "; ")))
	}
	if p.refused == nil && len(r.dropped) > 0 {
		out = append(out, status.RoutePartiallyInvalid(gen, "Dropped "+r.dropMessage()))
	}
	return out
}

// acceptedMessage says which part of an accepted route isn't served all the same.
func (r *route) acceptedMessage(p *parent) string {
	var notes []string
	if len(r.specs) == 0 {
		notes = append(notes, "the route has no rules, so it serves nothing")
	}
	unserved := 0
	for _, l := range p.listeners {
		if !l.served() {
			unserved++
		}
	}
	switch {
	case unserved == 0:
	case unserved == len(p.listeners):
		notes = append(notes, fmt.Sprintf("none of its listeners is served; %s says why", p.object()))
	default:
		notes = append(notes, fmt.Sprintf("%d of its %d listeners aren't served; %s says why", unserved, len(p.listeners),
			p.object()))
	}
	if s := r.defaultGateways; s != "" && s != gatewayv1.GatewayDefaultScopeNone {
		notes = append(notes, "spec.useDefaultGateways isn't supported: only parentRefs count")
	}
	notes = append(notes, p.lost...)
	notes = append(notes, r.notes[:min(len(r.notes), maxNamed)]...)
	if len(notes) == 0 {
		return "the route is accepted"
	}
	return "the route is accepted; " + strings.Join(notes, "; ")
}
