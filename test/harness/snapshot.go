package harness

import (
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
)

// Load reads manifests as `generate -f` does and completes them. A gatewayClass is what `--gateway-class`
// takes; "" takes every Gateway when there is no GatewayClass.
func Load(t T, gatewayClass string, manifests ...string) *resources.Snapshot {
	t.Helper()
	dir := TempDir(t)
	for i, text := range manifests {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatalf("write a manifest: %v", err)
		}
	}
	snapshot, _, err := resources.Load([]string{dir}, nil)
	if err != nil {
		t.Fatalf("load the manifests: %v", err)
	}
	snapshot, _ = resources.Complete(snapshot, resources.Completion{
		GatewayClass: gatewayClass, Controller: Controller, Backends: string(translate.BackendsEndpoints),
	})
	return snapshot
}

// move returns a copy of the snapshot whose Gateways bind addresses of their own, on ports that need no
// rights, and whose Services have servers behind them.
func (s *Served) move(snapshot *resources.Snapshot, o Options) *resources.Snapshot {
	s.t.Helper()
	moved := *snapshot
	moved.Gateways = nil
	for _, g := range snapshot.Gateways {
		moved.Gateways = append(moved.Gateways, s.moveGateway(g))
	}
	moved.ListenerSets = nil
	for _, l := range snapshot.ListenerSets {
		moved.ListenerSets = append(moved.ListenerSets, moveListenerSet(l))
	}
	moved.GRPCRoutes = nil
	for _, r := range snapshot.GRPCRoutes {
		moved.GRPCRoutes = append(moved.GRPCRoutes, moveRoute(r))
	}
	moved.HTTPRoutes = nil
	for _, r := range snapshot.HTTPRoutes {
		moved.HTTPRoutes = append(moved.HTTPRoutes, moveHTTPRoute(r))
	}
	http := httpServices(snapshot.HTTPRoutes)
	have := map[string]bool{}
	for _, slice := range snapshot.EndpointSlices {
		have[slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName]] = true
	}
	for _, service := range snapshot.Services {
		name := service.Namespace + "/" + service.Name
		if have[name] {
			continue
		}
		states, ok := o.Endpoints[name]
		if !ok {
			states = []bool{true}
		}
		moved.EndpointSlices = append(moved.EndpointSlices, s.slice(service, states, o.HTTP || http[name]))
	}
	return &moved
}

func (s *Served) moveGateway(g *gatewayv1.Gateway) *gatewayv1.Gateway {
	name := g.Namespace + "/" + g.Name
	if s.addresses[name] == "" {
		s.addresses[name] = Address(s.t)
	}
	g = g.DeepCopy()
	g.Spec.Addresses = []gatewayv1.GatewaySpecAddress{{Type: new(gatewayv1.IPAddressType), Value: s.addresses[name]}}
	for i := range g.Spec.Listeners {
		g.Spec.Listeners[i].Port = Unprivileged(g.Spec.Listeners[i].Port)
	}
	return g
}

func moveListenerSet(l *gatewayv1.ListenerSet) *gatewayv1.ListenerSet {
	l = l.DeepCopy()
	for i := range l.Spec.Listeners {
		l.Spec.Listeners[i].Port = Unprivileged(l.Spec.Listeners[i].Port)
	}
	return l
}

func moveRoute(r *gatewayv1.GRPCRoute) *gatewayv1.GRPCRoute {
	r = r.DeepCopy()
	moveParents(r.Spec.ParentRefs)
	return r
}

func moveHTTPRoute(r *gatewayv1.HTTPRoute) *gatewayv1.HTTPRoute {
	r = r.DeepCopy()
	moveParents(r.Spec.ParentRefs)
	return r
}

func moveParents(refs []gatewayv1.ParentReference) {
	for i, ref := range refs {
		if ref.Port != nil {
			refs[i].Port = new(Unprivileged(*ref.Port))
		}
	}
}

// httpServices are the Services, "namespace/name", that HTTPRoutes send to: their servers speak HTTP and gRPC.
func httpServices(routes []*gatewayv1.HTTPRoute) map[string]bool {
	services := map[string]bool{}
	for _, r := range routes {
		add := func(ref *gatewayv1.BackendObjectReference) {
			namespace := r.Namespace
			if ref.Namespace != nil {
				namespace = string(*ref.Namespace)
			}
			services[namespace+"/"+string(ref.Name)] = true
		}
		for _, rule := range r.Spec.Rules {
			for i := range rule.BackendRefs {
				add(&rule.BackendRefs[i].BackendObjectReference)
			}
			for _, f := range rule.Filters {
				if f.RequestMirror != nil {
					add(&f.RequestMirror.BackendRef)
				}
			}
		}
	}
	return services
}

// slice is an EndpointSlice of a Service with an endpoint for each state, and a server at those that run.
func (s *Served) slice(service *corev1.Service, running []bool, http bool) *discoveryv1.EndpointSlice {
	name := service.Namespace + "/" + service.Name
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: service.Name + "-test",
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for _, port := range service.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
			Name: new(port.Name), Port: new(Unprivileged(port.Port)), Protocol: new(corev1.ProtocolTCP), AppProtocol: port.AppProtocol,
		})
	}
	for i, runs := range running {
		key := name
		if !runs {
			key += " refusing"
		}
		address := s.Backends.Address(key, i)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
		})
		if !runs {
			continue
		}
		for _, port := range service.Spec.Ports {
			listen := s.Backends.Listen
			if http {
				listen = s.Backends.ListenHTTP
			}
			listen(fmt.Sprintf("%s:%d", name, port.Port), address, Unprivileged(port.Port))
		}
	}
	return slice
}
