package haproxy_test

import (
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/harness"
)

func TestTLS(t *testing.T) { eachHAProxy(t, testTLS) }

// TestManyNames: HAProxy takes at most 2,047 names in a line of a crt-list.
func TestManyNames(t *testing.T) {
	eachHAProxy(t, func(t *testing.T, b binary) {
		w := newWorld(t)
		w.cluster("one", 1)
		w.pair("wide", "*.example.com")
		var scopes []model.Scope
		for i := range 3000 {
			scopes = append(scopes, model.Scope{Hostname: "a" + itoa(i) + ".deep.example.com",
				Rules: []*model.Rule{w.rule(model.Match{}, to("one"))}})
		}
		w.listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com", KeyPairs: []string{"wide"},
			Scopes: scopes})
		start(t, b, w.model)
	})
}

// pair adds a certificate for hostnames to the model.
func (w *world) pair(name string, hostnames ...string) {
	w.t.Helper()
	c := harness.Certificate(w.t, hostnames...)
	w.model.KeyPairs = append(w.model.KeyPairs, model.KeyPair{Name: name, Certificate: c.Certificate, Key: c.Key, Hostnames: hostnames})
}

func testTLS(t *testing.T, b binary) {
	w := newWorld(t)
	for _, name := range []string{"one", "two"} {
		w.cluster(name, 1)
	}
	w.pair("exact", "a.example.com")
	w.pair("first", "b.example.com", "*.example.com")
	w.pair("second", "c.example.com", "not a name; }", "*.c.example.com")
	any := func(name string) []model.Scope {
		return []model.Scope{{Rules: []*model.Rule{w.rule(model.Match{}, to(name))}}}
	}
	w.listener(model.Listener{Name: "exact", Port: 8443, Protocol: model.HTTPS, Hostname: "a.example.com", KeyPairs: []string{"exact"},
		Scopes: any("one")})
	w.listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com",
		KeyPairs: []string{"first", "second"}, Scopes: any("two")})
	w.listener(model.Listener{Name: "all", Port: 9443, Protocol: model.HTTPS, KeyPairs: []string{"exact"}, Scopes: any("one")})
	start(t, b, w.model)
	for _, c := range []struct {
		port, sni, authority, want, certificate string
	}{
		{"8443", "a.example.com", "a.example.com", "ns/one", "a.example.com"},
		{"8443", "b.example.com", "b.example.com", "ns/two", "b.example.com"},
		{"8443", "c.example.com", "c.example.com:8443", "ns/two", "c.example.com"},
		{"8443", "x.c.example.com", "x.c.example.com", "ns/two", "c.example.com"},
		// Another certificate of the same listener is no misdirection.
		{"8443", "b.example.com", "c.example.com", "ns/two", "b.example.com"},
		// The host belongs to another listener than the server name: 421, which gRPC takes for UNKNOWN.
		{"8443", "b.example.com", "a.example.com", "Unknown", ""},
		{"8443", "a.example.com", "b.example.com", "Unknown", ""},
		{"8443", "a.example.com", "other.org", "Unimplemented", ""},
		// No listener has the server name: no handshake.
		{"8443", "other.org", "other.org", "Unavailable", ""},
		{"9443", "a.example.com", "other.org", "ns/one", "a.example.com"},
	} {
		t.Run(c.port+" "+c.sni+" "+c.authority, func(t *testing.T) {
			call := w.call("/a.B/Get")
			call.Address, call.TLS, call.SNI, call.Authority, call.Unverified = w.address+":"+c.port, true, c.sni, c.authority, true
			r := harness.NewClient(t).Do(call)
			if r.Backend() != c.want {
				t.Fatalf("got %s %q, want %s", r.Backend(), r.Message, c.want)
			}
			if c.certificate != "" && (r.Certificate == nil || r.Certificate.Subject.CommonName != c.certificate) {
				t.Errorf("got the certificate %v, want %s", r.Certificate, c.certificate)
			}
		})
	}
}
