package controller

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/translate"
)

func metaOf(n string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: n} }

func parentRef(kind, n string) gatewayv1.ParentReference {
	k := gatewayv1.Kind(kind)
	return gatewayv1.ParentReference{Kind: &k, Name: gatewayv1.ObjectName(n)}
}

// smallWorld has a Gateway of ours and one of another class of ours, with ListenerSets of them, of themselves and of nothing.
func smallWorld(o Options) *world {
	o.ControllerName = translate.DefaultController
	w := newWorld(&o)
	for _, class := range []string{"mine", "other"} {
		w.classes[name{Name: class}] = &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: class},
			Spec: gatewayv1.GatewayClassSpec{ControllerName: translate.DefaultController}}
		w.gateways[name{Namespace: "ns", Name: class}] = &gatewayv1.Gateway{ObjectMeta: metaOf(class),
			Spec: gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(class)}}
	}
	for set, ref := range map[string]gatewayv1.ParentReference{
		"of-mine": parentRef("Gateway", "mine"), "of-other": parentRef("Gateway", "other"), "of-nothing": parentRef("Gateway", "gone"),
		"of-itself": parentRef("ListenerSet", "of-itself"), "of-set": parentRef("ListenerSet", "of-mine"),
		"other": parentRef("Gateway", "mine"),
	} {
		w.sets[name{Namespace: "ns", Name: set}] = &gatewayv1.ListenerSet{ObjectMeta: metaOf(set),
			Spec: gatewayv1.ListenerSetSpec{ParentRef: gatewayv1.ParentGatewayReference{Kind: ref.Kind, Name: ref.Name}}}
	}
	return w
}

// TestParents says whose routes are ours, and whose entries in a status we remove.
func TestParents(t *testing.T) {
	onlyMine, onlyClass := Options{Gateways: []name{{Namespace: "ns", Name: "mine"}}}, Options{GatewayClass: "mine"}
	elsewhere := parentRef("Gateway", "mine")
	elsewhere.Namespace = new(gatewayv1.Namespace)
	*elsewhere.Namespace = "elsewhere"
	for _, row := range []struct {
		parent gatewayv1.ParentReference
		// ours and owned are by all Gateways, by one alone, by one class alone.
		ours, owned [3]bool
	}{
		{gatewayv1.ParentReference{Name: "mine"}, [3]bool{true, true, true}, [3]bool{true, true, true}},
		{parentRef("Gateway", "other"), [3]bool{true, false, false}, [3]bool{true, false, false}},
		{parentRef("ListenerSet", "of-mine"), [3]bool{true, true, true}, [3]bool{true, true, true}},
		{parentRef("ListenerSet", "of-other"), [3]bool{true, false, false}, [3]bool{true, false, false}},
		{parentRef("ListenerSet", "other"), [3]bool{true, true, true}, [3]bool{true, true, true}},
		{parentRef("ListenerSet", "of-nothing"), [3]bool{}, [3]bool{true, false, true}},
		{parentRef("ListenerSet", "of-itself"), [3]bool{}, [3]bool{true, false, true}},
		{parentRef("ListenerSet", "of-set"), [3]bool{}, [3]bool{true, false, true}},
		{parentRef("ListenerSet", "gone"), [3]bool{}, [3]bool{true, false, true}},
		{parentRef("Service", "mine"), [3]bool{}, [3]bool{true, false, true}},
		{elsewhere, [3]bool{}, [3]bool{true, false, true}},
	} {
		for i, o := range []Options{{}, onlyMine, onlyClass} {
			w := smallWorld(o)
			route := &gatewayv1.GRPCRoute{ObjectMeta: metaOf("r")}
			route.Spec.ParentRefs = []gatewayv1.ParentReference{row.parent}
			if got := w.ourRoute(route); got != row.ours[i] {
				t.Errorf("%s %s, options %d: a route of it is ours: %t", deref(row.parent.Kind), row.parent.Name, i, got)
			}
			if got := w.owned("ns")(row.parent); got != row.owned[i] {
				t.Errorf("%s %s, options %d: an entry of it is owned: %t", deref(row.parent.Kind), row.parent.Name, i, got)
			}
		}
	}
}

func deref(k *gatewayv1.Kind) gatewayv1.Kind {
	if k == nil {
		return "Gateway"
	}
	return *k
}

// TestSnapshotRefers: a snapshot has what its Gateways and routes refer to, by the kinds that translation serves.
func TestSnapshotRefers(t *testing.T) {
	w := smallWorld(Options{GatewayClass: "mine"})
	foreign, port := gatewayv1.Kind("Widget"), gatewayv1.PortNumber(80)
	w.gateways[name{Namespace: "ns", Name: "mine"}].Spec.Listeners = []gatewayv1.Listener{{TLS: &gatewayv1.ListenerTLSConfig{
		CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "cert"}, {Name: "widget", Kind: &foreign}},
	}}}
	route := &gatewayv1.GRPCRoute{ObjectMeta: metaOf("r")}
	route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "mine"}}
	route.Spec.Rules = []gatewayv1.GRPCRouteRule{{BackendRefs: []gatewayv1.GRPCBackendRef{
		{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "svc", Port: &port}}},
		{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "widget", Port: &port, Kind: &foreign}}},
	}}}
	w.grpcRoutes[nameOf(route)] = route
	ca := func(name, kind string) *gatewayv1.FrontendTLSValidation {
		return &gatewayv1.FrontendTLSValidation{CACertificateRefs: []gatewayv1.ObjectReference{{Kind: gatewayv1.Kind(kind),
			Name: gatewayv1.ObjectName(name)}}}
	}
	w.gateways[name{Namespace: "ns", Name: "mine"}].Spec.TLS = &gatewayv1.GatewayTLSConfig{Frontend: &gatewayv1.FrontendTLSConfig{
		Default: gatewayv1.TLSConfig{Validation: ca("ca", "ConfigMap")},
		PerPort: []gatewayv1.TLSPortConfig{{Port: 1, TLS: gatewayv1.TLSConfig{Validation: ca("port-ca", "ConfigMap")}},
			{Port: 2, TLS: gatewayv1.TLSConfig{Validation: ca("widget", "Widget")}}, {Port: 3}},
	}}
	for _, n := range []string{"ca", "port-ca", "widget", "unused"} {
		w.configMaps[name{Namespace: "ns", Name: n}] = &metav1.PartialObjectMetadata{ObjectMeta: metaOf(n)}
	}
	set := w.sets[name{Namespace: "ns", Name: "of-mine"}]
	set.Spec.Listeners = []gatewayv1.ListenerEntry{{TLS: &gatewayv1.ListenerTLSConfig{
		CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "of-set"}},
	}}}
	for _, n := range []string{"cert", "of-set", "widget", "unused", "client", "ca", "ca-of-of-unused"} {
		w.secrets[name{Namespace: "ns", Name: n}] = &metav1.PartialObjectMetadata{ObjectMeta: metaOf(n)}
		w.configMaps[name{Namespace: "ns", Name: n}] = &metav1.PartialObjectMetadata{ObjectMeta: metaOf(n)}
	}
	w.gateways[name{Namespace: "ns", Name: "mine"}].Spec.TLS.Backend = &gatewayv1.GatewayBackendTLS{
		ClientCertificateRef: &gatewayv1.SecretObjectReference{Name: "client"}}
	for _, n := range []string{"svc", "widget", "unused"} {
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metaOf(n + "-1")}
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: n}
		w.putSlice(nameOf(slice), slice)
	}
	for policy, target := range map[string]gatewayv1.LocalPolicyTargetReference{
		"of-service": {Kind: "Service", Name: "svc"}, "of-widget": {Kind: "Widget", Name: "svc"}, "of-unused": {Kind: "Service", Name: "unused"},
	} {
		p := &gatewayv1.BackendTLSPolicy{ObjectMeta: metaOf(policy)}
		p.Spec.TargetRefs = []gatewayv1.LocalPolicyTargetReferenceWithSectionName{{LocalPolicyTargetReference: target}}
		p.Spec.Validation.CACertificateRefs = []gatewayv1.LocalObjectReference{{Kind: "ConfigMap", Name: "ca"}, {Kind: "Secret", Name: "ca"}}
		if policy == "of-unused" {
			p.Spec.Validation.CACertificateRefs[0].Name = "ca-of-of-unused"
		}
		w.policies[nameOf(p)] = p
	}
	snapshotHas(t, w, "BackendTLSPolicy of-service", "ConfigMap ca", "ConfigMap port-ca", "EndpointSlice svc-1", "ListenerSet of-mine",
		"ListenerSet other", "Secret ca", "Secret cert", "Secret client")
	if w.refs.selectors {
		t.Error("labels of namespaces count, and nobody asks for them")
	}
	blue := &gatewayv1.ListenerNamespaces{
		From: new(gatewayv1.NamespacesFromSelector), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "blue"}},
	}
	w.gateways[name{Namespace: "ns", Name: "mine"}].Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: blue}
	snapshotHas(t, w, "BackendTLSPolicy of-service", "ConfigMap ca", "ConfigMap port-ca", "EndpointSlice svc-1", "ListenerSet of-mine",
		"ListenerSet other", "Secret ca", "Secret cert", "Secret client")
	if !w.refs.selectors {
		t.Error("labels of namespaces don't count, and the Gateway asks for them")
	}
	w.namespaces[name{Name: "ns"}] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", Labels: map[string]string{"team": "blue"}}}
	snapshotHas(t, w, "BackendTLSPolicy of-service", "ConfigMap ca", "ConfigMap port-ca", "EndpointSlice svc-1", "ListenerSet of-mine",
		"ListenerSet other", "Secret ca", "Secret cert", "Secret client", "Secret of-set")
}

// snapshotHas compares what a snapshot has besides Gateways and routes.
func snapshotHas(t *testing.T, w *world, want ...string) {
	t.Helper()
	s, unread := w.snapshot()
	var got []string
	for _, o := range unread.secrets {
		got = append(got, "Secret "+o.Name)
	}
	for _, o := range unread.configMaps {
		got = append(got, "ConfigMap "+o.Name)
	}
	for _, o := range s.EndpointSlices {
		got = append(got, "EndpointSlice "+o.Name)
	}
	for _, o := range s.BackendTLSPolicies {
		got = append(got, "BackendTLSPolicy "+o.Name)
	}
	for _, o := range s.ListenerSets {
		got = append(got, "ListenerSet "+o.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the snapshot has %q, want %q", got, want)
	}
}
