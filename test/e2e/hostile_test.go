package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

// TestHostileHeaderValues is R32: each value is matched and set literally, on a rule of its own, and none
// moves the call of another. All are in one configuration, so that one that breaks out is seen by the others.
func TestHostileHeaderValues(t *testing.T) {
	var values []string
	for _, v := range someValues {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	var routes, names []string
	for i, v := range values {
		name := fmt.Sprintf("v%d", i)
		names = append(names, name)
		q := strconv.Quote(v) // A Go string of printable ASCII is a YAML string too.
		routes = append(routes, fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %s}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{headers: [{name: x-value, value: %s}]}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: %s}]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: y-set, value: %s}]}}
    backendRefs: [{name: %s, port: 50051}]
`, name, q, q, q, name))
	}
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services(names...), strings.Join(routes, "---\n")),
			harness.Options{})
		h := s.Call("gw/http")
		h.Authority, h.Path = "any.example.com", "/s.A/Get"
		for i, v := range values {
			h.Metadata = metadata.Pairs("x-value", v)
			r := s.Client.Do(h)
			if r.Backend() != names[i] {
				t.Errorf("value %q: %s answers (%s), want %s", v, r.Backend(), r.Message, names[i])
				continue
			}
			wantHeader(t, r.Echo.Metadata, "x-set", v)
			wantHeader(t, r.Headers, "y-set", v)
		}
	})
}

// TestOneBadThingCostsOnlyItself is R31.
func TestOneBadThingCostsOnlyItself(t *testing.T) {
	const route = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: mixed}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: s.Good}}]
    backendRefs: [{name: good, port: 50051}]
  - matches: [{method: {type: RegularExpression, service: '(?=look)'}}]
    backendRefs: [{name: good, port: 50051}]
  - matches: [{method: {service: s.Long}, headers: [{name: k, value: "%s"}]}]
    backendRefs: [{name: good, port: 50051}]
  - matches: [{method: {service: s.Newline}, headers: [{name: k, value: "a\nb"}]}]
    backendRefs: [{name: good, port: 50051}]
  - matches: [{method: {service: s.Last}}]
    backendRefs: [{name: good, port: 50051}]
`
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", read(t, "gateway.yaml"), services("good"),
			fmt.Sprintf(route, strings.Repeat("x", 4096))), harness.Options{})
		check(t, s, []call{
			{listener: "gw/http", authority: "any.example.com", path: "/s.Good/Get", want: "good"},
			{listener: "gw/http", authority: "any.example.com", path: "/s.Last/Get", want: "good"},
			{listener: "gw/http", authority: "any.example.com", path: "/look/Get", want: "Unimplemented"},
			{listener: "gw/http", authority: "any.example.com", path: "/s.Newline/Get", headers: []string{"k: a"}, want: "Unimplemented"},
		})
		wantCondition(t, s, "GRPCRoute", "default/mixed", "PartiallyInvalid", "UnsupportedValue", "rules[1]")
	})
}
