package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/controller/resources"
	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/controller/translate"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// shop has a canary by header, and a route to a Service that doesn't exist.
const shop = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  gatewayClassName: any
  listeners:
  - {name: grpc, protocol: HTTP, port: 8080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: cart, namespace: default}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches: [{method: {service: shop.Cart}, headers: [{name: x-canary, value: "yes"}]}]
    backendRefs: [{name: cart, port: 50051}]
  - matches: [{method: {service: shop.Cart}}]
    backendRefs: [{name: cart, port: 50051, weight: 3}, {name: reviews, port: 50051, weight: 1}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: default}
spec:
  ports: [{port: 50051}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: default, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{port: 50051}]
endpoints: [{addresses: ["192.0.2.1"]}]
`

// ask explains a call to the shop.
func ask(t *testing.T, path string, headers ...model.Header) *Explanation {
	t.Helper()
	snapshot, _, err := resources.Load([]string{"-"}, strings.NewReader(shop))
	if err != nil {
		t.Fatal(err)
	}
	snapshot, _ = resources.Complete(snapshot, resources.Completion{
		Controller: translate.DefaultController, Backends: string(translate.BackendsEndpoints),
	})
	caps := nginx.CapabilitiesOf(model.Version{Major: 1, Minor: 26, Patch: 3})
	result, err := new(translate.Translator).Try(snapshot, caps, translate.Options{
		Controller: translate.DefaultController, Backends: translate.BackendsEndpoints, ClusterDomain: "cluster.local",
	})
	if err != nil {
		t.Fatal(err)
	}
	call := model.Call{Authority: "a.example.com", Path: path, Method: "POST", Headers: headers}
	e := New(result.Gateways, status.Refusals(result.Reports()), call)
	if err := e.Check(); err != nil {
		t.Error(err)
	}
	return e
}

// said is the text of an explanation.
func said(t *testing.T, e *Explanation) string {
	t.Helper()
	var text strings.Builder
	if err := e.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestServed(t *testing.T) {
	e := ask(t, "/shop.Cart/Add")
	if !e.ReachesBackend() || !e.Checked || e.Answer.Rule != "GRPCRoute default/cart rule 1" || len(e.Answer.Backends) != 2 {
		t.Errorf("%+v", e.Answer)
	}
	text := said(t, e)
	for _, want := range []string{
		`no: header x-canary is absent`, "serves\n",
		"75% of the calls: Service default/cart:50051 at 192.0.2.1:50051", "25% of the calls: the proxy answers UNAVAILABLE: ",
		"The reference evaluator agrees.", "Takes no part", "ResolvedRefs (BackendNotFound)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestCanary(t *testing.T) {
	e := ask(t, "/shop.Cart/Add", model.Header{Name: "x-canary", Value: "yes"})
	if e.Answer.Rule != "GRPCRoute default/cart rule 0" || len(e.Others) != 1 || e.Others[0].Why != "it comes after the one that serves" {
		t.Errorf("%+v, others %+v", e.Answer, e.Others)
	}
}

func TestNotServed(t *testing.T) {
	e := ask(t, "/shop.Other/Add")
	if e.ReachesBackend() || e.Answer.Proxy != "UNIMPLEMENTED: no rule matches" {
		t.Errorf("%+v", e.Answer)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"call", "listener", "others", "answer", "refused", "checked"} {
		if fields[name] == nil {
			t.Errorf("no %s in %s", name, data)
		}
		delete(fields, name)
	}
	if len(fields) > 0 {
		t.Errorf("JSON has %v as well", fields)
	}
}
