package translate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// addListenerSets takes the ListenerSets of our Gateways, the oldest first, and adds the listeners of those that a Gateway
// allows behind its own: the order in which they win conflicts.
func (g *graph) addListenerSets() {
	for _, gw := range g.gateways {
		gw.all = slices.Clip(gw.listeners)
	}
	for _, o := range g.in.ListenerSets {
		to := referent.SetParent(o)
		gw := g.byName[namedBy(to)]
		if gw == nil || !to.IsGateway() {
			continue
		}
		s := &listenerSet{object: o, name: nameOf(o), gateway: gw}
		g.sets = append(g.sets, s)
		g.bySet[s.name] = s
	}
	slices.SortFunc(g.sets, func(a, b *listenerSet) int { return older(&a.object.ObjectMeta, &b.object.ObjectMeta) })
	for _, s := range g.sets {
		if !AllowsListenerSets(s.gateway.object, s.name.namespace, g.index.labelsOf) {
			s.refused = &problem{string(gatewayv1.ListenerSetReasonNotAllowed), fmt.Sprintf(
				"spec.allowedListeners of %s doesn't take ListenerSets of namespace %s; change it there, or put the listeners into the Gateway",
				s.gateway, s.name.namespace)}
			continue
		}
		s.addListeners()
	}
	for _, gw := range g.gateways {
		gw.noteAllowedListeners()
		gw.noteUnusedPorts()
	}
}

func (s *listenerSet) addListeners() {
	for i := range s.object.Spec.Listeners {
		// The two types differ in their comments only.
		spec := gatewayv1.Listener(s.object.Spec.Listeners[i])
		s.listeners = append(s.listeners, newListener(s.gateway, s, &spec, i))
	}
	s.gateway.sets = append(s.gateway.sets, s)
	s.gateway.all = append(s.gateway.all, s.listeners...)
}

func newListener(gw *gateway, s *listenerSet, spec *gatewayv1.Listener, i int) *listener {
	return &listener{
		gateway: gw, set: s, spec: spec, field: fmt.Sprintf("spec.listeners[%d]", i),
		hostname: strings.ToLower(string(deref(spec.Hostname, ""))),
	}
}

// AllowsListenerSets says whether ListenerSets of a namespace may attach to a Gateway: by default none may.
func AllowsListenerSets(gw *gatewayv1.Gateway, namespace string, labelsOf func(namespace string) labels.Set) bool {
	rule, _ := allowedListeners(gw)
	return rule.allows(namespace, labelsOf)
}

func allowedListeners(gw *gatewayv1.Gateway) (rule namespaceRule, wrong string) {
	a := gw.Spec.AllowedListeners
	if a == nil || a.Namespaces == nil {
		return namespaceRule{}, ""
	}
	return readNamespaces(deref(a.Namespaces.From, gatewayv1.NamespacesFromNone), a.Namespaces.Selector, gw.Namespace)
}

// noteAllowedListeners says what of spec.allowedListeners can't be read.
func (gw *gateway) noteAllowedListeners() {
	if _, wrong := allowedListeners(gw.object); wrong != "" {
		gw.notes = append(gw.notes, "spec.allowedListeners.namespaces"+wrong+", so no ListenerSet may attach")
	}
}

// attachedSets counts the ListenerSets that are attached, accepted too; nil where there can't be any.
func (gw *gateway) attachedSets(named bool) *int32 {
	if rule, _ := allowedListeners(gw.object); !named && rule == (namespaceRule{}) {
		return nil
	}
	var n int32
	for _, s := range gw.sets {
		if s.accepted() {
			n++
		}
	}
	return &n
}

// accepted says whether the set has a listener that is fine, on a Gateway that is.
func (s *listenerSet) accepted() bool {
	return s.refused == nil && s.gateway.refused == nil && slices.ContainsFunc(s.listeners, (*listener).valid)
}

// valid says whether nothing is wrong with the listener that keeps it from being served.
func (l *listener) valid() bool {
	return l.refused == nil && l.conflict == nil && !l.lacksCertificate()
}

// object names what the listener stands in, for messages.
func (l *listener) object() string {
	if l.set != nil {
		return l.set.String()
	}
	return l.gateway.String()
}

// seenFrom names a listener for a message on another one.
func (l *listener) seenFrom(other *listener) string {
	if l.set == other.set {
		return fmt.Sprintf("%q", l.spec.Name)
	}
	return fmt.Sprintf("%q of %s", l.spec.Name, l.object())
}

// ofGateway is a field of the Gateway, for a message on the listener.
func (l *listener) ofGateway(field string) string {
	if l.set == nil {
		return field
	}
	return field + " of " + l.gateway.String()
}

// ownerKind and namespace are those of the object that the listener stands in.
func (l *listener) ownerKind() string {
	if l.set != nil {
		return kindListenerSet
	}
	return kindGateway
}

func (l *listener) namespace() string {
	if l.set != nil {
		return l.set.name.namespace
	}
	return l.gateway.name.namespace
}

// fullName tells the listener from all others of its Gateway.
func (l *listener) fullName() string {
	if l.set != nil {
		return model.SetListener(l.set.name.namespace, l.set.name.name, string(l.spec.Name))
	}
	return string(l.spec.Name)
}

func (gw *gateway) String() string { return kindGateway + " " + gw.name.String() }

func (s *listenerSet) String() string { return kindListenerSet + " " + s.name.String() }

// object names what a parentRef names.
func (p *parent) object() string {
	if p.set != nil {
		return p.set.String()
	}
	return p.gateway.String()
}

// owned are the listeners of what a parentRef names: routes of a Gateway aren't on the listeners of its ListenerSets.
func (p *parent) owned() []*listener {
	if p.set != nil {
		return p.set.listeners
	}
	return p.gateway.listeners
}

func (s *listenerSet) report() status.Report {
	r := newReport(kindListenerSet, s.object)
	r.ListenerSet = &gatewayv1.ListenerSetStatus{Conditions: s.conditions(r.Generation)}
	for _, l := range s.listeners {
		r.ListenerSet.Listeners = append(r.ListenerSet.Listeners, gatewayv1.ListenerEntryStatus(l.status(r.Generation)))
	}
	return r
}

// conditions are Accepted and Programmed.
func (s *listenerSet) conditions(gen int64) []metav1.Condition {
	if p := s.refused; p != nil {
		reason := gatewayv1.ListenerSetConditionReason(p.reason)
		return []metav1.Condition{
			status.ListenerSetNotAccepted(gen, reason, p.message), status.ListenerSetNotProgrammed(gen, reason, "the ListenerSet isn't accepted"),
		}
	}
	if s.gateway.refused != nil {
		message := s.gateway.String() + " isn't accepted; its own status says why"
		return []metav1.Condition{
			status.ListenerSetNotAccepted(gen, gatewayv1.ListenerSetReasonParentNotAccepted, message),
			status.ListenerSetNotProgrammed(gen, status.ReasonParentNotProgrammed, message),
		}
	}
	good, bad := listenerStates(s.listeners)
	message := "listener " + strings.Join(bad, ", ") + "; accepted: " + cmp.Or(strings.Join(good, ", "), "none")
	accepted, programmed := status.ListenerSetAccepted(gen), status.ListenerSetPending(gen)
	switch {
	case !s.accepted():
		accepted = status.ListenerSetNotAccepted(gen, gatewayv1.ListenerSetReasonListenersNotValid, message)
		programmed = status.ListenerSetNotProgrammed(gen, gatewayv1.ListenerSetReasonListenersNotValid, "no listener can be served")
	case len(bad) > 0:
		accepted = status.ListenerSetPartlyAccepted(gen, message)
	}
	if s.gateway.unserved && s.accepted() {
		programmed = status.ListenerSetNotProgrammed(gen, status.ReasonParentNotProgrammed, s.gateway.String()+" has no address that can be used")
	}
	return []metav1.Condition{accepted, programmed}
}
