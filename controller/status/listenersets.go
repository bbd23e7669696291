package status

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ReasonParentNotProgrammed is the reason of Programmed=False for a ListenerSet whose Gateway isn't served. The API names it in a
// comment only.
const ReasonParentNotProgrammed gatewayv1.ListenerSetConditionReason = "ParentNotProgrammed"

// reasonPortUnavailable is the reason of Programmed=False for a ListenerSet all of whose listeners have it. The API names it in a
// comment only.
const reasonPortUnavailable = gatewayv1.ListenerSetConditionReason(gatewayv1.ListenerReasonPortUnavailable)

// ListenerSetAccepted says that all listeners of a ListenerSet are accepted.
func ListenerSetAccepted(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionAccepted, metav1.ConditionTrue, gatewayv1.ListenerSetReasonAccepted, gen,
		"all listeners are accepted")
}

// ListenerSetPartlyAccepted says that some listeners of a ListenerSet can't be served, and others can.
func ListenerSetPartlyAccepted(gen int64, message string) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionAccepted, metav1.ConditionTrue, gatewayv1.ListenerSetReasonListenersNotValid, gen, message)
}

// ListenerSetNotAccepted refuses a whole ListenerSet.
func ListenerSetNotAccepted(gen int64, reason gatewayv1.ListenerSetConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionAccepted, metav1.ConditionFalse, reason, gen, message)
}

// ListenerSetPending says that a ListenerSet is rendered, and not yet confirmed by a proxy.
func ListenerSetPending(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionProgrammed, metav1.ConditionUnknown, gatewayv1.ListenerSetReasonPending, gen, pending)
}

// ListenerSetProgrammed says that a running proxy has confirmed this generation of a ListenerSet.
func ListenerSetProgrammed(gen int64) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionProgrammed, metav1.ConditionTrue, gatewayv1.ListenerSetReasonProgrammed, gen,
		"the proxy serves this generation")
}

// ListenerSetUnconfirmed says why no proxy has confirmed a ListenerSet yet.
func ListenerSetUnconfirmed(gen int64, failure string) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionProgrammed, metav1.ConditionUnknown, gatewayv1.ListenerSetReasonPending, gen,
		pending+": "+failure)
}

// ListenerSetNotProgrammed says why a ListenerSet isn't served.
func ListenerSetNotProgrammed(gen int64, reason gatewayv1.ListenerSetConditionReason, message string) metav1.Condition {
	return condition(gatewayv1.ListenerSetConditionProgrammed, metav1.ConditionFalse, reason, gen, message)
}

// listenerSet is the status of a ListenerSet as the proxy has it.
func (a Applied) listenerSet(r *Report) *gatewayv1.ListenerSetStatus {
	s := r.ListenerSet.DeepCopy()
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
		set(&s.Conditions, ListenerSetUnconfirmed(r.Generation, a.Failure))
	case t.open > 0:
	case t.served > 0:
		set(&s.Conditions, ListenerSetProgrammed(r.Generation))
	default:
		reason := gatewayv1.ListenerSetReasonListenersNotValid
		if t.only(string(reasonPortUnavailable)) {
			reason = reasonPortUnavailable
		}
		set(&s.Conditions, ListenerSetNotProgrammed(r.Generation, reason, t.text()))
	}
	return s
}
