package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// sliceYAML has no endpoint yet.
const sliceYAML = `
kind: EndpointSlice
metadata: {name: s-1, labels: {kubernetes.io/service-name: s}}
`

const serviceYAML = `
kind: Service
metadata: {name: s}
spec: {clusterIP: 10.96.0.7, ports: [{name: grpc, port: 50051, targetPort: 9090}]}
`

// withRules returns a snapshot with one route of these rules.
func withRules(t testing.TB, rules string) *resources.Snapshot {
	t.Helper()
	return decode(t, classYAML, gatewayYAML, serviceYAML, sliceYAML, `
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
		{"both", `{method: {service: a.B, method: C}}`, model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/a.B/C", Service: "a.B",
			Method: "C"}}},
		{"leading dot", `{method: {service: .a.B, method: C}}`,
			model.Match{Path: model.Path{Kind: model.ExactPath, Value: "/.a.B/C", Service: ".a.B", Method: "C"}}},
		{"service", `{method: {type: Exact, service: a.B}}`, model.Match{Path: model.Path{Kind: model.ServicePath, Service: "a.B"}}},
		{"method", `{method: {method: C, service: ""}}`, model.Match{Path: model.Path{Kind: model.MethodPath, Method: "C"}}},
		{"neither", `{method: {service: "", method: ""}}`, model.Match{}},
		{"empty", `{}`, model.Match{}},
		{"regex", `{method: {type: RegularExpression, service: "a.*", method: "[CD]"}}`,
			model.Match{Path: model.Path{Kind: model.SegmentsPath, ServiceRegex: mustParse(t, "a.*"), MethodRegex: mustParse(t, "[CD]")}}},
		{"regex for one", `{method: {type: RegularExpression, service: "", method: "[CD]"}}`,
			model.Match{Path: model.Path{Kind: model.SegmentsPath, MethodRegex: mustParse(t, "[CD]")}}},
		{"regex for none", `{method: {type: RegularExpression, service: "", method: ""}}`, model.Match{}},
		{"headers", `{headers: [{name: X-B, value: "1"}, {name: x-a, type: RegularExpression, value: "v.*"}, {name: x-B, type: RegularExpression, value: "("}]}`,
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
		{"long service", `matches: [{method: {service: ` + strings.Repeat("a.", 900) + `a}}]`,
			"matches[0].method.service: too long for nginx: 4"},
		{"long regex", `matches: [{method: {type: RegularExpression, service: "` + strings.Repeat("(a.)", 400) + `"}}]`, "too long for nginx"},
		{"session persistence", `sessionPersistence: {type: Address}`, `spec.rules[0].sessionPersistence.type: "Address" isn't supported`},
		{"two modifiers", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}, {type: RequestHeaderModifier, requestHeaderModifier: {remove: [b]}}]`, "filters[1]: there is a RequestHeaderModifier before"},
		{"unknown filter", `filters: [{type: Teleport}]`, "filters[0].type: Teleport isn't supported"},
		{"modifier without settings", `filters: [{type: RequestHeaderModifier}]`, "filters[0].type: RequestHeaderModifier isn't supported"},
		{"host", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: x}]}}]`,
			`requestHeaderModifier.set[0].name: "Host" can't be changed`},
		{"te", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [TE]}}]`,
			`requestHeaderModifier.remove[0]: "TE" can't be changed`},
		{"grpc-status", `filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: grpc-status, value: "0"}]}}]`,
			`responseHeaderModifier.add[0].name: "grpc-status" can't be changed`},
		{"header name", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: "a b", value: x}]}}]`,
			`"a b" isn't the name of a header`},
		{"newline in a value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "a\r\nx: 1"}]}}]`,
			"set[0].value: control character '\\r'"},
		{"empty value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: ""}]}}]`,
			"set[0].value: no value"},
		{"long value", `filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "` + strings.Repeat("%", 1001) +
			`"}]}}]`, "too long for nginx: 4004"},
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
        set: [{name: A, value: "1"}, {name: a, value: "ignored\n"}]
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
		Handling: model.Handling{RequestHeaders: []model.HeaderChange{
			{Name: "a", Values: []string{"1", "2"}},
			{Name: "b", Values: []string{"2"}},
			{Name: "c", Values: []string{"2"}},
			{Name: "d"},
			{Name: "e", Keep: true, Values: []string{"2"}},
		},
			ResponseHeaders: []model.HeaderChange{{Name: "x"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFaultCostsItsRule: a panic in the translation of a rule is in the route's status, and the other rules serve.
func TestFaultCostsItsRule(t *testing.T) {
	g := newGraph(withRules(t, "  - backendRefs: [{name: s, port: 50051}]\n"), nginx, Options{})
	g.translate()
	r := g.routes[0]
	g.tryRule(r, 99) // There is no such rule.
	if text := r.dropMessage(); !strings.Contains(text, "Rule 99: spec.rules[99]: gatewright has a fault that this sets off: ") ||
		len(r.rules) != 1 {
		t.Errorf("%q, %d rules", text, len(r.rules))
	}
}
