package translate

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
)

// largeSnapshot has a Gateway with routes of 10 rules each, a Service and slice for every tenth rule, a header
// match on every fourth and a filter on every fifth.
func largeSnapshot(rules int) *resources.Snapshot {
	s := &resources.Snapshot{
		GatewayClasses: []*gatewayv1.GatewayClass{{
			ObjectMeta: metav1.ObjectMeta{Name: "c"},
			Spec:       gatewayv1.GatewayClassSpec{ControllerName: DefaultController},
		}},
		Gateways: []*gatewayv1.Gateway{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "gw"},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: "c", Listeners: []gatewayv1.Listener{
				{Name: "a", Port: 80, Protocol: gatewayv1.HTTPProtocolType},
			}},
		}},
	}
	for i := 0; i < rules; i += 10 {
		service := fmt.Sprintf("svc-%d", i)
		s.Services = append(s.Services, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: service},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "grpc", Port: 50051}}},
		})
		s.EndpointSlices = append(s.EndpointSlices, &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(50051))}},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{fmt.Sprintf("10.0.%d.%d", i/256%256, i%256)}},
				{Addresses: []string{fmt.Sprintf("10.1.%d.%d", i/256%256, i%256)}},
			},
		})
		r := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("route-%d", i)}}
		r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "gw"}}
		r.Spec.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(fmt.Sprintf("h%d.example.com", i%100))}
		for j := range min(10, rules-i) {
			rule := gatewayv1.GRPCRouteRule{
				Matches: []gatewayv1.GRPCRouteMatch{{Method: &gatewayv1.GRPCMethodMatch{
					Service: new(fmt.Sprintf("acme.v1.Service%d", i)), Method: new(fmt.Sprintf("Method%d", j)),
				}}},
				BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{
						Name: gatewayv1.ObjectName(service), Port: new(gatewayv1.PortNumber(50051)),
					},
				}}},
			}
			if j%4 == 0 {
				rule.Matches[0].Headers = []gatewayv1.GRPCHeaderMatch{{Name: "X-Version", Value: "v2"}}
			}
			if j%5 == 0 {
				rule.Filters = []gatewayv1.GRPCRouteFilter{{
					Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier,
					RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{
						Set: []gatewayv1.HTTPHeader{{Name: "x-route", Value: service}},
					},
				}}
			}
			r.Spec.Rules = append(r.Spec.Rules, rule)
		}
		s.GRPCRoutes = append(s.GRPCRoutes, r)
	}
	return s
}

func BenchmarkTranslate(b *testing.B) {
	for _, rules := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			s := largeSnapshot(rules)
			b.ReportAllocs()
			for b.Loop() {
				r := Translate(s, nginx, Options{})
				if n := len(r.Gateways.Gateways[0].Listeners[0].Scopes); n == 0 {
					b.Fatal("nothing was translated")
				}
			}
		})
	}
}
