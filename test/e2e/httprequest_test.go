package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// someContentTypes are those of random requests: where both kinds of routes have a host, they tell.
var someContentTypes = []string{
	"", "", "", "application/json", "text/plain", "application/grpc", "application/grpc+proto", "application/grpc-web", "Application/GRPC",
	"xapplication/grpc", "application/gr",
}

// hostilePaths are what a path becomes so that another reader could take it for another one, or not: PATH is the path, and
// REST what follows its first slash.
var hostilePaths = []string{
	"/PATH", "PATH/../x", "/..PATH", "/x/..PATH", "/.PATH", "PATH/.", "PATH/..", "PATH//", "//REST", `/\REST`, `PATH\..`,
	"/x%2F..PATH", "/x%2f..PATH", "/%2ePATH", "/x/%2E%2ePATH", "PATH%00", "PATH%0a", "PATH%0D%0A", "PATH%7f", "PATH%",
	"PATH%4", "PATH%zz", "PATH%2F", "PATH%2Fb", "/%2FREST", "PATH;", "PATH;x=1/b", "PATH/;x", "/.;PATH", "/..;xPATH",
	"/x/..%3BPATH", "PATH%3B", "PATH%5C", "PATH%5c..", "/%61", "PATH%30", "PATH%2D", "PATH%5F", "PATH%20", "PATH%7E",
	"PATH%3F", "PATH%23x", "PATH%C0%AE", "PATH|", "PATH'", "PATH%252e", "/...PATH", "/..xPATH", "PATH*", "*", "REST",
	`PATH"<>^{}`, "PATH`",
}

// request aims at a random match of a random HTTPRoute, and more often than not misses it by a little; one in five is a
// gRPC call for a GRPCRoute, or nearly.
func (r random) request(o *objects) model.Call {
	if r.chance(20) {
		call := r.call(o)
		if r.chance(20) {
			call.Headers[0].Value = pick(r, someContentTypes[3:])
		}
		if r.chance(10) {
			call.Path = pick(r, r.paths)
		}
		return call
	}
	route := pick(r, o.HTTPRoutes)
	gateway := o.gateway(string(pick(r, route.Spec.ParentRefs).Name))
	listener := pick(r, gateway.Spec.Listeners)
	call := model.Call{
		Gateway: gateway.Namespace + "/" + gateway.Name, Port: int32(listener.Port), Method: string(pick(r, someHTTPVerbs)),
		Authority: r.authority(route.Spec.Hostnames, listener), Path: pick(r, r.paths),
	}
	var query []string
	if rule := pick(r, route.Spec.Rules); len(rule.Matches) > 0 {
		match := pick(r, rule.Matches)
		if match.Path != nil {
			call.Path = r.pathFor(match.Path)
		}
		if match.Method != nil {
			call.Method = string(*match.Method)
		}
		for _, h := range match.Headers {
			call.Headers = append(call.Headers, model.Header{Name: strings.ToLower(string(h.Name)), Value: r.valueFor(h.Type, h.Value)})
		}
		for _, q := range match.QueryParams {
			query = append(query, string(q.Name)+"="+r.encoded(r.valueFor(q.Type, q.Value)))
		}
	}
	query = r.mutateQuery(query)
	if call.Path = r.mutatePath(call.Path); len(query) > 0 {
		call.Path += "?" + strings.Join(query, "&")
	}
	r.mutateRequest(&call)
	contentType := pick(r, someContentTypes)
	i := slices.IndexFunc(call.Headers, func(h model.Header) bool { return h.Name == "content-type" })
	if i >= 0 {
		contentType = call.Headers[i].Value
	}
	if call.Headers = sendable(call.Headers)[1:]; printable(contentType) {
		call.Headers = append(call.Headers, model.Header{Name: "content-type", Value: contentType})
	}
	if listener.Protocol == gatewayv1.HTTPSProtocolType {
		call.SNI = model.Hostname(call.Authority)
		if r.chance(10) {
			call.SNI = pick(r, append(slices.Clip(r.hosts), "", pick(r, someHosts)))
		}
	}
	return call
}

// printable says whether a value can stand in a header as it is.
func printable(value string) bool {
	return value != "" && value == strings.TrimSpace(value) && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
}

// pathFor is a path that the match takes.
func (r random) pathFor(m *gatewayv1.HTTPPathMatch) string {
	switch *m.Type {
	case gatewayv1.PathMatchRegularExpression:
		for _, e := range somePathExpressions {
			if e.pattern == *m.Value {
				return pick(r, e.samples)
			}
		}
	case gatewayv1.PathMatchPathPrefix:
		more := pick(r, []string{"", "", "/", "/more", "/more/and/more", "/%20", "/a%2Fb"})
		return "/" + strings.Trim(*m.Value, "/") + more
	}
	return *m.Value
}

// valueFor is a value that a match takes.
func (r random) valueFor(kind any, value string) string {
	switch k := kind.(type) {
	case *gatewayv1.HeaderMatchType:
		if k != nil && *k == gatewayv1.HeaderMatchRegularExpression {
			return r.sample(value)
		}
	case *gatewayv1.QueryParamMatchType:
		if k != nil && *k == gatewayv1.QueryParamMatchRegularExpression {
			return r.sample(value)
		}
	}
	return value
}

// encoded is a value as one of the ways to write it in a query.
func (r random) encoded(value string) string {
	var b strings.Builder
	way := r.IntN(4)
	for i := range len(value) {
		c := value[i]
		plain := c > ' ' && c < 0x7f && strings.IndexByte("#&%+", c) < 0
		safe := url.QueryEscape(string(c)) == string(c)
		switch {
		case c == ' ' && way != 1:
			b.WriteByte('+')
		case way == 0 && safe, way == 2 && plain, way == 3 && plain && r.chance(70):
			b.WriteByte(c)
		case way == 3:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (r random) mutateQuery(query []string) []string {
	name, value := pick(r, r.parameters), r.encoded(pick(r, r.values))
	switch r.IntN(24) {
	case 0:
		return append(query, name+"="+value)
	case 1:
		return append([]string{name + "=" + value}, query...)
	case 2:
		return append([]string{name, "", "=", "=x", "%61=1"}, query...)
	case 3:
		return append([]string{name + "="}, query...)
	case 4:
		return append(query, pick(r, []string{"?a=1", "a;b=1", "b=?a=1", "#", "a=%zz", "a=%", "a=%4"}))
	case 5, 6, 7, 8:
		if len(query) == 0 {
			return query
		}
		i := r.IntN(len(query))
		name, value, _ := strings.Cut(query[i], "=")
		query = slices.Clone(query)
		query[i] = name + pick(r, []string{"", "=", "==" + value, "=" + value + "%0a" + value, "=" + value + "%00", "=x" + value,
			"=" + value + ";", "=" + value + "%zz", "[]=" + value, "%20=" + value, "=" + value + "&" + name + "=other",
			"=other&" + name + "=" + value,
			"=1%0aadmin", "=" + strings.ToUpper(value), "=%0A"})
		return query
	case 9:
		if len(query) > 0 {
			return query[1:]
		}
	}
	return query
}

func (r random) mutatePath(path string) string {
	switch r.IntN(16) {
	case 0:
		return swapCase(path)
	case 1:
		return path + "/"
	case 2:
		return path + "x"
	case 3:
		return path + "/more"
	case 4:
		return strings.TrimSuffix(path, "/")
	case 5:
		if i := strings.LastIndexByte(path, '/'); i > 0 {
			return path[:i]
		}
	case 6, 7, 8:
		return strings.NewReplacer("PATH", path, "REST", strings.TrimPrefix(path, "/")).Replace(pick(r, hostilePaths))
	}
	return path
}

// mutateRequest changes one thing that isn't the path.
func (r random) mutateRequest(c *model.Call) {
	switch r.IntN(16) {
	case 0, 1:
		c.Method = string(pick(r, someHTTPVerbs))
	case 2, 3:
		if len(c.Headers) > 0 {
			c.Headers = c.Headers[1:]
		}
	case 4, 5, 6:
		if len(c.Headers) > 0 {
			h := &c.Headers[r.IntN(len(c.Headers))]
			h.Value = r.nearMiss(h.Value)
		}
	case 7:
		c.Headers = append(c.Headers, model.Header{Name: strings.ToLower(pick(r, r.headerNames)), Value: pick(r, r.values)})
	case 8:
		c.Authority = pick(r, someHosts)
	}
}
