package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

const validatingGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: gatewright
  tls:
    frontend:
      default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}, {group: "", kind: ConfigMap, name: second}]}}
      perPort:
      - port: 9443
        tls: {validation: {mode: AllowInsecureFallback, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
      - {port: 9444, tls: {}}
      - port: 9445
        tls: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: second}, {group: "", kind: ConfigMap, name: none}]}}
      - port: 9446
        tls: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: none}]}}
  listeners:
  - {name: valid, protocol: HTTPS, port: 8443, hostname: "*.valid.test", tls: {certificateRefs: [{name: pair}]}}
  - {name: two, protocol: HTTPS, port: 8443, hostname: "*.two.test", tls: {certificateRefs: [{name: pair}]}}
  - {name: fallback, protocol: HTTPS, port: 9443, hostname: "*.valid.test", tls: {certificateRefs: [{name: pair}]}}
  - {name: fallback-two, protocol: HTTPS, port: 9443, hostname: "*.two.test", tls: {certificateRefs: [{name: other}]}}
  - {name: open, protocol: HTTPS, port: 9444, tls: {certificateRefs: [{name: pair}]}}
  - {name: second, protocol: HTTPS, port: 9445, tls: {certificateRefs: [{name: pair}]}}
  - {name: none, protocol: HTTPS, port: 9446, tls: {certificateRefs: [{name: pair}]}}
  - {name: plain, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls}
spec:
  parentRefs: [{name: gw}]
  hostnames: [g.valid.test, h.two.test]
  rules:
  - backendRefs: [{name: calls, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: gw}]
  hostnames: [h.valid.test]
  rules:
  - backendRefs: [{name: web, port: 50051}]
`

// Clients that a CA vouches for, or not.
type clients struct{ none, valid, second, below, wrong, expired *harness.KeyPair }

// validating is a proxy that serves validatingGateway.
type validating struct {
	*harness.Served
	clients
	ca, other *harness.ClientCA
	pairs     string
	options   harness.Options
}

func serveValidating(t *testing.T, p harness.Proxy, manifests ...string) *validating {
	v := &validating{ca: harness.NewClientCA(t, "first CA"), other: harness.NewClientCA(t, "second CA")}
	v.valid, v.expired = v.ca.Client("valid", time.Hour), v.ca.Client("expired", -time.Hour)
	v.below = v.ca.Below("upper").Below("lower").Client("below", time.Hour)
	v.second = v.other.Client("second", time.Hour)
	v.wrong = harness.NewClientCA(t, "first CA").Client("wrong", time.Hour)
	v.pairs = harness.Secret("default", "pair", harness.Certificate(t, "*.valid.test", "*.two.test", "*.web.valid.test")) + "---\n" +
		harness.Secret("default", "other", harness.Certificate(t, "*.two.test", "*.valid.test"))
	v.Served = harness.Serve(t, p, v.load(t, v.ca, manifests...), v.options)
	return v
}

func (v *validating) load(t *testing.T, first *harness.ClientCA, manifests ...string) *resources.Snapshot {
	return harness.Load(t, "", append([]string{validatingGateway, services("calls", "web"), v.pairs,
		harness.ConfigMap("default", "ca", first.PEM()), harness.ConfigMap("default", "second", v.other.PEM())}, manifests...)...)
}

// grpc makes a call as a client.
func (v *validating) grpc(t *testing.T, listener, host string, client *harness.KeyPair, headers ...string) harness.Reply {
	t.Helper()
	h := v.Call("gw/" + listener)
	h.Authority, h.Path, h.Client, h.Metadata = host, "/s.A/Get", client, metadata.Pairs(headers...)
	return v.Client.Do(h)
}

// web makes a request as a client.
func (v *validating) web(t *testing.T, listener, host string, http2 bool, client *harness.KeyPair, headers ...string) harness.HTTPReply {
	t.Helper()
	r := v.Request("gw/"+listener, host, "/a%2Fb?c")
	r.HTTP2, r.Client, r.Headers = http2, client, headers
	return v.HTTP.Do(r)
}

// refused says whether a call came to nothing because of the client's certificate: nginx tells so, HAProxy ends the handshake.
func (v *validating) refused(r harness.Reply) bool {
	if v.Proxy.Name == "nginx" {
		return r.Code == codes.Unauthenticated && strings.Contains(r.Message, "takes no client without a valid certificate")
	}
	return r.Code == codes.Unavailable && !r.FromServer()
}

// TestClientValidation is R30 for the certificates of clients, by all versions of HTTP.
func TestClientValidation(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		v := serveValidating(t, p)
		for _, row := range []struct {
			name                    string
			client                  *harness.KeyPair
			valid, second, fallback bool
		}{
			{"none", v.none, false, false, true}, {"valid", v.valid, true, false, true}, {"second CA", v.second, true, true, true},
			{"CAs between", v.below, true, false, true}, {"wrong CA of the same name", v.wrong, false, false, true},
			{"expired", v.expired, false, false, true},
		} {
			for listener, let := range map[string]bool{"valid": row.valid, "second": row.second, "fallback": row.fallback, "open": true} {
				r := v.grpc(t, listener, "g.valid.test", row.client)
				if let && r.Backend() != "calls" || !let && !v.refused(r) {
					t.Errorf("%s at %s: %s %q", row.name, listener, r.Backend(), r.Message)
				}
				for _, http2 := range []bool{false, true} {
					r := v.web(t, listener, "h.valid.test", http2, row.client)
					if let && r.Backend() != "web" || let && r.Echo.Target != "/a%2Fb?c" || !let && r.Err == nil {
						t.Errorf("%s at %s, HTTP/2 %t: %s", row.name, listener, http2, &r)
					}
				}
			}
		}
		t.Run("header", v.testHeader)
		t.Run("names", v.testNames)
		t.Run("sessions", v.testSessions)
		t.Run("status", v.testStatus)
		t.Run("another CA", v.testRotation)
	})
}

// matching are routes that look at what clients have sent as the header of the proxy's own.
const matching = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: matching}
spec:
  parentRefs: [{name: gw}]
  hostnames: [gm.valid.test]
  rules:
  - matches: [{headers: [{name: x-forwarded-client-cert, value: forged}]}]
    backendRefs: [{name: calls, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: matching}
spec:
  parentRefs: [{name: gw}]
  hostnames: [hm.web.valid.test]
  rules:
  - matches: [{headers: [{name: x-forwarded-client-cert, value: forged}]}]
    backendRefs: [{name: web, port: 50051}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: wider}
spec:
  parentRefs: [{name: gw}]
  hostnames: ["*.web.valid.test"]
  rules:
  - matches: [{headers: [{name: x-forwarded-client-cert, value: wider}]}]
    backendRefs: [{name: web, port: 50051}]
`

// TestClientHeaderMatched: rules see the header as the client has sent it, and endpoints get the proxy's all the same.
func TestClientHeaderMatched(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		v := serveValidating(t, p, matching)
		v.testHeader(t)
		want := v.valid.Escaped(t)
		if r := v.grpc(t, "valid", "gm.valid.test", v.valid, generators.ClientCertificate, "forged"); r.Backend() != "calls" ||
			strings.Join(r.Echo.Metadata.Get(generators.ClientCertificate), "|") != want {
			t.Errorf("a call that a rule matches: %s %q, got %q", r.Backend(), r.Message, r.Echo.Metadata.Get(generators.ClientCertificate))
		}
		if r := v.grpc(t, "valid", "gm.valid.test", v.valid); r.Backend() != "Unimplemented" {
			t.Errorf("a call without the header: %s", r.Backend())
		}
		for _, row := range []struct{ sent, backend string }{{"forged", "web"}, {"wider", "web"}, {"other", "404"}} {
			r := v.web(t, "valid", "hm.web.valid.test", true, v.valid, generators.ClientCertificate, row.sent)
			if got := r.Echo.Header(generators.ClientCertificate); r.Backend() != row.backend || row.backend == "web" && got != want {
				t.Errorf("a request with %s: %s, got %q", row.sent, &r, got)
			}
		}
	})
}

// testHeader: endpoints get the certificate of the client, and none that somebody else has written.
func (v *validating) testHeader(t *testing.T) {
	forged := []string{generators.ClientCertificate, "forged", "x_forwarded_client_cert", "forged", "x-forwarded-client_cert", "forged"}
	for _, row := range []struct {
		listener string
		client   *harness.KeyPair
		shown    bool
	}{
		{"valid", v.valid, true}, {"valid", v.below, true}, {"fallback", v.valid, true}, {"fallback", v.wrong, true},
		{"fallback", v.expired, true}, {"fallback", nil, false}, {"open", v.valid, false}, {"plain", nil, false},
	} {
		want := ""
		if row.shown {
			want = row.client.Escaped(t)
		}
		r := v.grpc(t, row.listener, "g.valid.test", row.client, forged...)
		if got := strings.Join(r.Echo.Metadata.Get(generators.ClientCertificate), "|"); r.Backend() != "calls" || got != want {
			t.Errorf("%s: %s got %q, want %q", row.listener, r.Backend(), got, want)
		}
		for name := range r.Echo.Metadata {
			if strings.ReplaceAll(name, "_", "-") == generators.ClientCertificate && name != generators.ClientCertificate {
				t.Errorf("%s: the endpoint gets %s", row.listener, name)
			}
		}
		for _, http2 := range []bool{false, true} {
			if row.listener == "plain" && !v.Proxy.Capabilities.Has(model.FeatureHTTP1Shared) {
				continue // The port is one for GRPCRoutes.
			}
			r := v.web(t, row.listener, "h.valid.test", http2, row.client, forged...)
			if got := r.Echo.Header(generators.ClientCertificate); r.Backend() != "web" || got != want {
				t.Errorf("%s, HTTP/2 %t: %s got %q, want %q", row.listener, http2, &r, got, want)
			}
		}
	}
}

// testNames: a server name is no way round the certificate, and a host of another listener gets 421 whatever is shown.
func (v *validating) testNames(t *testing.T) {
	for _, row := range []struct {
		listener string
		client   *harness.KeyPair
		want     string
	}{
		{"valid", v.valid, "421"}, {"valid", nil, ""}, {"valid", v.wrong, ""}, {"fallback", v.valid, "421"}, {"fallback", nil, "421"},
		{"fallback", v.expired, "421"},
	} {
		h := v.Call("gw/" + row.listener)
		h.Authority, h.Path, h.SNI, h.Client = "g.valid.test", "/s.A/Get", "h.two.test", row.client
		if r := v.Client.Do(h); r.FromServer() || !strings.Contains(r.Message, row.want) {
			t.Errorf("%s: got %s %q, want HTTP status %s", row.listener, r.Code, r.Message, row.want)
		}
		r := v.Request("gw/"+row.listener, "h.valid.test", "/")
		r.SNI, r.Client = "h.two.test", row.client
		if reply := v.HTTP.Do(r); reply.Echo.Backend != "" || row.want != "" && reply.Backend() != row.want {
			t.Errorf("%s: got %s, want %s", row.listener, &reply, row.want)
		}
	}
	// Without a server name there is no listener: HAProxy ends the handshake, nginx the request.
	h := v.Call("gw/valid")
	h.Authority, h.Path, h.SNI, h.Unverified = "g.valid.test", "/s.A/Get", "-", true
	if r := v.Client.Do(h); r.FromServer() {
		t.Errorf("no server name: %s", r.Backend())
	}
}

// testSessions: a TLS session of one port, or of one client, is worth nothing on another.
func (v *validating) testSessions(t *testing.T) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(harness.Authority(t))
	for _, row := range []struct {
		from   string
		client *harness.KeyPair
		to     string
	}{
		{"open", nil, "valid"}, {"fallback", nil, "valid"}, {"fallback", v.wrong, "valid"}, {"fallback", v.expired, "valid"},
		{"valid", v.valid, "second"}, {"valid", v.valid, "valid"},
	} {
		// Of TLS 1.2 Go resumes what stands in tickets only.
		config := &tls.Config{RootCAs: roots, ServerName: "h.valid.test", MinVersion: tls.VersionTLS13,
			ClientSessionCache: tls.NewLRUClientSessionCache(10)}
		if row.client != nil {
			pair, err := row.client.TLS()
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		if status, _ := v.visit(t, row.from, config); status != "200 OK" {
			t.Errorf("%s: %s", row.from, status)
		}
		config.GetClientCertificate = nil
		if status, resumed := v.visit(t, row.to, config); status == "200 OK" || resumed {
			t.Errorf("a session of %s without a certificate at %s: %s, resumed %t", row.from, row.to, status, resumed)
		}
	}
}

// visit makes a request on a connection of its own, and says whether that resumed a session.
func (v *validating) visit(t *testing.T, listener string, config *tls.Config) (status string, resumed bool) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", v.Call("gw/"+listener).Address, harness.DefaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, config)
	defer secure.Close()
	if err := secure.SetDeadline(time.Now().Add(harness.DefaultTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.1\r\nHost: h.valid.test\r\n\r\n"); err != nil {
		return err.Error(), false
	}
	r, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return err.Error(), secure.ConnectionState().DidResume
	}
	return r.Status, secure.ConnectionState().DidResume
}

func (v *validating) testStatus(t *testing.T) {
	wantCondition(t, v.Served, "Gateway", "default/gw", "InsecureFrontendValidationMode", "ConfigurationChanged",
		"spec.tls.frontend.perPort[0].tls.validation.mode")
	wantCondition(t, v.Served, "Gateway", "default/gw", "ResolvedRefs", "InvalidCACertificateRef", "ConfigMap default/none doesn't exist")
	wantCondition(t, v.Served, "Gateway", "default/gw", "Accepted", "NoValidCACertificate", "spec.tls.frontend.perPort[3]")
}

// testRotation: a client of the CA that was is refused, whatever sessions it has.
func (v *validating) testRotation(t *testing.T) {
	next := harness.NewClientCA(t, "first CA")
	v.Reload(v.load(t, next), v.options)
	v.Client.Close()
	v.HTTP.Close()
	if r := v.grpc(t, "valid", "g.valid.test", v.valid); !v.refused(r) {
		t.Errorf("a client of the old CA: %s %q", r.Backend(), r.Message)
	}
	if r := v.grpc(t, "valid", "g.valid.test", next.Client("new", time.Hour)); r.Backend() != "calls" {
		t.Errorf("a client of the new CA: %s %q", r.Backend(), r.Message)
	}
	if r := v.grpc(t, "valid", "g.valid.test", v.second); r.Backend() != "calls" {
		t.Errorf("a client of the other CA: %s %q", r.Backend(), r.Message)
	}
}
