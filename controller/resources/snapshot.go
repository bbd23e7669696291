package resources

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
)

// Snapshot is every object that translation reads, as it was at one moment. The objects are shared: nobody
// changes them. Their order doesn't matter.
type Snapshot struct {
	GatewayClasses      []*gatewayv1.GatewayClass
	Gateways            []*gatewayv1.Gateway
	ListenerSets        []*gatewayv1.ListenerSet
	GRPCRoutes          []*gatewayv1.GRPCRoute
	HTTPRoutes          []*gatewayv1.HTTPRoute
	ReferenceGrants     []*gatewayv1.ReferenceGrant
	BackendTLSPolicies  []*gatewayv1.BackendTLSPolicy
	GRPCTimeoutPolicies []*policy.GRPCTimeoutPolicy
	GRPCRetryPolicies   []*policy.GRPCRetryPolicy
	BackendPolicies     []*policy.BackendPolicy
	GatewayParameters   []*policy.GatewayParameters
	Namespaces          []*corev1.Namespace
	Services            []*corev1.Service
	EndpointSlices      []*discoveryv1.EndpointSlice
	Secrets             []*corev1.Secret
	ConfigMaps          []*corev1.ConfigMap

	// UnreadableSecrets and UnreadableConfigMaps are there, and nothing is known of them.
	UnreadableSecrets    []Unreadable
	UnreadableConfigMaps []Unreadable
}

// Unreadable is an object that can't be read.
type Unreadable struct {
	types.NamespacedName
	// Why says what is in the way.
	Why string
}
