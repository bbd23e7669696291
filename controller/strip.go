package controller

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
)

// bundleAnnotation is what a CRD says of the Gateway API's version.
const bundleAnnotation = "gateway.networking.k8s.io/bundle-version"

// stripper takes away from every object what nobody reads, before it is kept: the cache of a large cluster is
// mostly that. It finds out the kind by itself, for a cache that is told of kinds asks the API server for them first.
func stripper(kinds []*kind) func(any) (any, error) {
	types := map[reflect.Type]*kind{}
	metadata := map[schema.GroupKind]*kind{}
	for _, k := range kinds {
		for _, v := range k.versions {
			if o := v.empty(); o.GetObjectKind().GroupVersionKind().Empty() {
				types[reflect.TypeOf(o)] = k
			} else {
				metadata[k.GroupKind] = k
			}
		}
	}
	return func(in any) (any, error) {
		o, ok := in.(client.Object)
		if !ok {
			return in, nil
		}
		k := types[reflect.TypeOf(o)]
		if k == nil {
			k = metadata[o.GetObjectKind().GroupVersionKind().GroupKind()]
		}
		if k == nil {
			return in, nil
		}
		k.reduce(o)
		return o, nil
	}
}

// reduce takes away what nobody reads of an object of the kind.
func (k *kind) reduce(o client.Object) {
	o.SetManagedFields(nil)
	o.SetOwnerReferences(nil)
	o.SetFinalizers(nil)
	annotations := o.GetAnnotations()
	o.SetAnnotations(nil)
	maps.DeleteFunc(annotations, func(name, _ string) bool { return !slices.Contains(k.annotations, name) })
	if len(annotations) > 0 {
		o.SetAnnotations(annotations)
	}
	if k.strip != nil {
		k.strip(o)
	} else {
		o.SetLabels(nil)
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
			Conditions: discoveryv1.EndpointConditions{Ready: e.Conditions.Ready},
		}
	}
}

func bundleVersion(o metav1.Object) string { return o.GetAnnotations()[bundleAnnotation] }

// isGatewayCRD says whether a CRD is of the Gateway API.
func isGatewayCRD(crd string) bool { return isOf(crd, gatewayv1.GroupName) }

// isWatchedCRD says whether a CRD is of a kind that may be watched.
func isWatchedCRD(crd string) bool { return isGatewayCRD(crd) || isOf(crd, policy.Group) }

func isOf(crd, group string) bool {
	_, of, _ := strings.Cut(crd, ".")
	return of == group
}
