package resources

import (
	"bytes"
	"fmt"
	"testing"
)

// manyRules is a manifest of routes with 16 rules each, and of Services with one EndpointSlice each.
func manyRules(routes, services int) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: gw\nspec:\n" +
		"  gatewayClassName: gatewright\n  listeners:\n  - name: http\n    port: 80\n    protocol: HTTP\n")
	for r := range routes {
		fmt.Fprintf(&b, "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata:\n  name: route-%d\n"+
			"spec:\n  parentRefs:\n  - name: gw\n  hostnames:\n  - host-%d.example.com\n  rules:\n", r, r)
		for i := range 16 {
			n := r*16 + i
			fmt.Fprintf(&b, "  - matches:\n    - method:\n        service: pkg.v1.Service%d\n        method: Get%d\n"+
				"      headers:\n      - name: x-tenant\n        value: t%d\n    backendRefs:\n    - name: svc-%d\n"+
				"      port: 8080\n      weight: 9\n    - name: svc-%d\n      port: 8080\n",
				n, n, n, n%services, (n+1)%services)
		}
	}
	for s := range services {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: svc-%d\nspec:\n  selector:\n    app: svc-%d\n"+
			"  ports:\n  - name: grpc\n    port: 8080\n    targetPort: 8080\n", s, s)
		fmt.Fprintf(&b, "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: svc-%d-a\n  labels:\n"+
			"    kubernetes.io/service-name: svc-%d\naddressType: IPv4\nports:\n- name: grpc\n  port: 8080\n"+
			"endpoints:\n- addresses: [10.0.%d.%d]\n  conditions: {ready: true}\n", s, s, s/250, s%250+1)
	}
	return b.Bytes()
}

// BenchmarkLoad loads GRPCRoutes of 16 rules, each with a header match and two backends, and the Services behind them.
// The first run of each size includes the schemas, which every process builds once.
func BenchmarkLoad(b *testing.B) {
	for _, routes := range []int{1, 63, 625} {
		data := manyRules(routes, max(2, routes*16/10))
		b.Run(fmt.Sprintf("rules=%d", routes*16), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				snapshot, _, err := Load([]string{"-"}, bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				if len(snapshot.GRPCRoutes) != routes {
					b.Fatalf("%d routes", len(snapshot.GRPCRoutes))
				}
			}
		})
	}
}
