package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The words of random HTTPRoutes, beside those that GRPCRoutes have.
var (
	somePaths = []string{
		"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/A", "/a.b", "/a-b_c~d", "/a%20b", "/a;x=1", "/a=b&c", "/$host", "/'quoted'(x)",
		"/a:b@c", "/!*+,", "/default", "/hostnames", "/include", "/volatile", "/map", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x",
		"/" + strings.Repeat("long/", 60) + "end", "/%C3%A9", "/%7E", "/a%3Fb", "/a%23b", "/a%25b", "/a%7Cb", "/%22", "/a.B/Get", "/...", "/.a",
	}
	// refusedPaths are those that the API takes and that nothing could match: a rule with one is left out.
	refusedPaths = []string{"/%41", "/a%2e", "/%5C", "/%0a", "/a/..;x"}

	somePathExpressions = []expression{
		{"/.*", []string{"/", "/a/b", "/xyz"}},
		{"/a.*", []string{"/a", "/ab", "/a/b/c"}},
		{"/[^/]+", []string{"/a", "/a.b", "/a%2Fb"}},
		{"(?i)/a(/b)?", []string{"/A", "/a/B"}},
		{`/a\.b|/ab`, []string{"/a.b", "/ab"}},
		{"^/a/b$", []string{"/a/b"}},
		{`/\w+/\d+`, []string{"/a/1", "/users/42"}},
		{`/a%20b|/'.*`, []string{"/a%20b", "/'quoted'(x)"}},
		{`.*\.css`, []string{"/a.css", "/x/y.css"}},
		{`/(a.*)*`, []string{"/", "/aaa"}},
	}

	someParameters = []string{"a", "A", "b", "animal", "x-1", "q", "_", "a-b", "a.b", "~x", "$h", "*", "!"}
	someHTTPVerbs  = []gatewayv1.HTTPMethod{"GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"}
	// someNewPaths are what paths become.
	someNewPaths = []string{"/", "", "/new", "/new/", "/new/path", "/%20", "/$host", "/a;b=c"}
)

// addHTTP adds HTTPRoutes to a configuration.
func (r random) addHTTP(o *objects) {
	o.Shares = r.chance(60)
	o.H2C = map[string]bool{}
	for i := range 1 + r.IntN(8) {
		o.HTTPRoutes = append(o.HTTPRoutes, r.httpRoute(o, i))
	}
}

func (r random) httpRoute(o *objects, number int) *gatewayv1.HTTPRoute {
	route := &gatewayv1.HTTPRoute{
		TypeMeta: metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute"},
		ObjectMeta: metav1.ObjectMeta{Namespace: pick(r, []string{"default", "default", "other"}),
			Name: fmt.Sprintf("http-%c", 'z'-number)},
	}
	if r.chance(70) {
		route.CreationTimestamp = metav1.NewTime(time.Date(2024, 1, 1+r.IntN(3), 0, 0, 0, 0, time.UTC))
	}
	route.Spec.ParentRefs = r.parentRefs(o)
	route.Spec.Hostnames = r.hostnames()
	for range 1 + r.IntN(5) {
		route.Spec.Rules = append(route.Spec.Rules, r.httpRule(o))
	}
	return route
}

func (r random) httpRule(o *objects) gatewayv1.HTTPRouteRule {
	var rule gatewayv1.HTTPRouteRule
	for range r.IntN(4) {
		rule.Matches = append(rule.Matches, r.httpMatch())
	}
	// A prefix can be replaced where there is one.
	prefix := len(rule.Matches) == 1 && rule.Matches[0].Path != nil && *rule.Matches[0].Path.Type == gatewayv1.PathMatchPathPrefix
	switch r.IntN(20) {
	case 0, 1:
		rule.Filters = append(rule.Filters, r.redirect(prefix))
		return rule
	case 2, 3, 4:
		rule.Filters = append(rule.Filters, r.rewrite(prefix))
	case 5, 6:
		// What a filter sets must not change which rule matches.
		rule.Filters = append(rule.Filters, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{
				Name: gatewayv1.HTTPHeaderName(pick(r, someHeaderNames[:6])), Value: headerValue(r.value()),
			}}},
		})
	case 7:
		return rule // No backends: 500.
	}
	for range 1 + r.IntN(5)/4 {
		ref := gatewayv1.HTTPBackendRef{BackendRef: r.backendRef(o).BackendRef}
		if r.chance(20) {
			o.H2C[o.Services[len(o.Services)-1]] = true
		}
		rule.BackendRefs = append(rule.BackendRefs, ref)
	}
	return rule
}

func (r random) httpMatch() gatewayv1.HTTPRouteMatch {
	var m gatewayv1.HTTPRouteMatch
	if r.chance(90) {
		m.Path = r.httpPath()
	}
	if r.chance(30) {
		m.Method = new(pick(r, someHTTPVerbs))
	}
	if r.chance(1) {
		m.Method = new(pick(r, []gatewayv1.HTTPMethod{"CONNECT", "TRACE"}))
	}
	for range max(0, r.IntN(6)-3) {
		name := gatewayv1.HTTPHeaderName(pick(r, r.headerNames))
		if slices.ContainsFunc(m.Headers, func(h gatewayv1.HTTPHeaderMatch) bool { return h.Name == name }) {
			continue
		}
		h := gatewayv1.HTTPHeaderMatch{Name: name, Value: r.value()}
		if r.chance(30) {
			h.Type, h.Value = new(gatewayv1.HeaderMatchRegularExpression), r.pattern()
		}
		h.Value = headerValue(h.Value)
		m.Headers = append(m.Headers, h)
	}
	for range max(0, r.IntN(6)-3) {
		name := gatewayv1.HTTPHeaderName(pick(r, r.parameters))
		if slices.ContainsFunc(m.QueryParams, func(q gatewayv1.HTTPQueryParamMatch) bool { return q.Name == name }) {
			continue
		}
		q := gatewayv1.HTTPQueryParamMatch{Name: name, Value: r.value()}
		if r.chance(30) {
			q.Type, q.Value = new(gatewayv1.QueryParamMatchRegularExpression), r.pattern()
		}
		m.QueryParams = append(m.QueryParams, q)
	}
	return m
}

// headerValues are those that the API lets the headers of HTTPRoutes have.
var headerValues = regexp.MustCompile("^[!-~]+([\t ]?[!-~]+)*$")

func headerValue(value string) string {
	if headerValues.MatchString(value) {
		return value
	}
	return "v"
}

func (r random) httpPath() *gatewayv1.HTTPPathMatch {
	path := &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new(pick(r, r.paths))}
	switch r.IntN(8) {
	case 0, 1, 2:
		path.Type = new(gatewayv1.PathMatchExact)
	case 3:
		path.Type, path.Value = new(gatewayv1.PathMatchRegularExpression), new(pick(r, somePathExpressions).pattern)
	}
	if r.chance(1) {
		path.Type, path.Value = new(gatewayv1.PathMatchExact), new(pick(r, refusedPaths))
	}
	return path
}

func (r random) pathModifier(prefix bool) *gatewayv1.HTTPPathModifier {
	to := new(pick(r, someNewPaths))
	switch {
	case prefix && r.chance(60):
		return &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: to}
	case r.chance(50):
		return &gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: to}
	}
	return nil
}

func (r random) redirect(prefix bool) gatewayv1.HTTPRouteFilter {
	f := &gatewayv1.HTTPRequestRedirectFilter{Path: r.pathModifier(prefix)}
	if r.chance(50) {
		f.StatusCode = new(pick(r, []int{301, 302, 303, 307, 308}))
	}
	if r.chance(40) {
		f.Scheme = new(pick(r, []string{"http", "https"}))
	}
	if r.chance(40) {
		f.Hostname = new(gatewayv1.PreciseHostname(pick(r, someHosts)))
	}
	if r.chance(40) {
		f.Port = new(pick(r, []gatewayv1.PortNumber{80, 443, 8080, 8443}))
	}
	return gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestRedirect, RequestRedirect: f}
}

func (r random) rewrite(prefix bool) gatewayv1.HTTPRouteFilter {
	f := &gatewayv1.HTTPURLRewriteFilter{Path: r.pathModifier(prefix)}
	if r.chance(50) {
		f.Hostname = new(gatewayv1.PreciseHostname(pick(r, someHosts)))
	}
	return gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: f}
}

// smallerHTTP adds copies with one thing less of an HTTPRoute.
func (o *objects) smallerHTTP(add func(func(*objects))) {
	for i, r := range o.HTTPRoutes {
		spec := func(c *objects) *gatewayv1.HTTPRouteSpec { return &c.HTTPRoutes[i].Spec }
		if len(o.Routes)+len(o.HTTPRoutes) > 1 {
			add(func(c *objects) { c.HTTPRoutes = slices.Delete(c.HTTPRoutes, i, i+1) })
		}
		for j, rule := range r.Spec.Rules {
			if len(r.Spec.Rules) > 1 {
				add(func(c *objects) { spec(c).Rules = slices.Delete(spec(c).Rules, j, j+1) })
			}
			for k, match := range rule.Matches {
				at := func(c *objects) *gatewayv1.HTTPRouteMatch { return &spec(c).Rules[j].Matches[k] }
				if len(rule.Matches) > 1 {
					add(func(c *objects) { spec(c).Rules[j].Matches = slices.Delete(spec(c).Rules[j].Matches, k, k+1) })
				}
				for h := range match.Headers {
					add(func(c *objects) { at(c).Headers = slices.Delete(at(c).Headers, h, h+1) })
				}
				for q := range match.QueryParams {
					add(func(c *objects) { at(c).QueryParams = slices.Delete(at(c).QueryParams, q, q+1) })
				}
				if match.Method != nil {
					add(func(c *objects) { at(c).Method = nil })
				}
			}
			if len(rule.Filters) > 0 {
				add(func(c *objects) { spec(c).Rules[j].Filters = nil })
			}
		}
		for j := range r.Spec.Hostnames {
			add(func(c *objects) { spec(c).Hostnames = slices.Delete(spec(c).Hostnames, j, j+1) })
		}
	}
}
