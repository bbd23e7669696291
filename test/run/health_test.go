package run

import (
	"errors"
	"fmt"
	"testing"
)

const healthPolicy = `apiVersion: gatewright.io/v1alpha1
kind: BackendPolicy
metadata: {name: health}
spec:
  targetRefs: [{group: "", kind: Service, name: asked}]
  healthCheck: {interval: 100ms, unhealthyThreshold: 2}
`

// TestHealth: an endpoint that says by gRPC that it isn't serving gets no calls until it says that it is, and where none is all get
// them. Proxies that follow endpoints while they run aren't reloaded for it.
func TestHealth(t *testing.T) {
	each(t, func(g *gateway) {
		g.service("asked", 0, 1, 2)
		g.write("policy", healthPolicy)
		g.route("asked", "asked.Service", backend{"asked", 1})
		g.answers("asked.Service", "asked")
		traffic := g.load(g.baseCall(), 2, 1)
		all := []string{g.backends.Address("asked", 0), g.backends.Address("asked", 1), g.backends.Address("asked", 2)}
		g.at("asked.Service", all...)
		live := g.proxy.Name == "haproxy" || g.proxy.Capabilities.Version.AtLeast(1, 27, 3)
		if live && g.proxy.Name == "nginx" {
			g.until("know the endpoints of the new Service", func() error {
				if g.logged("the endpoints of new Services are known now") == 0 {
					return errors.New("no reload says so")
				}
				return nil
			})
		}
		reloads := g.reloads()
		g.backends.Ill(all[1], true)
		g.at("asked.Service", all[0], all[2])
		if ill := g.metric(`gatewright_health_endpoints{state="ill"}`); ill != "1" {
			t.Errorf("%s endpoints are ill, want 1", ill)
		}
		g.backends.Ill(all[0], true)
		g.at("asked.Service", all[2])
		g.backends.Ill(all[2], true)
		g.at("asked.Service", all...)
		g.backends.Ill(all[0], false)
		g.at("asked.Service", all[0])
		g.backends.Ill(all[1], false)
		g.backends.Ill(all[2], false)
		g.at("asked.Service", all...)
		if n := g.reloads(); live && n != reloads {
			t.Errorf("it was reloaded %d times for endpoints that come and go:\n%s", n-reloads, g.said())
		}
		traffic.End()
	})
}

// at returns when calls of a service come to these addresses and to no others.
func (g *gateway) at(service string, addresses ...string) {
	g.Helper()
	want := map[string]bool{}
	for _, a := range addresses {
		want[fmt.Sprint(a, ":", port)] = true
	}
	g.until(fmt.Sprintf("call %s at %v", service, addresses), func() error {
		seen := map[string]bool{}
		for range 30 {
			r := g.call(service)
			if r.Echo.Endpoint == "" {
				return fmt.Errorf("%s: %s", r.Code, r.Message)
			}
			if !want[r.Echo.Endpoint] {
				return fmt.Errorf("%s answers", r.Echo.Endpoint)
			}
			seen[r.Echo.Endpoint] = true
		}
		if len(seen) != len(want) {
			return fmt.Errorf("only %v answer", seen)
		}
		return nil
	})
}
