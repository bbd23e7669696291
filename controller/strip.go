package controller

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// bundleAnnotation is what a CRD says of the Gateway API's version.
const bundleAnnotation = "gateway.networking.k8s.io/bundle-version"

// stripper takes away from every object what nobody reads, before it is kept: the cache of a large cluster is
// mostly that.
func stripper(k *kind) func(any) (any, error) {
	return func(in any) (any, error) {
		o, ok := in.(client.Object)
		if !ok {
			return in, nil
		}
		o.SetManagedFields(nil)
		o.SetOwnerReferences(nil)
		o.SetFinalizers(nil)
		annotations := o.GetAnnotations()
		o.SetAnnotations(nil)
		if v, ok := annotations[bundleAnnotation]; ok && k.GroupKind == crds.GroupKind() {
			o.SetAnnotations(map[string]string{bundleAnnotation: v})
		}
		if k.strip != nil {
			k.strip(o)
		} else {
			o.SetLabels(nil)
		}
		return o, nil
	}
}

func stripNamespace(o client.Object) {
	n := o.(*corev1.Namespace)
	n.Spec, n.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
}

func stripService(o client.Object) {
	s := o.(*corev1.Service)
	s.Labels = nil
	spec := corev1.ServiceSpec{
		Type: s.Spec.Type, ClusterIP: s.Spec.ClusterIP, ExternalIPs: s.Spec.ExternalIPs,
		SessionAffinity: s.Spec.SessionAffinity, InternalTrafficPolicy: s.Spec.InternalTrafficPolicy, Ports: s.Spec.Ports,
	}
	s.Spec = spec
	s.Status = corev1.ServiceStatus{LoadBalancer: s.Status.LoadBalancer}
}

func stripSlice(o client.Object) {
	s := o.(*discoveryv1.EndpointSlice)
	s.Labels = map[string]string{discoveryv1.LabelServiceName: s.Labels[discoveryv1.LabelServiceName]}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		s.Endpoints[i] = discoveryv1.Endpoint{
			Addresses:  e.Addresses,
			Conditions: discoveryv1.EndpointConditions{Ready: e.Conditions.Ready, Terminating: e.Conditions.Terminating},
		}
	}
}

func bundleVersion(o metav1.Object) string { return o.GetAnnotations()[bundleAnnotation] }

// isGatewayCRD says whether a CRD is of the Gateway API.
func isGatewayCRD(crd string) bool {
	const ending = "." + gatewayv1.GroupName
	return len(crd) > len(ending) && crd[len(crd)-len(ending):] == ending
}
