package referent

import (
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Object is an object that a reference names, whether it exists or not.
type Object struct {
	Group, Kind string
	types.NamespacedName
}

// What references name when they give no group and kind.
var (
	gateway = Object{Group: gatewayv1.GroupName, Kind: "Gateway"}
	service = Object{Kind: "Service"}
	secret  = Object{Kind: "Secret"}
)

// configMap is what has the certificates of a CA. References to it always give its group and kind.
var configMap = Object{Kind: "ConfigMap"}

// Parent is what a parentRef names that stands in a namespace.
func Parent(ref *gatewayv1.ParentReference, namespace string) Object {
	return gateway.or(ref.Group, ref.Kind, ref.Namespace, namespace, ref.Name)
}

// SetParent is what the parentRef of a ListenerSet names.
func SetParent(s *gatewayv1.ListenerSet) Object {
	ref := &s.Spec.ParentRef
	return gateway.or(ref.Group, ref.Kind, ref.Namespace, s.Namespace, ref.Name)
}

// Backend is what a backendRef names, of a rule or a filter that stands in a namespace.
func Backend(ref *gatewayv1.BackendObjectReference, namespace string) Object {
	return service.or(ref.Group, ref.Kind, ref.Namespace, namespace, ref.Name)
}

// Certificate is what a certificateRef names that stands in a namespace.
func Certificate(ref *gatewayv1.SecretObjectReference, namespace string) Object {
	return secret.or(ref.Group, ref.Kind, ref.Namespace, namespace, ref.Name)
}

// CACertificate is what a caCertificateRef names that stands in a namespace.
func CACertificate(ref *gatewayv1.ObjectReference, namespace string) Object {
	return configMap.or(&ref.Group, &ref.Kind, ref.Namespace, namespace, ref.Name)
}

// ClientValidations are all that a Gateway says of the certificates of clients.
func ClientValidations(g *gatewayv1.Gateway) (out []*gatewayv1.FrontendTLSValidation) {
	if g.Spec.TLS == nil || g.Spec.TLS.Frontend == nil {
		return nil
	}
	if v := g.Spec.TLS.Frontend.Default.Validation; v != nil {
		out = append(out, v)
	}
	for i := range g.Spec.TLS.Frontend.PerPort {
		if v := g.Spec.TLS.Frontend.PerPort[i].TLS.Validation; v != nil {
			out = append(out, v)
		}
	}
	return out
}

// Target is what a targetRef of a policy names: always something of the policy's own namespace.
func Target(ref *gatewayv1.LocalPolicyTargetReference, namespace string) Object {
	return Object{string(ref.Group), string(ref.Kind), types.NamespacedName{Namespace: namespace, Name: string(ref.Name)}}
}

// Authority is what a caCertificateRef of a policy names: always something of the policy's own namespace.
func Authority(ref *gatewayv1.LocalObjectReference, namespace string) Object {
	return Object{string(ref.Group), string(ref.Kind), types.NamespacedName{Namespace: namespace, Name: string(ref.Name)}}
}

// SliceService is the Service whose endpoints a slice has; one without a name when it is nobody's.
func SliceService(s *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
}

// or is the object of this group and kind that stands in a namespace, but for what a reference gives.
func (o Object) or(group *gatewayv1.Group, kind *gatewayv1.Kind, other *gatewayv1.Namespace, namespace string,
	name gatewayv1.ObjectName) Object {
	if group != nil {
		o.Group = string(*group)
	}
	if kind != nil {
		o.Kind = string(*kind)
	}
	o.Namespace, o.Name = namespace, string(name)
	if other != nil {
		o.Namespace = string(*other)
	}
	return o
}

// IsGateway says whether the object is a Gateway.
func (o Object) IsGateway() bool { return o.is(gateway) }

// IsListenerSet says whether the object is a ListenerSet.
func (o Object) IsListenerSet() bool {
	return o.is(Object{Group: gatewayv1.GroupName, Kind: "ListenerSet"})
}

// IsService says whether the object is a Service.
func (o Object) IsService() bool { return o.is(service) }

// IsSecret says whether the object is a Secret.
func (o Object) IsSecret() bool { return o.is(secret) }

// IsConfigMap says whether the object is a ConfigMap.
func (o Object) IsConfigMap() bool { return o.is(configMap) }

func (o Object) is(other Object) bool { return o.Group == other.Group && o.Kind == other.Kind }
