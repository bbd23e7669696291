package translate

import (
	"errors"
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/model"
)

// protected is why filters can't change a header.
type protected struct {
	of  protection
	why string
}

// protection is which filters can't change a header.
type protection int

const (
	everywhere protection = iota
	inGRPCRoutes
	inHTTPResponses
)

// responseModifier is the field of filters that change headers of answers.
const responseModifier = "responseHeaderModifier"

// protectedHeaders are those that HTTP/2, gRPC or the framing of messages live on: a filter that changes one would break
// calls.
var protectedHeaders = map[string]protected{
	"cdn-loop":                {everywhere, "it says where the call has been, so that loops end"},
	"connection":              {everywhere, "it is about one connection, and HTTP/2 has no such header"},
	"content-length":          {everywhere, "it is the proxy's"},
	"content-type":            {inGRPCRoutes, "gRPC needs it as it is"},
	"date":                    {inHTTPResponses, "it is the backend's or the proxy's"},
	"expect":                  {everywhere, "it is about one connection"},
	"grpc-encoding":           {inGRPCRoutes, "it says how the messages are compressed"},
	"grpc-message":            {inGRPCRoutes, "it is the outcome of the call"},
	"grpc-status":             {inGRPCRoutes, "it is the outcome of the call"},
	"grpc-status-details-bin": {inGRPCRoutes, "it is the outcome of the call"},
	"host":                    {everywhere, "it is the call's authority; an HTTPRoute's URLRewrite has a hostname"},
	"keep-alive":              {everywhere, "it is about one connection, and HTTP/2 has no such header"},
	"proxy-connection":        {everywhere, "it is about one connection, and HTTP/2 has no such header"},
	"server":                  {inHTTPResponses, "it is the backend's or the proxy's"},
	"te":                      {everywhere, "gRPC needs it as it is, and it is about one connection"},
	"trailer":                 {everywhere, "it says what stands behind the message"},
	"transfer-encoding":       {everywhere, "it is about one connection, and HTTP/2 has no such header"},
	"upgrade":                 {everywhere, "it is about one connection, and HTTP/2 has no such header"},
	"x-gw-session":            {everywhere, "it tells the bridge which session the call is of"},
	"x-gw-target":             {everywhere, "it tells the bridge what to do with the call"},
}

// modify translates one header filter, sorted by name. Addable are the characters besides letters and digits
// that a name may have for a value to be added.
func (s *filterScope) modify(f *gatewayv1.HTTPHeaderFilter, field, addable string) ([]model.HeaderChange, error) {
	out := make([]model.HeaderChange, 0, len(f.Remove)+len(f.Set)+len(f.Add))
	for i, n := range f.Remove {
		lower, err := s.changeable(n, field)
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
			lower, err := s.changeable(string(h.Name), field)
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
				return nil, part(at("name"), "%q has the character %q: %s can't add to such a header; set it instead", h.Name, c, s.caps.Proxy)
			}
			if err := s.settable(h.Value); err != nil {
				return nil, part(at("value"), "%w", err)
			}
			out = append(out, model.HeaderChange{Name: lower, Keep: list.keep, Values: []string{h.Value}})
		}
	}
	model.SortHeaderChanges(out)
	return out, nil
}

// changeable returns a header's name in lower case, when a filter may change it.
func (s *filterScope) changeable(headerName, field string) (string, error) {
	lower := strings.ToLower(headerName)
	if p, no := protectedHeaders[lower]; no && (p.of == everywhere || p.of == inGRPCRoutes && s.route.kind == model.GRPCRoute ||
		p.of == inHTTPResponses && s.route.kind == model.HTTPRoute && field == responseModifier) {
		return "", fmt.Errorf("%q can't be changed: %s", headerName, p.why)
	}
	if !token(lower) {
		return "", fmt.Errorf("%q isn't the name of a header", clip(headerName))
	}
	if limit := s.caps.Limits.HeaderName; limit > 0 && len(lower) > limit {
		return "", fmt.Errorf("%q is too long for %s: the name of a header to change has at most %d bytes", clip(headerName), s.caps.Proxy, limit)
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
		if !letterOrDigit(c) && strings.IndexByte(model.TokenCharacters, c) < 0 {
			return false
		}
	}
	return s != ""
}
