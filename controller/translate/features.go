package translate

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
)

// supportedFeatures are the features that the conformance suite has shown (R28; docs/conformance). Those of a pool
// need one.
var supportedFeatures = []struct {
	name gatewayv1.FeatureName
	pool bool
}{
	{name: "GRPCRoute"},
	{name: "GRPCRouteNamedRouteRule"},
	{name: "GRPCRouteRequestHeaderModifier"},
	{name: "Gateway"},
	{name: "GatewayAddressEmpty", pool: true},
	{name: "GatewayPort8080"},
	{name: "GatewayRouteHostnameIntersectionPrecedence"},
	{name: "GatewayStaticAddresses"},
	{name: "ReferenceGrant"},
}

// features are those of a GatewayClass, sorted.
func features(o Options) []gatewayv1.SupportedFeature {
	var out []gatewayv1.SupportedFeature
	for _, f := range supportedFeatures {
		if !f.pool || len(o.Addresses.Pool) > 0 && o.Addresses.Published == nil {
			out = append(out, gatewayv1.SupportedFeature{Name: f.name})
		}
	}
	slices.SortFunc(out, func(a, b gatewayv1.SupportedFeature) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return out
}

// The versions of the Gateway API's resources that are known: GRPCRoute is v1 since v1.1.
const oldestMinor, newestMinor = 1, 7

// supportedVersion is the condition about the version of the API's resources.
func supportedVersion(generation int64, bundle string) metav1.Condition {
	if bundle == "" {
		return status.ClassSupportedVersion(generation, fmt.Sprintf("written for Gateway API v1.%d; the version in use wasn't looked up",
			newestMinor))
	}
	var major, minor int
	if _, err := fmt.Sscanf(bundle, "v%d.%d", &major, &minor); err == nil && major == 1 && minor >= oldestMinor && minor <= newestMinor {
		return status.ClassSupportedVersion(generation, "the Gateway API's resources are "+bundle)
	}
	return status.ClassUnsupportedVersion(generation, fmt.Sprintf(
		"the Gateway API's resources are %s; this controller knows v1.%d to v1.%d and does its best", bundle, oldestMinor, newestMinor))
}
