package translate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// protectedHeaders are those that HTTP/2 or gRPC live on: a filter that changes one would break calls.
var protectedHeaders = map[string]string{
	"cdn-loop":                "it says where the call has been, so that loops end",
	"connection":              "HTTP/2 has no such header",
	"content-length":          "it is the proxy's",
	"content-type":            "gRPC needs it as it is",
	"grpc-encoding":           "it says how the messages are compressed",
	"grpc-message":            "it is the outcome of the call",
	"grpc-status":             "it is the outcome of the call",
	"grpc-status-details-bin": "it is the outcome of the call",
	"host":                    "it is the call's authority",
	"keep-alive":              "HTTP/2 has no such header",
	"proxy-connection":        "HTTP/2 has no such header",
	"te":                      "gRPC needs it as it is",
	"trailer":                 "gRPC's trailers are fixed",
	"transfer-encoding":       "HTTP/2 has no such header",
	"upgrade":                 "HTTP/2 has no such header",
}

// filterKinds are the filters that are served, by their type: what each does to the calls.
var filterKinds = map[string]func(g *graph, spec any, h *model.Handling) error{
	"RequestHeaderModifier": func(g *graph, spec any, h *model.Handling) (err error) {
		h.RequestHeaders, err = g.modify(spec.(*gatewayv1.HTTPHeaderFilter), "requestHeaderModifier", g.caps.Limits.AddHeaderName)
		return err
	},
	"ResponseHeaderModifier": func(g *graph, spec any, h *model.Handling) (err error) {
		h.ResponseHeaders, err = g.modify(spec.(*gatewayv1.HTTPHeaderFilter), "responseHeaderModifier", model.TokenCharacters)
		return err
	},
}

// filters translates a list of filters (R19). A bad one is a filter that can't be applied as written, an
// unresolved one refers to something that isn't there; neither may be skipped (R22).
func (g *graph) filters(specs []filterSpec, field func() string) (h model.Handling, bad, unresolved *problem) {
	for i := range specs {
		f := &specs[i]
		at := func() string { return fmt.Sprintf("%s[%d]", field(), i) }
		if ref, ok := f.spec.(*gatewayv1.LocalObjectReference); ok {
			unresolved = &problem{string(gatewayv1.RouteReasonInvalidKind), fmt.Sprintf(
				"%s.extensionRef: %s %q: kind isn't supported; remove the filter, its calls get an error until then",
				at(), groupKind(string(ref.Group), string(ref.Kind)), ref.Name)}
			continue
		}
		apply := filterKinds[f.kind]
		if apply == nil || f.spec == nil {
			return h, unsupported(at(), part("type", "%s isn't supported yet; remove the filter", f.kind)), unresolved
		}
		if err := apply(g, f.spec, &h); err != nil {
			return h, unsupported(at(), err), unresolved
		}
		if slices.ContainsFunc(specs[:i], func(before filterSpec) bool { return before.kind == f.kind }) {
			return h, &problem{string(gatewayv1.RouteReasonIncompatibleFilters),
				fmt.Sprintf("%s: there is a %s before; put both into one", at(), f.kind)}, unresolved
		}
	}
	return h, nil, unresolved
}

// modify translates one header filter, sorted by name. Addable are the characters besides letters and digits
// that a name may have for a value to be added.
func (g *graph) modify(f *gatewayv1.HTTPHeaderFilter, field, addable string) ([]model.HeaderChange, error) {
	out := make([]model.HeaderChange, 0, len(f.Remove)+len(f.Set)+len(f.Add))
	for i, n := range f.Remove {
		lower, err := g.changeable(n)
		if err != nil {
			return nil, part(fmt.Sprintf("%s.remove[%d]", field, i), "%w", err)
		}
		if find(out, lower) == nil {
			out = append(out, model.HeaderChange{Name: lower})
		}
	}
	for _, list := range []struct {
		field  string
		keep   bool
		values []gatewayv1.HTTPHeader
	}{{"set", false, f.Set}, {"add", true, f.Add}} {
		before := len(out)
		for i, h := range list.values {
			at := func(of string) string { return fmt.Sprintf("%s.%s[%d].%s", field, list.field, i, of) }
			lower, err := g.changeable(string(h.Name))
			if err != nil {
				return nil, part(at("name"), "%w", err)
			}
			// The API: one action for a name in a filter; in one list the first of equivalent names counts.
			if find(out[:before], lower) != nil {
				return nil, part(at("name"), "%q is changed twice by this filter; the API allows one action for each header", h.Name)
			}
			if find(out[before:], lower) != nil {
				continue
			}
			if c, ok := nameWithin(lower, addable); list.keep && !ok {
				return nil, part(at("name"), "%q has the character %q: %s can't add to such a header; set it instead", h.Name, c, g.caps.Proxy)
			}
			if err := g.settable(h.Value); err != nil {
				return nil, part(at("value"), "%w", err)
			}
			out = append(out, model.HeaderChange{Name: lower, Keep: list.keep, Values: []string{h.Value}})
		}
	}
	model.SortHeaderChanges(out)
	return out, nil
}

// changeable returns a header's name in lower case, when a filter may change it.
func (g *graph) changeable(headerName string) (string, error) {
	lower := strings.ToLower(headerName)
	if why, no := protectedHeaders[lower]; no {
		return "", fmt.Errorf("%q can't be changed: %s", headerName, why)
	}
	if !token(lower) {
		return "", fmt.Errorf("%q isn't the name of a header", clip(headerName))
	}
	if limit := g.caps.Limits.HeaderName; limit > 0 && len(lower) > limit {
		return "", fmt.Errorf("%q is too long for %s: the name of a header to change has at most %d bytes", clip(headerName), g.caps.Proxy, limit)
	}
	return lower, nil
}

// settable says why a filter can't set a value.
func (g *graph) settable(value string) error {
	if value == "" {
		return errors.New("no value; use remove to delete a header")
	}
	if i := control(value); i >= 0 {
		return fmt.Errorf("control character %q: no header may have one", value[i])
	}
	if limit := g.caps.Limits.HeaderValue; limit > 0 {
		if n := model.EscapedLen(value); n > limit {
			return fmt.Errorf("too long for %s: %d bytes once it is escaped, and %d is the most", g.caps.Proxy, n, limit)
		}
	}
	return nil
}

func find(list []model.HeaderChange, headerName string) *model.HeaderChange {
	for i := range list {
		if list[i].Name == headerName {
			return &list[i]
		}
	}
	return nil
}

// token says whether a text can be the name of a header (RFC 9110).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(model.TokenCharacters, c) >= 0) {
			return false
		}
	}
	return s != ""
}
