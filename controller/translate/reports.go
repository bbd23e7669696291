package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
)

// reports writes the status of everything of ours.
func (g *graph) reports() []status.Report {
	out := make([]status.Report, 0, len(g.classes)+len(g.gateways)+len(g.sets)+len(g.routes)+len(g.policies))
	for _, c := range g.classes {
		out = append(out, g.classReport(c))
	}
	named := map[*gateway]bool{}
	for _, s := range g.sets {
		named[s.gateway] = true
		out = append(out, s.report())
	}
	for _, gw := range g.gateways {
		report := gw.report()
		report.Gateway.AttachedListenerSets = gw.attachedSets(named[gw])
		out = append(out, report)
	}
	parents := 0
	for _, r := range g.routes {
		parents += len(r.parents)
	}
	slab := routeSlab{
		statuses: make([]gatewayv1.RouteStatus, 0, len(g.routes)),
		parents:  make([]gatewayv1.RouteParentStatus, 0, parents),
		// Three conditions at most for each parent.
		conditions: make([]metav1.Condition, 0, 3*parents),
	}
	for _, r := range g.routes {
		out = append(out, g.routeReport(r, &slab))
	}
	out = g.tellMissing(out)
	for _, p := range g.policies {
		if len(p.ancestors) > 0 {
			out = append(out, g.policyReport(p))
		}
	}
	out = append(out, g.callPolicyReports()...)
	out = append(out, g.parametersReports()...)
	slices.SortFunc(out, func(a, b status.Report) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func newReport(kind string, o metav1.Object) status.Report {
	return status.Report{
		APIVersion: gatewayv1.GroupVersion.String(), Kind: kind,
		Namespace: o.GetNamespace(), Name: o.GetName(), Generation: o.GetGeneration(),
	}
}

func (g *graph) classReport(c *class) status.Report {
	r := newReport("GatewayClass", c.object)
	accepted := status.ClassAccepted(r.Generation)
	if c.refused != "" {
		accepted = status.ClassInvalidParameters(r.Generation, c.refused)
	}
	r.GatewayClass = &gatewayv1.GatewayClassStatus{
		Conditions:        []metav1.Condition{accepted, supportedVersion(r.Generation, g.options.BundleVersion)},
		SupportedFeatures: g.features(),
	}
	return r
}

func (gw *gateway) report() status.Report {
	r := newReport(kindGateway, gw.object)
	s := &gatewayv1.GatewayStatus{Conditions: []metav1.Condition{
		gw.accepted(r.Generation), gw.resolvedRefs(r.Generation), gw.programmed(r.Generation),
	}}
	r.Gateway = s
	if message := gw.insecureFallback(); message != "" {
		s.Conditions = append(s.Conditions, status.GatewayInsecureFrontend(r.Generation, message))
	}
	if gw.refused == nil {
		s.Addresses = append(s.Addresses, gw.published...)
		for _, a := range gw.addresses {
			s.Addresses = append(s.Addresses, ipAddress(a))
		}
	}
	for _, l := range gw.listeners {
		s.Listeners = append(s.Listeners, l.status(r.Generation))
	}
	return r
}

func (gw *gateway) accepted(gen int64) metav1.Condition {
	if gw.refused != nil {
		return status.GatewayNotAccepted(gen, gatewayv1.GatewayConditionReason(gw.refused.reason), gw.refused.message)
	}
	good, bad := listenerStates(gw.listeners)
	notes := strings.Join(gw.notes, "; ")
	if len(bad) == 0 {
		return status.GatewayAccepted(gen, cmp.Or(notes, "all listeners are accepted"))
	}
	accepted := slices.ContainsFunc(gw.listeners, func(l *listener) bool { return l.refused == nil && l.conflict == nil })
	if n := *gw.attachedSets(true); n > 0 {
		good = append(good, fmt.Sprintf("listeners of ListenerSets (%d)", n))
		accepted = true // They are listeners of the Gateway too.
	}
	message := "listener " + strings.Join(bad, ", ") + "; accepted: " + cmp.Or(strings.Join(good, ", "), "none")
	if notes != "" {
		message += "; " + notes
	}
	return status.GatewayListenersNotValid(gen, accepted, message)
}

// listenerStates names those listeners of an object that are fine, and says of the others in short what they lack.
func listenerStates(listeners []*listener) (good, bad []string) {
	for _, l := range listeners {
		quoted := `"` + string(l.spec.Name) + `"`
		switch {
		case l.valid():
			good = append(good, quoted)
		case l.conflict != nil:
			bad = append(bad, quoted+" is conflicted")
		case l.refused != nil:
			bad = append(bad, quoted+" isn't accepted")
		default:
			bad = append(bad, quoted+" has no certificate")
		}
	}
	return good, bad
}

func (gw *gateway) resolvedRefs(gen int64) metav1.Condition {
	refs := gw.refs
	var unresolved []string
	for _, l := range gw.listeners {
		if len(l.refs) > 0 {
			unresolved = append(unresolved, `"`+string(l.spec.Name)+`"`)
		}
	}
	if len(unresolved) > 0 {
		refs = append(slices.Clip(refs), problem{
			string(gatewayv1.GatewayReasonListenersNotResolved),
			"references of listener " + strings.Join(unresolved, ", ") + " aren't resolved; its own status says which",
		})
	}
	if len(refs) == 0 {
		return status.GatewayResolvedRefs(gen)
	}
	return status.GatewayRefsNotResolved(gen, gatewayv1.GatewayConditionReason(refs[0].reason), messages(refs, "; "))
}

func (gw *gateway) programmed(gen int64) metav1.Condition {
	switch {
	case gw.refused != nil:
		return status.GatewayNotProgrammed(gen, gatewayv1.GatewayReasonInvalid, "the Gateway isn't accepted")
	case gw.unprogrammed != nil:
		return status.GatewayNotProgrammed(gen, gatewayv1.GatewayConditionReason(gw.unprogrammed.reason), gw.unprogrammed.message)
	case !slices.ContainsFunc(gw.all, (*listener).served):
		return status.GatewayNotProgrammed(gen, gatewayv1.GatewayReasonInvalid, "no listener can be served")
	}
	return status.GatewayPending(gen)
}

// lacksCertificate says that every certificate of an HTTPS listener is missing or bad.
func (l *listener) lacksCertificate() bool {
	return l.spec.Protocol == gatewayv1.HTTPSProtocolType && len(l.keyPairs) == 0
}

func (l *listener) status(gen int64) gatewayv1.ListenerStatus {
	return gatewayv1.ListenerStatus{
		Name: l.spec.Name, SupportedKinds: l.kinds, AttachedRoutes: l.attached, Conditions: l.conditions(gen),
	}
}

func (l *listener) conditions(gen int64) []metav1.Condition {
	accepted, conflicted := status.ListenerAccepted(gen, l.portKind...), status.ListenerNoConflicts(gen)
	resolved, programmed := status.ListenerResolvedRefs(gen, l.notes...), status.ListenerPending(gen)
	switch {
	case l.conflict != nil:
		reason := gatewayv1.ListenerConditionReason(l.conflict.reason)
		accepted = status.ListenerNotAccepted(gen, reason, l.conflict.message)
		conflicted = status.ListenerConflicted(gen, reason, l.conflict.message)
	case l.refused != nil:
		accepted = status.ListenerNotAccepted(gen, gatewayv1.ListenerConditionReason(l.refused.reason), l.refused.message)
	}
	if len(l.refs) > 0 {
		resolved = status.ListenerRefsNotResolved(gen, gatewayv1.ListenerConditionReason(l.refs[0].reason),
			strings.Join(append([]string{messages(l.refs, "; ")}, l.notes...), "; "))
	}
	switch {
	case l.served():
	case l.conflict != nil && l.set != nil:
		// The API has such a reason for listeners of ListenerSets.
		programmed = status.ListenerNotBound(gen, gatewayv1.ListenerConditionReason(l.conflict.reason), "the listener isn't accepted")
	case l.gateway.refused != nil:
		programmed = status.ListenerNotProgrammed(gen, "the Gateway isn't accepted")
	case l.refused != nil || l.conflict != nil:
		programmed = status.ListenerNotProgrammed(gen, "the listener isn't accepted")
	case l.lacksCertificate():
		programmed = status.ListenerNotProgrammed(gen, "the listener has no certificate that can be used")
	default:
		programmed = status.ListenerNotProgrammed(gen, "the Gateway has no address that can be used")
	}
	out := []metav1.Condition{accepted, conflicted, programmed, resolved}
	if len(l.overlaps) > 0 {
		out = append(out, status.ListenerOverlappingHostnames(gen, "listener "+strings.Join(l.overlaps, ", ")+
			" of the same port has hosts in common; a request for a host of the other listener gets 421 (Misdirected Request)"))
	}
	return out
}
