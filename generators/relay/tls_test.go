package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// TestTLS: an upstream is told all that its endpoints are verified by, and one of which something isn't there has none.
func TestTLS(t *testing.T) {
	names := []model.SubjectAltName{{Hostname: "b.example"}, {URI: "spiffe://a/b"}}
	for _, c := range []struct {
		name   string
		tls    model.BackendTLS
		system string
		want   TLS
		lost   bool
	}{
		{"a bundle", model.BackendTLS{Hostname: "a.example", Bundle: "one"}, "/cas", TLS{ServerName: "a.example", CAs: "authority"}, false},
		{"the system's", model.BackendTLS{Hostname: "a.example"}, "", TLS{ServerName: "a.example"}, false},
		{"the system's by name", model.BackendTLS{Hostname: "a.example"}, "/cas", TLS{ServerName: "a.example", CAsFile: "/cas"}, false},
		{"names", model.BackendTLS{Hostname: "a.example", Bundle: "one", SubjectAltNames: names}, "", TLS{ServerName: "a.example", CAs: "authority",
			SubjectAltNames: []SubjectAltName{{Hostname: "b.example"}, {URI: "spiffe://a/b"}}}, false},
		{"a certificate", model.BackendTLS{Hostname: "a.example", Bundle: "one", KeyPair: "own"}, "",
			TLS{ServerName: "a.example", CAs: "authority", Certificate: "certificate", Key: "key"}, false},
		{"a lost bundle", model.BackendTLS{Hostname: "a.example", Bundle: "two"}, "/cas", TLS{}, true},
		{"a lost certificate", model.BackendTLS{Hostname: "a.example", Bundle: "one", KeyPair: "other"}, "", TLS{}, true},
	} {
		rule := &model.Rule{Source: model.Source{Kind: model.GRPCRoute}, Backends: []model.Backend{{Weight: 1, Cluster: "plain",
			Handling: model.Handling{Mirrors: []model.Mirror{{Cluster: "secure", Numerator: 1, Denominator: 1}}}}}}
		m := model.Gateways{
			Gateways: []model.Gateway{{Listeners: []model.Listener{{Scopes: []model.Scope{{Rules: []*model.Rule{rule}}}}}}},
			Clusters: []model.Cluster{{Name: "plain"}, {Name: "secure", TLS: &c.tls, Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 443}}}},
			Bundles:  []model.Bundle{{Name: "one", Certificates: []byte("authority")}},
			KeyPairs: []model.KeyPair{{Name: "own", Certificate: []byte("certificate"), Key: []byte("key")}},
		}
		config := Of(m, c.system)
		u, ok := config.Upstreams["secure"]
		switch {
		case !ok:
			t.Errorf("%s: no upstream", c.name)
		case c.lost:
			if u.TLS != nil || len(u.Endpoints) > 0 {
				t.Errorf("%s: it is reached: %+v", c.name, u)
			}
		case u.TLS == nil || len(u.Endpoints) != 1 || !equal(*u.TLS, c.want):
			t.Errorf("%s: %+v, want %+v", c.name, u, c.want)
		}
		if config.Upstreams["plain"].TLS != nil || config.Secret() != (c.want.Key != "") {
			t.Errorf("%s: %+v, secret %t", c.name, config.Upstreams["plain"], config.Secret())
		}
	}
}

func equal(a, b TLS) bool {
	same := slices.Equal(a.SubjectAltNames, b.SubjectAltNames)
	return same && a.ServerName == b.ServerName && a.CAs == b.CAs && a.CAsFile == b.CAsFile && a.Certificate == b.Certificate && a.Key == b.Key
}

// TestRequired: names have calls pass the bridge, and nothing that passes it by TLS goes past it.
func TestRequired(t *testing.T) {
	tls, named := &model.BackendTLS{}, &model.BackendTLS{SubjectAltNames: []model.SubjectAltName{{URI: "x:y"}}}
	mirrored := model.Handling{Mirrors: []model.Mirror{{Cluster: "m", Numerator: 1, Denominator: 1}}}
	bypass := model.Handling{Calls: &model.CallPolicy{Timeout: time.Second, Bypass: true}}
	for _, c := range []struct {
		name             string
		handling         model.Handling
		tls              *model.BackendTLS
		needed, required bool
	}{
		{"plain", model.Handling{}, nil, false, false}, {"TLS", model.Handling{}, tls, false, false}, {"names", model.Handling{}, named, true, true},
		{"mirror", mirrored, nil, true, false}, {"mirror by TLS", mirrored, tls, true, true},
		{"bypass", bypass, nil, true, false}, {"bypass by TLS", bypass, tls, true, true},
		{"fail", model.Handling{Calls: &model.CallPolicy{Timeout: time.Second}}, nil, true, true},
	} {
		b := &model.Backend{Weight: 1, Cluster: "c", Handling: c.handling}
		if n, r := Needed(b, c.tls), Required(b, c.tls); n != c.needed || r != c.required || (ID(&model.Rule{}, b, c.tls) != "") != n {
			t.Errorf("%s: needed %t, required %t", c.name, n, r)
		}
	}
}
