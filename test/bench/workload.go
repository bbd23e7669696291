package main

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/metadata"
)

const (
	rulesOfRoute = 10
	// hosts is the most that a workload has of them.
	hosts = 100
)

// workload is a set of manifests of so many rules and Services: routes of ten rules each, on 100 hostnames, and
// the rules take the Services in turns.
// Of ten rules seven name a service and a method; one of these has a header filter. One has a header
// condition, one names a service only, and one a method; in every tenth route that one is a regular expression.
func workload(rules, services int) string {
	return routes("GRPCRoute", rules, services, rule)
}

// routes are the manifests of a workload whose routes are of one kind.
func routes(kind string, rules, services int, rule func(route, place, services int) string) string {
	var out strings.Builder
	out.WriteString(gatewayAndServices(services))
	for i := range rules / rulesOfRoute {
		fmt.Fprintf(&out, `---
apiVersion: gateway.networking.k8s.io/v1
kind: %s
metadata: {namespace: bench, name: route-%d}
spec:
  parentRefs: [{name: gw}]
  hostnames: [%s]
  rules:
`, kind, i, host(i))
		for j := range rulesOfRoute {
			out.WriteString(rule(i, j, services))
		}
	}
	return out.String()
}

// gatewayAndServices are what the routes of a workload name.
func gatewayAndServices(services int) string {
	var out strings.Builder
	out.WriteString(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: bench, name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
`)
	for i := range services {
		fmt.Fprintf(&out, `---
apiVersion: v1
kind: Service
metadata: {namespace: bench, name: %s}
spec:
  ports: [{port: 50051}]
`, backend(i, services))
	}
	return out.String()
}

// servicesOf is how many Services a workload of so many rules has, unless a measurement says otherwise.
func servicesOf(rules int) int { return min(rules/rulesOfRoute, 100) }

// endpointSlices are what the Services of a workload would have in a cluster.
func endpointSlices(services int) string {
	var out strings.Builder
	for i := range services {
		fmt.Fprintf(&out, `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: bench, name: %s-1, labels: {kubernetes.io/service-name: %s}}
addressType: IPv4
ports: [{name: grpc, port: 50051}]
endpoints:
- addresses: [10.1.%d.%d]
- addresses: [10.2.%d.%d]
`, backend(i, services), backend(i, services), i/256, i%256, i/256, i%256)
	}
	return out.String()
}

func backend(i, services int) string { return fmt.Sprintf("backend-%d", i%services) }

func host(route int) string { return fmt.Sprintf("h%d.example.com", route%hosts) }

func service(route int) string { return fmt.Sprintf("acme.team%d.v1.Service%d", route%97, route) }

// rule is the j-th rule of the i-th route.
func rule(i, j, services int) string {
	match := fmt.Sprintf("method: {service: %s, method: Method%d}", service(i), j)
	filter := ""
	switch j {
	case 6:
		filter = "    filters:\n    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-team, value: \"" + host(i) + "\"}]}}\n"
	case 7:
		match += ", headers: [{name: x-env, value: canary}]"
	case 8:
		match = "method: {service: " + service(i) + "}"
	case 9:
		match = fmt.Sprintf("method: {method: Only%d}", i)
		if i%10 == 0 {
			match = fmt.Sprintf(`method: {type: RegularExpression, service: 'acme\..*', method: 'Regex%d'}`, i)
		}
	}
	return fmt.Sprintf("  - matches: [{%s}]\n%s    backendRefs: [{name: %s, port: 50051}]\n", match, filter,
		backend(i*rulesOfRoute+j, services))
}

// target is a call to the j-th rule of the i-th route: its authority, path and metadata.
func target(i, j int) (string, string, metadata.MD) {
	method := fmt.Sprintf("Method%d", j)
	var md metadata.MD
	switch j {
	case 7:
		md = metadata.Pairs("x-env", "canary")
	case 8:
		method = "Other"
	case 9:
		if i%10 == 0 {
			return host(i), fmt.Sprintf("/acme.any/Regex%d", i), nil
		}
		return host(i), fmt.Sprintf("/acme.any/Only%d", i), nil
	}
	return host(i), "/" + service(i) + "/" + method, md
}
