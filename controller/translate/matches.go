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
func (g *graph) matches(specs []matchSpec, rule int) (out []model.Match, bad *problem, fatal bool) {
	if len(specs) == 0 {
		return everything(), nil, false
	}
	out = make([]model.Match, len(specs))
	for i := range specs {
		field, fatal, err := g.match(&out[i], &specs[i])
		if err != nil {
			return nil, unsupported(fmt.Sprintf("%s.matches[%d]%s", ruleField(rule), i, field), err), fatal
		}
	}
	return out, nil, false
}

// match translates one match. The error comes with the field below the match that it is about.
func (g *graph) match(m *model.Match, spec *matchSpec) (field string, fatal bool, err error) {
	if spec.path != nil {
		if m.Path, err = spec.path(g); err != nil {
			return "." + spec.pathField, false, err
		}
	}
	if err = httpMethod(spec.method); err != nil {
		return "", false, err
	}
	m.Method = spec.method
	sent := len(m.Path.Service) + len(m.Path.Method) + len(m.Path.Value)
	for _, list := range []struct {
		field string
		specs []valueSpec
		out   *[]model.ValueMatch
		read  func(*valueSpec) (model.ValueMatch, bool, error)
		same  func(a, b string) bool
	}{
		{"headers", spec.headers, &m.Headers, g.header, strings.EqualFold},
		{"queryParams", spec.query, &m.Query, g.queryParameter, func(a, b string) bool { return a == b }},
	} {
		if len(list.specs) == 0 {
			continue
		}
		*list.out = make([]model.ValueMatch, 0, len(list.specs))
		for i := range list.specs {
			// Of equivalent names only the first counts (R10).
			if slices.ContainsFunc(list.specs[:i], func(before valueSpec) bool { return list.same(before.name, list.specs[i].name) }) {
				continue
			}
			v, fatal, err := list.read(&list.specs[i])
			if err != nil {
				return fmt.Sprintf(".%s[%d]", list.field, i), fatal, err
			}
			*list.out = append(*list.out, v)
			if sent += len(v.Name) + len(v.Value); g.caps.Limits.Headers > 0 && sent > g.caps.Limits.Headers {
				return "." + list.field, false, fmt.Errorf(": no call can match: %d bytes of names and values, and %s takes %d of a request",
					sent, g.caps.Proxy, g.caps.Limits.Headers)
			}
		}
	}
	if n, limit := regexBytes(m), g.caps.Limits.Match; limit > 0 && n > limit {
		return ".headers", false, fmt.Errorf(": too much for %s: %d bytes in one match with regular expressions once they are escaped, and %d "+
			"is the most",
			g.caps.Proxy, n, limit)
	}
	return "", false, nil
}

func unsupported(field string, err error) *problem {
	return &problem{string(gatewayv1.RouteReasonUnsupportedValue), field + err.Error()}
}

// part is an error about a field below the one that the caller knows: ".service: …".
func part(field, format string, args ...any) error {
	return fmt.Errorf("."+field+": "+format, args...)
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
func (g *graph) header(h *valueSpec) (m model.ValueMatch, fatal bool, err error) {
	m.Name = strings.ToLower(h.name)
	if why, no := notMatchable[m.Name]; no {
		return m, false, part("name", "%q can't be matched: %s", h.name, why)
	}
	if c, ok := nameWithin(m.Name, g.caps.Limits.MatchHeaderName); !ok {
		return m, false, part("name", "%q has the character %q, which %s can't match in a header's name", h.name, c, g.caps.Proxy)
	}
	return g.value(m, h)
}

// value fills in what the value of a header or of a query parameter is compared with.
func (g *graph) value(m model.ValueMatch, h *valueSpec) (_ model.ValueMatch, fatal bool, err error) {
	switch h.kind {
	case exactValue:
		m.Value = h.value
		if h.value == "" {
			return m, false, part("value", "no value; give one")
		}
		if i := control(h.value); i >= 0 {
			return m, false, part("value", "control character %q: no request has one", h.value[i])
		}
		if err := g.fits(model.EscapedLen(h.value)); err != nil {
			return m, false, part("value", "%w", err)
		}
	case regexValue:
		if m.Regex, err = g.pattern(h.value); err != nil {
			return m, false, part("value", "%w", err)
		}
	default:
		return m, true, part("type", "%q isn't supported; use Exact or RegularExpression", h.kind)
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
	count("", m.Path.Regex)
	for i := range m.Headers {
		count(m.Headers[i].Value, m.Headers[i].Regex)
	}
	for i := range m.Query {
		count(m.Query[i].Value, m.Query[i].Regex)
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
