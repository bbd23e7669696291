package translate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/model"
)

// httpShop is a Gateway, a Service with an endpoint, and an HTTPRoute with the rules that follow.
const httpShop = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: c}
spec: {controllerName: gatewright.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway, namespace: default}
spec:
  gatewayClassName: c
  listeners:
  - {name: web, protocol: HTTP, port: 80}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}, {port: 81, appProtocol: kubernetes.io/h2c}, {port: 82, appProtocol: "https"}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: default}
spec:
  parentRefs: [{name: gateway}]
  rules:
`

// TestHTTPRules is what becomes of single rules: the handling of the first backend, or what status says.
func TestHTTPRules(t *testing.T) {
	const to = ", backendRefs: [{name: web, port: 80}]}"
	for _, c := range []struct {
		name, rule string
		// refused is in the message of a route that isn't accepted; else check looks at the rule.
		refused string
		check   func(*model.Rule) bool
	}{
		{"prefix", `{matches: [{path: {value: /a/}}]` + to, "", func(r *model.Rule) bool {
			return r.Matches[0].Path == model.Path{Kind: model.PrefixPath, Value: "/a"} && r.Backends[0].Cluster == "default/web/80/http"
		}},
		{"any path", `{matches: [{path: {value: /}}]` + to, "", func(r *model.Rule) bool { return r.Matches[0].Path == model.Path{} }},
		{"h2c", `{backendRefs: [{name: web, port: 81}]}`, "", func(r *model.Rule) bool { return r.Backends[0].Cluster == "default/web/81/h2c" }},
		{"appProtocol", `{backendRefs: [{name: web, port: 82}]}`, "", func(r *model.Rule) bool {
			return r.Backends[0].Status.HTTPStatus() == 500 && strings.Contains(r.Backends[0].Status.Message, `appProtocol "https"`)
		}},
		{"no backends", `{matches: [{path: {value: /a}}]}`, "", func(r *model.Rule) bool { return r.Status.HTTPStatus() == 500 }},
		{"a path that requests are refused for", `{matches: [{path: {type: Exact, value: /a%41}}]` + to, "answered 400", nil},
		{"a prefix of 64 segments", `{matches: [{path: {value: ` + strings.Repeat("/a", 64) + `}}]` + to, "", func(r *model.Rule) bool {
			return r.Matches[0].Path.Kind == model.PrefixPath
		}},
		{"a prefix of 65 segments", `{matches: [{path: {value: ` + strings.Repeat("/a", 65) + `}}]` + to, "the prefix has 65 segments", nil},
		{"CORS", `{filters: [{type: CORS, cors: {allowOrigins: ["https://a.test:443", "http://a.test:443"], exposeHeaders: ["*", x-a], ` +
			`allowCredentials: true}}]` + to, "", func(r *model.Rule) bool {
			c := r.Backends[0].CORS
			return slices.Equal(c.AllowOrigins, []string{"https://a.test", "http://a.test:443"}) && slices.Equal(c.ExposeHeaders, []string{"x-a"})
		}},
		{"TRACE", `{matches: [{method: TRACE}]` + to, "TRACE isn't supported", nil},
		{"a parameter that only codes can name", `{matches: [{queryParams: [{name: "a&b", value: x}]}]` + to, "isn't supported", nil},
		{"two of one parameter", `{matches: [{queryParams: [{name: a, value: x}, {name: A, value: z}]}]` + to, "",
			func(r *model.Rule) bool { return len(r.Matches[0].Query) == 2 && r.Matches[0].Query[0].Value == "x" }},
		{"rewrite", `{matches: [{path: {value: /a}}], filters: [{type: URLRewrite, urlRewrite: {hostname: B.test,
      path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]` + to, "",
			func(r *model.Rule) bool {
				w := r.Backends[0].Rewrite
				return w.Hostname == "b.test" && w.Path.Of("/a/c") == "/c" && w.Path.Of("/a") == "/"
			}},
		{"redirect", `{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443, statusCode: 308}}]}`, "",
			func(r *model.Rule) bool {
				return *r.Backends[0].Redirect == model.Redirect{Code: 308, Scheme: "https", Port: 8443}
			}},
		{"a path with a space", `{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: "/a b"}}}]}`,
			"isn't the path of a URL", nil},
		{"framing", `{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [content-length]}}]` + to,
			"it is the proxy's", nil},
		{"content type", `{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: content-type, value: a/b}]}}]` + to,
			"", func(r *model.Rule) bool { return r.Backends[0].RequestHeaders[0].Name == "content-type" }},
		{"mirror", `{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}}}]` + to,
			"", func(r *model.Rule) bool { return len(r.Backends[0].Mirrors) == 1 && r.Backends[0].Mirrors[0].All() }},
		{"backoff", `{retry: {attempts: 2, backoff: 1s}` + to, "can't wait", nil},
		{"another code", `{retry: {codes: [418]}` + to, "can't try again on 418", nil},
		{"timeouts", `{timeouts: {request: 3s, backendRequest: 0s}` + to, "",
			func(r *model.Rule) bool { return r.Backends[0].Timeouts == model.Timeouts{Request: 3 * time.Second} }},
		{"attempts share the time", `{timeouts: {request: 3s}, retry: {attempts: 2, codes: [503]}` + to, "",
			func(r *model.Rule) bool { return r.Backends[0].Timeouts.Backend == time.Second }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Translate(decode(t, httpShop+"  - "+c.rule+"\n"), nginx, Options{})
			accepted := findReport(t, r, "HTTPRoute", "web").Route.Parents[0].Conditions[0]
			if c.refused != "" {
				if accepted.Status != "False" || !strings.Contains(accepted.Message, c.refused) {
					t.Errorf("Accepted=%s: %s", accepted.Status, accepted.Message)
				}
				return
			}
			if accepted.Status != "True" {
				t.Fatalf("not accepted: %s", accepted.Message)
			}
			if rule := r.Gateways.Gateways[0].Listeners[0].Scopes[0].Rules[0]; !c.check(rule) {
				t.Errorf("%+v", rule)
			}
		})
	}
}

// TestCrossServing: both kinds have a host only where somebody says so.
func TestCrossServing(t *testing.T) {
	const both = httpShop + `  - backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: default}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`
	annotated := strings.Replace(both, "{name: gateway, namespace: default}", `{name: gateway, namespace: default, annotations: {`+
		CrossServingAnnotation+`: share}}`, 1)
	for _, c := range []struct {
		name, input string
		options     Options
		scopes      int
	}{
		{"exclusive", both, Options{}, 1}, {"by flag", both, Options{CrossServing: CrossServingShare}, 2}, {"by annotation", annotated, Options{}, 2},
	} {
		r := Translate(decode(t, c.input), nginx, c.options)
		if got := len(r.Gateways.Gateways[0].Listeners[0].Scopes); got != c.scopes {
			t.Errorf("%s: %d scopes, want %d", c.name, got, c.scopes)
		}
	}
}

// TestPortsOfOneKind: where a port in cleartext is for HTTP/1.1 or for HTTP/2, the oldest route says for which.
func TestPortsOfOneKind(t *testing.T) {
	input := httpShop + `  - backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [calls.test]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`
	input = strings.Replace(input, "  rules:\n", "  hostnames: [web.test]\n  rules:\n", 1)
	caps := nginx
	caps.Missing = map[model.Feature]string{model.FeatureHTTP1Shared: "it is old"}
	r := Translate(decode(t, input), caps, Options{})
	if c := findReport(t, r, "HTTPRoute", "web").Route.Parents[0].Conditions[0]; c.Reason != "ProtocolConflict" ||
		!strings.Contains(c.Message, "GRPCRoute default/calls is older, and port 80 is one for GRPCRoutes: it is old") {
		t.Errorf("%s: %s", c.Reason, c.Message)
	}
	if c := findReport(t, r, "Gateway", "gateway").Gateway.Listeners[0].Conditions[0]; !strings.Contains(c.Message,
		"port 80 is one for GRPCRoutes, for GRPCRoute default/calls is the oldest route of it: it is old") {
		t.Errorf("the listener: %s", c.Message)
	}
	if c := findReport(t, r, "GRPCRoute", "calls").Route.Parents[0].Conditions[0]; c.Status != "True" {
		t.Errorf("the older route: %s", c.Message)
	}
}
