package haproxy_test

import (
	"fmt"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/haproxy"
	"github.com/gatewright/gatewright/generators/model"
)

// A model becomes files: here the map that finds a call's rule.
func ExampleGenerator_Render() {
	files, err := haproxy.New(generators.Options{}).Render(model.Gateways{
		Gateways: []model.Gateway{{Namespace: "shop", Name: "front", Listeners: []model.Listener{{
			Name: "grpc", Port: 8080, Protocol: model.HTTP, Scopes: []model.Scope{{Rules: []*model.Rule{{
				Source:   model.Source{Kind: model.GRPCRoute, Namespace: "shop", Name: "cart"},
				Matches:  []model.Match{{Path: model.Path{Kind: model.ServicePath, Service: "shop.Cart"}}},
				Backends: []model.Backend{{Weight: 1, Cluster: "shop/cart:80"}},
			}}}},
		}}}},
		Clusters: []model.Cluster{{
			Name: "shop/cart:80", Namespace: "shop", Service: "cart", Port: 80,
			Endpoints: []model.Endpoint{{Address: "192.0.2.1", Port: 8080}},
		}},
	}, haproxy.CapabilitiesOf(model.Version{Major: 3}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		if f.Path == "routes.map" {
			fmt.Print(string(f.Data))
		}
	}
	// Output:
	// # GRPCRoute shop/cart rule 0
	// service:shop.Cart|* service:shop:cart:80;GRPCRoute%20shop/cart%20rule%200;Service%20shop/cart%20port%2080
}
