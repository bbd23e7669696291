package status

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Every condition is built by one of the constructors of this package. They take the generation of the object
// that the condition was computed from (R29); the time of the last transition is the writer's.

// pending says that no proxy has confirmed this generation: rendering alone never makes Programmed true (R28).
const pending = "no proxy has confirmed this generation yet"

// maxMessage is the API's limit for a condition's message, in bytes.
const maxMessage = 32768

func condition[T, R ~string](typ T, status metav1.ConditionStatus, reason R, gen int64, message string) metav1.Condition {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	return metav1.Condition{
		Type: string(typ), Status: status, ObservedGeneration: gen, Reason: string(reason), Message: message,
	}
}

// ClassAccepted says that Gateways of the class are served.
func ClassAccepted(gen int64) metav1.Condition {
	return condition(gatewayv1.GatewayClassConditionStatusAccepted, metav1.ConditionTrue,
		gatewayv1.GatewayClassReasonAccepted, gen, "Gateways of this class are served")
}

// ClassInvalidParameters refuses a class whose parametersRef can't be used.
func ClassInvalidParameters(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.GatewayClassConditionStatusAccepted, metav1.ConditionFalse,
		gatewayv1.GatewayClassReasonInvalidParameters, gen, message)
}

// ClassSupportedVersion says that the version of the API's resources is one that is known.
func ClassSupportedVersion(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.GatewayClassConditionStatusSupportedVersion, metav1.ConditionTrue,
		gatewayv1.GatewayClassReasonSupportedVersion, gen, message)
}

// ClassUnsupportedVersion says that the version of the API's resources isn't one that is known.
func ClassUnsupportedVersion(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.GatewayClassConditionStatusSupportedVersion, metav1.ConditionFalse,
		gatewayv1.GatewayClassReasonUnsupportedVersion, gen, message)
}

// GatewayAccepted says that all listeners of a Gateway are accepted.
func GatewayAccepted(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionAccepted, metav1.ConditionTrue,
		gatewayv1.GatewayReasonAccepted, gen, message)
}

// GatewayListenersNotValid says that some listeners can't be served; the Gateway is accepted when any can.
func GatewayListenersNotValid(gen int64, accepted bool, message string) metav1.Condition {
	s := metav1.ConditionFalse
	if accepted {
		s = metav1.ConditionTrue
	}
	return condition(gatewayv1.GatewayConditionAccepted, s, gatewayv1.GatewayReasonListenersNotValid, gen, message)
}

// GatewayNotAccepted refuses a whole Gateway.
func GatewayNotAccepted(gen int64, reason gatewayv1.GatewayConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionAccepted, metav1.ConditionFalse, reason, gen, message)
}

// GatewayResolvedRefs says that every reference of a Gateway and its listeners was resolved.
func GatewayResolvedRefs(gen int64) metav1.Condition {
	return condition(gatewayv1.GatewayConditionResolvedRefs, metav1.ConditionTrue,
		gatewayv1.GatewayReasonResolvedRefs, gen, "all references are resolved")
}

// GatewayRefsNotResolved says which references of a Gateway or its listeners weren't resolved.
func GatewayRefsNotResolved(gen int64, reason gatewayv1.GatewayConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionResolvedRefs, metav1.ConditionFalse, reason, gen, message)
}

// GatewayPending says that a Gateway is rendered, and not yet confirmed by a proxy.
func GatewayPending(gen int64) metav1.Condition {
	return condition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionUnknown,
		gatewayv1.GatewayReasonPending, gen, pending)
}

// GatewayProgrammed says that a running proxy has confirmed this generation of a Gateway (R28).
func GatewayProgrammed(gen int64) metav1.Condition {
	return condition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionTrue,
		gatewayv1.GatewayReasonProgrammed, gen, "the proxy serves this generation")
}

// GatewayUnconfirmed says why no proxy has confirmed a Gateway yet.
func GatewayUnconfirmed(gen int64, failure string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionUnknown,
		gatewayv1.GatewayReasonPending, gen, pending+": "+failure)
}

// GatewayNotProgrammed says why a Gateway, or an address of it, won't be served.
func GatewayNotProgrammed(gen int64, reason gatewayv1.GatewayConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionProgrammed, metav1.ConditionFalse, reason, gen, message)
}

// GatewayInsecureFrontend warns that clients are served whatever their certificates; the API wants it never set to false.
func GatewayInsecureFrontend(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.GatewayConditionInsecureFrontendValidationMode, metav1.ConditionTrue,
		gatewayv1.GatewayReasonConfigurationChanged, gen, message)
}

// ListenerAccepted says that a listener is valid. Notes are what else is to be known of it.
func ListenerAccepted(gen int64, notes ...string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionAccepted, metav1.ConditionTrue, gatewayv1.ListenerReasonAccepted, gen,
		strings.Join(append([]string{"the listener is accepted"}, notes...), "; "))
}

// ListenerNotAccepted refuses a listener.
func ListenerNotAccepted(gen int64, reason gatewayv1.ListenerConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionAccepted, metav1.ConditionFalse, reason, gen, message)
}

// ListenerResolvedRefs says that a listener's certificates and kinds of routes are fine. Notes are what else is to be
// known of them.
func ListenerResolvedRefs(gen int64, notes ...string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionResolvedRefs, metav1.ConditionTrue, gatewayv1.ListenerReasonResolvedRefs, gen,
		strings.Join(append([]string{"all references are resolved"}, notes...), "; "))
}

// ListenerRefsNotResolved names the certificates or kinds of routes that can't be had.
func ListenerRefsNotResolved(gen int64, reason gatewayv1.ListenerConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionResolvedRefs, metav1.ConditionFalse, reason, gen, message)
}

// ListenerPending says that a listener is rendered, and not yet confirmed by a proxy.
func ListenerPending(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerConditionProgrammed, metav1.ConditionUnknown,
		gatewayv1.ListenerReasonPending, gen, pending)
}

// ListenerProgrammed says that a running proxy has confirmed this generation of a listener.
func ListenerProgrammed(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerConditionProgrammed, metav1.ConditionTrue,
		gatewayv1.ListenerReasonProgrammed, gen, "the proxy serves this generation")
}

// ListenerUnconfirmed says why no proxy has confirmed a listener yet.
func ListenerUnconfirmed(gen int64, failure string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionProgrammed, metav1.ConditionUnknown,
		gatewayv1.ListenerReasonPending, gen, pending+": "+failure)
}

// ListenerNotProgrammed says why a listener won't be served.
func ListenerNotProgrammed(gen int64, message string) metav1.Condition {
	return ListenerNotBound(gen, gatewayv1.ListenerReasonInvalid, message)
}

// ListenerNotBound is ListenerNotProgrammed with a reason of its own: the listener is fine, but this host doesn't have what
// it is to listen at.
func ListenerNotBound(gen int64, reason gatewayv1.ListenerConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionProgrammed, metav1.ConditionFalse, reason, gen, message)
}

// ListenerNoConflicts says that a listener is distinct from the others.
func ListenerNoConflicts(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerConditionConflicted, metav1.ConditionFalse,
		gatewayv1.ListenerReasonNoConflicts, gen, "no conflicts with other listeners")
}

// ListenerConflicted names the listeners that one isn't distinct from (R27).
func ListenerConflicted(gen int64, reason gatewayv1.ListenerConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionConflicted, metav1.ConditionTrue, reason, gen, message)
}

// ListenerOverlappingHostnames warns that another HTTPS listener of the port has hostnames in common; the API
// wants it set on all of them, and never set to false.
func ListenerOverlappingHostnames(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.ListenerConditionOverlappingTLSConfig, metav1.ConditionTrue,
		gatewayv1.ListenerReasonOverlappingHostnames, gen, message)
}

// RouteAccepted says that a parent accepts at least one rule of a route.
func RouteAccepted(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.RouteConditionAccepted, metav1.ConditionTrue,
		gatewayv1.RouteReasonAccepted, gen, message)
}

// RouteNotAccepted says why a parent doesn't accept a route (R24).
func RouteNotAccepted(gen int64, reason gatewayv1.RouteConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.RouteConditionAccepted, metav1.ConditionFalse, reason, gen, message)
}

// RouteResolvedRefs says that every reference of a route was resolved.
func RouteResolvedRefs(gen int64) metav1.Condition {
	return condition(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionTrue,
		gatewayv1.RouteReasonResolvedRefs, gen, "all references are resolved")
}

// RouteRefsNotResolved names the references that can't be resolved (R15).
func RouteRefsNotResolved(gen int64, reason gatewayv1.RouteConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionFalse, reason, gen, message)
}

// RoutePartiallyInvalid names the rules that aren't served while others are (R31). The API wants the message
// to start with "Dropped Rule".
func RoutePartiallyInvalid(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.RouteConditionPartiallyInvalid, metav1.ConditionTrue,
		gatewayv1.RouteReasonUnsupportedValue, gen, message)
}

// ConditionEndpointsFound is our own condition of a route for a parent. It is there when it is false: a Service that the route sends to
// can't have an endpoint as its EndpointSlices are, so that its calls fail. One with endpoints that aren't ready has no such condition.
const ConditionEndpointsFound gatewayv1.RouteConditionType = "gatewright.io/EndpointsFound"

// The reasons of ConditionEndpointsFound.
const (
	// ReasonNoEndpointSlices is for a Service that no EndpointSlice names.
	ReasonNoEndpointSlices = "NoEndpointSlices"
	// ReasonNoEndpointPort is for a Service whose EndpointSlices have endpoints, and no port with the name of the Service's.
	ReasonNoEndpointPort = "NoEndpointPort"
)

// RouteEndpointsNotFound names the Services that can't have endpoints.
func RouteEndpointsNotFound(gen int64, reason, message string) metav1.Condition {
	return condition(ConditionEndpointsFound, metav1.ConditionFalse, reason, gen, message)
}

// PolicyAccepted accepts a policy.
func PolicyAccepted(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.PolicyConditionAccepted, metav1.ConditionTrue, gatewayv1.PolicyReasonAccepted, gen, message)
}

// PolicyNotAccepted refuses a policy.
func PolicyNotAccepted(gen int64, reason gatewayv1.PolicyConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.PolicyConditionAccepted, metav1.ConditionFalse, reason, gen, message)
}

// PolicyResolvedRefs says that everything that a policy refers to is there.
func PolicyResolvedRefs(gen int64) metav1.Condition {
	return condition(gatewayv1.BackendTLSPolicyConditionResolvedRefs, metav1.ConditionTrue, gatewayv1.BackendTLSPolicyReasonResolvedRefs, gen,
		"all references are resolved")
}

// PolicyRefsNotResolved says which reference of a policy can't be used.
func PolicyRefsNotResolved(gen int64, reason gatewayv1.PolicyConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.BackendTLSPolicyConditionResolvedRefs, metav1.ConditionFalse, reason, gen, message)
}

// PolicyInvalid refuses a policy for what it says.
func PolicyInvalid(gen int64, message string) metav1.Condition {
	return PolicyNotAccepted(gen, gatewayv1.PolicyReasonInvalid, message)
}
