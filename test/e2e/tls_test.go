package e2e

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/test/harness"
)

const tlsGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  listeners:
  - name: wide
    protocol: HTTPS
    port: 443
    hostname: "*.example.com"
    tls: {certificateRefs: [{name: wide}]}
  - name: narrow
    protocol: HTTPS
    port: 443
    hostname: "*.a.example.com"
    tls: {certificateRefs: [{name: narrow}]}
  - name: exact
    protocol: HTTPS
    port: 443
    hostname: x.a.example.com
    tls: {certificateRefs: [{name: x}]}
  - name: several
    protocol: HTTPS
    port: 8443
    tls: {certificateRefs: [{name: first}, {name: second}]}
  - name: elsewhere
    protocol: HTTPS
    port: 9443
    tls: {certificateRefs: [{name: elsewhere, namespace: other}]}
  - name: not-granted
    protocol: HTTPS
    port: 9444
    tls: {certificateRefs: [{name: shut, namespace: other}]}
  - name: broken
    protocol: HTTPS
    port: 9445
    tls: {certificateRefs: [{name: broken}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: any}
spec:
  parentRefs: [{name: gw}]
  rules:
  - backendRefs: [{name: any, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: certificate, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}]
  to: [{group: "", kind: Secret, name: elsewhere}]
`

// TestTLS is R30, and R7's 421.
func TestTLS(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		first, second := harness.Certificate(t, "first.test"), harness.Certificate(t, "second.test", "*.second.test")
		broken := harness.KeyPair{Certificate: first.Certificate, Key: second.Key}
		s := harness.Serve(t, p, harness.Load(t, "", tlsGateway, services("any"),
			harness.Secret("default", "wide", harness.Certificate(t, "*.example.com", "*.b.example.com")),
			harness.Secret("default", "narrow", harness.Certificate(t, "*.a.example.com")),
			harness.Secret("default", "x", harness.Certificate(t, "x.a.example.com")),
			harness.Secret("default", "first", first), harness.Secret("default", "second", second),
			harness.Secret("default", "broken", broken),
			harness.Secret("other", "elsewhere", harness.Certificate(t, "elsewhere.test")),
			harness.Secret("other", "shut", harness.Certificate(t, "shut.test")),
		), harness.Options{})

		for _, test := range []struct{ listener, host, certificate string }{
			{"wide", "w.example.com", "*.example.com"},
			{"wide", "v.b.example.com", "*.example.com"},
			{"narrow", "w.a.example.com", "*.a.example.com"},
			{"exact", "x.a.example.com", "x.a.example.com"},
			{"several", "first.test", "first.test"},
			{"several", "second.test", "second.test"},
			{"several", "any.second.test", "second.test"},
			{"elsewhere", "elsewhere.test", "elsewhere.test"},
		} {
			r := s.Client.Do(call{listener: "gw/" + test.listener, authority: test.host, path: "/s.A/Get"}.at(t, s))
			if r.Backend() != "any" {
				t.Errorf("%s: %s %s", test.host, r.Backend(), r.Message)
			} else if got := r.Certificate.Subject.CommonName; got != test.certificate {
				t.Errorf("%s: the certificate is %s's, want %s's", test.host, got, test.certificate)
			}
		}
		t.Run("names with several labels", func(t *testing.T) {
			for host, want := range map[string]string{
				"a.b.c.example.com": "*.example.com", "b.c.w.a.example.com": "*.a.example.com", "y.x.a.example.com": "*.a.example.com", "xx.a.example.com": "*.a.example.com",
			} {
				h := call{listener: "gw/wide", authority: host, path: "/s.A/Get"}.at(t, s)
				h.Unverified = true
				if r := s.Client.Do(h); r.Backend() != "any" {
					t.Errorf("%s: %s %s", host, r.Backend(), r.Message)
				} else if got := r.Certificate.Subject.CommonName; got != want {
					t.Errorf("%s: the certificate is %s's, want %s's", host, got, want)
				}
			}
		})
		t.Run("no listener for the server name", func(t *testing.T) {
			h := call{listener: "gw/wide", authority: "unknown.test", path: "/s.A/Get"}.at(t, s)
			h.Unverified = true
			if r := s.Client.Do(h); r.Code != codes.Unavailable || r.FromServer() {
				t.Errorf("got %s %q, want no handshake", r.Code, r.Message)
			}
		})
		t.Run("a host of another listener", func(t *testing.T) {
			for _, row := range []struct{ sni, host string }{
				{"w.example.com", "w.a.example.com"}, {"w.a.example.com", "x.a.example.com"}, {"x.a.example.com", "w.example.com"},
			} {
				r := s.Client.Do(call{listener: "gw/wide", authority: row.host, sni: row.sni, path: "/s.A/Get"}.at(t, s))
				if !strings.Contains(r.Message, "421") {
					t.Errorf("%s asked for at %s: got %s %q, want HTTP status 421", row.host, row.sni, r.Code, r.Message)
				}
			}
			check(t, s, []call{{listener: "gw/wide", authority: "v.example.com", sni: "w.example.com", path: "/s.A/Get", want: "any"}})
		})
		t.Run("status", func(t *testing.T) {
			wantCondition(t, s, "Gateway", "default/gw", "ResolvedRefs", "RefNotPermitted", "shut")
			wantCondition(t, s, "Gateway", "default/gw", "ResolvedRefs", "InvalidCertificateRef", "broken")
		})
	})
}

// TestALPN is R1: an HTTPS listener speaks HTTP/2 when ALPN offers it.
func TestALPN(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", strings.ReplaceAll(read(t, "gateway.yaml"), "protocol: HTTP\n",
			"protocol: HTTPS\n    tls: {certificateRefs: [{name: certificate}]}\n"), services("any"), anyRoute,
			harness.Secret("default", "certificate", harness.Certificate(t, "any.example.com"))), harness.Options{})
		conn, err := net.Dial("tcp", s.Call("gw/http").Address)
		if err != nil {
			t.Fatal(err)
		}
		client := tls.Client(conn, &tls.Config{ServerName: "any.example.com", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := client.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("ALPN chose %q", got)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}
