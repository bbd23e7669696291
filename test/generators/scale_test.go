package generators_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
	"github.com/gatewright/gatewright/test/generators/world"
	"github.com/gatewright/gatewright/test/harness"
)

// many is a model of n rules on n/10 clusters; every second rule has a header condition, of one name when
// names is 1, with a value of its own.
func many(n, names int, regexes bool) model.Gateways {
	var g model.Gateways
	var rules []*model.Rule
	for i := range n {
		cluster := fmt.Sprintf("ns/svc%d:80", i/10)
		if i%10 == 0 {
			g.Clusters = append(g.Clusters, model.Cluster{Name: cluster, Namespace: "ns", Service: fmt.Sprintf("svc%d", i/10), Port: 80,
				Endpoints: []model.Endpoint{{Address: fmt.Sprintf("10.0.%d.%d", i/2500, i/10%250+1), Port: 8080}}})
		}
		m := model.Match{Path: world.Path(fmt.Sprintf("org.team%d.v1.Service%d", i%97, i/10), fmt.Sprintf("Method%d", i%10))}
		if i%2 == 0 {
			h := model.ValueMatch{Name: fmt.Sprintf("x-env-%d", i%names), Value: fmt.Sprintf("value%d", i)}
			if regexes {
				// It is a pattern of the test's own.
				h.Regex, _ = pattern.Parse(h.Value + ".*")
			}
			m.Headers = []model.ValueMatch{h}
		}
		rules = append(rules, &model.Rule{
			Source:  model.Source{Kind: model.GRPCRoute, Namespace: "ns", Name: fmt.Sprintf("route%d", i/16), Rule: i % 16},
			Matches: []model.Match{m}, Backends: []model.Backend{{Weight: 1, Cluster: cluster}},
		})
	}
	g.Gateways = []model.Gateway{{Namespace: "ns", Name: "gw", Addresses: []string{"127.0.0.1"}, Listeners: []model.Listener{
		{Name: "l", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: rules}}},
	}}}
	return g
}

// BenchmarkRender is matching and rendering together.
func BenchmarkRender(b *testing.B) {
	for _, s := range subjects {
		for _, n := range []int{10, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				g, caps := many(n, 1, false), s.capabilitiesOf(s.version)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.new(generators.Options{}).Render(g, caps); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestScale says how long the proxy's own check takes. The limits are loose: they are there to notice a change of kind.
func TestScale(t *testing.T) {
	eachProxy(t, func(t *testing.T, s subject, p harness.Proxy) {
		for name, g := range map[string]model.Gateways{
			"half of 10,000 with values of one header":    many(10000, 1, false),
			"half of 10,000 with values of ten headers":   many(10000, 20, false),
			"half of 1,000 with expressions of their own": many(1000, 1, true),
		} {
			dir := world.Write(t, world.Render(t, s.new, generators.Options{}, g, p.Capabilities))
			begin := time.Now()
			if err := p.Validate(context.Background(), p.Binary, dir); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begin)
			t.Logf("%s: the check took %v", name, took.Round(time.Millisecond))
			if took > s.slowest {
				t.Errorf("%s: the check took %v", name, took)
			}
		}
	})
}
