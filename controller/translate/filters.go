package translate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// headerChanges is what filters do to the headers of requests and responses.
type headerChanges struct{ request, response []model.HeaderChange }

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

// filters translates a list of filters (R19). A bad one is a filter that can't be applied as written, an
// unresolved one refers to something that isn't there; neither may be skipped (R22).
func (g *graph) filters(specs []gatewayv1.GRPCRouteFilter, field func() string) (c headerChanges, bad, unresolved *problem) {
	var seen []gatewayv1.GRPCRouteFilterType
	for i := range specs {
		f := &specs[i]
		at := func() string { return fmt.Sprintf("%s[%d]", field(), i) }
		var err error
		switch {
		case f.Type == gatewayv1.GRPCRouteFilterRequestHeaderModifier && f.RequestHeaderModifier != nil:
			c.request, err = g.modify(f.RequestHeaderModifier, "requestHeaderModifier", g.caps.Limits.AddHeaderName)
		case f.Type == gatewayv1.GRPCRouteFilterResponseHeaderModifier && f.ResponseHeaderModifier != nil:
			c.response, err = g.modify(f.ResponseHeaderModifier, "responseHeaderModifier", model.TokenCharacters)
		case f.Type == gatewayv1.GRPCRouteFilterExtensionRef && f.ExtensionRef != nil:
			ref := f.ExtensionRef
			unresolved = &problem{string(gatewayv1.RouteReasonInvalidKind), fmt.Sprintf(
				"%s.extensionRef: %s %q: kind isn't supported; remove the filter, its calls get an error until then",
				at(), groupKind(string(ref.Group), string(ref.Kind)), ref.Name)}
			continue
		default:
			err = part("type", "%s isn't supported yet; remove the filter", f.Type)
		}
		if err != nil {
			return c, unsupported(at(), err), unresolved
		}
		if slices.Contains(seen, f.Type) {
			return c, &problem{string(gatewayv1.RouteReasonIncompatibleFilters),
				fmt.Sprintf("%s: there is a %s before; put both into one", at(), f.Type)}, unresolved
		}
		seen = append(seen, f.Type)
	}
	return c, nil, unresolved
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
	sortChanges(out)
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

// then is what two lists of changes come to, one after the other (R19). Both are sorted.
func then(first, second []model.HeaderChange) []model.HeaderChange {
	switch {
	case len(second) == 0:
		return first
	case len(first) == 0:
		return second
	}
	out := slices.Clone(first)
	for _, c := range second {
		switch before := find(out, c.Name); {
		case before == nil:
			out = append(out, c)
		case c.Keep:
			before.Values = slices.Concat(before.Values, c.Values)
		default:
			*before = c
		}
	}
	sortChanges(out)
	return out
}

func find(list []model.HeaderChange, headerName string) *model.HeaderChange {
	for i := range list {
		if list[i].Name == headerName {
			return &list[i]
		}
	}
	return nil
}

func sortChanges(list []model.HeaderChange) {
	slices.SortFunc(list, func(a, b model.HeaderChange) int { return cmp.Compare(a.Name, b.Name) })
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
