package translate

import (
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// readGRPCRoute reads a GRPCRoute.
func readGRPCRoute(o *gatewayv1.GRPCRoute) *routeSpec {
	r := newRouteSpec(model.GRPCRoute, &o.ObjectMeta, &o.Spec.CommonRouteSpec, o.Spec.Hostnames)
	r.web, r.badWeb = grpcWeb(o.Annotations)
	r.specs = make([]ruleSpec, len(o.Spec.Rules))
	for i := range o.Spec.Rules {
		spec, rule := &o.Spec.Rules[i], &r.specs[i]
		rule.name = string(deref(spec.Name, ""))
		rule.filters = grpcFilters(spec.Filters)
		rule.matches = make([]matchSpec, len(spec.Matches))
		for j := range spec.Matches {
			rule.matches[j] = grpcMatch(&spec.Matches[j])
		}
		rule.backends = make([]backendSpec, len(spec.BackendRefs))
		for j := range spec.BackendRefs {
			rule.backends[j] = backendSpec{&spec.BackendRefs[j].BackendRef, grpcFilters(spec.BackendRefs[j].Filters)}
		}
		//lint:ignore SA1019 the API has given it up, and clusters have it
		rule.persistence = spec.SessionPersistence
	}
	return r
}

func grpcMatch(spec *gatewayv1.GRPCRouteMatch) matchSpec {
	m := matchSpec{pathField: "method"}
	if method := spec.Method; method != nil {
		m.path = func(g *graph) (model.Path, error) { return g.grpcPath(method) }
	}
	if len(spec.Headers) > 0 {
		m.headers = make([]valueSpec, len(spec.Headers))
	}
	for i := range spec.Headers {
		h := &spec.Headers[i]
		m.headers[i] = valueSpec{string(deref(h.Type, exactValue)), string(h.Name), h.Value}
	}
	return m
}

func grpcFilters(specs []gatewayv1.GRPCRouteFilter) []filterSpec {
	if len(specs) == 0 {
		return nil
	}
	filters := make([]filterSpec, len(specs))
	for i := range specs {
		filters[i] = filterSpec{string(specs[i].Type), grpcFilter(&specs[i])}
	}
	return filters
}

func grpcFilter(f *gatewayv1.GRPCRouteFilter) any {
	switch f.Type {
	case gatewayv1.GRPCRouteFilterRequestHeaderModifier:
		return given(f.RequestHeaderModifier)
	case gatewayv1.GRPCRouteFilterResponseHeaderModifier:
		return given(f.ResponseHeaderModifier)
	case gatewayv1.GRPCRouteFilterRequestMirror:
		return given(f.RequestMirror)
	case gatewayv1.GRPCRouteFilterExtensionRef:
		return given(f.ExtensionRef)
	}
	return nil
}

// grpcPath translates a method match to the path that gRPC calls it by (R8, R9).
func (g *graph) grpcPath(m *gatewayv1.GRPCMethodMatch) (model.Path, error) {
	service, method := deref(m.Service, ""), deref(m.Method, "")
	switch t := deref(m.Type, gatewayv1.GRPCMethodMatchExact); t {
	case gatewayv1.GRPCMethodMatchExact:
		return g.exactMethod(service, method)
	case gatewayv1.GRPCMethodMatchRegularExpression:
		return g.regexMethod(service, method)
	default:
		return model.Path{}, part("type", "%q isn't supported; use Exact or RegularExpression", t)
	}
}

func (g *graph) exactMethod(service, method string) (model.Path, error) {
	p := model.Path{Service: service, Method: method}
	if service != "" && !validService(service) {
		return p, part("service", "%q isn't the full name of a gRPC service: letters, digits, _ and dots", service)
	}
	if method != "" && !validIdentifier(method) {
		return p, part("method", "%q isn't the name of a gRPC method: letters, digits and _", method)
	}
	switch {
	case service != "" && method != "":
		p.Kind, p.Value = model.ExactPath, "/"+service+"/"+method
	case service != "":
		p.Kind = model.ServicePath
	case method != "":
		p.Kind = model.MethodPath
	}
	// The service and the method are written into the path, with two slashes.
	if err := g.fits(max(model.EscapedLen(p.Value), model.EscapedLen(service)+model.EscapedLen(method)+2)); err != nil {
		return p, part("service", "%w", err)
	}
	return p, nil
}

func (g *graph) regexMethod(service, method string) (model.Path, error) {
	p := model.Path{Kind: model.SegmentsPath}
	var err error
	if service != "" {
		if p.ServiceRegex, err = g.pattern(service); err != nil {
			return p, part("service", "%w", err)
		}
	}
	if method != "" {
		if p.MethodRegex, err = g.pattern(method); err != nil {
			return p, part("method", "%w", err)
		}
	}
	if p.ServiceRegex == nil && p.MethodRegex == nil {
		return model.Path{}, nil
	}
	return p, nil
}

// validService says whether a name is one of those that the API takes for an exact service.
func validService(s string) bool {
	for p := range strings.SplitSeq(strings.TrimPrefix(s, "."), ".") {
		if !validIdentifier(p) {
			return false
		}
	}
	return true
}

func validIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}
