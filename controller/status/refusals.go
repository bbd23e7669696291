package status

import (
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
)

// Refusal is one condition that says no, or warns.
type Refusal struct {
	// Object is the object's kind and name: "GRPCRoute ns/name".
	Object string
	// Where is the part of the object: `listener "x"`, `parentRef Gateway ns/name`, or "" for the whole.
	Where string
	// Condition is the condition's type.
	Condition, Reason, Message string
}

// refusing is the status with which a condition says no, by its type, or its type and reason.
var refusing = map[string]metav1.ConditionStatus{
	string(gatewayv1.RouteConditionAccepted):                      metav1.ConditionFalse,
	string(gatewayv1.RouteConditionResolvedRefs):                  metav1.ConditionFalse,
	string(ConditionEndpointsFound) + " " + ReasonNoEndpointPort:  metav1.ConditionFalse,
	string(gatewayv1.GatewayConditionProgrammed):                  metav1.ConditionFalse,
	string(gatewayv1.GatewayClassConditionStatusSupportedVersion): metav1.ConditionFalse,
	string(gatewayv1.ListenerConditionConflicted):                 metav1.ConditionTrue,
	string(gatewayv1.RouteConditionPartiallyInvalid):              metav1.ConditionTrue,
}

// warning is the status with which a condition says what to know of something that is served as it is written.
var warning = map[string]metav1.ConditionStatus{
	string(gatewayv1.ListenerConditionOverlappingTLSConfig):          metav1.ConditionTrue,
	string(gatewayv1.GatewayConditionInsecureFrontendValidationMode): metav1.ConditionTrue,
	// Its EndpointSlices may come: those of a cluster are seldom beside its manifests.
	string(ConditionEndpointsFound) + " " + ReasonNoEndpointSlices: metav1.ConditionFalse,
}

// Refusals are all conditions that refuse something, in the order of the reports.
func Refusals(reports []Report) []Refusal { return saying(reports, refusing) }

// Warnings are all conditions that warn of something that is served, in the order of the reports.
func Warnings(reports []Report) []Refusal { return saying(reports, warning) }

// saying are the conditions with one of the statuses.
func saying(reports []Report, statuses map[string]metav1.ConditionStatus) []Refusal {
	var out []Refusal
	for i := range reports {
		r := &reports[i]
		r.each(func(where string, conditions []metav1.Condition) {
			for _, c := range conditions {
				if says(c, statuses) {
					out = append(out, Refusal{r.Object(), where, c.Type, c.Reason, c.Message})
				}
			}
		})
	}
	return out
}

// each calls collect for the object and each part of it that has conditions.
func (r *Report) each(collect func(where string, conditions []metav1.Condition)) {
	switch {
	case r.GatewayClass != nil:
		collect("", r.GatewayClass.Conditions)
	case r.Gateway != nil:
		collect("", r.Gateway.Conditions)
		for _, l := range r.Gateway.Listeners {
			collect(fmt.Sprintf("listener %q", l.Name), l.Conditions)
		}
	case r.ListenerSet != nil:
		collect("", r.ListenerSet.Conditions)
		for _, l := range r.ListenerSet.Listeners {
			collect(fmt.Sprintf("listener %q", l.Name), l.Conditions)
		}
	case r.Route != nil:
		for _, p := range r.Route.Parents {
			collect("parentRef "+parentName(p.ParentRef, r.Namespace), p.Conditions)
		}
	case r.Policy != nil:
		for _, a := range r.Policy.Ancestors {
			collect("ancestorRef "+parentName(a.AncestorRef, r.Namespace), a.Conditions)
		}
	}
}

// Object is the object as messages name it: "GRPCRoute ns/name".
func (r *Report) Object() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func parentName(ref gatewayv1.ParentReference, namespace string) string {
	to := referent.Parent(&ref, namespace)
	name := to.Kind + " " + to.String()
	if ref.SectionName != nil {
		name += fmt.Sprintf(" listener %q", *ref.SectionName)
	}
	if ref.Port != nil {
		name += fmt.Sprintf(" port %d", *ref.Port)
	}
	return name
}

// WriteRefusals lists what is refused for a person: where and what in one line, why in the next.
func WriteRefusals(out io.Writer, refused []Refusal) {
	for _, r := range refused {
		where := r.Object
		if r.Where != "" {
			where += ", " + r.Where
		}
		fmt.Fprintf(out, "  %s: %s (%s)\n      %s\n", where, r.Condition, r.Reason, strings.ReplaceAll(r.Message, "\n", "\n      "))
	}
}
