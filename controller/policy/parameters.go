package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ParametersKind is the name of the kind.
const ParametersKind = "GatewayParameters"

// GatewayParameters are what a Gateway has besides the fields of the API. A Gateway names them by spec.infrastructure.parametersRef, a
// GatewayClass for all its Gateways by spec.parametersRef; a field of the Gateway's own goes before the same one of its class's.
type GatewayParameters struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   GatewayParametersSpec  `json:"spec"`
	Status gatewayv1.PolicyStatus `json:"status,omitempty"`
}

// GatewayParametersSpec is what they ask for. What can't be kept as a whole isn't kept at all: the Gateway isn't accepted then.
type GatewayParametersSpec struct {
	// Defaults are for calls of GRPCRoutes.
	Defaults *CallDefaults `json:"defaults,omitempty"`
	// Clients say how the connections of clients are kept.
	Clients *ClientSettings `json:"clients,omitempty"`
}

// ClientSettings say how the connections of clients are kept. "0s" is the proxy's own way, whatever the class's parameters say.
type ClientSettings struct {
	// MaxConnectionAge is how old a connection gets before the client is told to open another one.
	MaxConnectionAge *gatewayv1.Duration `json:"maxConnectionAge,omitempty"`
	// IdleTimeout is how long a connection stays without a call.
	IdleTimeout *gatewayv1.Duration `json:"idleTimeout,omitempty"`
	// MaxStreams is how many calls a connection has open at a time; 0 is the proxy's own number.
	MaxStreams *int32 `json:"maxStreams,omitempty"`
}

// CallDefaults are policies of the namespace of the GatewayParameters, for rules of GRPCRoutes that refer to none of that kind.
type CallDefaults struct {
	// TimeoutPolicy is the name of a GRPCTimeoutPolicy.
	TimeoutPolicy string `json:"timeoutPolicy,omitempty"`
	// RetryPolicy is the name of a GRPCRetryPolicy.
	RetryPolicy string `json:"retryPolicy,omitempty"`
}

// GatewayParametersList is what a cluster lists.
type GatewayParametersList = list[GatewayParameters, *GatewayParameters]

// DeepCopyInto makes out what p is and shares nothing with it.
func (p *GatewayParameters) DeepCopyInto(out *GatewayParameters) {
	*out = *p
	p.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Defaults = copied(p.Spec.Defaults)
	if c := p.Spec.Clients; c != nil {
		out.Spec.Clients = &ClientSettings{copied(c.MaxConnectionAge), copied(c.IdleTimeout), copied(c.MaxStreams)}
	}
	p.Status.DeepCopyInto(&out.Status)
}

// DeepCopyObject shares nothing with the parameters.
func (p *GatewayParameters) DeepCopyObject() runtime.Object {
	out := &GatewayParameters{}
	p.DeepCopyInto(out)
	return out
}
