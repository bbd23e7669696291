package translate

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// noHTTPRoutes is why an HTTPRoute isn't accepted, whatever else is right about it.
const noHTTPRoutes = "HTTPRoutes aren't supported yet; supportedKinds of the listeners has what is"

// readHTTPRoute reads an HTTPRoute as far as it competes with GRPCRoutes for hosts (R25).
func readHTTPRoute(o *gatewayv1.HTTPRoute) *routeSpec {
	r := newRouteSpec(model.HTTPRoute, &o.ObjectMeta, &o.Spec.CommonRouteSpec, o.Spec.Hostnames)
	r.unserved = noHTTPRoutes
	return r
}
