package reference

import (
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Verdict is who answers a call.
type Verdict struct {
	// NoPort says that nothing listens there.
	NoPort bool
	// Handshake says that no listener has a certificate for the server name: TLS fails.
	Handshake bool
	// Misdirected says that the host belongs to another listener than the server name: HTTP 421 (R7).
	Misdirected bool
	// HTTP says that the request is answered as HTTPRoutes' are, by an HTTP status, and not by a gRPC status.
	HTTP bool
	// Ambiguous says that the path is one that may be read as another one: HTTP 400 (R36).
	Ambiguous bool
	// Rule serves the call, by its match number Match. Nil: no rule matches, UNIMPLEMENTED or HTTP 404 (R13).
	Rule  *model.Rule
	Match int
}

// Evaluate decides a call. The call's Port must be set; its Gateway too, where several Gateways have the port.
func Evaluate(m model.Gateways, call model.Call) Verdict {
	var listeners []model.Listener
	for _, g := range m.Gateways {
		if call.Gateway != "" && call.Gateway != g.Namespace+"/"+g.Name {
			continue
		}
		for _, l := range g.Listeners {
			if l.Port == call.Port {
				listeners = append(listeners, l)
			}
		}
	}
	if len(listeners) == 0 {
		return Verdict{NoPort: true}
	}
	owner := mostSpecific(listeners, call.Host())
	if listeners[0].Protocol == model.HTTPS {
		handshake := mostSpecific(listeners, strings.ToLower(call.SNI))
		if handshake == nil {
			return Verdict{Handshake: true}
		}
		if owner != nil && owner.Hostname != handshake.Hostname {
			return Verdict{Misdirected: true}
		}
	}
	http := isHTTP(owner, call)
	if http && ambiguous(call.PathOnly()) {
		return Verdict{HTTP: true, Ambiguous: true}
	}
	if owner == nil {
		return Verdict{HTTP: http}
	}
	var best *candidate
	for _, scope := range owner.Scopes {
		if !hostMatches(scope.Hostname, call.Host()) || http != ofHTTP(scope) {
			continue
		}
		for _, rule := range scope.Rules {
			for i, match := range rule.Matches {
				if !matches(match, call) {
					continue
				}
				c := &candidate{scope.Hostname, rule, i, match}
				if best == nil || c.before(best) {
					best = c
				}
			}
		}
	}
	if best == nil {
		return Verdict{HTTP: http}
	}
	return Verdict{HTTP: http, Rule: best.rule, Match: best.index}
}

// isHTTP is R25: a host that routes of one kind have is theirs, and elsewhere the content type tells.
func isHTTP(owner *model.Listener, call model.Call) bool {
	grpc, http, web := false, false, false
	if owner != nil {
		for _, scope := range owner.Scopes {
			if !hostMatches(scope.Hostname, call.Host()) {
				continue
			}
			http = http || ofHTTP(scope)
			grpc = grpc || !ofHTTP(scope)
			web = web || scope.TakesWeb()
		}
	}
	if grpc != http {
		return http
	}
	return !call.GRPC() && !(web && call.WebPreflight())
}

func ofHTTP(s model.Scope) bool { return len(s.Rules) > 0 && s.Rules[0].Source.Kind == model.HTTPRoute }

// ambiguous is R36: a path that has two readings.
func ambiguous(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsAny(path, `\#`) {
		return true
	}
	for i := 0; i < len(path); i++ {
		if path[i] <= ' ' || path[i] >= 0x7f {
			return true
		}
		if path[i] != '%' {
			continue
		}
		code, err := strconv.ParseUint(path[i+1:min(i+3, len(path))], 16, 8)
		if err != nil || i+2 >= len(path) {
			return true
		}
		c := byte(code)
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if c < ' ' || c == 0x7f || letter || '0' <= c && c <= '9' || strings.IndexByte(`-._\`, c) >= 0 {
			return true
		}
	}
	parts := strings.FieldsFunc(strings.NewReplacer("%2F", "/", "%2f", "/", "%3B", ";", "%3b", ";").Replace(path),
		func(r rune) bool { return r == '/' })
	for _, part := range parts {
		segment, _, _ := strings.Cut(part, ";")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// mostSpecific is the listener that owns a host (R7): a name goes before a wildcard, a longer wildcard before
// a shorter one, any before none.
func mostSpecific(listeners []model.Listener, host string) *model.Listener {
	var best *model.Listener
	for i, l := range listeners {
		if !hostMatches(l.Hostname, host) {
			continue
		}
		if best == nil || greater(hostnameRank(l.Hostname), hostnameRank(best.Hostname)) {
			best = &listeners[i]
		}
	}
	return best
}

// hostMatches is R5.
func hostMatches(pattern, host string) bool {
	if pattern == "" {
		return true
	}
	if suffix, wildcard := strings.CutPrefix(pattern, "*"); wildcard {
		return strings.HasSuffix(host, suffix) && host != suffix
	}
	return pattern == host
}

// hostnameRank counts characters in a non-wildcard hostname, then in any (R12).
func hostnameRank(pattern string) []int {
	if strings.HasPrefix(pattern, "*") {
		return []int{0, len(pattern)}
	}
	return []int{len(pattern), len(pattern)}
}

// matches is R8 to R11.
func matches(m model.Match, call model.Call) bool {
	if !pathMatches(m.Path, call) {
		return false
	}
	if m.Method != "" && m.Method != call.Method {
		return false
	}
	for _, h := range m.Headers {
		value, present := call.Header(h.Name)
		if !present || !valueMatches(h, value) {
			return false
		}
	}
	for _, q := range m.Query {
		value, present := call.QueryParameter(q.Name)
		if !present || !valueMatches(q, value) {
			return false
		}
	}
	return true
}

func valueMatches(m model.ValueMatch, value string) bool {
	if m.Regex != nil {
		return m.Regex.Match(value)
	}
	return m.Value == value
}

func pathMatches(p model.Path, call model.Call) bool {
	path := call.PathOnly()
	switch p.Kind {
	case model.ExactPath:
		return path == p.Value
	case model.PrefixPath:
		return path == p.Value || strings.HasPrefix(path, p.Value+"/")
	case model.RegexPath:
		return p.Regex.Match(path)
	case model.ServicePath:
		return strings.HasPrefix(path, "/"+p.Service+"/")
	case model.MethodPath:
		parts := strings.Split(path, "/")
		return len(parts) == 3 && parts[0] == "" && parts[1] != "" && parts[2] == p.Method
	case model.SegmentsPath:
		parts := strings.Split(path, "/")
		if len(parts) < 3 || parts[0] != "" || parts[1] == "" {
			return false
		}
		if p.ServiceRegex != nil && !p.ServiceRegex.Match(parts[1]) {
			return false
		}
		if p.MethodRegex != nil && (len(parts) != 3 || parts[2] == "" || !p.MethodRegex.Match(parts[2])) {
			return false
		}
		return true
	}
	return true
}

// candidate is a match that the call satisfies.
type candidate struct {
	hostname string
	rule     *model.Rule
	index    int
	match    model.Match
}

// before is R12.
func (c *candidate) before(d *candidate) bool {
	for _, criterion := range []func(*candidate) []int{
		func(c *candidate) []int { return hostnameRank(c.hostname) },
		pathRank,
		func(c *candidate) []int { return []int{len(c.match.Headers), len(c.match.Query)} },
	} {
		a, b := criterion(c), criterion(d)
		if greater(a, b) {
			return true
		}
		if greater(b, a) {
			return false
		}
	}
	a, b := c.rule.Source, d.rule.Source
	if !a.Created.Equal(b.Created) {
		// A route whose age isn't known counts as the newest.
		return b.Created.IsZero() || !a.Created.IsZero() && a.Created.Before(b.Created)
	}
	if a.Namespace+"/"+a.Name != b.Namespace+"/"+b.Name {
		return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
	}
	if a.Rule != b.Rule {
		return a.Rule < b.Rule
	}
	return c.index < d.index
}

// pathRank counts, for a gRPC match, characters of the service and then of the method, exact ones before
// regular expressions. For an HTTP match an exact path goes first, then a regular expression, then the
// longest prefix; then one with a method.
func pathRank(c *candidate) []int {
	p := c.match.Path
	if c.rule.Source.Kind == model.GRPCRoute {
		rank := []int{len(p.Service), 0, len(p.Method), 0}
		if p.ServiceRegex != nil {
			rank[1] = len(p.ServiceRegex.String())
		}
		if p.MethodRegex != nil {
			rank[3] = len(p.MethodRegex.String())
		}
		return rank
	}
	method := min(len(c.match.Method), 1)
	switch p.Kind {
	case model.ExactPath:
		return []int{1, 0, 0, method}
	case model.RegexPath:
		return []int{0, len(p.Regex.String()), 0, method}
	}
	return []int{0, 0, len(p.Value), method}
}

func greater(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return false
}
