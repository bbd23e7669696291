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
}

// ListenerName tells a listener of a Gateway.
type ListenerName struct{ Namespace, Gateway, Listener string }

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
	served, open := 0, 0
	var refused []string
	reason := gatewayv1.GatewayReasonAddressNotUsable // When nothing else is wrong with any listener.
	for i := range s.Listeners {
		l := &s.Listeners[i]
		name := ListenerName{r.Namespace, r.Name, string(l.Name)}
		if message, ok := a.Certificates[name]; ok {
			set(&l.Conditions, ListenerRefsNotResolved(r.Generation,
				gatewayv1.ListenerReasonInvalidCertificateRef, "the proxy refuses a certificate: "+message))
		}
		if !isPending(l.Conditions) {
			continue
		}
		condition, why := a.listener(name, r.Generation)
		set(&l.Conditions, condition)
		switch condition.Status {
		case metav1.ConditionTrue:
			served++
		case metav1.ConditionUnknown:
			open++
		case metav1.ConditionFalse:
			refused = append(refused, fmt.Sprintf("listener %q: %s", l.Name, why))
			if condition.Reason != string(reason) {
				reason = gatewayv1.GatewayReasonInvalid
			}
		}
	}
	if !isPending(s.Conditions) {
		return s
	}
	switch {
	case a.Failure != "":
		set(&s.Conditions, GatewayUnconfirmed(r.Generation, a.Failure))
	case a.Rendered && open > 0:
	case served > 0 || len(refused) == 0:
		set(&s.Conditions, GatewayProgrammed(r.Generation))
	default:
		set(&s.Conditions, GatewayNotProgrammed(r.Generation, reason, strings.Join(refused, "; ")))
	}
	return s
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
