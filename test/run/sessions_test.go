package run

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/metadata"
)

// TestSessionsStay: endpoints that come and go, a reload and a gatewright that starts anew move no session of the others.
func TestSessionsStay(t *testing.T) {
	each(t, func(g *gateway) {
		all, fewer := []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3}
		g.service("stays", all...)
		g.write("route-stays", routeManifest("stays", "stays.Service", backend{"stays", 1})+
			"    sessionPersistence: {type: Header, header: {name: x-session}}\n")
		g.answers("stays.Service", "stays")
		first := g.sessions(g.uses("stays.Service", 5))
		last := g.backends.Address("stays", 4) + fmt.Sprint(":", port)
		had := 0
		for _, at := range first {
			if at == last {
				had++
			}
		}
		if had == 0 || had > len(first)/2 {
			t.Fatalf("one of five endpoints has %d of %d sessions: %v", had, len(first), first)
		}
		same := func(what string, but string) {
			t.Helper()
			now := g.sessions(nil)
			for token, at := range first {
				if at != but && now[token] != at {
					t.Errorf("%s: %s went from %s to %s", what, token, at, now[token])
				}
			}
		}
		g.service("stays", fewer...)
		g.sessions(g.uses("stays.Service", 4))
		same("an endpoint fewer", last)
		g.service("stays", all...)
		g.sessions(g.uses("stays.Service", 5))
		same("it is back", "")
		reloads := g.reloads()
		g.write("gateway", g.gatewayManifest("web", "more"))
		g.until("reload", func() error {
			if g.reloads() == reloads {
				return fmt.Errorf("it was reloaded %d times", reloads)
			}
			return nil
		})
		same("a reload", "")
		g.kill()
		g.start()
		g.ready()
		same("another gatewright", "")
	})
}

// sessions are the endpoints of some sessions, once that is so; nil is at once.
func (g *gateway) sessions(until func(map[string]string) error) map[string]string {
	g.Helper()
	ask := func() (map[string]string, error) {
		g.fresh.Close()
		list := map[string]string{}
		for i := range 50 {
			call := g.baseCall()
			call.Path, call.Metadata = "/stays.Service/Method", metadata.Pairs("x-session", fmt.Sprint("session-", i))
			r := g.fresh.Do(call)
			if r.Echo.Endpoint == "" {
				return nil, fmt.Errorf("%s: %s", r.Code, r.Message)
			}
			list[fmt.Sprint("session-", i)] = r.Echo.Endpoint
		}
		return list, nil
	}
	if until == nil {
		list, err := ask()
		if err != nil {
			g.Fatal(err)
		}
		return list
	}
	var list map[string]string
	g.until("use the endpoints", func() (err error) {
		if list, err = ask(); err != nil {
			return err
		}
		return until(list)
	})
	return list
}

// uses wants calls of sessions at so many endpoints.
func (g *gateway) uses(service string, endpoints int) func(map[string]string) error {
	return func(list map[string]string) error {
		seen := map[string]bool{}
		for _, at := range list {
			seen[at] = true
		}
		if len(seen) != endpoints {
			return fmt.Errorf("%s: sessions are at %d endpoints, want %d", service, len(seen), endpoints)
		}
		return nil
	}
}
