package translate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/controller/referent"
	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/generators/model"
)

// TestCACertificates: a ConfigMap is read for its certificates only, each once, and what would be trusted otherwise than it says
// is refused by name.
func TestCACertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	chain, weak := newTestChain(t, key), newTestChain(t, small)
	for _, row := range []struct {
		name, text string
		count      int
		problem    string
		note       string
	}{
		{"one", chain.root, 1, "", ""},
		{"several, one of them twice, and text", "my CA\n" + chain.root + chain.middle + chain.root, 2, "", ""},
		{"no root", chain.middle, 1, "", "no certificate is a root"},
		{"another label", strings.ReplaceAll(chain.root, "CERTIFICATE", "X509 CERTIFICATE"), 1, "", ""},
		{"nothing", "\n", 0, "has no ca.crt", ""},
		{"text", "my CA", 0, "has no certificate in ca.crt", ""},
		{"a part of one", chain.root[:200], 0, "doesn't end", ""},
		{"rubbish", block("CERTIFICATE", []byte("rubbish")), 0, "a certificate, number 1, in line 1 of ca.crt, that can't be used", ""},
		{"revocations", chain.root + block("X509 CRL", []byte("x")), 0, `a block "X509 CRL"`, ""},
		{"trusted with something", block("TRUSTED CERTIFICATE", []byte("x")), 0, `a block "TRUSTED CERTIFICATE"`, ""},
		{"a key", block("PRIVATE KEY", []byte("x")) + chain.root, 0, `a block "PRIVATE KEY" in line 1`, ""},
		{"a weak one", chain.root + weak.leaf, 2, "", "certificate 2 vouches for nothing: it has an RSA key of 1024 bits"},
	} {
		for _, binary := range []bool{false, true} {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ca"}, Data: map[string]string{"ca.crt": row.text}}
			if binary {
				m.Data, m.BinaryData = nil, map[string][]byte{"ca.crt": []byte(row.text)}
			}
			g := newGraph(&resources.Snapshot{ConfigMaps: []*corev1.ConfigMap{m}}, model.Capabilities{}, Options{})
			ref := gatewayv1.ObjectReference{Kind: "ConfigMap", Name: "ca"}
			b, p := g.caCertificates(referent.CACertificate(&ref, "ns"), kindGateway, "ns")
			switch {
			case row.problem == "" && p != nil:
				t.Errorf("%s: %s", row.name, p.message)
			case row.problem != "":
				if p == nil || p.reason != "InvalidCACertificateRef" || !strings.HasPrefix(p.message, "ConfigMap ns/ca ") ||
					!strings.Contains(p.message, row.problem) {
					t.Errorf("%s: got %v, want %q", row.name, p, row.problem)
				}
			case len(b.certificates) != row.count || !strings.Contains(b.note, row.note) || (row.note == "") != (b.note == ""):
				t.Errorf("%s: %d certificates, note %q", row.name, len(b.certificates), b.note)
			}
		}
	}
}
