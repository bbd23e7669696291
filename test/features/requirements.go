package features

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/nginx"
)

// numbers writes numbers with commas between.
func numbers(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

// requirements are R1 to R40, those that have several parts with a row for each.
var requirements = []row{
	{requirement: "R1", what: "listener protocol HTTP: cleartext HTTP/2", change: func(*objects) {}},
	{requirement: "R1", what: "HTTP/1.1 on the same port", needs: []model.Feature{model.FeatureHTTP1Shared}},
	{requirement: "R1", what: "listener protocol HTTPS: HTTP/2 by ALPN", change: func(o *objects) { o.https() }},
	{requirement: "R2", what: "a listener that the binary can't serve costs only itself"},
	{requirement: "R3", what: "other protocols", change: protocol(gatewayv1.TCPProtocolType)},
	{requirement: "R4", what: "capabilities from the binary or a stated version"},
	{requirement: "R5", what: "wildcards over any number of labels", change: func(o *objects) {
		o.route.Spec.Hostnames = []gatewayv1.Hostname{"*.example.com"}
	}},
	{requirement: "R5", what: "the authority that a backend sees",
		limit: only("haproxy", "the port is left out where it is the scheme's own")},
	{requirement: "R6", what: "intersection of hostnames", change: func(o *objects) {
		o.listener.Hostname = new(gatewayv1.Hostname("*.example.com"))
		o.route.Spec.Hostnames = []gatewayv1.Hostname{"a.example.com"}
	}},
	{requirement: "R7", what: "isolation of listeners, 421", limit: only("haproxy",
		"where a port has wildcard listeners and none for all hosts, a connection for another server name ends right behind the handshake; "+
			"in it where the listeners have different certificates")},
	{requirement: "R8", what: "exact service, method or both", change: func(o *objects) { o.match.Method = exactly("acme.v1.Cart", "Add") }},
	{requirement: "R9", what: "regular expressions for service and method", limit: valueLimit,
		change: func(o *objects) { o.match.Method = expression(`acme\..*`, "Add") }},
	{requirement: "R10", what: "names of headers to match", limit: func(c model.Capabilities) string {
		return fmt.Sprintf("letters, digits and `` %s ``; others are refused by name", c.Limits.MatchHeaderName)
	}},
	{requirement: "R10", what: "values of headers to match", limit: valueLimit,
		change: header("x-env", "canary", gatewayv1.GRPCHeaderMatchExact)},
	{requirement: "R10", what: "a header in several lines", limit: func(c model.Capabilities) string {
		if c.Proxy == "nginx" && !c.Version.AtLeast(1, 23, 0) {
			return "only the first line is seen"
		}
		return ""
	}},
	{requirement: "R11", what: "several matches, or none", change: func(o *objects) { o.rule.Matches = nil }},
	{requirement: "R12", what: "precedence over all rules of all routes"},
	{requirement: "R13", what: "UNIMPLEMENTED where no rule matches"},
	{requirement: "R14", what: "weights", limit: weightLimit},
	{requirement: "R15", what: "invalid backends keep their share, as UNAVAILABLE"},
	{requirement: "R16", what: "Services without endpoints, rules without backends"},
	{requirement: "R17", what: "cleartext HTTP/2 to backends", change: appProtocol("kubernetes.io/h2c")},
	{requirement: "R17", what: "TLS to backends", change: func(o *objects) { o.policy() }},
	{requirement: "R18", what: "gRPC statuses of the proxy's own"},
	{requirement: "R18", what: "an endpoint that refuses connections", limit: func(c model.Capabilities) string {
		if c.Proxy == "haproxy" && c.Version.AtLeast(3, 1, 0) {
			return "calls fail until two have, then it is left: this version can't tell a refused connection from a call that the endpoint has seen"
		}
		return ""
	}},
	{requirement: "R18", what: "an endpoint that takes no connection and refuses none", limit: func(c model.Capabilities) string {
		if c.Proxy == "haproxy" && !c.Version.AtLeast(3, 1, 0) {
			return "the stream is refused, which clients take for UNAVAILABLE and may try again; the message is the client's"
		}
		return ""
	}},
	{requirement: "R18", what: "a request that comes too slowly",
		limit: only("nginx", "the stream is reset, which clients take for INTERNAL")},
	{requirement: "R19", what: "header filters on rules", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: modifier("x-added")})
	}},
	{requirement: "R20", what: "mirrors", change: func(o *objects) {
		o.filter(gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestMirror, RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{
			BackendRef: backendRef("second").BackendObjectReference,
		}})
	}},
	{requirement: "R21", what: "timeouts and retries of calls, by `GRPCTimeoutPolicy` and `GRPCRetryPolicy`, with a bridge"},
	{requirement: "R22", what: "an ExtensionRef that can't be resolved answers an error"},
	{requirement: "R23", what: "quiet streams", limit: func(model.Capabilities) string { return "24 hours; 1 hour across a reload" }},
	{requirement: "R24", what: "attachment to Gateways", change: from(gatewayv1.NamespacesFromAll, "other")},
	{requirement: "R24", what: "attachment to ListenerSets", change: func(o *objects) { o.listenerSet() }},
	{requirement: "R25", what: "a GRPCRoute and an HTTPRoute for one host: the older one; both with `--cross-serving share`"},
	{requirement: "R26", what: "`gatewright controller`: other controllers' conditions and statuses stay"},
	{requirement: "R27", what: "status of listeners"},
	{requirement: "R28", what: "Programmed only when the proxy has confirmed it"},
	{requirement: "R29", what: "observedGeneration on every condition"},
	{requirement: "R30", what: "several certificates on a listener", change: func(o *objects) { o.https() }, limit: only("haproxy",
		"where wildcard listeners of a port have different certificates, HAProxy reads the server name first and hands the connection on to "+
			"itself: "+
			"5 to 10 µs more of a call's processor time, 5 to 14 %; reloads have to wait for one another")},
	{requirement: "R30", what: "a client certificate for backends", change: func(o *objects) {
		o.policy()
		o.gateway.Spec.TLS = &gatewayv1.GatewayTLSConfig{Backend: &gatewayv1.GatewayBackendTLS{ClientCertificateRef: &secretRefs("pair")[0]}}
	}},
	{requirement: "R30", what: "client certificates", change: func(o *objects) {
		o.https()
		o.gateway.Spec.TLS = &gatewayv1.GatewayTLSConfig{Frontend: &gatewayv1.FrontendTLSConfig{Default: validated()}}
	}, limit: func(c model.Capabilities) string {
		if c.Proxy == "nginx" {
			return "a host that isn't the connection's server name gets 421, also where both are the same listener's; a client without a valid " +
				"certificate hears of it when it calls"
		}
		return "TLS sessions are resumed on no port; with `--layout include` before 3.2, connections that resume one on such a port are ended"
	}},
	{requirement: "R31", what: "one bad thing costs only itself"},
	{requirement: "R32", what: "hostile values are literal, or refused by name"},
	{requirement: "R33", what: "a refused configuration leaves the last one serving"},
	{requirement: "R34", what: "a reload loses no call", limit: reloadLimit},
	{requirement: "R34", what: "endpoints without a reload", needs: []model.Feature{model.FeatureResolve},
		limit: func(c model.Capabilities) string {
			if c.Proxy == "nginx" {
				return "a change that comes within a second of another one is seen when nginx asks again, a second later at most; " +
					"a call whose endpoint one worker chooses in the very microseconds in which another one learns of others is answered UNAVAILABLE"
			}
			return "until the next reload an endpoint that came without one has no TCP user timeout: where it goes without a word, " +
				"a call that is under way there ends by its own deadline only, and more calls may go there until the endpoint is taken away"
		}},
	{requirement: "R34", what: "routes, weights, Services, server names and certificates without a reload",
		limit: func(c model.Capabilities) string {
			if c.Proxy == "nginx" {
				return "by a reload"
			}
			return "up to 128 Services at a time are served that came since the last reload, in sections that HAProxy's statistics and logs call " +
				"spare:1 to spare:128; " +
				"regular expressions, names of headers, other changes of headers, listeners, names to resolve, the first wildcard over five labels " +
				"or more, " +
				"and key pairs over 64,500 bytes are reloaded"
		}},
	{requirement: "R35", what: "HTTPRoutes: paths, methods, headers, query parameters", needs: []model.Feature{model.FeatureHTTP},
		limit: only("nginx", "a tab around a header's value counts as part of it, and `x_role` is taken for `x-role`")},
	{requirement: "R35", what: "HTTPRoutes and GRPCRoutes on one port in cleartext", needs: []model.Feature{model.FeatureHTTP1Shared}},
	{requirement: "R36", what: "HTTPRoutes: paths as they came; those that can be read as another one are answered 400 (docs/http-paths.md)",
		needs: []model.Feature{model.FeatureHTTP}},
	{requirement: "R37", what: "HTTPRoutes: header modifiers, redirects, rewrites, CORS", needs: []model.Feature{model.FeatureHTTP}},
	{requirement: "R37", what: "HTTPRoutes: a path rewrite for an h2c backend", needs: []model.Feature{model.FeatureRewriteH2C}},
	{requirement: "R37", what: "HTTPRoutes: timeouts", needs: []model.Feature{model.FeatureHTTP}, limit: func(model.Capabilities) string {
		return "the time in which nothing comes from the endpoint: an answer that goes on coming isn't cut off"
	}},
	{requirement: "R37", what: "HTTPRoutes: retries", needs: []model.Feature{model.FeatureHTTP}, limit: func(c model.Capabilities) string {
		return fmt.Sprintf("on %s, up to %d times, at once: `backoff` is refused by name", numbers(c.Limits.RetryCodes), c.Limits.RetryAttempts)
	}},
	{requirement: "R38", what: "HTTPRoutes: HTTP statuses of the proxy's own, with a line of text", needs: []model.Feature{model.FeatureHTTP}},
	{requirement: "R39", what: "HTTPRoutes: WebSocket, and no other upgrade", needs: []model.Feature{model.FeatureHTTP},
		limit: only("nginx", "by HTTP/1.1 only")},
	{requirement: "R40", what: "a call whose endpoint fails runs once", needs: []model.Feature{model.FeatureCallOnce}, limit: only("haproxy",
		"with `--call-once`, or for a Service with the annotation `gatewright.io/call-once: \"true\"`; without, clients send a call again by "+
			"themselves "+
			"whose endpoint dies or resets it before it answers. It takes a connection for each call, so a call costs HAProxy two to three times "+
			"the processor time")},
	{requirement: "R41", what: "an endpoint is told within a second that its client has gone"},
}

// only is a limit of one proxy.
func only(proxy, limit string) func(model.Capabilities) string {
	return func(c model.Capabilities) string {
		if c.Proxy == proxy {
			return limit
		}
		return ""
	}
}

func reloadLimit(c model.Capabilities) string {
	limit := "streams outlive a reload by 1 hour at most"
	if c.Proxy == "nginx" {
		limit += "; on a busy machine a client may be sent on by two workers in a row, and then gives up a call that nginx never took"
		if !c.Version.AtLeast(1, 27, 1) {
			limit += "; a connection that begins just as nginx reloads may get the answers of before, for 1 minute at most"
		}
	}
	switch {
	case c.Proxy == "haproxy":
		limit += "; the first request on a connection of HTTP/1.1 that was idle meanwhile gets the answer of before, for 11 minutes at most"
	case nginx.Lingers(c.Version):
		limit += "; a connection of HTTP/1.1 that was in use meanwhile gets one more answer of before, for 5 seconds at most"
	default:
		limit += "; a request that is on its way on an idle connection of HTTP/1.1 is lost, seen by no endpoint (docs/http.md)"
	}
	return limit
}

func valueLimit(c model.Capabilities) string {
	return fmt.Sprintf("%d bytes, most characters but letters and digits counting four", c.Limits.MatchValue)
}

func weightLimit(c model.Capabilities) string {
	if c.Proxy == "nginx" {
		return "in steps of 0.01 %, drawn at random"
	}
	return "in steps of 2⁻³⁰, dealt out evenly"
}
