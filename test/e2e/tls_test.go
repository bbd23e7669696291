package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
				"a.b.c.example.com": "*.example.com", "b.c.w.a.example.com": "*.a.example.com", "y.x.a.example.com": "*.a.example.com",
				"xx.a.example.com": "*.a.example.com",
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

// TestCertificateChain is R30: clients get every certificate of a Secret, however they stand there, and can verify the first
// by the others. What can't be read is no shorter chain.
func TestCertificateChain(t *testing.T) {
	pair, links := harness.Chain(t, 2, "chain.test")
	shapes := map[string]string{
		"plain":  strings.Join(links, ""),
		"joined": strings.TrimSpace(links[0]) + strings.TrimSpace(links[1]) + links[2],
		"crlf":   "\ufeffsubject=chain.test\n" + strings.ReplaceAll(strings.Join(links, "\n"), "\n", "\r\n"),
		"labels": links[0] + strings.ReplaceAll(links[1], "CERTIFICATE", "X509 CERTIFICATE") + links[2],
		"order":  links[0] + links[2] + links[1],
		"broken": links[0] + strings.Replace(links[1], "\nMI", "\nM*", 1) + links[2],
		"last":   links[2] + links[1] + links[0],
	}
	refused := map[string]string{"broken": "isn't base64", "last": "certificate 3 of 3"}
	manifest := "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  gatewayClassName: gatewright\n  " +
		"listeners:\n"
	var secrets []string
	port := 9001
	for name, text := range shapes {
		manifest += fmt.Sprintf("  - {name: %s, protocol: HTTPS, port: %d, tls: {certificateRefs: [{name: %[1]s}]}}\n", name, port)
		secrets = append(secrets, harness.Secret("default", name, harness.KeyPair{Certificate: []byte(text), Key: pair.Key}))
		port++
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(harness.Authority(t))
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		s := harness.Serve(t, p, harness.Load(t, "", append(secrets, manifest, services("any"), anyRoute)...), harness.Options{})
		for name := range shapes {
			if text := refused[name]; text != "" {
				if !slices.ContainsFunc(s.Conditions("Gateway", "default/gw"), func(c metav1.Condition) bool {
					return c.Reason == "InvalidCertificateRef" && strings.Contains(c.Message, text)
				}) {
					t.Errorf("%s: no listener says %q: %+v", name, text, s.Conditions("Gateway", "default/gw"))
				}
				continue
			}
			conn, err := tls.Dial("tcp", s.Call("gw/"+name).Address,
				&tls.Config{ServerName: "chain.test", RootCAs: roots, NextProtos: []string{"h2"}})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var sent string
			for _, c := range conn.ConnectionState().PeerCertificates {
				sent += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
			}
			if sent != shapes["plain"] {
				t.Errorf("%s: %d certificates are sent, want the %d of the Secret in order", name, strings.Count(sent, "BEGIN"), len(links))
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
