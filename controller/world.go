package controller

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/policy"
	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
)

// name is the namespace and name of an object.
type name = types.NamespacedName

func nameOf(o metav1.Object) name { return name{Namespace: o.GetNamespace(), Name: o.GetName()} }

// world is what is known of the cluster's objects. They are shared with the cache and never changed.
type world struct {
	options *Options

	mu         sync.Mutex
	crds       map[name]*metav1.PartialObjectMetadata
	classes    map[name]*gatewayv1.GatewayClass
	gateways   map[name]*gatewayv1.Gateway
	sets       map[name]*gatewayv1.ListenerSet
	grpcRoutes map[name]*gatewayv1.GRPCRoute
	httpRoutes map[name]*gatewayv1.HTTPRoute
	grants     map[name]*gatewayv1.ReferenceGrant
	policies   map[name]*gatewayv1.BackendTLSPolicy
	timeouts   map[name]*policy.GRPCTimeoutPolicy
	retries    map[name]*policy.GRPCRetryPolicy
	backends   map[name]*policy.BackendPolicy
	parameters map[name]*policy.GatewayParameters
	namespaces map[name]*corev1.Namespace
	services   map[name]*corev1.Service
	slices     map[name]map[string]*discoveryv1.EndpointSlice // by Service, then by name
	sliceOwner map[name]name                                  // the Service of a slice
	secrets    map[name]*metav1.PartialObjectMetadata
	configMaps map[name]*metav1.PartialObjectMetadata

	// refs are what the last snapshot referred to: changes of anything else of these kinds don't matter.
	refs references
}

// references are the objects that ours refer to, whether they exist or not.
type references struct {
	services   map[name]bool
	secrets    map[name]bool
	configMaps map[name]bool
	// selectors says that a listener looks at the labels of namespaces.
	selectors bool
}

func newWorld(o *Options) *world {
	return &world{
		options: o, crds: map[name]*metav1.PartialObjectMetadata{}, classes: map[name]*gatewayv1.GatewayClass{},
		gateways: map[name]*gatewayv1.Gateway{}, sets: map[name]*gatewayv1.ListenerSet{},
		grpcRoutes: map[name]*gatewayv1.GRPCRoute{}, httpRoutes: map[name]*gatewayv1.HTTPRoute{},
		grants: map[name]*gatewayv1.ReferenceGrant{}, policies: map[name]*gatewayv1.BackendTLSPolicy{},
		timeouts: map[name]*policy.GRPCTimeoutPolicy{}, retries: map[name]*policy.GRPCRetryPolicy{},
		backends: map[name]*policy.BackendPolicy{}, parameters: map[name]*policy.GatewayParameters{},
		namespaces: map[name]*corev1.Namespace{}, services: map[name]*corev1.Service{},
		slices: map[name]map[string]*discoveryv1.EndpointSlice{}, sliceOwner: map[name]name{},
		secrets: map[name]*metav1.PartialObjectMetadata{}, configMaps: map[name]*metav1.PartialObjectMetadata{},
	}
}

func (w *world) putSlice(key name, o metav1.Object) {
	if service, ok := w.sliceOwner[key]; ok {
		delete(w.sliceOwner, key)
		if delete(w.slices[service], key.Name); len(w.slices[service]) == 0 {
			delete(w.slices, service)
		}
	}
	slice, ok := o.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	service := referent.SliceService(slice)
	if w.slices[service] == nil {
		w.slices[service] = map[string]*discoveryv1.EndpointSlice{}
	}
	w.slices[service][key.Name] = slice
	w.sliceOwner[key] = service
}

func (w *world) ourClass(c *gatewayv1.GatewayClass) bool {
	return string(c.Spec.ControllerName) == w.options.ControllerName && (w.options.GatewayClass == "" || w.options.GatewayClass == c.Name)
}

// ourGateway says whether a Gateway is of a class of ours, and one of those that are to be served.
func (w *world) ourGateway(g *gatewayv1.Gateway) bool {
	class := w.classes[name{Name: string(g.Spec.GatewayClassName)}]
	return class != nil && w.ourClass(class) && w.options.serves(nameOf(g))
}

// serves says whether a Gateway of this name is to be served, when its class is ours.
func (o *Options) serves(gateway name) bool {
	if len(o.Gateways) == 0 {
		return true
	}
	for _, g := range o.Gateways {
		if g == gateway {
			return true
		}
	}
	return false
}

// gatewayOf is the Gateway that a parent is, or that it is a ListenerSet of. False: it is neither. The Gateway need not exist.
func (w *world) gatewayOf(parent referent.Object) (name, bool) {
	if s := w.sets[parent.NamespacedName]; parent.IsListenerSet() && s != nil {
		parent = referent.SetParent(s)
	}
	return parent.NamespacedName, parent.IsGateway()
}

// ourParent says whether a parent is a Gateway of ours, or a ListenerSet of one.
func (w *world) ourParent(parent referent.Object) bool {
	key, ok := w.gatewayOf(parent)
	g := w.gateways[key]
	return ok && g != nil && w.ourGateway(g)
}

func (w *world) ourSet(s *gatewayv1.ListenerSet) bool {
	parent := referent.SetParent(s)
	return parent.IsGateway() && w.ourParent(parent)
}

// ourRoute says whether a route names a Gateway of ours, or has in its status that it did.
func (w *world) ourRoute(o metav1.Object) bool {
	refs, status := routeParts(o)
	for i := range refs {
		if w.ourParent(referent.Parent(&refs[i], o.GetNamespace())) {
			return true
		}
	}
	for _, p := range status {
		if string(p.ControllerName) == w.options.ControllerName && w.owned(o.GetNamespace())(p.ParentRef) {
			return true
		}
	}
	return false
}

func routeParts(o metav1.Object) ([]gatewayv1.ParentReference, []gatewayv1.RouteParentStatus) {
	switch r := o.(type) {
	case *gatewayv1.GRPCRoute:
		return r.Spec.ParentRefs, r.Status.Parents
	case *gatewayv1.HTTPRoute:
		return r.Spec.ParentRefs, r.Status.Parents
	}
	return nil, nil
}

// owned says which entries of our controllerName in the status of an object are this program's to remove: where
// only some Gateways are served, another program may serve the others by the same name.
func (w *world) owned(namespace string) func(gatewayv1.ParentReference) bool {
	return func(ref gatewayv1.ParentReference) bool {
		key, ok := w.gatewayOf(referent.Parent(&ref, namespace))
		if len(w.options.Gateways) > 0 {
			return ok && w.options.serves(key)
		}
		if !ok || w.options.GatewayClass == "" {
			return true
		}
		g := w.gateways[key]
		return g == nil || string(g.Spec.GatewayClassName) == w.options.GatewayClass
	}
}

func (w *world) ourPolicy(p *gatewayv1.BackendTLSPolicy) bool {
	for i := range p.Spec.TargetRefs {
		to := referent.Target(&p.Spec.TargetRefs[i].LocalPolicyTargetReference, p.Namespace)
		if to.IsService() && w.refs.services[to.NamespacedName] {
			return true
		}
	}
	for _, a := range p.Status.Ancestors {
		if string(a.ControllerName) == w.options.ControllerName && w.owned(p.Namespace)(a.AncestorRef) {
			return true
		}
	}
	return false
}

func (w *world) ourService(s *corev1.Service) bool {
	return w.refs.services[nameOf(s)] || w.options.PublishService != nil && *w.options.PublishService == nameOf(s)
}

func (w *world) ourSlice(s *discoveryv1.EndpointSlice) bool {
	return w.refs.services[referent.SliceService(s)]
}

func (w *world) ourSecret(s *metav1.PartialObjectMetadata) bool { return w.refs.secrets[nameOf(s)] }

func (w *world) ourConfigMap(m *metav1.PartialObjectMetadata) bool {
	return w.refs.configMaps[nameOf(m)]
}

// crdMatters says whether another version of the Gateway API is installed.
func (w *world) crdMatters(old, new metav1.Object) bool {
	if old == nil || new == nil {
		return w.ourCRD(old) || w.ourCRD(new)
	}
	return w.ourCRD(new) && bundleVersion(old) != bundleVersion(new)
}

func (w *world) ourCRD(o metav1.Object) bool { return o != nil && isGatewayCRD(o.GetName()) }

// respecified says whether anything but the status of an object of the Gateway API has changed.
func respecified(old, new metav1.Object) bool {
	return old == nil || new == nil || old.GetUID() != new.GetUID() || old.GetGeneration() != new.GetGeneration()
}

func reannotated(old, new metav1.Object) bool {
	return !maps.Equal(old.GetAnnotations(), new.GetAnnotations())
}

func relabeled(old, new metav1.Object) bool {
	return old == nil || new == nil || !labels.Equals(old.GetLabels(), new.GetLabels())
}

// changed says whether anything has changed of what is kept of an object.
func changed(old, new metav1.Object) bool {
	switch a := old.(type) {
	case *corev1.Service:
		if b, ok := new.(*corev1.Service); ok {
			return !equality.Semantic.DeepEqual(a.Spec, b.Spec) || !equality.Semantic.DeepEqual(a.Status, b.Status) ||
				!maps.Equal(a.Annotations, b.Annotations)
		}
	case *discoveryv1.EndpointSlice:
		if b, ok := new.(*discoveryv1.EndpointSlice); ok {
			return referent.SliceService(a) != referent.SliceService(b) || !reflect.DeepEqual(a.Ports, b.Ports) ||
				!reflect.DeepEqual(a.Endpoints, b.Endpoints)
		}
	}
	return true
}

// snapshot collects what concerns our Gateways, and notes what it refers to before looking for it, so that a
// change of it that comes later is noticed. The data of Secrets and ConfigMaps isn't in it: unread are those to read.
func (w *world) snapshot() (s *resources.Snapshot, unread unread) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s = &resources.Snapshot{}
	for _, c := range w.classes {
		if w.ourClass(c) {
			s.GatewayClasses = append(s.GatewayClasses, c)
		}
	}
	refs := references{secrets: map[name]bool{}, configMaps: map[name]bool{}, services: map[name]bool{}}
	for _, g := range w.gateways {
		if w.ourGateway(g) {
			s.Gateways = append(s.Gateways, g)
			refs.addGateway(g)
		}
	}
	for _, set := range w.sets {
		if w.ourSet(set) {
			s.ListenerSets = append(s.ListenerSets, set)
			refs.addSet(set, w.gateways[referent.SetParent(set).NamespacedName], w.labelsOf)
		}
	}
	for _, r := range w.grpcRoutes {
		if w.ourRoute(r) {
			s.GRPCRoutes = append(s.GRPCRoutes, r)
		}
	}
	for _, r := range w.httpRoutes {
		if w.ourRoute(r) {
			s.HTTPRoutes = append(s.HTTPRoutes, r)
		}
	}
	for service := range resources.NamedServices(s) {
		refs.services[service] = true
	}
	w.refs = refs
	for _, g := range w.grants {
		s.ReferenceGrants = append(s.ReferenceGrants, g)
	}
	for _, p := range w.policies {
		if w.ourPolicy(p) {
			s.BackendTLSPolicies = append(s.BackendTLSPolicies, p)
			refs.addPolicy(p)
		}
	}
	s.GRPCTimeoutPolicies = slices.Collect(maps.Values(w.timeouts))
	s.GRPCRetryPolicies = slices.Collect(maps.Values(w.retries))
	s.BackendPolicies = slices.Collect(maps.Values(w.backends))
	s.GatewayParameters = slices.Collect(maps.Values(w.parameters))
	if refs.selectors {
		for _, n := range w.namespaces {
			s.Namespaces = append(s.Namespaces, n)
		}
	}
	for key := range refs.services {
		if service := w.services[key]; service != nil {
			s.Services = append(s.Services, service)
		}
		for _, slice := range w.slices[key] {
			s.EndpointSlices = append(s.EndpointSlices, slice)
		}
	}
	unread.secrets, unread.configMaps = existing(refs.secrets, w.secrets), existing(refs.configMaps, w.configMaps)
	return s, unread
}

// unread is the metadata of the objects whose contents a snapshot needs.
type unread struct {
	secrets, configMaps []*metav1.PartialObjectMetadata
}

// existing are those objects that are referred to.
func existing(refs map[name]bool, objects map[name]*metav1.PartialObjectMetadata) (out []*metav1.PartialObjectMetadata) {
	for key := range refs {
		if o := objects[key]; o != nil {
			out = append(out, o)
		}
	}
	return out
}

// addPolicy notes what a policy refers to.
func (r *references) addPolicy(p *gatewayv1.BackendTLSPolicy) {
	for i := range p.Spec.Validation.CACertificateRefs {
		switch to := referent.Authority(&p.Spec.Validation.CACertificateRefs[i], p.Namespace); {
		case to.IsConfigMap():
			r.configMaps[to.NamespacedName] = true
		case to.IsSecret():
			r.secrets[to.NamespacedName] = true
		}
	}
}

// addGateway notes what a Gateway refers to.
func (r *references) addGateway(g *gatewayv1.Gateway) {
	if a := g.Spec.AllowedListeners; a != nil && a.Namespaces != nil && a.Namespaces.Selector != nil {
		r.selectors = true
	}
	for _, v := range referent.ClientValidations(g) {
		for i := range v.CACertificateRefs {
			if to := referent.CACertificate(&v.CACertificateRefs[i], g.Namespace); to.IsConfigMap() {
				r.configMaps[to.NamespacedName] = true
			}
		}
	}
	if t := g.Spec.TLS; t != nil && t.Backend != nil && t.Backend.ClientCertificateRef != nil {
		if to := referent.Certificate(t.Backend.ClientCertificateRef, g.Namespace); to.IsSecret() {
			r.secrets[to.NamespacedName] = true
		}
	}
	for i := range g.Spec.Listeners {
		r.addListener(&g.Spec.Listeners[i], g.Namespace)
	}
}

// addSet notes what a ListenerSet refers to. Of one that its Gateway doesn't take nothing is read.
func (r *references) addSet(s *gatewayv1.ListenerSet, g *gatewayv1.Gateway, labelsOf func(namespace string) labels.Set) {
	if !translate.AllowsListenerSets(g, s.Namespace, labelsOf) {
		return
	}
	for i := range s.Spec.Listeners {
		l := gatewayv1.Listener(s.Spec.Listeners[i])
		r.addListener(&l, s.Namespace)
	}
}

// addListener notes what a listener refers to that stands in a namespace.
func (r *references) addListener(l *gatewayv1.Listener, namespace string) {
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil && l.AllowedRoutes.Namespaces.Selector != nil {
		r.selectors = true
	}
	if l.TLS == nil {
		return
	}
	for i := range l.TLS.CertificateRefs {
		if to := referent.Certificate(&l.TLS.CertificateRefs[i], namespace); to.IsSecret() {
			r.secrets[to.NamespacedName] = true
		}
	}
}

// labelsOf are the labels of a namespace. One that isn't known has the label that every namespace has.
func (w *world) labelsOf(namespace string) labels.Set {
	if n := w.namespaces[name{Name: namespace}]; n != nil {
		return n.Labels
	}
	return labels.Set{corev1.LabelMetadataName: namespace}
}
