package adversary

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gatewright/gatewright/test/harness"
)

// service is the gRPC service that a route of the hostile tenant is for.
func service(name string) string { return "evil." + name }

// Tenant serves what the hostile tenant has, whatever it does to it later, and returns its manifests: Services whose
// endpoints answer anything, take no connection, and lead back to the gateway, and routes for them. The Gateway is the
// one that parent names, in YAML, and address is one of its listeners'.
func Tenant(t harness.T, parent, address string, answers []Answer) string {
	t.Helper()
	var next atomic.Int64
	say := func(c *Call) { answers[int(next.Add(1))%len(answers)].Say(c) }
	var texts []string
	add := func(name string, endpoints ...string) {
		texts = append(texts, harness.Service("default", name, Port), slice(name, endpoints),
			route(name, parent, fmt.Sprintf("{method: {service: %s}}", service(name)), name))
	}
	add("evil", net.JoinHostPort(StartEndpoint(t, "evil", say).Address, strconv.Itoa(Port)),
		net.JoinHostPort(StartEndpoint(t, "evil", say).Address, strconv.Itoa(Port)))
	add("dead", net.JoinHostPort(harness.Address(t), strconv.Itoa(Port)))
	add("circle", address)
	for _, e := range Costly {
		var matches []string
		for i := range matchesOf(e) {
			matches = append(matches, fmt.Sprintf("{method: {service: %s}, headers: [{name: %s, type: RegularExpression, value: %q}]}",
				service(e.Name), headerOf(e, i), e.Regex+strings.Repeat("z?", i%3)))
		}
		texts = append(texts, route(expressions(e), parent, strings.Join(matches, ",\n    "), "evil"))
	}
	return strings.Join(texts, "---\n")
}

// expressions is the name of the route whose gRPC service is named as an expression is.
func expressions(e Expression) string { return "expressions-" + e.Name }

// matchesOf is how many matches of its own an expression is in: as many as a call may be asked, and have room for their
// values in it.
func matchesOf(e Expression) int {
	if len(e.Value) > 4000 {
		return 6
	}
	return min(64, 26000/len(e.Value))
}

func headerOf(e Expression, i int) string { return fmt.Sprintf("x-%s-%d", e.Name, i) }

// slice has the endpoints of a Service, "address:port" with one port for all.
func slice(service string, endpoints []string) string {
	text, port := "", ""
	for _, e := range endpoints {
		host, p, _ := net.SplitHostPort(e) // They were joined before.
		port = p
		text += fmt.Sprintf("- {addresses: [%s], conditions: {ready: true}}\n", host)
	}
	return fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s-1, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: p%[2]d, port: %[3]s}]
endpoints:
%[4]s`, service, Port, port, text)
}

// route sends calls that match to a Service.
func route(name, parent, matches, service string) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: %s}
spec:
  parentRefs: [%s]
  rules:
  - matches: [%s]
    backendRefs: [{name: %s, port: %d}]
`, name, parent, matches, service, Port)
}
