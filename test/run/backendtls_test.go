package run

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

// backendName is what the test's servers are asked for.
const backendName = "backend.example.com"

// TestBackendTLSChanges: endpoints, authorities and policies of a Service that is reached by TLS change while clients keep their
// connections. Whoever isn't trusted any more gets no call from the moment that the change is applied, not by a connection that is open
// either; HAProxy isn't reloaded for any of it, and nginx not for endpoints where it learns them.
func TestBackendTLSChanges(t *testing.T) {
	each(t, func(g *gateway) {
		authority, pair := harness.Issue(t, backendName)
		next, renewed := harness.Issue(t, backendName)
		var servers []*harness.TLSServer
		listen := func(name, address string, port int32) {
			if len(servers) < 3 {
				servers = append(servers, g.backends.ListenTLS(name, address, port, harness.TLSOptions{Pair: pair, Protocol: "grpc"}))
			}
		}
		g.serve("secure", "", listen, 0, 1, 2)
		g.write("policy", secretPolicy(backendName))
		g.write("authority", harness.ConfigMap("default", "authority", string(authority)))
		g.route("secure", "s.Secure", backend{"secure", 1})
		g.answers("s.Secure", "secure")
		reloads := g.reloads()

		g.serve("secure", "", listen, 1)
		g.until("only the second endpoint to answer", func() error { return g.onlyFrom("s.Secure", g.backends.Address("secure", 1)) })
		g.serve("secure", "", listen, 0, 1)
		g.until("the first one to answer again", func() error {
			seen := map[string]bool{}
			for range 20 {
				seen[g.client.Do(g.secureCall("s.Secure")).Echo.Endpoint] = true
			}
			if len(seen) != 2 || seen[""] {
				return fmt.Errorf("%v answer", seen)
			}
			return nil
		})

		// A client keeps its connection, and so does the proxy those to the endpoints.
		g.write("authority", harness.ConfigMap("default", "authority", string(next)))
		g.refused("s.Secure")
		g.client.Close()
		for range 10 {
			if r := g.client.Do(g.secureCall("s.Secure")); r.Echo.Backend != "" {
				t.Errorf("an endpoint that isn't trusted any more answers: %+v", r)
			}
		}
		for _, s := range servers {
			s.Use(t, renewed)
		}
		g.answers("s.Secure", "secure")
		g.write("policy", secretPolicy("other.example.com"))
		g.refused("s.Secure")
		g.write("policy", secretPolicy(backendName))
		g.answers("s.Secure", "secure")
		if got := g.reloads(); g.proxy.Name == "haproxy" && got != reloads {
			t.Errorf("%d reloads, want %d; gatewright said:\n%s", got, reloads, g.said())
		}
		g.remove("policy")
		// In cleartext these endpoints answer nothing.
		g.refused("s.Secure")
	})
}

// secretPolicy is a manifest of the policy of the Service secure.
func secretPolicy(hostname string) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: secure}
spec:
  targetRefs: [{group: "", kind: Service, name: secure}]
  validation: {hostname: %s, caCertificateRefs: [{group: "", kind: ConfigMap, name: authority}]}
`, hostname)
}

func (g *gateway) secureCall(service string) harness.Call {
	call := g.baseCall()
	call.Path = "/" + service + "/Get"
	return call
}

// onlyFrom says who else answers a few calls than an endpoint.
func (g *gateway) onlyFrom(service, address string) error {
	want := address + ":" + strconv.Itoa(port)
	for range 10 {
		if r := g.client.Do(g.secureCall(service)); r.Echo.Endpoint != want {
			return fmt.Errorf("%q %s %q", r.Echo.Endpoint, r.Code, r.Message)
		}
	}
	return nil
}

// refused waits until no endpoint answers.
func (g *gateway) refused(service string) {
	g.Helper()
	g.until("refuse "+service, func() error {
		if g.proxy.Name == "nginx" && !g.proxy.Capabilities.Version.AtLeast(1, 27, 1) {
			g.client.Close() // It may stay with the worker of before for a minute.
		}
		if r := g.client.Do(g.secureCall(service)); r.Echo.Backend != "" {
			return fmt.Errorf("%s answers", r.Echo.Endpoint)
		}
		return nil
	})
}

// reloads is how often the proxy was reloaded, or started.
func (g *gateway) reloads() int {
	g.Helper()
	var n int
	g.until("count its reloads", func() (err error) {
		n, err = strconv.Atoi(g.metric(`gatewright_applies_total{result="ok",way="reload"}`))
		return err
	})
	return n
}
