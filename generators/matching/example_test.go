package matching_test

import (
	"fmt"

	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// A model becomes tables, and a call walks them to its rule.
func ExampleCompile() {
	rule := func(n int, path model.Path) *model.Rule {
		return &model.Rule{
			Source:  model.Source{Kind: model.GRPCRoute, Namespace: "shop", Name: "cart", Rule: n},
			Matches: []model.Match{{Path: path}},
		}
	}
	tables := matching.Compile(model.Gateways{Gateways: []model.Gateway{{
		Namespace: "shop", Name: "front",
		Listeners: []model.Listener{{Name: "grpc", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{
			Hostname: "*.example.com",
			Rules: []*model.Rule{
				rule(0, model.Path{Kind: model.ServicePath, Service: "shop.Cart"}),
				rule(1, model.Path{Kind: model.ExactPath, Value: "/shop.Cart/Add", Service: "shop.Cart", Method: "Add"}),
			},
		}}}},
	}}})
	for _, path := range []string{"/shop.Cart/Add", "/shop.Cart/List", "/shop.Catalog/List"} {
		trace := tables.Walk(model.Call{Port: 8080, Authority: "api.example.com:8080", Path: path, Method: "POST"})
		if trace.Rule == nil {
			fmt.Println(path, "has no rule")
			continue
		}
		fmt.Println(path, "is served by", trace.Rule.Source)
	}
	// Output:
	// /shop.Cart/Add is served by GRPCRoute shop/cart rule 1
	// /shop.Cart/List is served by GRPCRoute shop/cart rule 0
	// /shop.Catalog/List has no rule
}
