package e2e

import (
	"strings"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// twoGateways have one port and addresses of their own, which the harness gives them.
const twoGateways = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: NAME}
spec:
  gatewayClassName: gatewright
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
  - {name: https, protocol: HTTPS, port: 8443, hostname: "*.example.com", tls: {certificateRefs: [{name: NAME}]}}
  - {name: deep, protocol: HTTPS, port: 8443, hostname: "*.deep.example.com", tls: {certificateRefs: [{name: NAME-deep}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: NAME}
spec:
  parentRefs: [{name: NAME}]
  rules:
  - backendRefs: [{name: NAME, port: 50051}]
---
`

// TestTwoGateways: Gateways that share a port have routes and certificates of their own.
func TestTwoGateways(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		names := []string{"red", "blue"}
		manifests := services(names...)
		for _, name := range names {
			manifests += "---\n" + strings.ReplaceAll(twoGateways, "NAME", name) +
				harness.Secret("default", name, harness.Certificate(t, name+".test")) + "---\n" +
				harness.Secret("default", name+"-deep", harness.Certificate(t, name+"-deep.test"))
		}
		s := harness.Serve(t, p, harness.Load(t, "", manifests), harness.Options{})
		if s.Address("default/red") == s.Address("default/blue") {
			t.Fatalf("both Gateways are at %s", s.Address("default/red"))
		}
		for _, name := range names {
			for _, c := range []struct{ listener, host, certificate string }{
				{"http", "any.org", ""},
				{"https", "a.example.com", name + ".test"},
				{"https", "a.b.example.com", name + ".test"},
				{"deep", "a.deep.example.com", name + "-deep.test"},
				{"deep", "a.b.c.deep.example.com", name + "-deep.test"},
			} {
				h := call{listener: name + "/" + c.listener, authority: c.host, path: "/s.A/Get"}.at(t, s)
				h.Unverified = true
				r := s.Client.Do(h)
				if r.Backend() != name {
					t.Errorf("%s at %s: %s answers (%q)", c.host, name, r.Backend(), r.Message)
				} else if c.certificate != "" && r.Certificate.Subject.CommonName != c.certificate {
					t.Errorf("%s at %s: the certificate is %s's, want %s's", c.host, name, r.Certificate.Subject.CommonName, c.certificate)
				}
			}
		}
	})
}
