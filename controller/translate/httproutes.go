package translate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// readHTTPRoute reads an HTTPRoute. One whose kind the proxy doesn't serve only competes with GRPCRoutes for hosts (R25).
func (g *graph) readHTTPRoute(o *gatewayv1.HTTPRoute) *routeSpec {
	r := newRouteSpec(model.HTTPRoute, &o.ObjectMeta, &o.Spec.CommonRouteSpec, o.Spec.Hostnames)
	if r.unserved = g.caps.Missing[model.FeatureHTTP]; r.unserved != "" {
		return r
	}
	r.specs = make([]ruleSpec, len(o.Spec.Rules))
	for i := range o.Spec.Rules {
		spec, rule := &o.Spec.Rules[i], &r.specs[i]
		rule.name = string(deref(spec.Name, ""))
		rule.filters = httpFilters(spec.Filters)
		rule.matches = make([]matchSpec, len(spec.Matches))
		for j := range spec.Matches {
			rule.matches[j] = httpMatch(&spec.Matches[j])
		}
		rule.backends = make([]backendSpec, len(spec.BackendRefs))
		for j := range spec.BackendRefs {
			rule.backends[j] = backendSpec{&spec.BackendRefs[j].BackendRef, httpFilters(spec.BackendRefs[j].Filters)}
		}
		rule.timeouts, rule.retry = spec.Timeouts, spec.Retry
		//lint:ignore SA1019 the API has given it up, and clusters have it
		rule.persistence = spec.SessionPersistence
	}
	return r
}

func httpMatch(spec *gatewayv1.HTTPRouteMatch) matchSpec {
	m := matchSpec{pathField: "path", method: string(deref(spec.Method, ""))}
	if path := spec.Path; path != nil {
		m.path = func(g *graph) (model.Path, error) { return g.httpPath(path) }
	}
	for i := range spec.Headers {
		h := &spec.Headers[i]
		m.headers = append(m.headers, valueSpec{string(deref(h.Type, exactValue)), string(h.Name), h.Value})
	}
	for i := range spec.QueryParams {
		q := &spec.QueryParams[i]
		m.query = append(m.query, valueSpec{string(deref(q.Type, exactValue)), string(q.Name), q.Value})
	}
	return m
}

func httpFilters(specs []gatewayv1.HTTPRouteFilter) []filterSpec {
	if len(specs) == 0 {
		return nil
	}
	filters := make([]filterSpec, len(specs))
	for i := range specs {
		filters[i] = filterSpec{string(specs[i].Type), httpFilter(&specs[i])}
	}
	return filters
}

func httpFilter(f *gatewayv1.HTTPRouteFilter) any {
	switch f.Type {
	case gatewayv1.HTTPRouteFilterRequestHeaderModifier:
		return given(f.RequestHeaderModifier)
	case gatewayv1.HTTPRouteFilterResponseHeaderModifier:
		return given(f.ResponseHeaderModifier)
	case gatewayv1.HTTPRouteFilterRequestRedirect:
		return given(f.RequestRedirect)
	case gatewayv1.HTTPRouteFilterURLRewrite:
		return given(f.URLRewrite)
	case gatewayv1.HTTPRouteFilterCORS:
		return given(f.CORS)
	case gatewayv1.HTTPRouteFilterRequestMirror:
		return given(f.RequestMirror)
	case gatewayv1.HTTPRouteFilterExtensionRef:
		return given(f.ExtensionRef)
	}
	return nil
}

// httpPath translates a path match (R35).
func (g *graph) httpPath(m *gatewayv1.HTTPPathMatch) (model.Path, error) {
	value := deref(m.Value, "/")
	switch t := deref(m.Type, gatewayv1.PathMatchPathPrefix); t {
	case gatewayv1.PathMatchExact, gatewayv1.PathMatchPathPrefix:
		if err := g.httpPathValue(value); err != nil {
			return model.Path{}, part("value", "%w", err)
		}
		if t == gatewayv1.PathMatchExact {
			return model.Path{Kind: model.ExactPath, Value: value}, nil
		}
		if value = strings.TrimSuffix(value, "/"); value == "" {
			return model.Path{}, nil
		}
		if depth, most := strings.Count(value, "/"), g.caps.Limits.PrefixDepth; most > 0 && depth > most {
			return model.Path{}, part("value", "the prefix has %d segments, and the proxy takes at most %d", depth, most)
		}
		return model.Path{Kind: model.PrefixPath, Value: value}, nil
	case gatewayv1.PathMatchRegularExpression:
		p, err := g.pattern(value)
		if err != nil {
			return model.Path{}, part("value", "%w", err)
		}
		return model.Path{Kind: model.RegexPath, Regex: p}, nil
	default:
		return model.Path{}, part("type", "%q isn't supported; use Exact, PathPrefix or RegularExpression", t)
	}
}

// httpPathValue says why a path can't be matched.
func (g *graph) httpPathValue(value string) error {
	switch {
	case !strings.HasPrefix(value, "/"):
		return fmt.Errorf("%q doesn't begin with a slash", clip(value))
	case !urlPath(value):
		return fmt.Errorf("%q isn't the path of a URL; write other characters as their codes, such as %%20", clip(value))
	case model.Ambiguous(value):
		return fmt.Errorf("%q can be read as another path too, and requests for such paths are answered 400; write letters, digits, "+
			"\"-\", \".\" and \"_\" as they are, and no segments \".\" or \"..\"", clip(value))
	}
	return g.fits(model.EscapedLen(value))
}

// urlPath says whether a text may stand in the path of a URL as it is.
func urlPath(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case letterOrDigit(c), strings.IndexByte("-/._~!$&'()*+,;=:@", c) >= 0:
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) && hexDigit(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func hexDigit(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// unservedMethods are HTTP methods that no proxy passes on.
var unservedMethods = map[string]bool{"CONNECT": true, "TRACE": true}

// httpMethod says why an HTTP method can't be matched.
func httpMethod(method string) error {
	if unservedMethods[method] {
		return part("method", "%s isn't supported: the proxies answer it 405 by themselves", method)
	}
	return nil
}

// queryNames are the characters besides letters and digits that the name of a query parameter may have: the others
// stand in a query as codes, and names are compared as they stand there.
const queryNames = "-._~!$*"

// queryParameter translates a match of a query parameter. Fatal is for a type that isn't known.
func (g *graph) queryParameter(q *valueSpec) (m model.ValueMatch, fatal bool, err error) {
	m.Name = q.name
	if c, ok := nameWithin(strings.ToLower(q.name), queryNames); !ok {
		return m, false, part("name", "%q has the character %q, which stands in a query as a code only; such a name isn't supported", q.name, c)
	}
	if m, fatal, err = g.value(m, q); err != nil || !g.caps.Limits.EncodedQuery {
		return m, fatal, err
	}
	return m, false, g.encodable(&m)
}

// encodable says why a proxy can't match a query parameter that sees it encoded.
func (g *graph) encodable(m *model.ValueMatch) error {
	text := ""
	if m.Regex == nil {
		text = pattern.EncodedText(m.Value)
	} else {
		var err error
		if text, _, err = m.Regex.Encoded(); err != nil {
			return part("value", "%q: %w", clip(m.Regex.String()), err)
		}
	}
	// A proxy quotes few of its characters.
	n := len(text) + strings.Count(text, `\`) + limits.AroundPattern
	if limit := g.caps.Limits.MatchValue; n > limit {
		return part("value", "too long for %s, which sees it encoded: %d bytes once all ways to encode it are written out, and %d is the most",
			g.caps.Proxy, n, limit)
	}
	return nil
}
