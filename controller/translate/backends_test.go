package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

func TestBackends(t *testing.T) {
	r := Translate(withRules(t, `  - backendRefs: [{name: s, port: 50051, weight: 3}, {name: gone, port: 1}, {name: s, port: 50051, weight: 0}]
  - backendRefs: [{name: s, port: 50051, weight: 0}]
  - {}
  - backendRefs: [{name: gone, port: 1}]`), nginx, Options{})
	type answer struct {
		weights  []int32
		clusters []string
		codes    []model.Code
		status   model.Code
	}
	want := []answer{
		{[]int32{3, 1}, []string{"default/s/50051", ""}, []model.Code{0, model.Unavailable}, 0},
		{nil, nil, nil, model.Unavailable},
		{nil, nil, nil, model.Unimplemented},
		{[]int32{1}, []string{""}, []model.Code{model.Unavailable}, 0},
	}
	for i, rule := range rulesOf(t, r) {
		var got answer
		if rule.Status != nil {
			got.status = rule.Status.Code
		}
		for _, b := range rule.Backends {
			code := model.Code(0)
			if b.Status != nil {
				code = b.Status.Code
				if !strings.Contains(b.Status.Message, "Service default/gone doesn't exist") {
					t.Errorf("message %q doesn't name the object", b.Status.Message)
				}
			}
			got.weights, got.clusters, got.codes = append(got.weights, b.Weight), append(got.clusters, b.Cluster), append(got.codes, code)
		}
		if diff := cmp.Diff(want[i], got, cmp.AllowUnexported(answer{})); diff != "" {
			t.Errorf("rule %d: %s", i, diff)
		}
	}
}

func TestEndpoints(t *testing.T) {
	slice := `
kind: EndpointSlice
metadata: {name: s-1, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
ports: [{name: grpc, port: 9090}, {name: other, port: 1}, {name: grpc, port: 53, protocol: UDP}]
endpoints:
- {addresses: [192.0.2.9, 192.0.2.200]}
- {addresses: [192.0.2.1], conditions: {ready: true}}
- {addresses: [192.0.2.9]}
- {addresses: [192.0.2.2], conditions: {ready: false, serving: true}}
- {addresses: [192.0.2.3], conditions: {ready: true, serving: false, terminating: true}}
- {addresses: [192.0.2.4], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: ["not; an address"]}
---
kind: EndpointSlice
metadata: {name: s-2, labels: {kubernetes.io/service-name: s}}
addressType: FQDN
ports: [{name: grpc, port: 9090}]
endpoints: [{addresses: [pod.example.com]}]
---
kind: EndpointSlice
metadata: {name: s-3, namespace: elsewhere, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
ports: [{name: grpc, port: 9090}]
endpoints: [{addresses: [192.0.2.77]}]
`
	headless := strings.Replace(serviceYAML, "10.96.0.7", "None", 1)
	tests := []struct {
		name, service string
		options       Options
		want          []model.Endpoint
		status        string
	}{
		{"endpoints", serviceYAML, Options{}, []model.Endpoint{{Address: "192.0.2.1", Port: 9090}, {Address: "192.0.2.3", Port: 9090},
			{Address: "192.0.2.9", Port: 9090}}, fine},
		{"dns", serviceYAML, Options{Backends: BackendsDNS}, []model.Endpoint{{Address: "s.default.svc.cluster.local", Port: 50051}}, fine},
		{"dns of a headless Service", headless, Options{Backends: BackendsDNS, ClusterDomain: "corp"},
			[]model.Endpoint{{Address: "s.default.svc.corp", Port: 9090}}, fine},
		{"cluster IP", serviceYAML, Options{Backends: BackendsClusterIP}, []model.Endpoint{{Address: "10.96.0.7", Port: 50051}}, fine},
		{"no cluster IP", headless, Options{Backends: BackendsClusterIP}, nil, "Accepted=True, ResolvedRefs=False BackendNotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := decode(t, classYAML, gatewayYAML, tt.service, slice, `
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: s, port: 50051}]}]`)
			r := Translate(s, nginx, tt.options)
			var got []model.Endpoint
			for _, c := range r.Gateways.Clusters {
				got = append(got, c.Endpoints...)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got := show(conditionsOf(t, r, "GRPCRoute", "r")); got != tt.status {
				t.Error(got)
			}
		})
	}
}

// TestAppProtocols: what R17 takes and what it refuses.
func TestAppProtocols(t *testing.T) {
	for protocol, ok := range map[string]bool{
		"kubernetes.io/h2c": true, "grpc": true, "h2c": true, "http2": true,
		"kubernetes.io/ws": false, "kubernetes.io/wss": false, "http": false, "https": false, "example.com/own": false,
	} {
		s := withRules(t, "  - backendRefs: [{name: s, port: 50051}]")
		s.Services[0].Spec.Ports[0].AppProtocol = &protocol
		want := fine
		if !ok {
			want = "Accepted=True, ResolvedRefs=False UnsupportedProtocol"
		}
		if got := show(conditionsOf(t, Translate(s, nginx, Options{}), "GRPCRoute", "r")); got != want {
			t.Errorf("%s: %s", protocol, got)
		}
	}
}

// TestCallOnce: a Service asks for it, and a proxy that can't keep it says so in the routes' status (R40).
func TestCallOnce(t *testing.T) {
	able, unable := nginx, nginx
	unable.Missing = map[model.Feature]string{model.FeatureCallOnce: "this one can't"}
	for _, tt := range []struct {
		value string
		caps  model.Capabilities
		want  bool
		note  string
	}{
		{"true", able, true, ""},
		{"false", able, false, ""},
		{"yes", able, false, `is "yes" and changes nothing`},
		{"true", unable, false, "isn't kept: this one can't"},
		{"false", unable, false, ""},
	} {
		s := withRules(t, "  - backendRefs: [{name: s, port: 50051}]")
		s.Services[0].Annotations = map[string]string{CallOnceAnnotation: tt.value}
		r := Translate(s, tt.caps, Options{})
		if got := r.Gateways.Clusters[0].CallOnce; got != tt.want {
			t.Errorf("%s: CallOnce is %t", tt.value, got)
		}
		message := conditionsOf(t, r, "GRPCRoute", "r")[0].Message
		if !strings.Contains(message, tt.note) || tt.note == "" && strings.Contains(message, CallOnceAnnotation) {
			t.Errorf("%s: the status says %q, want %q in it", tt.value, message, tt.note)
		}
	}
}

// TestPolicyOfOnePort: a BackendTLSPolicy for a section leaves the other ports alone.
func TestPolicyOfOnePort(t *testing.T) {
	for section, want := range map[gatewayv1.SectionName]string{
		"grpc": "Accepted=True, ResolvedRefs=False InvalidBackendTLSPolicy", "other": fine,
	} {
		s := withRules(t, "  - backendRefs: [{name: s, port: 50051}]")
		p := &gatewayv1.BackendTLSPolicy{}
		p.Namespace, p.Name = "default", "p"
		target := gatewayv1.LocalPolicyTargetReferenceWithSectionName{SectionName: &section}
		target.Kind, target.Name = kindService, "s"
		p.Spec.TargetRefs = []gatewayv1.LocalPolicyTargetReferenceWithSectionName{target}
		s.BackendTLSPolicies = append(s.BackendTLSPolicies, p)
		if got := show(conditionsOf(t, Translate(s, nginx, Options{}), "GRPCRoute", "r")); got != want {
			t.Errorf("%s: %s", section, got)
		}
	}
}
