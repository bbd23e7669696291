package controller

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/translate"
)

// kind is one kind of object that is watched.
type kind struct {
	schema.GroupKind
	// versions are those that can be read, the best first, with what makes an empty object.
	versions []version
	// needed says that nothing is served before its objects are known: all kinds but those of CRDs that a
	// cluster need not have.
	needed bool
	// annotations are those that somebody reads.
	annotations []string
	// strip takes away from a new object what nobody reads.
	strip func(client.Object)
	// matters says whether a change may change what is served or told. One of old and new may be nil.
	matters func(w *world, old, new metav1.Object) bool
	// put keeps or, with a nil new one, forgets an object of the world, which is locked.
	put func(w *world, key name, object metav1.Object)
}

// version is a version of a kind, with what makes an empty object of it.
type version struct {
	name  string
	empty func() client.Object
}

func v1[T any, P interface {
	*T
	client.Object
}]() version {
	return version{"v1", func() client.Object { return P(new(T)) }}
}

// metadataOf is a kind of which the metadata is enough.
func metadataOf(gvk schema.GroupVersionKind) version {
	return version{gvk.Version, func() client.Object {
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(gvk)
		return o
	}}
}

const gatewayGroup = gatewayv1.GroupName

// crds are the CRDs, of which the metadata says which there are and of which version.
var crds = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// kinds are all that are watched.
func kinds() []*kind {
	gateway := func(name string) schema.GroupKind { return schema.GroupKind{Group: gatewayGroup, Kind: name} }
	core := func(name string) schema.GroupKind { return schema.GroupKind{Kind: name} }
	return []*kind{
		{
			GroupKind: crds.GroupKind(), versions: []version{metadataOf(crds)}, needed: true, annotations: []string{bundleAnnotation},
			matters: func(w *world, old, new metav1.Object) bool { return w.crdMatters(old, new) },
			put:     func(w *world, key name, o metav1.Object) { put(w.crds, key, o) },
		},
		{
			GroupKind: gateway("GatewayClass"), versions: []version{v1[gatewayv1.GatewayClass]()}, needed: true,
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourClass) && respecified(old, new)
			},
			put: func(w *world, key name, o metav1.Object) { put(w.classes, key, o) },
		},
		{
			GroupKind: gateway("Gateway"), versions: []version{v1[gatewayv1.Gateway]()}, needed: true,
			annotations: []string{translate.CrossServingAnnotation},
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourGateway) && (respecified(old, new) || reannotated(old, new))
			},
			put: func(w *world, key name, o metav1.Object) { put(w.gateways, key, o) },
		},
		{
			GroupKind: gateway("GRPCRoute"), versions: []version{v1[gatewayv1.GRPCRoute]()}, needed: true,
			annotations: []string{translate.GRPCWebAnnotation, translate.GRPCWebOriginsAnnotation},
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourRoute) && (respecified(old, new) || reannotated(old, new))
			},
			put: func(w *world, key name, o metav1.Object) { put(w.grpcRoutes, key, o) },
		},
		{
			GroupKind: gateway("HTTPRoute"), versions: []version{v1[gatewayv1.HTTPRoute]()},
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourRoute) && respecified(old, new)
			},
			put: func(w *world, key name, o metav1.Object) { put(w.httpRoutes, key, o) },
		},
		{
			GroupKind: gateway("ListenerSet"), versions: []version{v1[gatewayv1.ListenerSet]()},
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourSet) && respecified(old, new)
			},
			put: func(w *world, key name, o metav1.Object) { put(w.sets, key, o) },
		},
		{
			GroupKind: gateway("ReferenceGrant"),
			versions:  []version{v1[gatewayv1.ReferenceGrant](), {"v1beta1", func() client.Object { return &gatewayv1beta1.ReferenceGrant{} }}},
			matters:   func(_ *world, old, new metav1.Object) bool { return respecified(old, new) },
			put: func(w *world, key name, o metav1.Object) {
				if old, ok := o.(*gatewayv1beta1.ReferenceGrant); ok {
					o = (*gatewayv1.ReferenceGrant)(old)
				}
				put(w.grants, key, o)
			},
		},
		{
			GroupKind: gateway("BackendTLSPolicy"), versions: []version{v1[gatewayv1.BackendTLSPolicy]()},
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourPolicy) && respecified(old, new)
			},
			put: func(w *world, key name, o metav1.Object) { put(w.policies, key, o) },
		},
		ownPolicy[policy.GRPCTimeoutPolicy](policy.TimeoutKind, func(w *world, key name, o metav1.Object) { put(w.timeouts, key, o) }),
		ownPolicy[policy.GRPCRetryPolicy](policy.RetryKind, func(w *world, key name, o metav1.Object) { put(w.retries, key, o) }),
		ownPolicy[policy.BackendPolicy](policy.BackendKind, func(w *world, key name, o metav1.Object) { put(w.backends, key, o) }),
		ownPolicy[policy.GatewayParameters](policy.ParametersKind, func(w *world, key name, o metav1.Object) { put(w.parameters, key, o) }),
		{
			GroupKind: core("Namespace"), versions: []version{v1[corev1.Namespace]()}, needed: true, strip: stripNamespace,
			matters: func(w *world, old, new metav1.Object) bool { return w.refs.selectors && relabeled(old, new) },
			put:     func(w *world, key name, o metav1.Object) { put(w.namespaces, key, o) },
		},
		{
			GroupKind: core("Service"), versions: []version{v1[corev1.Service]()}, needed: true, annotations: []string{translate.CallOnceAnnotation},
			strip: stripService,
			matters: func(w *world, old, new metav1.Object) bool {
				return either(old, new, w.ourService) && changed(old, new)
			},
			put: func(w *world, key name, o metav1.Object) { put(w.services, key, o) },
		},
		{
			GroupKind: schema.GroupKind{Group: discoveryv1.GroupName, Kind: "EndpointSlice"}, versions: []version{v1[discoveryv1.EndpointSlice]()},
			needed: true, strip: stripSlice,
			matters: func(w *world, old, new metav1.Object) bool { return either(old, new, w.ourSlice) && changed(old, new) },
			put:     func(w *world, key name, o metav1.Object) { w.putSlice(key, o) },
		},
		{
			// What is in Secrets and ConfigMaps is read only of those that are used.
			GroupKind: core("Secret"), versions: []version{metadataOf(corev1.SchemeGroupVersion.WithKind("Secret"))}, needed: true,
			matters: func(w *world, old, new metav1.Object) bool { return either(old, new, w.ourSecret) },
			put:     func(w *world, key name, o metav1.Object) { put(w.secrets, key, o) },
		},
		{
			GroupKind: core("ConfigMap"), versions: []version{metadataOf(corev1.SchemeGroupVersion.WithKind("ConfigMap"))}, needed: true,
			matters: func(w *world, old, new metav1.Object) bool { return either(old, new, w.ourConfigMap) },
			put:     func(w *world, key name, o metav1.Object) { put(w.configMaps, key, o) },
		},
	}
}

// ownPolicy is a kind of this project, which a cluster need not have.
func ownPolicy[T any, P interface {
	*T
	client.Object
}](name string, put func(*world, name, metav1.Object)) *kind {
	return &kind{
		GroupKind: schema.GroupKind{Group: policy.Group, Kind: name},
		versions:  []version{{policy.Version, func() client.Object { return P(new(T)) }}},
		matters:   func(_ *world, old, new metav1.Object) bool { return respecified(old, new) },
		put:       put,
	}
}

// put keeps an object of one type, or forgets it.
func put[T any, P interface {
	*T
	metav1.Object
}](objects map[name]P, key name, o metav1.Object) {
	if o == nil {
		delete(objects, key)
		return
	}
	objects[key] = o.(P)
}

// either says whether one of the two, as far as they exist, is ours.
func either[T any](old, new metav1.Object, ours func(T) bool) bool {
	for _, o := range []metav1.Object{old, new} {
		if typed, ok := o.(T); ok && ours(typed) {
			return true
		}
	}
	return false
}
