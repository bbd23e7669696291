package translate

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// absence says which parents a whole snapshot lacks.
type absence struct {
	gateways map[name]bool
	// sets are the ListenerSets; false for one whose own Gateway is absent.
	sets map[name]bool
}

// why says what is wrong with a parent; "" for one that is there, and somebody for what may be another controller's.
func (a *absence) why(to referent.Object) (why string, somebody bool) {
	there, known := false, false
	switch {
	case to.IsGateway():
		there = a.gateways[namedBy(to)]
	case to.IsListenerSet():
		there, known = a.sets[namedBy(to)]
	default:
		return "", true
	}
	switch {
	case there:
		return "", false
	case known:
		return fmt.Sprintf("%s %s is attached to no Gateway of the input; its own status says why", to.Kind, to), false
	}
	return fmt.Sprintf("%s %s is not in the input; add it, or mend the name", to.Kind, to), false
}

// tellMissing refuses what names a parent that a whole snapshot doesn't have. A route with a parent of another kind, or with one that
// another controller serves, is somebody else's.
func (g *graph) tellMissing(out []status.Report) []status.Report {
	if !g.options.Whole {
		return out
	}
	a := absence{gateways: map[name]bool{}, sets: map[name]bool{}}
	for _, o := range g.in.Gateways {
		a.gateways[nameOf(o)] = true
	}
	for _, o := range g.in.ListenerSets {
		to := referent.SetParent(o)
		a.sets[nameOf(o)] = to.IsGateway() && a.gateways[namedBy(to)]
		switch why, somebody := a.why(to); {
		case to.IsListenerSet():
			out = append(out, orphanSet(o, "spec.parentRef: a ListenerSet can't be attached to another one; name a Gateway"))
		case why != "" && !somebody:
			out = append(out, orphanSet(o, "spec.parentRef: "+why))
		}
	}
	var places map[status.RouteName]int
	tell := func(kind string, meta *metav1.ObjectMeta, refs []gatewayv1.ParentReference) {
		entries := g.missingParents(&a, meta, refs)
		if len(entries) == 0 {
			return
		}
		if places == nil {
			places = routePlaces(out)
		}
		if i, ok := places[status.RouteName{Kind: kind, Namespace: meta.Namespace, Name: meta.Name}]; ok {
			out[i].Route = &gatewayv1.RouteStatus{Parents: append(out[i].Route.Parents, entries...)}
			return
		}
		r := newReport(kind, meta)
		r.Route = &gatewayv1.RouteStatus{Parents: entries}
		out = append(out, r)
	}
	for _, o := range g.in.GRPCRoutes {
		tell(string(model.GRPCRoute), &o.ObjectMeta, o.Spec.ParentRefs)
	}
	for _, o := range g.in.HTTPRoutes {
		tell(string(model.HTTPRoute), &o.ObjectMeta, o.Spec.ParentRefs)
	}
	return out
}

// routePlaces are where the reports of routes are.
func routePlaces(reports []status.Report) map[status.RouteName]int {
	places := make(map[status.RouteName]int, len(reports))
	for i := range reports {
		if r := &reports[i]; r.Route != nil {
			places[status.RouteName{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}] = i
		}
	}
	return places
}

// missingParents are the entries of a route's status for parents that aren't there.
func (g *graph) missingParents(a *absence, meta *metav1.ObjectMeta, refs []gatewayv1.ParentReference) []gatewayv1.RouteParentStatus {
	var entries []gatewayv1.RouteParentStatus
	for i := range refs {
		why, somebody := a.why(referent.Parent(&refs[i], meta.Namespace))
		if p := (parent{ref: &refs[i]}); somebody || why == "" && !g.findParent(&p, meta.Namespace) {
			return nil
		}
		if why == "" {
			continue
		}
		entries = append(entries, gatewayv1.RouteParentStatus{
			ParentRef: refs[i], ControllerName: gatewayv1.GatewayController(g.options.Controller),
			Conditions: []metav1.Condition{status.RouteNotAccepted(meta.Generation, gatewayv1.RouteReasonNoMatchingParent,
				fmt.Sprintf("spec.parentRefs[%d]: %s", i, why))},
		})
	}
	return entries
}

// orphanSet is the report of a ListenerSet whose Gateway isn't there.
func orphanSet(o *gatewayv1.ListenerSet, why string) status.Report {
	r := newReport(kindListenerSet, o)
	// The API has no reason for it.
	const reason = gatewayv1.ListenerSetReasonParentNotAccepted
	r.ListenerSet = &gatewayv1.ListenerSetStatus{Conditions: []metav1.Condition{
		status.ListenerSetNotAccepted(r.Generation, reason, why),
		status.ListenerSetNotProgrammed(r.Generation, reason, "the ListenerSet isn't accepted"),
	}}
	return r
}
