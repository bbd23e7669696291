package endpoints

import (
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

func clusters(names ...string) []model.Cluster {
	var out []model.Cluster
	for _, n := range names {
		out = append(out, model.Cluster{Name: n})
	}
	return out
}

func TestStep(t *testing.T) {
	p := New(nil, &Server{})
	old := model.Gateways{Clusters: clusters("a", "c"), Gateways: []model.Gateway{{Name: "old"}}}
	next := model.Gateways{Clusters: clusters("b", "c"), Gateways: []model.Gateway{{Name: "new"}}}
	next.Clusters[0].Endpoints = []model.Endpoint{{Address: "127.0.0.1", Port: 1}}
	first, needed := p.Step(old, next)
	if !needed || first.Gateways[0].Name != "new" || len(first.Clusters) != 2 || !first.Clusters[0].Unlearnt || first.Clusters[1].Unlearnt ||
		next.Clusters[0].Unlearnt {
		t.Errorf("first is %+v, needed: %v", first, needed)
	}
	if _, needed := p.Step(first, next); needed {
		t.Error("a step for what nginx has learnt")
	}
	for _, c := range [][]model.Cluster{nil, clusters("a"), clusters("a", "c")} {
		if _, needed := p.Step(old, model.Gateways{Clusters: c}); needed {
			t.Errorf("a step for %v, which has nothing new", c)
		}
	}
}

func TestDifference(t *testing.T) {
	gateway := func(port int32, rules ...*model.Rule) []model.Gateway {
		return []model.Gateway{{Name: "gw", Listeners: []model.Listener{{Port: port, Scopes: []model.Scope{{Rules: rules}}}}}}
	}
	old := model.Gateways{Gateways: gateway(80), Clusters: clusters("a")}
	for want, next := range map[string]model.Gateways{
		"listeners":    {Gateways: gateway(81), Clusters: clusters("a")},
		"certificates": {Gateways: gateway(80), Clusters: clusters("a"), KeyPairs: []model.KeyPair{{Name: "k"}}},
		"services":     {Gateways: gateway(80), Clusters: clusters("b")},
		"routes":       {Gateways: gateway(80, &model.Rule{}), Clusters: clusters("a")},
		"files":        old,
	} {
		if reason, cause := difference(old, next); cause != want || reason == "" {
			t.Errorf("%s: %q, %q", want, cause, reason)
		}
	}
}
