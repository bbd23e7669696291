package e2e

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// contentType is what grpc-go sends with the harness's codec.
const contentType = "application/grpc+proto"

// call aims at a random match of a random rule, and more often than not misses it by a little.
func (r random) call(o *objects) model.Call {
	route := pick(r, o.Routes)
	gateway := o.gateway(string(pick(r, route.Spec.ParentRefs).Name))
	listener := pick(r, gateway.Spec.Listeners)
	call := model.Call{
		Gateway: gateway.Namespace + "/" + gateway.Name, Port: int32(listener.Port), Method: "POST",
		Authority: r.authority(route.Spec.Hostnames, listener),
		Path:      "/" + pick(r, r.services) + "/" + pick(r, r.methods),
	}
	if rule := pick(r, route.Spec.Rules); len(rule.Matches) > 0 {
		match := pick(r, rule.Matches)
		call.Path = r.path(match.Method)
		for _, h := range match.Headers {
			call.Headers = append(call.Headers, model.Header{Name: strings.ToLower(string(h.Name)), Value: r.headerValue(h)})
		}
	}
	r.mutate(&call)
	call.Headers = sendable(call.Headers)
	if listener.Protocol == gatewayv1.HTTPSProtocolType {
		call.SNI = model.Hostname(call.Authority)
		if r.chance(15) {
			call.SNI = pick(r, append(slices.Clip(r.hosts), "", pick(r, someHosts)))
		}
	}
	return call
}

func (o *objects) gateway(name string) *gatewayv1.Gateway {
	for _, g := range o.Gateways {
		if g.Name == name {
			return g
		}
	}
	return o.Gateways[0]
}

// authority is mostly a host of a route or a listener, in one of the ways to write it.
func (r random) authority(hostnames []gatewayv1.Hostname, listener gatewayv1.Listener) string {
	host := pick(r, r.hosts)
	switch {
	case len(hostnames) > 0 && r.chance(70):
		host = string(pick(r, hostnames))
	case listener.Hostname != nil && r.chance(70):
		host = string(*listener.Hostname)
	}
	if suffix, wildcard := strings.CutPrefix(host, "*"); wildcard {
		host = pick(r, []string{"q", "a", "b.a", "x_y", "q.r.s"}) + suffix
	}
	switch r.IntN(24) {
	case 0:
		host = strings.ToUpper(host)
	case 1:
		host += ":8080"
	case 2:
		host += ":1"
	case 3:
		host = "q." + host
	case 4:
		if _, parent, dot := strings.Cut(host, "."); dot {
			host = parent
		}
	case 5:
		host = "x" + host
	case 6:
		host += "."
	case 7:
		host = "unknown.invalid"
	}
	return host
}

func (r random) path(m *gatewayv1.GRPCMethodMatch) string {
	service, method := pick(r, r.services), pick(r, r.methods)
	if m == nil {
		return "/" + service + "/" + method
	}
	regex := m.Type != nil && *m.Type == gatewayv1.GRPCMethodMatchRegularExpression
	if m.Service != nil {
		service = *m.Service
		if regex {
			service = segment(r.sample(service))
		}
	}
	if m.Method != nil {
		method = *m.Method
		if regex {
			method = segment(r.sample(method))
		}
	}
	return "/" + service + "/" + method
}

// segment makes of any text a segment of a path that a client could send.
func segment(text string) string {
	text = strings.Map(func(c rune) rune {
		if strings.ContainsRune(` /?#%"<>\^{}|`+"`", c) {
			return '_'
		}
		return c
	}, text)
	if text == "" || strings.Trim(text, ".") == "" {
		return "x"
	}
	return text
}

func (r random) headerValue(h gatewayv1.GRPCHeaderMatch) string {
	if h.Type != nil && *h.Type == gatewayv1.GRPCHeaderMatchRegularExpression {
		return r.sample(h.Value)
	}
	return h.Value
}

// sample is a value that matches the expression, or for one that isn't ours any value.
func (r random) sample(pattern string) string {
	for _, e := range someExpressions {
		if e.pattern == pattern {
			return pick(r, e.samples)
		}
	}
	return pick(r, r.values)
}

// mutate changes one thing of a call in six of ten.
func (r random) mutate(c *model.Call) {
	switch r.IntN(26) {
	case 0:
		c.Path = swapCase(c.Path)
	case 1:
		c.Path += "/"
	case 2:
		c.Path += "/more"
	case 3:
		c.Path += "x"
	case 4:
		c.Path = c.Path[:strings.LastIndex(c.Path, "/")+1]
	case 5:
		c.Path = "/" + c.Path
	case 6:
		c.Path = "/x" + c.Path[1:]
	case 7:
		c.Path = strings.Replace(c.Path, ".", "%2E", 1)
	case 8:
		c.Path += "?a=b"
	case 9:
		service, _ := c.Service()
		c.Path = "/" + service + "/" + pick(r, r.methods)
	case 10:
		method, _ := c.GRPCMethod()
		c.Path = "/" + pick(r, r.services) + "/" + method
	case 11, 12, 13:
		if len(c.Headers) > 0 {
			i := r.IntN(len(c.Headers))
			c.Headers = slices.Delete(c.Headers, i, i+1)
		}
	case 14, 15, 16, 17:
		if len(c.Headers) > 0 {
			h := &c.Headers[r.IntN(len(c.Headers))]
			h.Value = r.nearMiss(h.Value)
		}
	case 18:
		c.Headers = append(c.Headers, model.Header{Name: strings.ToLower(pick(r, r.headerNames)), Value: pick(r, r.values)})
	case 19:
		c.Authority = pick(r, someHosts)
	}
}

func (r random) nearMiss(value string) string {
	switch r.IntN(6) {
	case 0:
		return swapCase(value)
	case 1:
		return value + "x"
	case 2:
		return "x" + value
	case 3:
		return value + ", " + value
	case 4:
		return strings.TrimSuffix(value, "y")
	}
	return pick(r, someValues)
}

func swapCase(text string) string {
	if upper := strings.ToUpper(text); upper != text {
		return upper
	}
	return strings.ToLower(text)
}

// sendable leaves out what grpc-go would not send, or would send on its own: one line a name, printable
// ASCII, no spaces around, and the content type that every call has. Names have letters, digits and dashes
// only: nginx can't tell a_b from a-b.
func sendable(headers []model.Header) []model.Header {
	seen := map[string]bool{"content-type": true}
	out := []model.Header{{Name: "content-type", Value: contentType}}
	for _, h := range headers {
		if strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			continue
		}
		printable := !strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' || c > '~' })
		if value := strings.TrimSpace(h.Value); printable && value != "" && !seen[h.Name] {
			seen[h.Name] = true
			out = append(out, model.Header{Name: h.Name, Value: value})
		}
	}
	return out
}
