package translate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// everything are the matches of a rule without any (R11).
func everything() []model.Match { return []model.Match{{}} }

// matches translates the matches of a rule, up to the first that can't be matched. Fatal says that the API
// wants the whole route refused for it.
func (g *graph) matches(specs []gatewayv1.GRPCRouteMatch, rule int) (out []model.Match, bad *problem, fatal bool) {
	if len(specs) == 0 {
		return everything(), nil, false
	}
	out = make([]model.Match, len(specs))
	for i := range specs {
		// Fields are only named when there is something to say about them.
		field := func() string { return fmt.Sprintf("%s.matches[%d]", ruleField(rule), i) }
		path, err := g.path(specs[i].Method)
		if err != nil {
			return nil, unsupported(field()+".method", err), false
		}
		out[i].Path = path
		if len(specs[i].Headers) == 0 {
			continue
		}
		out[i].Headers = make([]model.ValueMatch, 0, len(specs[i].Headers))
		sent := len(path.Service) + len(path.Method)
		for j := range specs[i].Headers {
			// Of equivalent names only the first counts (R10).
			if slices.ContainsFunc(specs[i].Headers[:j], func(before gatewayv1.GRPCHeaderMatch) bool {
				return strings.EqualFold(string(before.Name), string(specs[i].Headers[j].Name))
			}) {
				continue
			}
			h, fatal, err := g.header(&specs[i].Headers[j])
			if err != nil {
				return nil, unsupported(fmt.Sprintf("%s.headers[%d]", field(), j), err), fatal
			}
			out[i].Headers = append(out[i].Headers, h)
			if sent += len(h.Name) + len(h.Value); g.caps.Limits.Headers > 0 && sent > g.caps.Limits.Headers {
				return nil, unsupported(field()+".headers", fmt.Errorf(": no call can match: %d bytes of names and values, and %s takes %d of a request",
					sent, g.caps.Proxy, g.caps.Limits.Headers)), false
			}
		}
		if n, limit := regexBytes(&out[i]), g.caps.Limits.Match; limit > 0 && n > limit {
			return nil, unsupported(field()+".headers", fmt.Errorf(": too much for %s: %d bytes in one match with regular expressions once they are escaped, and %d is the most",
				g.caps.Proxy, n, limit)), false
		}
	}
	return out, nil, false
}

func unsupported(field string, err error) *problem {
	return &problem{string(gatewayv1.RouteReasonUnsupportedValue), field + err.Error()}
}

// part is an error about a field below the one that the caller knows: ".service: …".
func part(field, format string, args ...any) error {
	return fmt.Errorf("."+field+": "+format, args...)
}

// path translates a method match to the path that gRPC calls it by (R8, R9).
func (g *graph) path(m *gatewayv1.GRPCMethodMatch) (model.Path, error) {
	if m == nil {
		return model.Path{}, nil
	}
	service, method := deref(m.Service, ""), deref(m.Method, "")
	switch t := deref(m.Type, gatewayv1.GRPCMethodMatchExact); t {
	case gatewayv1.GRPCMethodMatchExact:
		return g.exactPath(service, method)
	case gatewayv1.GRPCMethodMatchRegularExpression:
		return g.regexPath(service, method)
	default:
		return model.Path{}, part("type", "%q isn't supported; use Exact or RegularExpression", t)
	}
}

func (g *graph) exactPath(service, method string) (model.Path, error) {
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

func (g *graph) regexPath(service, method string) (model.Path, error) {
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

// notMatchable are headers that gRPC's requests don't have, or have in another form.
var notMatchable = map[string]string{
	"host":              "HTTP/2 has :authority instead; use spec.hostnames",
	"connection":        "HTTP/2 has no such header",
	"keep-alive":        "HTTP/2 has no such header",
	"proxy-connection":  "HTTP/2 has no such header",
	"transfer-encoding": "HTTP/2 has no such header",
	"upgrade":           "HTTP/2 has no such header",
}

// header translates a header match (R10). Fatal is for a type that isn't known: the API wants the whole route
// refused.
func (g *graph) header(h *gatewayv1.GRPCHeaderMatch) (m model.ValueMatch, fatal bool, err error) {
	m.Name = strings.ToLower(string(h.Name))
	if why, no := notMatchable[m.Name]; no {
		return m, false, part("name", "%q can't be matched: %s", h.Name, why)
	}
	if c, ok := nameWithin(m.Name, g.caps.Limits.MatchHeaderName); !ok {
		return m, false, part("name", "%q has the character %q, which %s can't match in a header's name", h.Name, c, g.caps.Proxy)
	}
	switch t := deref(h.Type, gatewayv1.GRPCHeaderMatchExact); t {
	case gatewayv1.GRPCHeaderMatchExact:
		m.Value = h.Value
		if h.Value == "" {
			return m, false, part("value", "no value; give one")
		}
		if i := control(h.Value); i >= 0 {
			return m, false, part("value", "control character %q: no header has one", h.Value[i])
		}
		if err := g.fits(model.EscapedLen(h.Value)); err != nil {
			return m, false, part("value", "%w", err)
		}
	case gatewayv1.GRPCHeaderMatchRegularExpression:
		if m.Regex, err = g.pattern(h.Value); err != nil {
			return m, false, part("value", "%w", err)
		}
	default:
		return m, true, part("type", "%q isn't supported; use Exact or RegularExpression", t)
	}
	return m, false, nil
}

// nameWithin returns the first character of a header's name that is neither a small letter nor a digit nor
// among others.
func nameWithin(name, others string) (rune, bool) {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune(others, c)) {
			return c, false
		}
	}
	return 0, true
}

// pattern parses an expression once, however many matches have it.
func (g *graph) pattern(text string) (*pattern.Pattern, error) {
	if p, ok := g.patterns[text]; ok {
		return p.pattern, p.err
	}
	var p parsedPattern
	if p.pattern, p.err = pattern.Parse(text); p.err != nil {
		p.err = fmt.Errorf("%q: %w", clip(text), p.err)
	} else if err := g.fits(model.EscapedLen(p.pattern.PCRE()) + limits.AroundPattern); err != nil {
		p.pattern, p.err = nil, err
	}
	g.patterns[text] = p
	return p.pattern, p.err
}

// fits says whether the proxy takes a value to match of so many bytes.
func (g *graph) fits(n int) error {
	if limit := g.caps.Limits.MatchValue; limit > 0 && n > limit {
		return fmt.Errorf("too long for %s: %d bytes once it is escaped, and %d is the most", g.caps.Proxy, n, limit)
	}
	return nil
}

// regexBytes is how much the values and expressions of a match may take in one regular expression over all of them, where
// a space takes four bytes too; 0 for a match without expressions.
func regexBytes(m *model.Match) int {
	bytes, found := 0, false
	count := func(value string, p *pattern.Pattern) {
		if p != nil {
			value, found = p.PCRE(), true
		}
		bytes += model.EscapedLen(value) + 3*strings.Count(value, " ")
	}
	count("", m.Path.ServiceRegex)
	count("", m.Path.MethodRegex)
	for i := range m.Headers {
		count(m.Headers[i].Value, m.Headers[i].Regex)
	}
	if !found {
		return 0
	}
	return bytes
}

// clip shortens a text that a message shows.
func clip(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}

// control returns the index of the first control character but tab, or -1.
func control(s string) int {
	return strings.IndexFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
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
