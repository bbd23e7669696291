package run

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/test/harness"
)

// hardened is what a host's OpenSSL may be told: to refuse keys that are weaker than 128 bits, as RSA ones of 2048
// bits are.
const hardened = `openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
CipherString = DEFAULT@SECLEVEL=3
`

// rsaPair is a certificate that everybody takes but a hardened host.
func rsaPair(t *testing.T, hostname string) harness.KeyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hostname}, DNSNames: []string{hostname},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return harness.KeyPair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// tlsListener is a listener of the Gateway for a host with certificates.
func tlsListener(name string, secrets ...string) string {
	text := fmt.Sprintf("  - {name: %s, port: 8443, protocol: HTTPS, hostname: %s.test, tls: {certificateRefs: [", name, name)
	for _, s := range secrets {
		text += "{name: " + s + "},"
	}
	return text + "]}}\n"
}

// many are routes that have nothing to do with each other.
func many(n int, service string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("---\n" + routeManifest(fmt.Sprintf("many%d", i), fmt.Sprintf("many%d.Service", i), backend{service, 1}))
	}
	return b.String()
}

// TestBad puts bad objects among 1,000 good ones that translation can't find out: one that the proxy refuses, and
// one that it couldn't bind. Each is named, everything else is applied, and it heals.
func TestBad(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "openssl.cnf")
	if err := os.WriteFile(conf, []byte(hardened), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENSSL_CONF", conf)
	each(t, func(g *gateway) {
		g.write("many", many(1000, "first"))
		g.write("secret-good", harness.Secret("default", "good", harness.Certificate(t, "good.test")))
		g.write("secret-other", harness.Secret("default", "other", harness.Certificate(t, "other.test")))
		gateway := g.gatewayManifest("web") + tlsListener("good", "good") + tlsListener("other", "other")
		g.write("gateway", gateway)
		g.answers("many999.Service", "first")
		tlsCall := harness.Call{Address: g.address + ":8443", TLS: true, Authority: "good.test", Path: "/base.Service/Method"}
		g.until("serve TLS", func() error {
			if r := g.client.Do(tlsCall); r.Backend() != "first" {
				return fmt.Errorf("%s %s", r.Backend(), r.Message)
			}
			return nil
		})
		next := 0
		// broken writes something bad with a good route beside it, and returns when both have come through.
		broken := func(kind, name, text string, texts ...string) {
			g.Helper()
			before, err := os.ReadFile(g.in + "/" + name + ".yaml")
			existed := err == nil
			next++
			service := fmt.Sprintf("beside%d.Service", next)
			start := time.Now()
			g.route("beside", service, backend{"first", 1})
			g.write(name, text)
			g.answers(service, "first")
			g.status(texts...)
			g.Logf("%s: the rest was applied and the culprit named after %s", kind, time.Since(start).Round(time.Millisecond))
			if r := g.client.Do(tlsCall); r.Backend() != "first" {
				g.Errorf("%s: TLS: %s %s", kind, r.Backend(), r.Message)
			}
			g.answers("many500.Service", "first")
			if existed {
				g.write(name, string(before))
			} else {
				g.remove(name)
			}
			g.until("heal", func() error {
				for _, kind := range []string{"rule", "certificate", "listener", "backend"} {
					if n := g.metric(fmt.Sprintf("gatewright_quarantined{kind=%q}", kind)); n != "0" {
						return fmt.Errorf("%s of kind %s are left out", n, kind)
					}
				}
				return nil
			})
		}
		weak := harness.Secret("default", "other", rsaPair(t, "other.test"))
		why := "key too small"
		if strings.HasPrefix(g.proxy.String(), "haproxy-2.6") {
			why = "unable to load SSL certificate"
		}
		broken("certificate", "secret-other", weak, "the proxy refuses a certificate: ", why, "InvalidCertificateRef")
		away := strings.ReplaceAll(g.gatewayManifest("far"), "name: gw", "name: away")
		away = strings.ReplaceAll(strings.ReplaceAll(away, g.address, "203.0.113.9"), "8080", "8089")
		broken("listener", "gateway-away", away, "203.0.113.9:8089 can't be bound: no interface of this machine has the address")
	})
}
