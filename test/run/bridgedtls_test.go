package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewright/gatewright/test/harness"
)

// backendURI is the name of the test's servers that no proxy verifies.
const backendURI = "spiffe://example.com/ns/shop/sa/secure"

// TestBridgedTLSChanges: authorities, names and the Gateway's certificate change of a Service that the bridge reaches by TLS. Nobody who
// isn't trusted any more gets a call, nor does the Gateway show a certificate that it has no more, not by a connection that is open either.
// The key is in one file that the bridge's user alone reads (R44).
func TestBridgedTLSChanges(t *testing.T) {
	each(t, func(g *gateway) {
		authority, pair := harness.Issue(t, backendURI)
		next, renewed := harness.Issue(t, backendURI)
		clients, known := harness.Issue(t, "known")
		_, stranger := harness.Issue(t, "stranger")
		var server *harness.TLSServer
		g.serve("secure", "", func(name, address string, port int32) {
			server = g.backends.ListenTLS(name, address, port, harness.TLSOptions{Pair: pair, Protocol: "grpc", Clients: clients})
		})
		none := func(whom string) {
			g.Helper()
			g.refused("s.Secure")
			g.client.Close()
			for range 10 {
				if r := g.client.Do(g.secureCall("s.Secure")); r.Echo.Backend != "" {
					t.Errorf("%s: a call is answered: %+v", whom, r)
				}
			}
		}
		g.write("client", harness.Secret("default", "client", known))
		g.write("gateway", strings.Replace(g.gatewayManifest("web"), "  addresses:",
			"  tls: {backend: {clientCertificateRef: {name: client}}}\n  addresses:", 1))
		g.write("policy", namedPolicy(backendURI))
		g.write("authority", harness.ConfigMap("default", "authority", string(authority)))
		g.route("secure", "s.Secure", backend{"secure", 1})
		g.answers("s.Secure", "secure")
		g.keptSecret(known)

		g.write("client", harness.Secret("default", "client", stranger))
		none("with a stranger's certificate")
		g.write("client", harness.Secret("default", "client", known))
		g.answers("s.Secure", "secure")
		g.write("policy", namedPolicy(backendURI+"/b"))
		none("by another name")
		g.write("policy", namedPolicy(backendURI))
		g.answers("s.Secure", "secure")
		g.write("authority", harness.ConfigMap("default", "authority", string(next)))
		none("by another authority")
		server.Use(t, renewed)
		g.answers("s.Secure", "secure")

		// Another gatewright starts its bridge with what it was told before.
		g.kill()
		g.start()
		g.ready()
		g.answers("s.Secure", "secure")
		g.keptSecret(known)
		g.remove("client")
		none("without a certificate")
	})
}

// keptSecret looks at who may read the bridge's configuration, and for the key in what is logged.
func (g *gateway) keptSecret(pair harness.KeyPair) {
	g.Helper()
	path := filepath.Join(g.state, "bridge-config", "bridge.json")
	var file, process unix.Stat_t
	pid, err := g.bridgePID()
	if err == nil {
		err = unix.Stat(path, &file)
	}
	if err == nil {
		err = unix.Stat(fmt.Sprintf("/proc/%d", pid), &process)
	}
	if err != nil {
		g.Fatal(err)
	}
	if file.Mode&0o777 != 0o400 || file.Uid != process.Uid {
		g.Errorf("%s: mode %o of user %d, while the bridge runs as %d", path, file.Mode&0o777, file.Uid, process.Uid)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		g.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(g.state, "bridge.log"))
	if err != nil {
		g.Fatal(err)
	}
	key := strings.Split(string(pair.Key), "\n")[1]
	if !strings.Contains(string(text), key) || strings.Contains(string(log)+g.said(), key) {
		g.Error("the key isn't in the bridge's configuration, or it is logged")
	}
}

// namedPolicy is a manifest of the policy of the Service secure, whose certificate has to have a URI.
func namedPolicy(uri string) string {
	return strings.Replace(secretPolicy("asked.example.com"), "caCertificateRefs", fmt.Sprintf("subjectAltNames: [{type: URI, uri: %q}], "+
		"caCertificateRefs", uri), 1)
}
