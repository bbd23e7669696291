package status

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Applied is what became of the reports' objects when they were brought to a proxy.
type Applied struct {
	// Failure is why no proxy serves what was translated; "" when one has confirmed it.
	Failure string
	// Rendered says that files were made and no proxy was asked: Programmed stays unknown.
	Rendered bool
	// Served are the listeners that the proxy serves, when Failure is "".
	Served map[ListenerName]bool
	// Listeners, Certificates, Rules and Backends are what the proxy refuses, with its own message (R31).
	Listeners map[ListenerName]string
	// Reasons are those of listeners that have nothing to listen at, PortUnavailable or AddressNotUsable.
	Reasons      map[ListenerName]string
	Certificates map[ListenerName]string
	Rules        map[RouteName][]RefusedRule
	// Backends are told for each rule that sends to one.
	Backends map[RouteName][]RefusedRule
	// Routes are those that still have a rule which is served.
	Routes map[RouteName]bool
	// Gateways are those with a listener that the proxy serves, their own or a ListenerSet's.
	Gateways map[GatewayName]bool
}

// ListenerName tells a listener of a Gateway or of a ListenerSet.
type ListenerName struct{ Kind, Namespace, Name, Listener string }

// GatewayName tells a Gateway.
type GatewayName struct{ Namespace, Name string }

// RouteName tells a route.
type RouteName struct{ Kind, Namespace, Name string }

// RefusedRule is a rule of a route, or a rule with a backend, that the proxy refuses.
type RefusedRule struct {
	Rule    int
	Message string
}

// Confirm returns the reports with Programmed as a proxy has it, and with what it refuses (R28, R31). The
// reports that it is given stay as they are.
func Confirm(reports []Report, a Applied) []Report {
	out := slices.Clone(reports)
	for i := range out {
		r := &out[i]
		switch {
		case r.Gateway != nil:
			r.Gateway = a.gateway(r)
		case r.ListenerSet != nil:
			r.ListenerSet = a.listenerSet(r)
		case r.Route != nil:
			name := RouteName{r.Kind, r.Namespace, r.Name}
			if len(a.Rules[name])+len(a.Backends[name]) > 0 {
				r.Route = a.route(r, name)
			}
		}
	}
	return out
}

func (a Applied) gateway(r *Report) *gatewayv1.GatewayStatus {
	s := r.Gateway.DeepCopy()
	t := tally{}
	for i := range s.Listeners {
		l := &s.Listeners[i]
		a.confirm(&t, ListenerName{r.Kind, r.Namespace, r.Name, string(l.Name)}, &l.Conditions, r.Generation)
	}
	if !isPending(s.Conditions) {
		return s
	}
	switch {
	case a.Failure != "":
		set(&s.Conditions, GatewayUnconfirmed(r.Generation, a.Failure))
	case a.Rendered && (t.open > 0 || len(t.refused) == 0):
	case t.served > 0 || t.open > 0 && len(t.refused) == 0 || a.Gateways[GatewayName{r.Namespace, r.Name}]:
		set(&s.Conditions, GatewayProgrammed(r.Generation))
	default:
		reason := gatewayv1.GatewayReasonInvalid
		if t.only(string(gatewayv1.GatewayReasonAddressNotUsable)) {
			reason = gatewayv1.GatewayReasonAddressNotUsable
		}
		set(&s.Conditions, GatewayNotProgrammed(r.Generation, reason, t.text()))
	}
	return s
}

// tally counts what became of the listeners of an object.
type tally struct {
	served, open int
	// refused are listeners with the reasons and messages of their conditions.
	refused, reasons []string
}

// only says whether all that are refused are so for one reason.
func (t *tally) only(reason string) bool {
	return len(t.reasons) > 0 && !slices.ContainsFunc(t.reasons, func(r string) bool { return r != reason })
}

func (t *tally) text() string {
	if len(t.refused) == 0 {
		return "no listener is served; the ListenerSets say why" // Of a Gateway with nothing but theirs.
	}
	return strings.Join(t.refused, "; ")
}

// confirm puts into the conditions of a listener what became of it.
func (a Applied) confirm(t *tally, name ListenerName, conditions *[]metav1.Condition, gen int64) {
	if message, ok := a.Certificates[name]; ok {
		set(conditions, ListenerRefsNotResolved(gen, gatewayv1.ListenerReasonInvalidCertificateRef, "the proxy refuses a certificate: "+message))
	}
	if !isPending(*conditions) {
		return
	}
	condition, why := a.listener(name, gen)
	set(conditions, condition)
	switch condition.Status {
	case metav1.ConditionTrue:
		t.served++
	case metav1.ConditionUnknown:
		t.open++
	case metav1.ConditionFalse:
		t.refused = append(t.refused, fmt.Sprintf("listener %q: %s", name.Listener, why))
		t.reasons = append(t.reasons, condition.Reason)
	}
}

// listener is the condition Programmed of a listener that translation let through, and in short why not.
func (a Applied) listener(name ListenerName, gen int64) (condition metav1.Condition, why string) {
	message, refused := a.Listeners[name]
	certificate, badCertificate := a.Certificates[name]
	switch {
	case refused && a.Reasons[name] != "":
		return ListenerNotBound(gen, gatewayv1.ListenerConditionReason(a.Reasons[name]), "the proxy refuses it: "+message), message
	case refused:
		return ListenerNotProgrammed(gen, "the proxy refuses it: "+message), message
	case badCertificate && !a.Served[name]:
		return ListenerNotProgrammed(gen, "it has no certificate that the proxy takes: "+certificate), certificate
	case a.Failure != "":
		return ListenerUnconfirmed(gen, a.Failure), a.Failure
	case a.Rendered:
		return ListenerPending(gen), pending
	case a.Served[name]:
		return ListenerProgrammed(gen), ""
	}
	return ListenerPending(gen), pending
}

// set replaces the condition of a type, or adds it. Times are the writer's.
func set(conditions *[]metav1.Condition, c metav1.Condition) {
	for i := range *conditions {
		if (*conditions)[i].Type == c.Type {
			(*conditions)[i] = c
			return
		}
	}
	*conditions = append(*conditions, c)
}

// isPending says whether translation left Programmed to the proxy.
func isPending(conditions []metav1.Condition) bool {
	c := meta.FindStatusCondition(conditions, string(gatewayv1.GatewayConditionProgrammed))
	return c != nil && c.Status == metav1.ConditionUnknown
}

func (a Applied) route(r *Report, name RouteName) *gatewayv1.RouteStatus {
	s := r.Route.DeepCopy()
	dropped := "Dropped Rule " + refusals(a.Rules[name])
	for i := range s.Parents {
		conditions := &s.Parents[i].Conditions
		if !meta.IsStatusConditionTrue(*conditions, string(gatewayv1.RouteConditionAccepted)) {
			continue
		}
		if len(a.Backends[name]) > 0 {
			set(conditions, RouteRefsNotResolved(r.Generation,
				gatewayv1.RouteReasonBackendNotFound, "the proxy refuses a backend of rule "+refusals(a.Backends[name])))
		}
		switch {
		case len(a.Rules[name]) == 0:
		case a.Routes[name]:
			text := dropped
			if c := meta.FindStatusCondition(*conditions, string(gatewayv1.RouteConditionPartiallyInvalid)); c != nil {
				text = c.Message + "; " + text
			}
			set(conditions, RoutePartiallyInvalid(r.Generation, text))
		default:
			meta.RemoveStatusCondition(conditions, string(gatewayv1.RouteConditionPartiallyInvalid))
			set(conditions, RouteNotAccepted(r.Generation, gatewayv1.RouteReasonUnsupportedValue, dropped))
		}
	}
	return s
}

// refusals are rules with their messages: "0: text; 3: text".
func refusals(rules []RefusedRule) string {
	var texts []string
	for _, r := range rules {
		texts = append(texts, fmt.Sprintf("%d: %s", r.Rule, r.Message))
	}
	return strings.Join(texts, "; ")
}
