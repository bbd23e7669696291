package translate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

const classYAML = `
kind: GatewayClass
metadata: {name: c}
spec: {controllerName: gatewright.io/gateway-controller}
`

const gatewayYAML = `
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: c
  listeners: [{name: l, port: 80, protocol: HTTP}]
`

const serviceYAML = `
kind: Service
metadata: {name: s}
spec: {clusterIP: 10.96.0.7, ports: [{name: grpc, port: 50051, targetPort: 9090}]}
`

// withRules returns a snapshot with one route of these rules.
func withRules(t testing.TB, rules string) *resources.Snapshot {
	t.Helper()
	return decode(t, classYAML, gatewayYAML, serviceYAML, `
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}]
  rules:
`+rules)
}

// rulesOf returns the rules of the only listener's only scope.
func rulesOf(t testing.TB, r Result) []*model.Rule {
	t.Helper()
	if len(r.Gateways.Gateways) != 1 || len(r.Gateways.Gateways[0].Listeners) != 1 || len(r.Gateways.Gateways[0].Listeners[0].Scopes) != 1 {
		t.Fatalf("not one Gateway with one listener and one scope: %+v", r.Gateways)
	}
	return r.Gateways.Gateways[0].Listeners[0].Scopes[0].Rules
}

var comparePatterns = cmp.Comparer(func(a, b *pattern.Pattern) bool {
	return a == b || a != nil && b != nil && a.String() == b.String()
})

func mustParse(t testing.TB, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatches(t *testing.T) {
	tests := []struct {
		name, match string
		want        model.Match
	}{
		{"both", `{method: {service: a.B, method: C}}`, model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/a.B/C", Service: "a.B", Method: "C"}}},
		{"leading dot", `{method: {service: .a.B, method: C}}`, model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/.a.B/C", Service: ".a.B", Method: "C"}}},
		{"service", `{method: {type: Exact, service: a.B}}`, model.Match{Path: model.Path{Kind: model.ServicePath, Service: "a.B"}}},
		{"method", `{method: {method: C, service: ""}}`, model.Match{Path: model.Path{Kind: model.MethodPath, Method: "C"}}},
		{"neither", `{method: {service: "", method: ""}}`, model.Match{}},
		{"empty", `{}`, model.Match{}},
		{"regex", `{method: {type: RegularExpression, service: "a.*", method: "[CD]"}}`,
			model.Match{Path: model.Path{Kind: model.SegmentsPath, ServiceRegex: mustParse(t, "a.*"), MethodRegex: mustParse(t, "[CD]")}}},
		{"regex for one", `{method: {type: RegularExpression, service: "", method: "[CD]"}}`,
			model.Match{Path: model.Path{Kind: model.SegmentsPath, MethodRegex: mustParse(t, "[CD]")}}},
		{"regex for none", `{method: {type: RegularExpression, service: "", method: ""}}`, model.Match{}},
		{"headers", `{headers: [{name: X-B, value: "1"}, {name: x-a, type: RegularExpression, value: "v.*"}, {name: x-B, value: "2"}]}`,
			model.Match{Headers: []model.ValueMatch{{Name: "x-b", Value: "1"}, {Name: "x-a", Regex: mustParse(t, "v.*")}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Translate(withRules(t, "  - matches: ["+tt.match+"]"), nginx, Options{})
			if diff := cmp.Diff([]model.Match{tt.want}, rulesOf(t, r)[0].Matches, comparePatterns); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRefusedRules has rules that are refused beside one that is fine, with what the message names.
func TestRefusedRules(t *testing.T) {
	tests := []struct{ name, rule, want string }{
		{"slash in a service", `matches: [{method: {service: a/b}}]`, `spec.rules[0].matches[0].method.service: "a/b"`},
		{"method type", `matches: [{}, {method: {type: Glob, service: a}}]`, `spec.rules[0].matches[1].method.type: "Glob"`},
		{"dash in a method", `matches: [{method: {method: a-b}}]`, `spec.rules[0].matches[0].method.method: "a-b"`},
		{"long service", `matches: [{method: {service: ` + strings.Repeat("a.", 900) + `a}}]`, "matches[0].method.service: too long for nginx: 4"},
		{"long regex", `matches: [{method: {type: RegularExpression, service: "` + strings.Repeat("(a.)", 400) + `"}}]`, "too long for nginx"},
		{"session persistence", `sessionPersistence: {type: Cookie}`, "spec.rules[0].sessionPersistence"},
		{"two modifiers", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}, {type: RequestHeaderModifier, requestHeaderModifier: {remove: [b]}}]`, "filters[1]: there is a RequestHeaderModifier before"},
		{"unknown filter", `filters: [{type: Teleport}]`, "filters[0].type: Teleport isn't supported"},
		{"modifier without settings", `filters: [{type: RequestHeaderModifier}]`, "filters[0].type: RequestHeaderModifier isn't supported"},
		{"host", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: x}]}}]`, `requestHeaderModifier.set[0].name: "Host" can't be changed`},
		{"te", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [TE]}}]`, `requestHeaderModifier.remove[0]: "TE" can't be changed`},
		{"grpc-status", `filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: grpc-status, value: "0"}]}}]`, `responseHeaderModifier.add[0].name: "grpc-status" can't be changed`},
		{"header name", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: "a b", value: x}]}}]`, `"a b" isn't the name of a header`},
		{"newline in a value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "a\r\nx: 1"}]}}]`, "set[0].value: control character '\\r'"},
		{"empty value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: ""}]}}]`, "set[0].value: no value"},
		{"long value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "` + strings.Repeat("%", 1001) + `"}]}}]`, "too long for nginx: 4004"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Translate(withRules(t, "  - {"+tt.rule+"}\n  - {name: other}"), nginx, Options{})
			c := conditionsOf(t, r, "GRPCRoute", "r")
			if got := show(c); got != partial {
				t.Fatalf("got %s", got)
			}
			if m := c[2].Message; !strings.HasPrefix(m, "Dropped Rule 0: ") || !strings.Contains(m, tt.want) {
				t.Errorf("message %q, want %q in it", m, tt.want)
			}
			rules := rulesOf(t, r)
			if last := rules[len(rules)-1]; last.Source.RuleName != "other" {
				t.Errorf("the other rule isn't served: %v", last.Source)
			}
			if first := rules[0]; len(rules) == 2 && (first.Status == nil || first.Status.Code != model.Internal) {
				t.Errorf("the refused rule answers %v", first.Status)
			}
		})
	}
}

// TestUnknownHeaderType: the API wants the whole route refused, though another rule is fine.
func TestUnknownHeaderType(t *testing.T) {
	r := Translate(withRules(t, `  - {matches: [{headers: [{name: a, type: Glob, value: b}]}]}
  - {name: other}`), nginx, Options{})
	if got := show(conditionsOf(t, r, "GRPCRoute", "r")); got != "Accepted=False UnsupportedValue, ResolvedRefs=True" {
		t.Error(got)
	}
	if n := len(r.Gateways.Gateways[0].Listeners[0].Scopes); n != 0 {
		t.Errorf("%d scopes, want none", n)
	}
}

func TestFilterOrder(t *testing.T) {
	r := Translate(withRules(t, `  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: A, value: "1"}, {name: a, value: ignored}]
        add: [{name: b, value: "1"}]
        remove: [c, d]
    backendRefs:
    - name: s
      port: 50051
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier:
          set: [{name: b, value: "2"}]
          add: [{name: a, value: "2"}, {name: c, value: "2"}, {name: e, value: "2"}]
      - type: ResponseHeaderModifier
        responseHeaderModifier: {remove: [x]}`), nginx, Options{})
	got := rulesOf(t, r)[0].Backends[0]
	want := model.Backend{
		Weight: 1, Cluster: "default/s/50051",
		RequestHeaders: []model.HeaderChange{
			{Name: "a", Values: []string{"1", "2"}},
			{Name: "b", Values: []string{"2"}},
			{Name: "c", Values: []string{"2"}},
			{Name: "d"},
			{Name: "e", Keep: true, Values: []string{"2"}},
		},
		ResponseHeaders: []model.HeaderChange{{Name: "x"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

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
- {addresses: [192.0.2.3], conditions: {ready: true, terminating: true}}
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
		{"endpoints", serviceYAML, Options{}, []model.Endpoint{{Address: "192.0.2.1", Port: 9090}, {Address: "192.0.2.9", Port: 9090}}, fine},
		{"dns", serviceYAML, Options{Backends: BackendsDNS}, []model.Endpoint{{Address: "s.default.svc.cluster.local", Port: 50051}}, fine},
		{"dns of a headless Service", headless, Options{Backends: BackendsDNS, ClusterDomain: "corp"}, []model.Endpoint{{Address: "s.default.svc.corp", Port: 9090}}, fine},
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

// TestPolicyOfOnePort: a BackendTLSPolicy for a section leaves the other ports alone.
func TestPolicyOfOnePort(t *testing.T) {
	for section, want := range map[gatewayv1.SectionName]string{
		"grpc": "Accepted=True, ResolvedRefs=False UnsupportedProtocol", "other": fine,
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

// TestMissingFeatures: what a proxy can't do costs the listeners that need it (R2).
func TestMissingFeatures(t *testing.T) {
	s := decode(t, readCase(t, "tls-terminate"))
	s.Gateways[0].Spec.Listeners = append(s.Gateways[0].Spec.Listeners, gatewayv1.Listener{Name: "plain", Port: 8080, Protocol: gatewayv1.HTTPProtocolType})
	tests := []struct {
		missing      model.Feature
		https, plain bool
	}{
		{model.FeatureHTTP2, false, false}, {model.FeatureGRPC, false, false},
		{model.FeatureTLS, false, true}, {model.FeatureH2C, true, false}, {model.FeatureResolve, true, true},
	}
	for _, tt := range tests {
		caps := nginx
		caps.Missing = map[model.Feature]string{tt.missing: "this nginx was built without it"}
		r := Translate(s, caps, Options{})
		for n, served := range map[string]bool{"grpcs": tt.https, "plain": tt.plain} {
			c := conditionsOf(t, r, "Listener", "gateway/"+n)
			want := listenerFine
			if !served {
				want = refusedListener("UnsupportedProtocol")
				if !strings.Contains(c[0].Message, "this nginx was built without it") {
					t.Errorf("message %q", c[0].Message)
				}
			}
			if got := show(c); got != want {
				t.Errorf("without %s: %s is %s", tt.missing, n, got)
			}
		}
	}
}

func TestGatewayAddresses(t *testing.T) {
	tests := []struct {
		addresses, want string
		bound           []string
	}{
		{`[{value: 192.0.2.1}, {type: IPAddress, value: "2001:DB8::1"}, {value: 192.0.2.1}]`, gatewayFine, []string{"192.0.2.1", "2001:db8::1"}},
		{`[{value: nonsense}, {value: 192.0.2.1}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotUsable", []string{"192.0.2.1"}},
		{`[{value: "fe80::1%eth0"}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotUsable", nil},
		{`[{type: IPAddress}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotAssigned", nil},
		{`[{type: example.com/own, value: x}, {value: 192.0.2.1}]`, "Accepted=False UnsupportedAddress, ResolvedRefs=True, Programmed=False Invalid", nil},
	}
	for _, tt := range tests {
		s := decode(t, classYAML, strings.Replace(gatewayYAML, "  listeners", "  addresses: "+tt.addresses+"\n  listeners", 1))
		r := Translate(s, nginx, Options{})
		if got := show(conditionsOf(t, r, "Gateway", "gw")); got != tt.want {
			t.Errorf("%s: %s", tt.addresses, got)
		}
		var bound, told []string
		for _, gw := range r.Gateways.Gateways {
			bound = append(bound, gw.Addresses...)
		}
		for _, a := range findReport(t, r, "Gateway", "gw").Gateway.Addresses {
			told = append(told, a.Value)
		}
		if diff := cmp.Diff(tt.bound, bound); diff != "" {
			t.Errorf("%s: bound %s", tt.addresses, diff)
		}
		if diff := cmp.Diff(tt.bound, told); diff != "" {
			t.Errorf("%s: in status %s", tt.addresses, diff)
		}
	}
}

// TestHostnameConflict: the CRD lets no such Gateway in; nothing is served by either if one gets in.
func TestHostnameConflict(t *testing.T) {
	s := decode(t, classYAML, strings.Replace(gatewayYAML, "HTTP}]",
		"HTTP, hostname: A.example.com}, {name: m, port: 80, protocol: HTTP, hostname: a.example.com}, {name: other, port: 80, protocol: HTTP}]", 1))
	r := Translate(s, nginx, Options{})
	const conflict = "Accepted=False HostnameConflict, Conflicted=True HostnameConflict, Programmed=False Invalid, ResolvedRefs=True"
	for n, want := range map[string]string{"l": conflict, "m": conflict, "other": listenerFine} {
		if got := show(conditionsOf(t, r, "Listener", "gw/"+n)); got != want {
			t.Errorf("%s: %s", n, got)
		}
	}
	if l := r.Gateways.Gateways[0].Listeners; len(l) != 1 || l[0].Name != "other" {
		t.Errorf("served: %+v", l)
	}
}

// TestSharedRules: the listeners of a route share its rules, and a parent named twice counts once.
func TestSharedRules(t *testing.T) {
	s := decode(t, classYAML, strings.Replace(gatewayYAML, "HTTP}]", "HTTP}, {name: m, port: 81, protocol: HTTP}]", 1), serviceYAML, `
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}, {name: gw, sectionName: l}]
  hostnames: [A.example.com, a.example.com, b.example.com]
  rules: [{backendRefs: [{name: s, port: 50051}]}]`)
	r := Translate(s, nginx, Options{})
	listeners := r.Gateways.Gateways[0].Listeners
	for _, l := range listeners {
		if len(l.Scopes) != 2 || l.Scopes[0].Hostname != "a.example.com" || l.Scopes[1].Hostname != "b.example.com" {
			t.Fatalf("scopes of %s: %+v", l.Name, l.Scopes)
		}
		for _, sc := range l.Scopes {
			if len(sc.Rules) != 1 || sc.Rules[0] != listeners[0].Scopes[0].Rules[0] {
				t.Errorf("%s %s: rules %v", l.Name, sc.Hostname, sc.Rules)
			}
		}
	}
	gw := findReport(t, r, "Gateway", "gw").Gateway
	if gw.Listeners[0].AttachedRoutes != 1 || gw.Listeners[1].AttachedRoutes != 1 {
		t.Errorf("attachedRoutes %d and %d", gw.Listeners[0].AttachedRoutes, gw.Listeners[1].AttachedRoutes)
	}
}

// TestAttachedRoutes counts accepted routes only, on listeners that aren't accepted too (R27).
func TestAttachedRoutes(t *testing.T) {
	for dir, want := range map[string]int32{
		"match-exact": 1, "attach-listener-not-accepted": 1, "tls-secret-missing": 1, "regex-all-rules-refused": 0,
		"attach-httproute-older": 1, "attach-httproute-alone": 0, "attach-other-namespace": 0, "precedence-older-route": 2,
	} {
		r := Translate(decode(t, readCase(t, dir)), nginx, Options{})
		if got := findReport(t, r, "Gateway", "gateway").Gateway.Listeners[0].AttachedRoutes; got != want {
			t.Errorf("%s: attachedRoutes %d, want %d", dir, got, want)
		}
	}
}

// TestParentLimit: a status has room for 32 parents (R26).
func TestParentLimit(t *testing.T) {
	s := withRules(t, "  - {}")
	for i := range 40 {
		s.GRPCRoutes[0].Spec.ParentRefs = append(s.GRPCRoutes[0].Spec.ParentRefs,
			gatewayv1.ParentReference{Name: "gw", SectionName: new(gatewayv1.SectionName(fmt.Sprintf("l%d", i)))})
	}
	if n := len(findReport(t, Translate(s, nginx, Options{}), "GRPCRoute", "r").Route.Parents); n != 32 {
		t.Errorf("%d parents", n)
	}
}

// TestNotes: fields that are left out without harm are named in the message of Accepted.
func TestNotes(t *testing.T) {
	s := withRules(t, "  - {}")
	s.Gateways[0].Spec.DefaultScope = gatewayv1.GatewayDefaultScopeAll
	s.GRPCRoutes[0].Spec.UseDefaultGateways = gatewayv1.GatewayDefaultScopeAll
	r := Translate(s, nginx, Options{})
	if m := conditionsOf(t, r, "Gateway", "gw")[0].Message; !strings.Contains(m, "spec.defaultScope isn't supported") {
		t.Error(m)
	}
	if m := conditionsOf(t, r, "GRPCRoute", "r")[0].Message; !strings.Contains(m, "spec.useDefaultGateways isn't supported") {
		t.Error(m)
	}
}

// TestWeakCertificate: a key that the proxies' OpenSSL would refuse at start costs only its listener (R31).
func TestWeakCertificate(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Unix(4e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{Type: tlsSecret, Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}}
	if _, err := readKeyPair(secret); err == nil || !strings.Contains(err.Error(), "RSA key of 1024 bits") {
		t.Errorf("got %v", err)
	}
}

// TestKeyPair: only the certificate and the key reach the proxy, whatever else the Secret holds.
func TestKeyPair(t *testing.T) {
	s := decode(t, readCase(t, "tls-terminate"))
	for k, v := range s.Secrets[0].Data {
		s.Secrets[0].Data[k] = append([]byte("# nonsense; }\n"), v...)
	}
	r := Translate(s, nginx, Options{})
	if len(r.Gateways.KeyPairs) != 1 {
		t.Fatalf("%d key pairs", len(r.Gateways.KeyPairs))
	}
	k := r.Gateways.KeyPairs[0]
	if k.Name != "default_a" || !cmp.Equal(k.Hostnames, []string{"a.example.com"}) {
		t.Errorf("key pair %s for %v", k.Name, k.Hostnames)
	}
	for _, data := range [][]byte{k.Certificate, k.Key} {
		if !strings.HasPrefix(string(data), "-----BEGIN ") || strings.Contains(string(data), "nonsense") {
			t.Errorf("PEM is %q", data)
		}
	}
}

func TestEdges(t *testing.T) {
	r := Translate(decode(t, readCase(t, "backend-not-found")), nginx, Options{})
	type edge struct{ from, to, label, reason string }
	text := func(n Node) string {
		return strings.Trim(n.Kind+" "+n.Namespace+"/"+n.Name+" "+n.Section, " ")
	}
	var got []edge
	for _, e := range r.Edges {
		got = append(got, edge{text(e.From), text(e.To), e.Label, e.Reason})
		if (e.Reason == "") != (e.Message == "") {
			t.Errorf("reason %q, message %q", e.Reason, e.Message)
		}
	}
	want := []edge{
		{"GatewayClass /gatewright", "Gateway default/gateway", "", ""},
		{"Gateway default/gateway", "Gateway default/gateway grpc", "HTTP :8080", ""},
		{"Gateway default/gateway grpc", "GRPCRoute default/route", "", ""},
		{"GRPCRoute default/route", "GRPCRoute default/route rule 0", "/*", ""},
		{"GRPCRoute default/route rule 0", "Service default/echo", ":50051", ""},
		{"GRPCRoute default/route rule 0", "Service default/nowhere", ":50051 weight 3", "BackendNotFound"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(edge{})); diff != "" {
		t.Error(diff)
	}
}
