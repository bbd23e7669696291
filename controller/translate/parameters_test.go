package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatewright/gatewright/generators/model"
)

// parametersGateway has a Gateway with parameters, whose spec is left open, and a class with or without a reference.
const parametersGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatewright}
spec: {controllerName: gatewright.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: gatewright
  infrastructure: {parametersRef: {group: gatewright.io, kind: GatewayParameters, name: own}}
  listeners: [{name: grpc, port: 8080, protocol: HTTP}]
---
apiVersion: gatewright.io/v1alpha1
kind: GatewayParameters
metadata: {name: own}
spec: %s
---
apiVersion: gatewright.io/v1alpha1
kind: GRPCTimeoutPolicy
metadata: {name: negative}
spec: {timeout: -1s}
`

// TestParametersValues: values that a CRD would have refused are refused by name too, and nothing of the Gateway is served.
func TestParametersValues(t *testing.T) {
	ageless := nginx
	ageless.Missing = map[model.Feature]string{model.FeatureConnectionAge: "it has no clock", model.FeatureMaxStreams: "it can't count"}
	narrow := nginx
	narrow.Limits.Streams = 100
	for _, c := range []struct {
		spec string
		caps model.Capabilities
		// want is in the message, "" for what is accepted.
		want string
	}{
		{`{}`, nginx, ""},
		{`{defaults: {}, clients: {}}`, nginx, ""},
		{`{clients: {maxConnectionAge: 24h, idleTimeout: 1s}}`, nginx, ""},
		{`{clients: {maxConnectionAge: 0s, idleTimeout: 0s}}`, ageless, ""},
		{`{clients: {maxConnectionAge: -1s}}`, nginx, `spec.clients.maxConnectionAge: "-1s" isn't a duration`},
		{`{clients: {maxConnectionAge: 999ms}}`, nginx, "spec.clients.maxConnectionAge: 999ms isn't between 1s and 24h0m0s"},
		{`{clients: {maxConnectionAge: 1ns}}`, nginx, "spec.clients.maxConnectionAge: 1ns isn't between"},
		{`{clients: {maxConnectionAge: 99999h}}`, nginx, "spec.clients.maxConnectionAge: 99999h0m0s isn't between"},
		{`{clients: {maxConnectionAge: 99999999999h}}`, nginx, "spec.clients.maxConnectionAge: \"99999999999h\" isn't a duration"},
		{`{clients: {maxConnectionAge: 1m}}`, ageless, "spec.clients.maxConnectionAge: it has no clock; remove it"},
		{`{clients: {idleTimeout: soon}}`, nginx, `spec.clients.idleTimeout: "soon" isn't a duration`},
		{`{clients: {idleTimeout: 1ms}}`, nginx, "spec.clients.idleTimeout: 1ms isn't between"},
		{`{clients: {maxStreams: 100}}`, narrow, ""},
		{`{clients: {maxStreams: 0}}`, ageless, ""},
		{`{clients: {maxStreams: 101}}`, narrow, "spec.clients.maxStreams: 101 isn't between 0 and 100"},
		{`{clients: {maxStreams: -1}}`, narrow, "spec.clients.maxStreams: -1 isn't between 0 and 100"},
		{`{clients: {maxStreams: 1}}`, ageless, "spec.clients.maxStreams: it can't count; remove it"},
		{`{defaults: {timeoutPolicy: negative}}`, nginx, `spec.defaults.timeoutPolicy: GRPCTimeoutPolicy default/negative.spec.timeout: "-1s" isn't`},
		{`{defaults: {timeoutPolicy: "../x"}}`, nginx, "spec.defaults.timeoutPolicy: GRPCTimeoutPolicy default/../x doesn't exist"},
	} {
		t.Run(c.spec, func(t *testing.T) {
			r := Translate(decode(t, fmt.Sprintf(parametersGateway, c.spec)), c.caps, Options{})
			gateway := findReport(t, r, "Gateway", "gateway").Gateway.Conditions
			own := findReport(t, r, "GatewayParameters", "own").Policy.Ancestors[0].Conditions
			if c.want == "" {
				if show(gateway) != gatewayFine || show(own) != "Accepted=True" || len(r.Gateways.Gateways) != 1 {
					t.Errorf("%s; %s: %s", show(gateway), show(own), gateway[0].Message)
				}
				return
			}
			if show(gateway) != "Accepted=False InvalidParameters, ResolvedRefs=True, Programmed=False Invalid" ||
				show(own) != "Accepted=False Invalid" || len(r.Gateways.Gateways) != 0 {
				t.Errorf("%s; %s", show(gateway), show(own))
			}
			if !strings.Contains(gateway[0].Message, c.want) || !strings.Contains(own[0].Message, c.want) {
				t.Errorf("messages %q and %q, want %q", gateway[0].Message, own[0].Message, c.want)
			}
		})
	}
}
