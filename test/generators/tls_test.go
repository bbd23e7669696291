package generators_test

import (
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

func TestTLS(t *testing.T) {
	eachProxy(t, func(t *testing.T, _ subject, p harness.Proxy) {
		w := tlsWorld(t)
		w.Start(p)
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
				call := w.Call("/a.B/Get")
				call.Address, call.TLS, call.SNI, call.Authority, call.Unverified = w.Address+":"+c.port, true, c.sni, c.authority, true
				r := harness.NewClient(t).Do(call)
				if r.Backend() != c.want {
					t.Fatalf("got %s %q, want %s", r.Backend(), r.Message, c.want)
				}
				if c.certificate != "" && (r.Certificate == nil || r.Certificate.Subject.CommonName != c.certificate) {
					t.Errorf("got the certificate %v, want %s", r.Certificate, c.certificate)
				}
			})
		}
	})
}

// tlsWorld has listeners with certificates of their own at one port, and one for all at another.
func tlsWorld(t *testing.T) *world.World {
	w := world.New(t)
	for _, name := range []string{"one", "two"} {
		w.Cluster(name, 1)
	}
	w.Pair("exact", "a.example.com")
	w.Pair("first", "b.example.com", "*.example.com")
	w.Pair("second", "c.example.com", "not a name; }", "*.c.example.com")
	any := func(name string) []model.Scope {
		return []model.Scope{{Rules: []*model.Rule{w.Rule(model.Match{}, world.To(name))}}}
	}
	w.Listener(model.Listener{Name: "exact", Port: 8443, Protocol: model.HTTPS, Hostname: "a.example.com", KeyPairs: []string{"exact"},
		Scopes: any("one")})
	w.Listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com",
		KeyPairs: []string{"first", "second"}, Scopes: any("two")})
	w.Listener(model.Listener{Name: "all", Port: 9443, Protocol: model.HTTPS, KeyPairs: []string{"exact"}, Scopes: any("one")})
	return w
}
