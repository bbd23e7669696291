package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/test/harness"
)

// secureName is what the tests' servers with TLS are asked for, and secureURI another name of theirs.
const (
	secureName = "backend.example.com"
	secureURI  = "spiffe://example.com/ns/shop/sa/backend"
)

// secured is a Service with a policy: whom it trusts, for which name, and for which names instead of it, in YAML.
type secured struct{ service, authority, hostname, names string }

// policyOf is a manifest of the policy of a Service.
func policyOf(s secured) string {
	trust := fmt.Sprintf("caCertificateRefs: [{group: \"\", kind: ConfigMap, name: %s}]", s.authority)
	if s.authority == "" {
		trust = "wellKnownCACertificates: System"
	}
	if s.names != "" {
		trust += ", subjectAltNames: " + s.names
	}
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: %s}
spec:
  targetRefs: [{group: "", kind: Service, name: %[1]s}]
  validation: {hostname: %s, %s}
`, s.service, s.hostname, trust)
}

// secureWorld is the servers of TestBackendTLS with what leads to them.
type secureWorld struct {
	t         *testing.T
	backends  *harness.Backends
	servers   map[string]*harness.TLSServer
	manifests []string
}

// newSecureWorld starts two servers for each kind of routes: one for whoever comes, and one that asks clients for a certificate.
func newSecureWorld(t *testing.T, pair harness.KeyPair) *secureWorld {
	w := &secureWorld{t: t, backends: harness.NewBackends(t), servers: map[string]*harness.TLSServer{}}
	clients, known := harness.Issue(t, "known")
	_, stranger := harness.Issue(t, "stranger")
	other, _ := harness.Issue(t, secureName)
	for name, o := range map[string]harness.TLSOptions{
		"": {Protocol: "grpc"}, "asks": {Protocol: "grpc", Clients: clients},
		"web-": {Protocol: "http/1.1"}, "web-asks": {Protocol: "http/1.1", Clients: clients}, "web-h2": {Protocol: "h2"},
	} {
		o.Pair = pair
		w.servers[name] = w.backends.ListenTLS("default/"+name+":443", w.backends.Address(name, 0), 1443, o)
	}
	w.manifests = append(w.manifests, read(t, "backendtls.yaml"), harness.ConfigMap("default", "other", string(other)),
		harness.Secret("default", "known", known), harness.Secret("default", "stranger", stranger))
	return w
}

// serve has the Services that the routes send to, whose certificates have to have a name: right and wrong ones.
func (w *secureWorld) serve(right, wrong secured) {
	for _, prefix := range []string{"", "web-"} {
		for _, s := range []secured{{"right", "good", right.hostname, right.names}, {"wrong-name", "good", wrong.hostname, wrong.names},
			{"wrong-ca", "other", right.hostname, right.names}, {"system", "", right.hostname, right.names},
			{"invalid", "no-such-map", right.hostname, right.names}} {
			s.service = prefix + s.service
			w.add(s, prefix, "")
		}
		w.add(secured{prefix + "asks", "good", right.hostname, right.names}, prefix+"asks", "")
	}
	w.add(secured{"web-h2", "good", right.hostname, right.names}, "web-h2", "kubernetes.io/h2c")
}

// add is a Service with a policy that leads to a server.
func (w *secureWorld) add(s secured, server, appProtocol string) {
	service := harness.Service("default", s.service, 443)
	if appProtocol != "" {
		service = withProtocol(service, appProtocol)
	}
	w.manifests = append(w.manifests, service, policyOf(s),
		harness.Endpoints("default", s.service, "p443", w.backends.Address(server, 0), 1443))
}

// snapshot is all of it, with an authority that the policies trust.
func (w *secureWorld) snapshot(authority []byte) *resources.Snapshot {
	return harness.Load(w.t, "", append(slices.Clone(w.manifests), harness.ConfigMap("default", "good", string(authority)))...)
}

// secureCalls makes a call and a request of a rule through a Gateway, and checks whether a backend answers them; if not, the proxy
// does, and soon.
func secureCalls(t *testing.T, s *harness.Served, gateway, rule string, answered bool) {
	t.Helper()
	start := time.Now()
	r := s.Client.Do(call{listener: gateway + "/http", authority: "a.example.com", path: "/" + strings.ReplaceAll(rule, "-", ".") + "/Get"}.at(t, s))
	refused := r.FromServer() && r.Code == codes.Unavailable
	if rule == "asks" {
		// What TLS 1.3 says of a client's certificate comes when the call has been sent. HAProxy 2.6 takes the stream for refused then, which
		// is a client's own UNAVAILABLE.
		refused = r.Code == codes.Unavailable || r.Code == codes.Internal
	}
	if got := r.Echo.Backend != ""; got != answered || !got && !refused {
		t.Errorf("gRPC %s by %s: %s %q, answered by the backend: want %t", rule, gateway, r.Code, r.Message, answered)
	}
	reply := s.HTTP.Do(s.Request(gateway+"/web", "a.example.com", "/"+rule))
	if got := reply.Echo.Backend != ""; got != answered || !got && (reply.Status < 500 || reply.Status > 503) {
		t.Errorf("HTTP %s by %s: %v, answered by the backend: want %t", rule, gateway, reply, answered)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%s by %s took %s", rule, gateway, took)
	}
}

// TestBackendTLS is R17: a backend of a policy is reached by TLS as the policy says, or by nothing, whoever else reaches the same
// endpoint in another way; and R30's client certificate.
func TestBackendTLS(t *testing.T) {
	eachProxy(t, func(t *testing.T, p harness.Proxy) {
		authority, pair := harness.Issue(t, secureName)
		w := newSecureWorld(t, pair)
		w.serve(secured{hostname: secureName}, secured{hostname: "other.example.com"})
		s := harness.Serve(t, p, w.snapshot(authority), harness.Options{Backends: w.backends})
		w.everyone(t, s)
		t.Run("filters", func(t *testing.T) {
			r := s.Client.Do(call{listener: "gw/http", authority: "a.example.com", path: "/changed/Get"}.at(t, s))
			if got := r.Echo.Metadata.Get("x-a"); !slices.Equal(got, []string{"b"}) {
				t.Errorf("%s %q: x-a is %q", r.Code, r.Message, got)
			}
			if p.Capabilities.Proxy != "nginx" || p.Capabilities.Version.AtLeast(1, 25, 1) {
				r := s.HTTP.Do(s.Request("gw/web", "a.example.com", "/rewritten/a"))
				if r.Echo.Backend == "" || r.Echo.Target != "/other/a" {
					t.Errorf("rewritten: %v", r)
				}
			}
		})
		t.Run("HTTP/2", func(t *testing.T) {
			r := s.HTTP.Do(s.Request("gw/web", "a.example.com", "/h2"))
			if r.Echo.Backend == "" || r.Echo.Proto != "HTTP/2.0" {
				t.Errorf("got %v, want an answer in HTTP/2", r)
			}
			wantSeen(t, w.servers["web-h2"], "web-h2", "h2")
		})
		t.Run("another authority", func(t *testing.T) { w.renew(t, s) })
	})
}

// everyone makes calls through all Gateways to all that they may reach and all that they may not.
func (w *secureWorld) everyone(t *testing.T, s *harness.Served) {
	t.Helper()
	for range 3 {
		secureCalls(t, s, "gw", "right", true)
		for _, rule := range []string{"wrong-name", "wrong-ca", "system", "invalid", "asks"} {
			secureCalls(t, s, "gw", rule, false)
		}
		secureCalls(t, s, "known", "right", true)
		secureCalls(t, s, "known", "asks", true)
		secureCalls(t, s, "known", "wrong-name", false)
		secureCalls(t, s, "stranger", "asks", false)
		secureCalls(t, s, "broken", "asks", false)
		secureCalls(t, s, "broken", "right", false)
	}
	for name, want := range map[string]string{"": "h2", "asks": "h2", "web-asks": "", "web-": ""} {
		wantSeen(t, w.servers[name], name, want)
	}
}

// renew has another authority trusted, by which nobody is certified until the servers have other certificates.
func (w *secureWorld) renew(t *testing.T, s *harness.Served) {
	next, renewed := harness.Issue(t, secureName, secureURI)
	s.Reload(w.snapshot(next), harness.Options{Backends: w.backends})
	// Those that are open are told to go with the next answer.
	s.Client.Close()
	s.HTTP.Close()
	for range 3 {
		secureCalls(t, s, "gw", "right", false)
		secureCalls(t, s, "known", "asks", false)
	}
	for _, server := range w.servers {
		server.Use(t, renewed)
	}
	harness.Until(t, "the authority of the new certificates counts", 10*time.Second, func() error {
		r := s.Client.Do(call{listener: "gw/http", authority: "a.example.com", path: "/right/Get"}.at(t, s))
		if r.Echo.Backend == "" {
			return fmt.Errorf("%s %q", r.Code, r.Message)
		}
		return nil
	}, s.Process.Log)
	secureCalls(t, s, "known", "asks", true)
}

// wantSeen fails unless all connections of a server asked for the right name and protocol, and there were some.
func wantSeen(t *testing.T, server *harness.TLSServer, name, protocol string) {
	t.Helper()
	seen := server.Seen()
	if len(seen) == 0 {
		t.Errorf("server %q has seen no connection", name)
	}
	for _, c := range seen {
		if c.NegotiatedProtocol != protocol && !(protocol == "" && c.NegotiatedProtocol == "http/1.1") {
			t.Errorf("server %q was asked for protocol %q, want %q", name, c.NegotiatedProtocol, protocol)
		}
		if !slices.Contains([]string{secureName, "other.example.com", rightNames.hostname}, c.ServerName) {
			t.Errorf("server %q was asked for %q", name, c.ServerName)
		}
	}
}
