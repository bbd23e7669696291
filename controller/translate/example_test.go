package translate_test

import (
	"fmt"
	"strings"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// Manifests become what to serve, and a status for each object.
func ExampleTranslate() {
	snapshot, _, err := resources.Load([]string{"-"}, strings.NewReader(`
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatewright}
spec: {controllerName: gatewright.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  gatewayClassName: gatewright
  listeners: [{name: grpc, port: 8080, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches: [{method: {service: shop.Cart, method: Add}}]
    backendRefs: [{name: cart, port: 80}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	result := translate.Translate(snapshot, nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26}), translate.Options{})
	rule := result.Gateways.Gateways[0].Listeners[0].Scopes[0].Rules[0]
	fmt.Println(rule.Matches[0].Describe(), "->", rule.Backends[0].Status.Message)
	for _, report := range result.Reports() {
		fmt.Println(report.Kind, report.Name)
	}
	// Output:
	// /shop.Cart/Add -> GRPCRoute default/cart: spec.rules[0].backendRefs[0]: Service default/cart doesn't exist
	// GRPCRoute cart
	// Gateway shop
	// GatewayClass gatewright
}
