package e2e

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// listenerSets are those of two teams at a Gateway of somebody else. What red asks for first is the Gateway's already, and blue asks for
// what red has.
const listenerSets = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - {name: web, protocol: HTTP, port: 8080, hostname: "*.example.com"}
  - {name: tls, protocol: HTTPS, port: 8443, hostname: "*.example.com", tls: {certificateRefs: [{name: wide}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: red, creationTimestamp: "2024-01-01T00:00:00Z"}
spec:
  parentRef: {name: gw, namespace: default}
  listeners:
  - {name: taken, protocol: HTTP, port: 8080, hostname: "*.example.com"}
  - {name: web, protocol: HTTP, port: 8080, hostname: red.example.com}
  - {name: tls, protocol: HTTPS, port: 8443, hostname: red.example.com, tls: {certificateRefs: [{name: red}]}}
  - {name: port, protocol: HTTP, port: 9090}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: blue, creationTimestamp: "2024-01-02T00:00:00Z"}
spec:
  parentRef: {name: gw, namespace: default}
  listeners:
  - {name: web, protocol: HTTP, port: 8080}
  - {name: taken, protocol: HTTP, port: 8080, hostname: red.example.com}
  - {name: port, protocol: HTTPS, port: 9090, tls: {certificateRefs: [{name: blue}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: own}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: own, port: 50051}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: all, namespace: red}
spec:
  parentRefs: [{kind: ListenerSet, name: more}]
  rules: [{matches: [{method: {service: s.A}}], backendRefs: [{name: red, port: 50051}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: all, namespace: blue}
spec:
  parentRefs: [{kind: ListenerSet, name: more}]
  rules: [{backendRefs: [{name: blue, port: 50051}]}]
---
`

// TestListenerSets: listeners of several owners share ports and are isolated from each other, and what one of them can't have
// changes nothing for those who have it.
func TestListenerSets(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", listenerSets, services("own", "red/red", "blue/blue"),
			harness.Secret("default", "wide", harness.Certificate(t, "*.example.com")),
			harness.Secret("red", "red", harness.Certificate(t, "red.example.com")),
			harness.Secret("blue", "blue", harness.Certificate(t, "blue.example.com"))), harness.Options{})
		check(t, s, []call{
			{listener: "gw/web", authority: "a.example.com", path: "/s.A/Get", want: "own"},
			{listener: "gw/web", authority: "red.example.com", path: "/s.A/Get", want: "red/red"},
			{listener: "gw/web", authority: "red.example.com", path: "/s.B/Get", want: "Unimplemented"},
			{listener: "gw/web", authority: "a.red.example.com", path: "/s.B/Get", want: "own"},
			{listener: "gw/web", authority: "example.com", path: "/s.A/Get", want: "blue/blue"},
			{listener: "gw/red/more/port", authority: "any.test", path: "/s.A/Get", want: "red/red"},
			{listener: "gw/red/more/port", authority: "any.test", path: "/s.B/Get", want: "Unimplemented"},
		})
		for _, row := range []struct{ host, want, certificate string }{
			{"a.example.com", "own", "*.example.com"}, {"red.example.com", "red/red", "red.example.com"},
		} {
			r := s.Client.Do(call{listener: "gw/red/more/tls", authority: row.host, path: "/s.A/Get"}.at(t, s))
			if r.Backend() != row.want {
				t.Errorf("%s: %s answers (%q), want %s", row.host, r.Backend(), r.Message, row.want)
			} else if got := r.Certificate.Subject.CommonName; got != row.certificate {
				t.Errorf("%s: the certificate is %s's, want %s's", row.host, got, row.certificate)
			}
		}
		for _, row := range [][2]string{{"a.example.com", "red.example.com"}, {"red.example.com", "a.example.com"}} {
			r := s.Client.Do(call{listener: "gw/tls", sni: row[0], authority: row[1], path: "/s.A/Get"}.at(t, s))
			if !strings.Contains(r.Message, "421") {
				t.Errorf("%s asked for at %s: got %s %q, want HTTP status 421", row[1], row[0], r.Code, r.Message)
			}
		}
		wantCondition(t, s, "ListenerSet", "red/more", "Accepted", "HostnameConflict", "Gateway default/gw")
		wantCondition(t, s, "ListenerSet", "blue/more", "Accepted", "HostnameConflict", "ListenerSet red/more")
		wantCondition(t, s, "ListenerSet", "blue/more", "Accepted", "ProtocolConflict", "ListenerSet red/more")
	})
}
