package run

import (
	"cmp"
	"flag"
	"fmt"
	"testing"

	"github.com/gatewright/gatewright/test/harness"
)

var (
	callers = flag.Int("callers", 5, "callers in cleartext, and as many by TLS, while things change")
	changes = flag.Int("changes", 0, "how often things change under load; 0 for as often as each test does by itself")
)

// TestChanges changes routes, weights, endpoints and certificates under load. No call fails, no stream dies, and a new
// route goes from UNIMPLEMENTED to its backend with nothing between. HAProxy needs no reload for any of it.
func TestChanges(t *testing.T) {
	pairs := []harness.KeyPair{harness.Certificate(t, "h.test"), harness.Certificate(t, "h.test")}
	each(t, func(g *gateway) {
		g.end()
		g.service("second")
		g.write("secret", harness.Secret("default", "pair", pairs[0]))
		g.write("gateway", g.gatewayManifest("web")+tlsListener("h", "pair"))
		g.start()
		g.ready()
		plain, tls := g.load(g.baseCall(), *callers, 10), g.load(g.tlsCall(), *callers, 10)
		for i := range cmp.Or(*changes, 24) {
			name, service := fmt.Sprintf("new%d", i), fmt.Sprintf("new%d.Service", i)
			if got := g.call(service).Backend(); got != unimplemented {
				g.Fatalf("%s before its route: %s", service, got)
			}
			switch i % 3 {
			case 0: // A broken neighbour comes and goes: what it says can't be read, or is refused.
				g.write("broken", "kind: [")
			case 1:
				g.write("broken", routeManifest("broken", `"a(", type: RegularExpression`, backend{"first", 1}))
			case 2:
				g.remove("broken")
			}
			if i%3 != 0 {
				g.route(name, service, backend{"second", 1})
				harness.Closely(g, "the new route", patience, func() error {
					got := g.call(service)
					switch {
					case got.Backend() == "second":
						return nil
					case got.Backend() == unimplemented || harness.SentOn(g.proxy, got):
						return fmt.Errorf("not yet")
					}
					g.Fatalf("%s on the way to its route: %s %s", service, got.Backend(), got.Message)
					return nil
				}, g.said)
			}
			g.route("base", "base.Service", backend{"first", 1 + i}, backend{"second", 0})
			g.service("first", i%3, 3)
			g.write("secret", harness.Secret("default", "pair", pairs[(i+1)%2]))
		}
		plain.End()
		tls.End()
		reloads := g.metric(`gatewright_applies_total{result="ok",way="reload"}`)
		g.Logf("applies by reload: %s, by update: %s", reloads, g.metric(`gatewright_applies_total{result="ok",way="update"}`))
		if g.proxy.Name == "haproxy" && reloads != "1" {
			g.Errorf("%s reloads, want the first start only; gatewright said:\n%s", reloads, g.said())
		}
	})
}
