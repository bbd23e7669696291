package e2e

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/test/harness"
)

const modifiedRoutes = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: modified}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{method: {service: acme.v1.Removed}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-session]}}]
    backendRefs: [{name: main, port: 50051}]
    sessionPersistence: {type: Header, header: {name: x-session}}
  - matches: [{method: {service: acme.v1.Set}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-session, value: one}]}}]
    backendRefs: [{name: main, port: 50051}]
    sessionPersistence: {type: Header, header: {name: x-session}}
  - matches: [{method: {service: acme.v1.Copied}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 50051}}}]
    backendRefs: [{name: main, port: 50051}]
`

// TestSessionsModified: a session is what the client says, whatever filters make of it for the endpoint; and a client can't choose the
// bridge's endpoint.
func TestSessionsModified(t *testing.T) {
	manifests := strings.Join([]string{read(t, "gateway.yaml"), modifiedRoutes, services("main", "shadow")}, "---\n")
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{Endpoints: map[string][]bool{
			"default/main": {true, true, true, true, true}}})
		for _, service := range []string{"Removed", "Set"} {
			one, many := map[string]bool{}, map[string]bool{}
			for i := range 12 {
				one[attackAt(t, s, service, "x-session", "abc")] = true
				many[attackAt(t, s, service, "x-session", fmt.Sprint("session-", i))] = true
			}
			if len(one) != 1 || len(many) < 2 {
				t.Errorf("%s: a session is at %d endpoints, and 12 are at %d", service, len(one), len(many))
			}
		}
		forged := map[string]bool{}
		for range 20 {
			forged[attackAt(t, s, "Copied", "x-gw-session", "abc")] = true
		}
		if len(forged) < 2 {
			t.Error("a client chose its endpoint")
		}
	})
}

func attackAt(t *testing.T, s *harness.Served, service string, md ...string) string {
	c := call{listener: "gw/http", authority: "grpc.example.com", path: "/acme.v1." + service + "/Get"}.at(t, s)
	c.Metadata = metadata.Pairs(md...)
	r := s.Client.Do(c)
	if r.Echo.Endpoint == "" {
		return fmt.Sprintf("%s: %s", r.Code, r.Message)
	}
	return r.Echo.Endpoint
}
