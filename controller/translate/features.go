package translate

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// supportedFeatures are the features that the conformance suite has shown (R28; docs/conformance). Those of a pool
// need one, those with needs a proxy that has that.
var supportedFeatures = []struct {
	name  gatewayv1.FeatureName
	pool  bool
	needs model.Feature
	// bridge says that it takes one too.
	bridge bool
}{
	{name: "BackendTLSPolicy", needs: model.FeatureBackendTLS},
	{name: "BackendTLSPolicySANValidation", needs: model.FeatureBackendTLS, bridge: true},
	{name: "GRPCRoute"},
	{name: "GRPCRouteNamedRouteRule"},
	{name: "GRPCRouteRequestHeaderModifier"},
	{name: "Gateway"},
	{name: "GatewayAddressEmpty", pool: true},
	{name: "GatewayBackendClientCertificate", needs: model.FeatureBackendTLS},
	{name: "GatewayFrontendClientCertificateValidation", needs: model.FeatureHTTP},
	{name: "GatewayFrontendClientCertificateValidationInsecureFallback", needs: model.FeatureHTTP},
	{name: "GatewayHTTPListenerIsolation", needs: model.FeatureHTTP},
	{name: "GatewayHTTPSListenerDetectMisdirectedRequests", needs: model.FeatureHTTP},
	{name: "GatewayPort8080"},
	{name: "GatewayRouteHostnameIntersectionPrecedence"},
	{name: "GatewayStaticAddresses"},
	{name: "HTTPRoute", needs: model.FeatureHTTP},
	{name: "HTTPRoute303RedirectStatusCode", needs: model.FeatureHTTP},
	{name: "HTTPRoute307RedirectStatusCode", needs: model.FeatureHTTP},
	{name: "HTTPRoute308RedirectStatusCode", needs: model.FeatureHTTP},
	{name: "HTTPRouteBackendProtocolH2C", needs: model.FeatureHTTP},
	{name: "HTTPRouteBackendProtocolWebSocket", needs: model.FeatureHTTP},
	{name: "HTTPRouteBackendRequestHeaderModification", needs: model.FeatureHTTP},
	{name: "HTTPRouteBackendTimeout", needs: model.FeatureHTTP},
	{name: "HTTPRouteBackendURLRewrite", needs: model.FeatureHTTP},
	{name: "HTTPRouteCORS", needs: model.FeatureHTTP},
	{name: "HTTPRouteDestinationPortMatching", needs: model.FeatureHTTP},
	{name: "HTTPRouteHostRewrite", needs: model.FeatureHTTP},
	{name: "HTTPRouteMethodMatching", needs: model.FeatureHTTP},
	{name: "HTTPRouteNamedRouteRule", needs: model.FeatureHTTP},
	{name: "HTTPRouteParentRefPort", needs: model.FeatureHTTP},
	{name: "HTTPRoutePathRedirect", needs: model.FeatureHTTP},
	{name: "HTTPRoutePathRewrite", needs: model.FeatureHTTP},
	{name: "HTTPRoutePortRedirect", needs: model.FeatureHTTP},
	{name: "HTTPRouteQueryParamMatching", needs: model.FeatureHTTP},
	{name: "HTTPRouteRequestMirror", needs: model.FeatureHTTP, bridge: true},
	{name: "HTTPRouteRequestMultipleMirrors", needs: model.FeatureHTTP, bridge: true},
	{name: "HTTPRouteRequestPercentageMirror", needs: model.FeatureHTTP, bridge: true},
	{name: "HTTPRouteRequestTimeout", needs: model.FeatureHTTP},
	{name: "HTTPRouteResponseHeaderModification", needs: model.FeatureHTTP},
	{name: "HTTPRouteRetryCodes", needs: model.FeatureHTTP},
	{name: "HTTPRouteRetryConnectionError", needs: model.FeatureHTTP},
	{name: "HTTPRouteSchemeRedirect", needs: model.FeatureHTTP},
	{name: "ListenerSet"},
	{name: "ReferenceGrant"},
}

// features are those of a GatewayClass, sorted.
func (g *graph) features() []gatewayv1.SupportedFeature {
	var out []gatewayv1.SupportedFeature
	pool := len(g.options.Addresses.Pool) > 0 && g.options.Addresses.Published == nil
	bridge := g.unbridged() == ""
	for _, f := range supportedFeatures {
		if (bridge || !f.bridge) && (!f.pool || pool) && (f.needs == "" || g.caps.Has(f.needs)) {
			out = append(out, gatewayv1.SupportedFeature{Name: f.name})
		}
	}
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
