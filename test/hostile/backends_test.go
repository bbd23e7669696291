package hostile

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// tenants is a Service of a hostile tenant at an address of its own, beside one with a secret.
const tenants = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: good, namespace: good}
spec:
  parentRefs: [{name: gw, namespace: default}]
  rules:
  - matches: [{method: {service: good.A}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-api-key, value: secret-of-good}]}}]
    backendRefs: [{name: good, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: bad, namespace: bad}
spec:
  parentRefs: [{name: gw, namespace: default}]
  rules:
  - matches: [{method: {service: bad.A}}]
    backendRefs: [{name: bad, port: 50051}]
---
`

// endpoints is an EndpointSlice of a Service at IPv4 addresses, "address:port" with one port for all.
func endpoints(t *testing.T, namespace, service string, addresses ...string) string {
	t.Helper()
	var hosts []string
	port := ""
	for _, a := range addresses {
		host, p, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		hosts, port = append(hosts, "{addresses: ["+host+"]}"), p
	}
	return fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[2]s, namespace: %[1]s, labels: {kubernetes.io/service-name: %[2]s}}
addressType: IPv4
ports: [{name: p%[3]s, port: %[3]s}]
endpoints: [%[4]s]
---
`, namespace, service, port, strings.Join(hosts, ", "))
}

// at is a place for a backend, on an address that nothing else uses.
func at(t *testing.T) string { return net.JoinHostPort(harness.Address(t), "50051") }

// serveTenants serves tenants with the hostile Service at addresses, whatever listens there.
func serveTenants(t *testing.T, p harness.Proxy, addresses ...string) *harness.Served {
	t.Helper()
	return harness.Serve(t, p, harness.Load(t, "", tenants+harness.Service("good", "good", 50051)+"---\n"+harness.Service("bad", "bad",
		50051)+"---\n"+
		endpoints(t, "bad", "bad", addresses...)), harness.Options{})
}

// orders are headers that a proxy may take for orders: nginx's own, and those that lead elsewhere.
func orders(target string) []string {
	return []string{"x-accel-redirect", target, "x-accel-limit-rate", "1", "x-accel-expires", "3600", "x-accel-buffering", "yes",
		"x-accel-charset", "utf-16", "location", target, "refresh", "0; url=" + target, "x-sendfile", "/etc/passwd", "alt-svc", "clear"}
}

// targets are other tenants' paths, and the internal places of a configuration of nginx.
func targets(t *testing.T, s *harness.Served) []string {
	t.Helper()
	list := []string{"/good.A/Get", "/generation", "http://127.0.0.1/good.A/Get", "/./gatewright/late"}
	if s.Proxy.Name != "nginx" {
		return list
	}
	locations, err := os.ReadFile(filepath.Join(s.Dir, "locations.conf"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, m := range regexp.MustCompile(`(?m)^location (@\S+)`).FindAllStringSubmatch(string(locations), -1) {
		list, named = append(list, m[1]), named+1
	}
	if named < 4 {
		t.Fatalf("%d named locations in %s: two Services' with filters and without, a status and a loop's were expected", named, locations)
	}
	return list
}

// TestOrders is R43: whatever status and headers a backend sends, and wherever in its answer, it is called once, nobody
// else is, and the client gets the answer as it is or a gRPC status.
func TestOrders(t *testing.T) {
	for _, p := range harness.Proxies(t) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			place := at(t)
			server := harness.StartRawServer(t, order, place)
			s := serveTenants(t, p, place)
			address := s.Call("gw/http").Address
			client := harness.DialRaw(t, address)
			calls, targets := 0, targets(t, s)
			for status := 100; status < 600; status++ {
				if status == 101 {
					continue // HTTP/2 has none, so this is a malformed answer.
				}
				for _, shape := range []string{"headers", "whole"} {
					calls++
					reply := client.Call(harness.RawRequest("a.b", "/bad.A/Get", "x-status", strconv.Itoa(status), "x-shape", shape,
						"x-target", targets[calls%len(targets)]), nil)
					// HAProxy before 3.0 may lose the trailers of an answer that has an interim one before it: its own call only.
					forgetful := status < 200 && p.Name == "haproxy" && !p.Capabilities.Version.AtLeast(3, 0, 0)
					if problem := strange(reply, status); problem != "" && !(forgetful && problem == withoutStatus) {
						t.Fatalf("status %d, %s: %s: %s", status, shape, problem, reply)
					}
					if reply.Err != nil {
						client = harness.DialRaw(t, address)
					}
				}
			}
			requests := server.Requests()
			if len(requests) != calls {
				t.Errorf("%d calls came to the backend as %d", calls, len(requests))
			}
			for _, r := range requests {
				if text := strings.Join(r, " "); strings.Contains(text, "secret-of-good") || r.Get(":path") != "/bad.A/Get" {
					t.Fatalf("a request of somebody else: %q", r)
				}
			}
			good := s.Call("gw/http")
			good.Authority, good.Path = "a.b", "/good.A/Get"
			if r := s.Client.Do(good); r.Backend() != "good/good" || r.Echo.Metadata.Get("x-api-key")[0] != "secret-of-good" {
				t.Errorf("the other tenant's call: %s %s", r.Backend(), r.Message)
			}
		})
	}
}

// order answers with the status that is asked for, and orders in all header blocks.
func order(s *harness.RawStream) {
	status, these := s.Request.Get("x-status"), orders(s.Request.Get("x-target"))
	head := append([]string{":status", status, "content-type", "application/grpc"}, these...)
	if status[0] == '1' {
		s.Headers(false, head...)
		head[1] = "200"
	}
	if s.Request.Get("x-shape") == "headers" {
		s.Headers(true, append(head, "grpc-status", "0")...)
		return
	}
	s.Headers(false, head...)
	s.Data(false, harness.Message(make([]byte, 100)))
	s.Headers(true, append([]string{"grpc-status", "0"}, these...)...)
}

const withoutStatus = "a success without a gRPC status"

// strange says what is wrong with the answer to a call that a backend has answered with an HTTP status; "" for nothing.
func strange(r *harness.RawReply, status int) string {
	got := r.Headers.Get(":status")
	switch {
	case errors.Is(r.Err, os.ErrDeadlineExceeded):
		return "no answer"
	case r.Reset != nil || r.Err != nil:
		return "" // Its own call only.
	case got == "200" && r.Status() == "":
		return withoutStatus
	case got == "200" && r.Headers.Get("content-type") != "application/grpc":
		return "another content type"
	case got == "200" || got == strconv.Itoa(status):
		return ""
	}
	return "another HTTP status"
}
