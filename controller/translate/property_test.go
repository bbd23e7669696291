package translate

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/model"
)

// same fails when shuffling a snapshot's lists changes the result.
func same(t *testing.T, s *resources.Snapshot, seed uint64) {
	t.Helper()
	want := Translate(s, nginx, Options{})
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 3 {
		c := *s
		shuffle(rnd, &c.GatewayClasses)
		shuffle(rnd, &c.Gateways)
		shuffle(rnd, &c.ListenerSets)
		shuffle(rnd, &c.GRPCRoutes)
		shuffle(rnd, &c.HTTPRoutes)
		shuffle(rnd, &c.ReferenceGrants)
		shuffle(rnd, &c.BackendTLSPolicies)
		shuffle(rnd, &c.Namespaces)
		shuffle(rnd, &c.Services)
		shuffle(rnd, &c.EndpointSlices)
		shuffle(rnd, &c.Secrets)
		if diff := different(Translate(&c, nginx, Options{}), want); diff != "" {
			t.Fatalf("seed %d: another order gives another %s", seed, diff)
		}
	}
}

// different says in which part a result isn't as wanted, and how; "" when it is the same.
func different(got, want Result) string {
	for _, part := range []struct {
		name      string
		got, want any
	}{
		{"model", got.Gateways, want.Gateways},
		{"reports", got.Reports(), want.Reports()},
		{"edges", got.Edges(), want.Edges()},
	} {
		if !reflect.DeepEqual(part.got, part.want) {
			return fmt.Sprintf("%s:\n%+v\nwant\n%+v", part.name, part.got, part.want)
		}
	}
	return ""
}

func shuffle[T any](rnd *rand.Rand, list *[]T) {
	*list = slices.Clone(*list)
	rnd.Shuffle(len(*list), func(i, j int) { (*list)[i], (*list)[j] = (*list)[j], (*list)[i] })
}

// wellFormed checks what the model and the reports promise whatever the input.
func wellFormed(t *testing.T, r Result) {
	t.Helper()
	clusters, used := map[string]bool{}, map[string]bool{}
	for i, c := range r.Gateways.Clusters {
		clusters[c.Name] = true
		if i > 0 && r.Gateways.Clusters[i-1].Name >= c.Name {
			t.Errorf("clusters aren't sorted at %s", c.Name)
		}
	}
	for _, gw := range r.Gateways.Gateways {
		bound := map[string]string{}
		for _, l := range gw.Listeners {
			key := fmt.Sprint(l.Port, l.Hostname)
			if other := bound[key]; other != "" {
				t.Errorf("listeners %s and %s of %s are not distinct", other, l.Name, gw.Name)
			}
			bound[key] = l.Name
			if (l.Protocol == model.HTTPS) != (len(l.KeyPairs) > 0) {
				t.Errorf("listener %s: %s with key pairs %v", l.Name, l.Protocol, l.KeyPairs)
			}
			for _, s := range l.Scopes {
				if _, ok := model.HostnameIntersection(l.Hostname, s.Hostname); !ok || len(s.Rules) == 0 {
					t.Errorf("listener %s (%s) has scope %s with %d rules", l.Name, l.Hostname, s.Hostname, len(s.Rules))
				}
				for _, rule := range s.Rules {
					wellFormedRule(t, rule, clusters, used)
				}
			}
		}
	}
	if !reflect.DeepEqual(clusters, used) {
		t.Errorf("clusters %v, used are %v", clusters, used)
	}
	reports := r.Reports()
	if _, err := status.Marshal(reports); err != nil {
		t.Error(err)
	}
	for i := range reports {
		if route := reports[i].Route; route != nil && (len(route.Parents) == 0 || len(route.Parents) > maxParents) {
			t.Errorf("%s has %d parents", reports[i].Object(), len(route.Parents))
		}
	}
}

func wellFormedRule(t *testing.T, rule *model.Rule, clusters, used map[string]bool) {
	t.Helper()
	if len(rule.Matches) == 0 || (rule.Status == nil) == (len(rule.Backends) == 0) {
		t.Errorf("%s: %d matches, status %v, %d backends", rule.Source, len(rule.Matches), rule.Status, len(rule.Backends))
	}
	for _, b := range rule.Backends {
		answers := 0
		for _, is := range []bool{b.Cluster != "", b.Status != nil, b.Redirect != nil} {
			if is {
				answers++
			}
		}
		if b.Weight < 1 || answers != 1 || b.Cluster != "" && !clusters[b.Cluster] {
			t.Errorf("%s: backend %+v", rule.Source, b)
		}
	}
	for _, name := range rule.Clusters() {
		used[name] = true
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(400) {
		s := randomSnapshot(rand.New(rand.NewPCG(seed, 1)))
		same(t, s, seed)
		wellFormed(t, Translate(s, nginx, Options{}))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestTranslatorForgetsNothing and remembers nothing that has changed: whatever becomes of a snapshot, its results are
// those of a first translation, and the ones that it gave before stay what they were.
func TestTranslatorForgetsNothing(t *testing.T) {
	for seed := range uint64(1000) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var translator Translator
		s := randomSnapshot(rnd)
		var before, wantBefore Result
		for step := range 8 {
			caps, options := nginx, Options{}
			if rnd.IntN(8) == 0 {
				caps = pick(rnd, model.Capabilities{}, nginx)
			}
			if rnd.IntN(8) == 0 {
				options.Backends = pick(rnd, BackendsDNS, BackendsClusterIP)
			}
			got, want := translator.Translate(s, caps, options), Translate(s, caps, options)
			if diff := different(got, want); diff != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, diff)
			}
			if step > 0 {
				if diff := different(before, wantBefore); diff != "" {
					t.Fatalf("seed %d, step %d changed what came of the one before: %s", seed, step, diff)
				}
			}
			before, wantBefore = got, want
			s = changed(rnd, s)
		}
	}
}

// changed is a snapshot with most of the objects of another one.
func changed(rnd *rand.Rand, s *resources.Snapshot) *resources.Snapshot {
	other := randomSnapshot(rnd)
	return &resources.Snapshot{
		GatewayClasses:     mixed(rnd, s.GatewayClasses, other.GatewayClasses),
		Gateways:           mixed(rnd, s.Gateways, other.Gateways),
		ListenerSets:       mixed(rnd, s.ListenerSets, other.ListenerSets),
		GRPCRoutes:         mixed(rnd, s.GRPCRoutes, other.GRPCRoutes),
		HTTPRoutes:         mixed(rnd, s.HTTPRoutes, other.HTTPRoutes),
		ReferenceGrants:    mixed(rnd, s.ReferenceGrants, other.ReferenceGrants),
		BackendTLSPolicies: mixed(rnd, s.BackendTLSPolicies, other.BackendTLSPolicies),
		Services:           mixed(rnd, s.Services, other.Services),
		EndpointSlices:     mixed(rnd, s.EndpointSlices, other.EndpointSlices),
	}
}

// mixed keeps most of a list, and takes some of another one: instead of an object, or beside it.
func mixed[T metav1.Object](rnd *rand.Rand, list, other []T) []T {
	drop := func(T) bool { return rnd.IntN(8) == 0 }
	list = slices.DeleteFunc(slices.Clone(list), drop)
	other = slices.DeleteFunc(slices.Clone(other), func(T) bool { return !drop(*new(T)) })
	list = uniq(append(other, list...))
	shuffle(rnd, &list)
	return list
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

func meta(rnd *rand.Rand, names ...string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: pick(rnd, "ns1", "ns2"), Name: pick(rnd, names...), Generation: rnd.Int64N(5),
		CreationTimestamp: metav1.Time{Time: time.Unix(1_700_000_000+rnd.Int64N(3), 0)},
	}
}

// uniq keeps the first object of each name, as an API server would.
func uniq[T metav1.Object](list []T) []T {
	seen := map[name]bool{}
	return slices.DeleteFunc(list, func(o T) bool {
		before := seen[nameOf(o)]
		seen[nameOf(o)] = true
		return before
	})
}

var randomHosts = []gatewayv1.Hostname{"a.example.com", "*.example.com", "b.a.example.com", "*.a.example.com", "example.com", "*.com",
	"a.example.net"}

func randomSnapshot(rnd *rand.Rand) *resources.Snapshot {
	s := &resources.Snapshot{}
	for _, c := range []string{"ours", "theirs"} {
		s.GatewayClasses = append(s.GatewayClasses, &gatewayv1.GatewayClass{
			ObjectMeta: metav1.ObjectMeta{Name: c},
			Spec: gatewayv1.GatewayClassSpec{
				ControllerName: map[string]gatewayv1.GatewayController{"ours": DefaultController, "theirs": "example.com/other"}[c],
			},
		})
	}
	for range 1 + rnd.IntN(4) {
		s.Gateways = append(s.Gateways, randomGateway(rnd))
	}
	s.Gateways = uniq(s.Gateways)
	for range rnd.IntN(6) {
		s.GRPCRoutes = append(s.GRPCRoutes, randomRoute(rnd))
	}
	s.GRPCRoutes = uniq(s.GRPCRoutes)
	for range rnd.IntN(3) {
		from := randomRoute(rnd)
		s.HTTPRoutes = append(s.HTTPRoutes, &gatewayv1.HTTPRoute{ObjectMeta: from.ObjectMeta, Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: from.Spec.CommonRouteSpec, Hostnames: from.Spec.Hostnames,
		}})
	}
	s.HTTPRoutes = uniq(s.HTTPRoutes)
	for range rnd.IntN(5) {
		s.Services = append(s.Services, &corev1.Service{ObjectMeta: meta(rnd, "s1", "s2", "s3"), Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Name: "grpc", Port: 1, AppProtocol: pick(rnd, nil, new("kubernetes.io/ws"))},
				{Name: "other", Port: 2}},
			SessionAffinity: pick(rnd, corev1.ServiceAffinityNone, corev1.ServiceAffinityClientIP),
		}})
	}
	s.Services = uniq(s.Services)
	for range rnd.IntN(6) {
		m := meta(rnd, "e1", "e2", "e3", "e4")
		m.Labels = map[string]string{discoveryv1.LabelServiceName: pick(rnd, "s1", "s2", "s3")}
		s.EndpointSlices = append(s.EndpointSlices, &discoveryv1.EndpointSlice{
			ObjectMeta: m, Ports: []discoveryv1.EndpointPort{{Name: new(pick(rnd, "grpc", "other")), Port: new(rnd.Int32N(3) + 1)}},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{fmt.Sprintf("10.0.0.%d", rnd.IntN(4))},
					Conditions: discoveryv1.EndpointConditions{Ready: pick(rnd, nil, new(true), new(false))}},
			},
		})
	}
	s.EndpointSlices = uniq(s.EndpointSlices)
	for range rnd.IntN(3) {
		s.ReferenceGrants = append(s.ReferenceGrants, &gatewayv1.ReferenceGrant{ObjectMeta: meta(rnd, "g1", "g2"),
			Spec: gatewayv1.ReferenceGrantSpec{
				From: []gatewayv1.ReferenceGrantFrom{{Group: groupGateway, Kind: "GRPCRoute", Namespace: pick[gatewayv1.Namespace](rnd, "ns1", "ns2")}},
				To:   []gatewayv1.ReferenceGrantTo{{Kind: kindService, Name: pick(rnd, nil, new(gatewayv1.ObjectName("s1")))}},
			}})
	}
	s.ReferenceGrants = uniq(s.ReferenceGrants)
	for range rnd.IntN(3) {
		p := &gatewayv1.BackendTLSPolicy{ObjectMeta: meta(rnd, "p1", "p2")}
		t := gatewayv1.LocalPolicyTargetReferenceWithSectionName{SectionName: pick(rnd, nil, new(gatewayv1.SectionName("grpc")))}
		t.Kind, t.Name = kindService, pick[gatewayv1.ObjectName](rnd, "s1", "s2")
		p.Spec.TargetRefs = append(p.Spec.TargetRefs, t)
		s.BackendTLSPolicies = append(s.BackendTLSPolicies, p)
	}
	s.BackendTLSPolicies = uniq(s.BackendTLSPolicies)
	for range rnd.IntN(2) {
		l := &gatewayv1.ListenerSet{ObjectMeta: meta(rnd, "l1", "l2")}
		l.Spec.ParentRef.Name = "g1"
		s.ListenerSets = append(s.ListenerSets, l)
	}
	return s
}

func randomGateway(rnd *rand.Rand) *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: meta(rnd, "g1", "g2", "g3")}
	g.Spec.GatewayClassName = pick[gatewayv1.ObjectName](rnd, "ours", "ours", "ours", "theirs")
	if rnd.IntN(2) == 0 {
		g.Spec.Addresses = append(g.Spec.Addresses, gatewayv1.GatewaySpecAddress{Value: pick(rnd, "127.0.0.1", "127.0.0.2", "nonsense")})
	}
	for i := range 1 + rnd.IntN(4) {
		l := gatewayv1.Listener{
			Name: gatewayv1.SectionName(fmt.Sprintf("l%d", i)), Port: pick[int32](rnd, 80, 81),
			Protocol: pick(rnd, gatewayv1.HTTPProtocolType, gatewayv1.HTTPProtocolType, gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType,
				gatewayv1.TCPProtocolType),
		}
		if rnd.IntN(2) == 0 {
			l.Hostname = new(pick(rnd, randomHosts...))
		}
		l.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{
			From: new(pick(rnd, gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromSame)),
		}}
		g.Spec.Listeners = append(g.Spec.Listeners, l)
	}
	return g
}

func randomRoute(rnd *rand.Rand) *gatewayv1.GRPCRoute {
	r := &gatewayv1.GRPCRoute{ObjectMeta: meta(rnd, "r1", "r2", "r3", "r4")}
	for range 1 + rnd.IntN(2) {
		ref := gatewayv1.ParentReference{
			Name: pick[gatewayv1.ObjectName](rnd, "g1", "g2", "g3"), Namespace: new(pick[gatewayv1.Namespace](rnd, "ns1", "ns2")),
		}
		if rnd.IntN(4) == 0 {
			ref.SectionName = new(pick[gatewayv1.SectionName](rnd, "l0", "l1", "l9"))
		}
		r.Spec.ParentRefs = append(r.Spec.ParentRefs, ref)
	}
	for range rnd.IntN(3) {
		r.Spec.Hostnames = append(r.Spec.Hostnames, pick(rnd, randomHosts...))
	}
	for range rnd.IntN(4) {
		rule := gatewayv1.GRPCRouteRule{}
		for range rnd.IntN(3) {
			m := gatewayv1.GRPCRouteMatch{Method: &gatewayv1.GRPCMethodMatch{
				Type:    new(pick(rnd, gatewayv1.GRPCMethodMatchExact, gatewayv1.GRPCMethodMatchRegularExpression)),
				Service: pick(rnd, nil, new("a.B"), new("C")), Method: pick(rnd, nil, new("M"), new("(")),
			}}
			if rnd.IntN(3) == 0 {
				m.Headers = []gatewayv1.GRPCHeaderMatch{{Name: pick[gatewayv1.GRPCHeaderName](rnd, "x-a", "X_b"), Value: "v"}}
			}
			rule.Matches = append(rule.Matches, m)
		}
		for range rnd.IntN(3) {
			ref := gatewayv1.GRPCBackendRef{}
			ref.Name, ref.Port = pick[gatewayv1.ObjectName](rnd, "s1", "s2", "s3"), new(pick[int32](rnd, 1, 2, 3))
			ref.Weight = pick(rnd, nil, new(int32(0)), new(int32(5)))
			ref.Namespace = pick(rnd, nil, new(gatewayv1.Namespace("ns1")))
			if rnd.IntN(4) == 0 {
				ref.Filters = []gatewayv1.GRPCRouteFilter{{Type: gatewayv1.GRPCRouteFilterRequestMirror}}
			}
			rule.BackendRefs = append(rule.BackendRefs, ref)
		}
		if rnd.IntN(5) == 0 {
			rule.Filters = []gatewayv1.GRPCRouteFilter{{
				Type: gatewayv1.GRPCRouteFilterExtensionRef, ExtensionRef: &gatewayv1.LocalObjectReference{Kind: "X", Name: "x"},
			}}
		}
		r.Spec.Rules = append(r.Spec.Rules, rule)
	}
	return r
}
