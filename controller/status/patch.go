package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Operation is one step of a JSON Patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Patch is what has to be changed in the status of one object, and nothing else: what others wrote isn't named in
// it, so that it stays byte for byte (R26). It is only right for the object that it was computed from, so whoever
// sends it lets the API server compare the resourceVersion.
type Patch struct {
	// Operations are empty when the status is right already.
	Operations []Operation
	// Turned are the refusals that the status didn't have before, in words for an Event.
	Turned []Refusal

	report *Report
	now    metav1.Time
}

// Current is the status that an object has; the fields are those of Report.
type Current struct {
	GatewayClass *gatewayv1.GatewayClassStatus
	Gateway      *gatewayv1.GatewayStatus
	ListenerSet  *gatewayv1.ListenerSetStatus
	Route        *gatewayv1.RouteStatus
	Policy       *gatewayv1.PolicyStatus
}

// Owned says whether an entry with our controllerName for a parent is this program's to remove: another one with
// the same name may serve other Gateways.
type Owned func(ref gatewayv1.ParentReference) bool

// The condition types that this controller writes, by where they stand. It removes those that it no longer has
// anything to say by; all others are foreign.
var (
	classTypes   = typesOf(gatewayv1.GatewayClassConditionStatusAccepted, gatewayv1.GatewayClassConditionStatusSupportedVersion)
	gatewayTypes = typesOf(gatewayv1.GatewayConditionAccepted, gatewayv1.GatewayConditionProgrammed, gatewayv1.GatewayConditionResolvedRefs,
		gatewayv1.GatewayConditionInsecureFrontendValidationMode)
	setTypes = typesOf(gatewayv1.ListenerSetConditionAccepted, gatewayv1.ListenerSetConditionProgrammed)
	// listenerTypes are those of the listeners of Gateways and of ListenerSets.
	listenerTypes = typesOf(gatewayv1.ListenerConditionAccepted, gatewayv1.ListenerConditionConflicted, gatewayv1.ListenerConditionProgrammed,
		gatewayv1.ListenerConditionResolvedRefs, gatewayv1.ListenerConditionOverlappingTLSConfig)
	routeTypes = typesOf(gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteConditionPartiallyInvalid,
		ConditionEndpointsFound)
	policyTypes = typesOf(gatewayv1.PolicyConditionAccepted, gatewayv1.BackendTLSPolicyConditionResolvedRefs)
)

func typesOf[T ~string](types ...T) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = string(t)
	}
	return out
}

// maxEntries is how many entries a status has room for.
const (
	maxRouteParents    = 32
	maxPolicyAncestors = 16
)

// Difference works out how an object's status becomes what a report says. controller is our controllerName, now
// the time of conditions that turn (R29). A report of another generation than the object's has nothing to say of it: it
// is for a spec that is gone, and the report for the new one follows.
func Difference(current Current, r *Report, controller string, owned Owned, now metav1.Time) Patch {
	p := Patch{report: r, now: now}
	switch {
	case r.GatewayClass != nil && current.GatewayClass != nil:
		p.class(current.GatewayClass, r.GatewayClass)
	case r.Gateway != nil && current.Gateway != nil:
		p.gateway(current.Gateway, r.Gateway)
	case r.ListenerSet != nil && current.ListenerSet != nil:
		p.listenerSet(current.ListenerSet, r.ListenerSet)
	case r.Route != nil && current.Route != nil:
		list := entries{path: "/status/parents", types: routeTypes, room: maxRouteParents, word: "parentRef "}
		for i := range current.Route.Parents {
			e := &current.Route.Parents[i]
			list.have = append(list.have, entry{&e.ParentRef, e.ControllerName, e.Conditions, nil})
		}
		for i := range r.Route.Parents {
			e := &r.Route.Parents[i]
			list.want = append(list.want, entry{&e.ParentRef, e.ControllerName, e.Conditions, e})
		}
		p.entries(list, gatewayv1.GatewayController(controller), owned)
	case r.Policy != nil && current.Policy != nil:
		list := entries{path: "/status/ancestors", types: policyTypes, room: maxPolicyAncestors, word: "ancestorRef "}
		for i := range current.Policy.Ancestors {
			e := &current.Policy.Ancestors[i]
			list.have = append(list.have, entry{&e.AncestorRef, e.ControllerName, e.Conditions, nil})
		}
		for i := range r.Policy.Ancestors {
			e := &r.Policy.Ancestors[i]
			list.want = append(list.want, entry{&e.AncestorRef, e.ControllerName, e.Conditions, e})
		}
		p.entries(list, gatewayv1.GatewayController(controller), owned)
	}
	return p
}

// Mentions says whether a status has an entry of ours.
func (c Current) Mentions(controller string, owned Owned) bool {
	if c.Route != nil {
		return slices.ContainsFunc(c.Route.Parents, func(e gatewayv1.RouteParentStatus) bool {
			return string(e.ControllerName) == controller && owned(e.ParentRef)
		})
	}
	if c.Policy != nil {
		return slices.ContainsFunc(c.Policy.Ancestors, func(e gatewayv1.PolicyAncestorStatus) bool {
			return string(e.ControllerName) == controller && owned(e.AncestorRef)
		})
	}
	return false
}

func (p *Patch) add(path string, value any) {
	p.Operations = append(p.Operations, Operation{"add", path, value})
}

func (p *Patch) remove(path string) {
	p.Operations = append(p.Operations, Operation{Op: "remove", Path: path})
}

func (p *Patch) class(have, want *gatewayv1.GatewayClassStatus) {
	if len(have.Conditions)+len(have.SupportedFeatures) == 0 {
		p.add("/status", struct{}{})
	}
	p.conditions("", "/status/conditions", classTypes, have.Conditions, want.Conditions)
	p.list("/status/supportedFeatures", len(have.SupportedFeatures), len(want.SupportedFeatures),
		slices.Equal(have.SupportedFeatures, want.SupportedFeatures), want.SupportedFeatures)
}

func (p *Patch) gateway(have, want *gatewayv1.GatewayStatus) {
	if len(have.Conditions)+len(have.Addresses)+len(have.Listeners) == 0 && have.AttachedListenerSets == nil {
		p.add("/status", struct{}{})
	}
	p.list("/status/addresses", len(have.Addresses), len(want.Addresses), slices.EqualFunc(have.Addresses, want.Addresses, sameAddress),
		want.Addresses)
	p.conditions("", "/status/conditions", gatewayTypes, have.Conditions, want.Conditions)
	views := func(list []gatewayv1.ListenerStatus) []listenerView {
		out := make([]listenerView, len(list))
		for i, l := range list {
			out[i] = listenerView{l.Name, l.AttachedRoutes, l.SupportedKinds, l.Conditions}
		}
		return out
	}
	p.listeners(views(have.Listeners), views(want.Listeners))
	switch n := want.AttachedListenerSets; {
	case n == nil && have.AttachedListenerSets != nil:
		p.remove("/status/attachedListenerSets")
	case n != nil && (have.AttachedListenerSets == nil || *have.AttachedListenerSets != *n):
		p.add("/status/attachedListenerSets", *n)
	}
}

func (p *Patch) listenerSet(have, want *gatewayv1.ListenerSetStatus) {
	if len(have.Conditions)+len(have.Listeners) == 0 {
		p.add("/status", struct{}{})
	}
	p.conditions("", "/status/conditions", setTypes, have.Conditions, want.Conditions)
	views := func(list []gatewayv1.ListenerEntryStatus) []listenerView {
		out := make([]listenerView, len(list))
		for i, l := range list {
			out[i] = listenerView{l.Name, l.AttachedRoutes, l.SupportedKinds, l.Conditions}
		}
		return out
	}
	p.listeners(views(have.Listeners), views(want.Listeners))
}

// list writes a list that is ours as a whole.
func (p *Patch) list(path string, have, want int, same bool, value any) {
	switch {
	case same:
	case want > 0:
		p.add(path, value)
	case have > 0:
		p.remove(path)
	}
}

func sameAddress(a, b gatewayv1.GatewayStatusAddress) bool {
	ip, scope := gatewayv1.IPAddressType, gatewayv1.GatewayAddressRoutabilityDefault
	return a.Value == b.Value && *cmp.Or(a.Type, &ip) == *cmp.Or(b.Type, &ip) &&
		*cmp.Or(a.Routability, &scope) == *cmp.Or(b.Routability, &scope)
}

// listenerView is the status of a listener, of a Gateway or of a ListenerSet.
type listenerView struct {
	Name           gatewayv1.SectionName      `json:"name"`
	AttachedRoutes int32                      `json:"attachedRoutes"`
	SupportedKinds []gatewayv1.RouteGroupKind `json:"supportedKinds"`
	Conditions     []metav1.Condition         `json:"conditions"`
}

// listeners writes the statuses of listeners, which are matched by name.
func (p *Patch) listeners(have, want []listenerView) {
	const path = "/status/listeners"
	if len(have) == 0 && len(want) > 0 {
		p.add(path, []listenerView{})
	}
	at := map[gatewayv1.SectionName]int{}
	for i, l := range have {
		at[l.Name] = i
	}
	var added []listenerView
	wanted := map[gatewayv1.SectionName]bool{}
	for _, w := range want {
		wanted[w.Name] = true
		i, ok := at[w.Name]
		if !ok {
			added = append(added, w)
			continue
		}
		h, place := have[i], path+"/"+strconv.Itoa(i)
		if h.AttachedRoutes != w.AttachedRoutes {
			p.add(place+"/attachedRoutes", w.AttachedRoutes)
		}
		if !slices.EqualFunc(h.SupportedKinds, w.SupportedKinds, sameKind) || h.SupportedKinds == nil && w.SupportedKinds != nil {
			p.add(place+"/supportedKinds", w.SupportedKinds)
		}
		p.conditions(fmt.Sprintf("listener %q", w.Name), place+"/conditions", listenerTypes, h.Conditions, w.Conditions)
	}
	for i, h := range slices.Backward(have) {
		if !wanted[h.Name] {
			p.remove(path + "/" + strconv.Itoa(i))
		}
	}
	for _, w := range added {
		w.Conditions = p.fresh(fmt.Sprintf("listener %q", w.Name), w.Conditions)
		p.add(path+"/-", w)
	}
}

func sameKind(a, b gatewayv1.RouteGroupKind) bool {
	group := gatewayv1.Group(gatewayv1.GroupName)
	return a.Kind == b.Kind && *cmp.Or(a.Group, &group) == *cmp.Or(b.Group, &group)
}
