package haproxy_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/runtime/apply"
	"github.com/gatewright/gatewright/test/harness"
)

// kinds are routes whose kind wasn't there before.
var kinds = []struct {
	name string
	// scope is the hostname of its rule.
	scope    string
	path     model.Path
	backends []model.Backend
	// host and call are what sees it, before and after it is there.
	host, call    string
	before, after string
}{
	{name: "weights", path: service("weighted.Service"), backends: []model.Backend{backendOf("first", 0), backendOf("second", 3)},
		call: "/weighted.Service/Other", before: "Unimplemented", after: "second"},
	{name: "a whole path", path: model.Path{Kind: model.ExactPath, Value: "/base.Service/Exact"},
		call: "/base.Service/Exact", before: "first", after: "third"},
	{name: "a method", path: model.Path{Kind: model.MethodPath, Method: "Alone"},
		call: "/any.Service/Alone", before: "Unimplemented", after: "third"},
	{name: "a hostname", scope: "a.b.c.d.test", path: service("host.Service"), host: "a.b.c.d.test",
		call: "/host.Service/Other", before: "Unimplemented", after: "third"},
	{name: "a wildcard of one label", scope: "*.test", path: service("host.Service"), host: "a.b.x.d.test",
		call: "/host.Service/Other", before: "Unimplemented", after: "third"},
	{name: "a wildcard of four labels", scope: "*.b.c.d.test", path: service("wild.Service"), host: "x.b.c.d.test",
		call: "/wild.Service/Other", before: "Unimplemented", after: "third"},
	{name: "a wider scope for what a narrow one doesn't have", host: "a.b.c.d.test",
		call: "/base.Service/Exact", before: "third", after: "third"},
	{name: "everything", path: model.Path{}, host: "elsewhere.example",
		call: "/no.Service/Such", before: "Unimplemented", after: "third"},
}

func service(name string) model.Path { return model.Path{Kind: model.ServicePath, Service: name} }

// TestKinds: the first route of a kind needs no reload.
func TestKinds(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		rules := []*model.Rule{rule(0, "base.Service", backendOf("first", 1))}
		c.rules(rules...)
		c.apply()
		for i, k := range kinds {
			call := harness.Call{Address: net.JoinHostPort(c.address, fmt.Sprint(plainPort)), Authority: k.host, Path: k.call}
			if call.Authority == "" {
				call.Authority = "h.test"
			}
			if r := c.client.Do(call); r.Backend() != k.before {
				t.Errorf("%s, before: %s (%s), want %s", k.name, r.Backend(), r.Message, k.before)
			}
			if k.path.Kind != "" || k.name == "everything" {
				r := rule(1+i, "", k.backends...)
				r.Matches[0].Path = k.path
				if k.backends == nil {
					r.Backends = []model.Backend{backendOf("third", 1)}
				}
				if k.scope == "" {
					rules = append(rules, r)
				} else {
					c.scopes = append(c.scopes, model.Scope{Hostname: k.scope, Rules: []*model.Rule{r}})
				}
				c.rules(rules...)
				if out := c.apply(); out.Way != apply.Updated {
					t.Errorf("%s: %s, %s", k.name, out.Way, out.Reason)
				}
			}
			if r := c.client.Do(call); r.Backend() != k.after {
				t.Errorf("%s: %s (%s), want %s", k.name, r.Backend(), r.Message, k.after)
			}
		}
	})
}

// reloads applies a change that needs a reload, for a reason.
func (c *changing) reloads(cause, reason string) {
	c.Helper()
	c.applier.Mark()
	out := <-c.outcomes
	if out.Err != nil || out.Way != apply.Reloaded || out.Cause != cause || !strings.Contains(out.Reason, reason) {
		c.Fatalf("want a reload for %s, %q: %+v", cause, reason, out)
	}
	c.answers(out.Generation)
}

// TestReloads: what can't change while HAProxy runs is reloaded, with the reason.
func TestReloads(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		rules := []*model.Rule{rule(0, "base.Service", backendOf("first", 1)), rule(1, "third.Service", backendOf("third", 1))}
		header := rule(2, "base.Service", backendOf("first", 1))
		header.Matches[0].Headers = []model.ValueMatch{{Name: "x-new", Value: "1"}}
		rules = append(rules, header)
		c.rules(rules...)
		c.reloads("configuration", "haproxy.cfg has changed at")

		filtered := rule(3, "filtered.Service", backendOf("first", 1))
		filtered.Backends[0].RequestHeaders = []model.HeaderChange{{Name: "x-set", Values: []string{"1"}}}
		c.rules(append(rules, filtered)...)
		c.reloads("filters", "has settings of its own")
		// Its section stays in the running configuration, and serves again.
		c.rules(rules...)
		c.apply()
		c.rules(append(rules, filtered)...)
		c.apply()
		if r := c.client.Do(c.call("filtered.Service")); r.Backend() != "first" || len(r.Echo.Metadata.Get("x-set")) != 1 {
			t.Errorf("the filter that came again: %s (%s), %v", r.Backend(), r.Message, r.Echo.Metadata)
		}

		// More Services than there is room for, then one more.
		first := c.backends.Address("first", 0)
		for i := range 130 {
			name := fmt.Sprintf("many%d", i)
			c.mu.Lock()
			c.model.Clusters = append(slices.Clone(c.model.Clusters),
				model.Cluster{Name: "ns/" + name + ":80", Namespace: "ns", Service: name, Port: 80,
					Endpoints: []model.Endpoint{{Address: first, Port: 8080}}})
			c.mu.Unlock()
			rules = append(rules, rule(10+i, name+".Service", backendOf(name, 1)))
		}
		c.rules(rules[:len(rules)-1]...)
		c.reloads("services", "none of the 128 spare sections is left")
		c.rules(rules...)
		c.apply()
		c.sees(c.call("many129.Service"), from("first"))
	})
}

// TestLargeCertificates: a certificate with many names is changed without a reload, and reloaded when it is too large
// for that.
func TestLargeCertificates(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		named := func(n int) harness.KeyPair {
			names := []string{"*.test"}
			for i := range n {
				names = append(names, fmt.Sprintf("a-name-that-is-long-enough-%08d.test", i))
			}
			return harness.Certificate(t, names...)
		}
		c.certificate("pair", named(1000), "*.test")
		c.apply()
		got := c.handshake("h.test", "third.Service", "third")
		t.Logf("a certificate of %d bytes", len(got.Raw))
		if len(got.DNSNames) != 1001 {
			t.Errorf("the certificate has %d names", len(got.DNSNames))
		}
		c.certificate("pair", named(1200), "*.test")
		c.reloads("certificates", "and HAProxy's socket takes 64500")
		if got := c.handshake("h.test", "third.Service", "third"); len(got.DNSNames) != 1201 {
			t.Errorf("after the reload, the certificate has %d names", len(got.DNSNames))
		}
	})
}

// TestAdopt: who takes over an HAProxy that was changed while it ran goes on without a reload.
func TestAdopt(t *testing.T) {
	each(t, func(s *stand) {
		c := newChanging(s)
		c.apply()
		rules := []*model.Rule{rule(0, "base.Service", backendOf("first", 1)), rule(1, "third.Service", backendOf("third", 1)),
			rule(2, "fresh.Service", backendOf("fresh", 1))}
		c.endpoints("fresh", 0)
		c.rules(rules...)
		c.apply()
		c.rules(rules[1:]...)
		c.apply()
		// What is left is settled before the end.
		c.stop()
		if err := c.proxy.Close(); err != nil {
			t.Fatal(err)
		}
		c.open()
		c.start()
		if out := c.apply(); out.Way != apply.Unchanged {
			t.Errorf("the same again: %s, %s", out.Way, out.Reason)
		}
		c.endpoints("fresh", 1)
		c.rules(rules...)
		if out := c.apply(); out.Way != apply.Updated {
			t.Errorf("a change afterwards: %s, %s", out.Way, out.Reason)
		}
		address := net.JoinHostPort(c.backends.Address("fresh", 1), "8080")
		if r := c.client.Do(c.call("fresh.Service")); r.Echo.Endpoint != address {
			t.Errorf("the Service in a spare section: %s (%s) from %s, want %s", r.Backend(), r.Message, r.Echo.Endpoint, address)
		}
		if r := c.client.Do(c.call("base.Service")); r.Backend() != "first" {
			t.Errorf("the route that came back: %s (%s)", r.Backend(), r.Message)
		}
	})
}
