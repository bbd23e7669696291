package translate

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// TestMissingFeatures: what a proxy can't do costs the listeners that need it (R2).
func TestMissingFeatures(t *testing.T) {
	s := decode(t, readCase(t, "tls-terminate"))
	s.Gateways[0].Spec.Listeners = append(s.Gateways[0].Spec.Listeners,
		gatewayv1.Listener{Name: "plain", Port: 8080, Protocol: gatewayv1.HTTPProtocolType})
	tests := []struct {
		missing      model.Feature
		https, plain bool
	}{
		{model.FeatureHTTP2, false, false}, {model.FeatureGRPC, false, false},
		{model.FeatureTLS, false, true}, {model.FeatureH2C, true, false}, {model.FeatureResolve, true, true},
	}
	for _, tt := range tests {
		caps := nginx
		caps.Missing = map[model.Feature]string{tt.missing: "this nginx was built without it"}
		r := Translate(s, caps, Options{})
		for n, served := range map[string]bool{"grpcs": tt.https, "plain": tt.plain} {
			c := conditionsOf(t, r, "Listener", "gateway/"+n)
			want := listenerFine
			if !served {
				want = refusedListener("UnsupportedProtocol")
				if !strings.Contains(c[0].Message, "this nginx was built without it") {
					t.Errorf("message %q", c[0].Message)
				}
			}
			if got := show(c); got != want {
				t.Errorf("without %s: %s is %s", tt.missing, n, got)
			}
		}
	}
}

func TestGatewayAddresses(t *testing.T) {
	tests := []struct {
		addresses, want string
		bound           []string
	}{
		{`[{value: 192.0.2.1}, {type: IPAddress, value: "2001:DB8::1"}, {value: 192.0.2.1}]`, gatewayFine, []string{"192.0.2.1", "2001:db8::1"}},
		{`[{value: nonsense}, {value: 192.0.2.1}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotUsable", []string{"192.0.2.1"}},
		{`[{value: "fe80::1%eth0"}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotUsable", nil},
		{`[{type: IPAddress}]`, "Accepted=True, ResolvedRefs=True, Programmed=False AddressNotAssigned", nil},
		{`[{type: example.com/own, value: x}, {value: 192.0.2.1}]`,
			"Accepted=False UnsupportedAddress, ResolvedRefs=True, Programmed=False Invalid", nil},
	}
	for _, tt := range tests {
		s := decode(t, classYAML, strings.Replace(gatewayYAML, "  listeners", "  addresses: "+tt.addresses+"\n  listeners", 1))
		r := Translate(s, nginx, Options{})
		if got := show(conditionsOf(t, r, "Gateway", "gw")); got != tt.want {
			t.Errorf("%s: %s", tt.addresses, got)
		}
		var bound, told []string
		for _, gw := range r.Gateways.Gateways {
			bound = append(bound, gw.Addresses...)
		}
		for _, a := range findReport(t, r, "Gateway", "gw").Gateway.Addresses {
			told = append(told, a.Value)
		}
		if diff := cmp.Diff(tt.bound, bound); diff != "" {
			t.Errorf("%s: bound %s", tt.addresses, diff)
		}
		if diff := cmp.Diff(tt.bound, told); diff != "" {
			t.Errorf("%s: in status %s", tt.addresses, diff)
		}
	}
}

// TestHostnameConflict: the CRD lets no such Gateway in; nothing is served by either if one gets in.
func TestHostnameConflict(t *testing.T) {
	s := decode(t, classYAML, strings.Replace(gatewayYAML, "HTTP}]",
		"HTTP, hostname: A.example.com}, {name: m, port: 80, protocol: HTTP, hostname: a.example.com}, {name: other, port: 80, protocol: "+
			"HTTP}]", 1))
	r := Translate(s, nginx, Options{})
	const conflict = "Accepted=False HostnameConflict, Conflicted=True HostnameConflict, Programmed=False Invalid, ResolvedRefs=True"
	for n, want := range map[string]string{"l": conflict, "m": conflict, "other": listenerFine} {
		if got := show(conditionsOf(t, r, "Listener", "gw/"+n)); got != want {
			t.Errorf("%s: %s", n, got)
		}
	}
	if l := r.Gateways.Gateways[0].Listeners; len(l) != 1 || l[0].Name != "other" {
		t.Errorf("served: %+v", l)
	}
}

// TestSharedRules: the listeners of a route share its rules, and a parent named twice counts once.
func TestSharedRules(t *testing.T) {
	s := decode(t, classYAML, strings.Replace(gatewayYAML, "HTTP}]", "HTTP}, {name: m, port: 81, protocol: HTTP}]", 1), serviceYAML, `
kind: GRPCRoute
metadata: {name: r}
spec:
  parentRefs: [{name: gw}, {name: gw, sectionName: l}]
  hostnames: [A.example.com, a.example.com, b.example.com]
  rules: [{backendRefs: [{name: s, port: 50051}]}]`)
	r := Translate(s, nginx, Options{})
	listeners := r.Gateways.Gateways[0].Listeners
	for _, l := range listeners {
		if len(l.Scopes) != 2 || l.Scopes[0].Hostname != "a.example.com" || l.Scopes[1].Hostname != "b.example.com" {
			t.Fatalf("scopes of %s: %+v", l.Name, l.Scopes)
		}
		for _, sc := range l.Scopes {
			if len(sc.Rules) != 1 || sc.Rules[0] != listeners[0].Scopes[0].Rules[0] {
				t.Errorf("%s %s: rules %v", l.Name, sc.Hostname, sc.Rules)
			}
		}
	}
	gw := findReport(t, r, "Gateway", "gw").Gateway
	if gw.Listeners[0].AttachedRoutes != 1 || gw.Listeners[1].AttachedRoutes != 1 {
		t.Errorf("attachedRoutes %d and %d", gw.Listeners[0].AttachedRoutes, gw.Listeners[1].AttachedRoutes)
	}
}

// TestAttachedRoutes counts accepted routes only, on listeners that aren't accepted too (R27).
func TestAttachedRoutes(t *testing.T) {
	for dir, want := range map[string]int32{
		"match-exact": 1, "attach-listener-not-accepted": 1, "tls-secret-missing": 1, "regex-all-rules-refused": 0,
		"attach-httproute-older": 2, "attach-httproute-alone": 1, "attach-other-namespace": 0, "precedence-older-route": 2,
	} {
		r := Translate(decode(t, readCase(t, dir)), nginx, Options{})
		if got := findReport(t, r, "Gateway", "gateway").Gateway.Listeners[0].AttachedRoutes; got != want {
			t.Errorf("%s: attachedRoutes %d, want %d", dir, got, want)
		}
	}
}

// TestParentLimit: a status has room for 32 parents (R26).
func TestParentLimit(t *testing.T) {
	s := withRules(t, "  - {}")
	for i := range 40 {
		s.GRPCRoutes[0].Spec.ParentRefs = append(s.GRPCRoutes[0].Spec.ParentRefs,
			gatewayv1.ParentReference{Name: "gw", SectionName: new(gatewayv1.SectionName(fmt.Sprintf("l%d", i)))})
	}
	if n := len(findReport(t, Translate(s, nginx, Options{}), "GRPCRoute", "r").Route.Parents); n != 32 {
		t.Errorf("%d parents", n)
	}
}

// TestNotes: fields that are left out without harm are named in the message of Accepted.
func TestNotes(t *testing.T) {
	s := withRules(t, "  - {}")
	s.Gateways[0].Spec.DefaultScope = gatewayv1.GatewayDefaultScopeAll
	s.GRPCRoutes[0].Spec.UseDefaultGateways = gatewayv1.GatewayDefaultScopeAll
	r := Translate(s, nginx, Options{})
	if m := conditionsOf(t, r, "Gateway", "gw")[0].Message; !strings.Contains(m, "spec.defaultScope isn't supported") {
		t.Error(m)
	}
	if m := conditionsOf(t, r, "GRPCRoute", "r")[0].Message; !strings.Contains(m, "spec.useDefaultGateways isn't supported") {
		t.Error(m)
	}
}

// TestWeakCertificate: a key that the proxies' OpenSSL would refuse at start costs only its listener (R31).
func TestWeakCertificate(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Unix(4e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{Type: tlsSecret, Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}}
	if _, _, err := readKeyPair(secret); err == nil || !strings.Contains(err.Error(), "RSA key of 1024 bits") {
		t.Errorf("got %v", err)
	}
}

// TestKeyPair: only the certificate and the key reach the proxy, whatever else the Secret holds.
func TestKeyPair(t *testing.T) {
	s := decode(t, readCase(t, "tls-terminate"))
	for k, v := range s.Secrets[0].Data {
		s.Secrets[0].Data[k] = append([]byte("# nonsense; }\n"), v...)
	}
	r := Translate(s, nginx, Options{})
	if len(r.Gateways.KeyPairs) != 1 {
		t.Fatalf("%d key pairs", len(r.Gateways.KeyPairs))
	}
	k := r.Gateways.KeyPairs[0]
	if k.Name != "default_a" || !cmp.Equal(k.Hostnames, []string{"a.example.com"}) {
		t.Errorf("key pair %s for %v", k.Name, k.Hostnames)
	}
	for _, data := range [][]byte{k.Certificate, k.Key} {
		if !strings.HasPrefix(string(data), "-----BEGIN ") || strings.Contains(string(data), "nonsense") {
			t.Errorf("PEM is %q", data)
		}
	}
}

func TestEdges(t *testing.T) {
	r := Translate(decode(t, readCase(t, "backend-not-found")), nginx, Options{})
	type edge struct{ from, to, label, reason string }
	text := func(n Node) string {
		return strings.Trim(n.Kind+" "+n.Namespace+"/"+n.Name+" "+n.Section, " ")
	}
	var got []edge
	for _, e := range r.Edges() {
		got = append(got, edge{text(e.From), text(e.To), e.Label, e.Reason})
	}
	want := []edge{
		{"GatewayClass /gatewright", "Gateway default/gateway", "", ""},
		{"Gateway default/gateway", "Gateway default/gateway grpc", "HTTP :8080", ""},
		{"Gateway default/gateway grpc", "GRPCRoute default/route", "", ""},
		{"GRPCRoute default/route", "GRPCRoute default/route rule 0", "/*", ""},
		{"GRPCRoute default/route rule 0", "Service default/echo", ":50051", ""},
		{"GRPCRoute default/route rule 0", "Service default/nowhere", ":50051 weight 3", "BackendNotFound"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(edge{})); diff != "" {
		t.Error(diff)
	}
}

// TestConflictBeforeTLS: listeners that only differ in TLS settings conflict, though one is refused for them.
func TestConflictBeforeTLS(t *testing.T) {
	s := decode(t, readCase(t, "tls-options"))
	other := *s.Gateways[0].Spec.Listeners[0].DeepCopy()
	other.Name, other.TLS.Options = "other", nil
	s.Gateways[0].Spec.Listeners = append(s.Gateways[0].Spec.Listeners, other)
	r := Translate(s, nginx, Options{})
	for _, n := range []string{"grpcs", "other"} {
		if c := conditionsOf(t, r, "Listener", "gateway/"+n); c[1].Status != "True" {
			t.Errorf("%s: %s", n, show(c))
		}
	}
	if len(r.Gateways.Gateways) != 0 {
		t.Errorf("served: %+v", r.Gateways.Gateways)
	}
}

// TestLongMessages: no message is longer than its place, however much there is to say.
func TestLongMessages(t *testing.T) {
	rules := strings.Repeat("  - {matches: [{headers: [{name: a, type: RegularExpression, value: '("+strings.Repeat("é", 2000)+"'}]}]}\n", 16)
	backends := "  - {backendRefs: [{kind: " + strings.Repeat("K", 60) + ", group: " + strings.Repeat("g", 600) + ", name: x, port: 1}]}\n"
	r := Translate(withRules(t, rules+backends), nginx, Options{})
	for _, c := range conditionsOf(t, r, "GRPCRoute", "r") {
		if len(c.Message) > 32768 {
			t.Errorf("%s: %d bytes", c.Type, len(c.Message))
		}
	}
	for _, rule := range rulesOf(t, r) {
		if m := rule.Backends[0].Status.Message; len(m) != maxStatus {
			t.Errorf("a status of %d bytes", len(m))
		}
	}
}
