package resources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ours = "gatewright.io/gateway-controller"

const classes = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: foreign}
spec:
  controllerName: example.com/other
  parametersRef: {group: example.com, kind: P, name: p}
---
`

const gateways = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: one, namespace: infra}
spec: {gatewayClassName: foreign, listeners: [{name: a, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: two, namespace: infra}
spec: {gatewayClassName: absent, listeners: [{name: a, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r, namespace: shop}
spec:
  rules:
  - backendRefs: [{name: s, port: 81}, {name: s, port: 80}, {name: t, namespace: far, port: 1}, {name: known, port: 1}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: m, port: 9}}}
---
apiVersion: v1
kind: Service
metadata: {name: known, namespace: shop}
spec: {ports: [{port: 1}]}
`

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		name    string
		input   string
		c       Completion
		classes string // name=controllerName
		notes   []string
	}{
		{"no class", gateways, Completion{Controller: ours},
			"absent=" + ours + " foreign=" + ours,
			[]string{
				"GatewayClass: the input has none, so every Gateway is taken; made up: absent, foreign",
				"Namespace: not in the input, made up with no labels but kubernetes.io/metadata.name: infra, shop",
			}},
		{"foreign class", classes + gateways, Completion{Controller: ours},
			"foreign=example.com/other",
			[]string{
				`Gateway infra/two: not served: its GatewayClass "absent" is not in the input; add the class, or name it with --gateway-class`,
				`Gateway infra/one: not served: its GatewayClass "foreign" has the controllerName "example.com/other", and ours is ` +
					`"gatewright.io/gateway-controller"; to serve it all the same, add --gateway-class foreign, or change the controllerName`,
				"Namespace: not in the input, made up with no labels but kubernetes.io/metadata.name: infra, shop",
			}},
		{"class asked for", classes + gateways, Completion{Controller: ours, GatewayClass: "foreign"},
			"foreign=" + ours,
			[]string{
				`GatewayClass foreign: taken as asked, without regard to its controllerName "example.com/other" and its parametersRef`,
				`Gateway infra/two: not served: its GatewayClass "absent" is not in the input; add the class, or name it with --gateway-class`,
				"Namespace: not in the input, made up with no labels but kubernetes.io/metadata.name: infra, shop",
			}},
		{"absent class asked for, DNS", classes + gateways, Completion{Controller: ours, GatewayClass: "absent", Backends: BackendsDNS},
			"foreign=example.com/other absent=" + ours,
			[]string{
				"GatewayClass absent: not in the input; made up",
				`Gateway infra/one: not served: its GatewayClass "foreign" has the controllerName "example.com/other", and --gateway-class takes ` +
					`"absent" alone`,
				"Service: not in the input, looked up by name in DNS: far/t, shop/m, shop/s",
				"Namespace: not in the input, made up with no labels but kubernetes.io/metadata.name: far, infra, shop",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			load := func() *Snapshot {
				s, _, err := Load([]string{"-"}, strings.NewReader(c.input))
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			given, untouched := load(), load()
			got, notes := Complete(given, c.c)
			if diff := cmp.Diff(untouched, given); diff != "" {
				t.Errorf("the input changed:\n%s", diff)
			}
			var texts, names []string
			for _, n := range notes {
				texts = append(texts, n.String())
			}
			for _, class := range got.GatewayClasses {
				names = append(names, class.Name+"="+string(class.Spec.ControllerName))
			}
			if diff := cmp.Diff(c.notes, texts); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.classes, strings.Join(names, " ")); diff != "" {
				t.Errorf("classes (-want +got):\n%s", diff)
			}
			if c.c.Backends != BackendsDNS {
				return
			}
			for _, s := range got.Services {
				if s.Name == "s" && (len(s.Spec.Ports) != 2 || s.Spec.Ports[0].Port != 80 || s.Spec.Ports[1].Port != 81) {
					t.Errorf("ports %v", s.Spec.Ports)
				}
			}
		})
	}
}
