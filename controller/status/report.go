package status

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Report is the status that one object gets. Exactly one of the pointers is set.
type Report struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	// Generation is the object's, which every condition was computed from (R29).
	Generation int64

	GatewayClass *gatewayv1.GatewayClassStatus
	Gateway      *gatewayv1.GatewayStatus
	ListenerSet  *gatewayv1.ListenerSetStatus
	// Route holds this controller's own parents only (R26).
	Route *gatewayv1.RouteStatus
	// Policy holds this controller's own ancestors only.
	Policy *gatewayv1.PolicyStatus
}
