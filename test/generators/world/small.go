package world

import (
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

// Small is a model that shows most of what is rendered.
func Small(t testing.TB) model.Gateways {
	t.Helper()
	var w World
	w.Model.Clusters = []model.Cluster{
		{Name: "shop/cart:80", Namespace: "shop", Service: "cart", Port: 80,
			Endpoints: []model.Endpoint{{Address: "10.0.0.1", Port: 8080}, {Address: "fd00::1", Port: 8080}}},
		{Name: "shop/next:80", Namespace: "shop", Service: "next", Port: 80, Endpoints: []model.Endpoint{{Address: "next.shop.svc", Port: 80}}},
		{Name: "shop/none:80", Namespace: "shop", Service: "none", Port: 80},
	}
	w.Model.KeyPairs = []model.KeyPair{{Name: "shop-tls", Certificate: []byte("certificate\n"), Key: []byte("key\n"),
		Hostnames: []string{"shop.example.com"}}}
	share := func(name string, weight int32) model.Backend {
		return model.Backend{Weight: weight, Cluster: "shop/" + name + ":80"}
	}
	canary := share("next", 1)
	canary.RequestHeaders = []model.HeaderChange{{Name: "x-price", Values: []string{"$5; # \"cheap\""}}}
	canary.ResponseHeaders = []model.HeaderChange{{Name: "x-old"}, {Name: "x-via", Keep: true, Values: []string{"shop"}}}
	add := Path("shop.Cart", "Add")
	rules := []*model.Rule{
		w.Rule(model.Match{Path: add, Headers: []model.ValueMatch{{Name: "x-env", Value: "canary"}}}, canary),
		w.Rule(model.Match{Path: add, Headers: []model.ValueMatch{{Name: "x-user", Regex: Regex(t, "test-[0-9]+")}}}, share("next", 1)),
		w.Rule(model.Match{Path: add}, share("cart", 90), share("next", 10)),
		w.Rule(model.Match{Path: model.Path{Kind: model.ServicePath, Service: "shop.Cart"}}, share("cart", 1)),
		w.Rule(model.Match{}, share("none", 1)),
	}
	w.Model.Gateways = []model.Gateway{{Namespace: "shop", Name: "front"}}
	scopes := []model.Scope{{Rules: rules[4:]}, {Hostname: "*.example.com", Rules: rules[:4]}}
	w.Listener(model.Listener{Name: "http", Port: 8080, Protocol: model.HTTP, Scopes: scopes})
	w.Listener(model.Listener{Name: "shop", Port: 8443, Protocol: model.HTTPS, Hostname: "shop.example.com", KeyPairs: []string{"shop-tls"},
		Scopes: scopes})
	w.Listener(model.Listener{Name: "wide", Port: 8443, Protocol: model.HTTPS, Hostname: "*.example.com", KeyPairs: []string{"shop-tls"},
		Scopes: scopes})
	return w.Model
}
