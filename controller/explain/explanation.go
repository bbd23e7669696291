package explain

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/gatewright/gatewright/controller/status"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// Explanation says who gets a call, and why the others don't. Its JSON is the output of `gatewright explain -o json`.
type Explanation struct {
	Call     Call      `json:"call"`
	Listener *Listener `json:"listener,omitempty"`
	// Candidates are the matches that were looked at, in order of precedence; the last one serves when any does.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Others are the rules of the listener that were not looked at.
	Others []Candidate `json:"others,omitempty"`
	Answer Answer      `json:"answer"`
	// Refused is what takes no part, for its status refuses it.
	Refused []Refusal `json:"refused,omitempty"`
	// Checked says that the reference evaluator agrees.
	Checked bool `json:"checked,omitempty"`

	served model.Gateways
	call   model.Call
	trace  matching.Trace
}

// Call is what was asked about.
type Call struct {
	Authority string `json:"authority"`
	Path      string `json:"path"`
	// Method is the HTTP method of what isn't a gRPC call.
	Method  string   `json:"method,omitempty"`
	Headers []string `json:"headers,omitempty"`
	SNI     string   `json:"sni,omitempty"`
}

// Listener is the one that the call arrives at.
type Listener struct {
	Gateway string `json:"gateway"`
	// ListenerSet is the one that it is of, "" for the Gateway's own.
	ListenerSet string `json:"listenerSet,omitempty"`

	Name     string         `json:"name"`
	Protocol model.Protocol `json:"protocol"`
	Port     int32          `json:"port"`
	Hostname string         `json:"hostname,omitempty"`
	// Clients is what is asked of the certificate of the client: the rest is for one that has what it takes.
	Clients string `json:"clients,omitempty"`
	// Connections say how long those of clients are kept, "" for the proxy's own way.
	Connections string `json:"connections,omitempty"`
}

// Candidate is one match of a rule.
type Candidate struct {
	Rule  string `json:"rule"`
	Match int    `json:"match"`
	// Wants is what the match asks for.
	Wants string `json:"wants"`
	// Hostname is the route's, "" for a route without.
	Hostname string `json:"hostname,omitempty"`
	Serves   bool   `json:"serves"`
	// Why says why it was passed over.
	Why string `json:"why,omitempty"`
}

// Answer is who answers the call: backends, or the proxy itself.
type Answer struct {
	Rule     string  `json:"rule,omitempty"`
	Backends []Share `json:"backends,omitempty"`
	// Proxy is what the proxy answers by itself, when there are no backends.
	Proxy string `json:"proxy,omitempty"`
}

// Share is one backend's part of the calls.
type Share struct {
	Percent   float64  `json:"percent"`
	Service   string   `json:"service,omitempty"`
	Endpoints []string `json:"endpoints,omitempty"`
	// TLS says how the endpoints are verified; "" for cleartext.
	TLS string `json:"tls,omitempty"`
	// Policy is what a BackendPolicy says of the endpoints, a line for each thing.
	Policy []string `json:"policy,omitempty"`
	// Proxy is what the proxy answers instead of a backend.
	Proxy string `json:"proxy,omitempty"`
	model.Handling
}

// Refusal is a condition that refuses something.
type Refusal struct {
	Object    string `json:"object"`
	Where     string `json:"where,omitempty"`
	Condition string `json:"condition"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

// codeNames are the gRPC names of the codes that a proxy answers with.
var codeNames = map[model.Code]string{
	model.DeadlineExceeded:  "DEADLINE_EXCEEDED",
	model.ResourceExhausted: "RESOURCE_EXHAUSTED",
	model.Unimplemented:     "UNIMPLEMENTED",
	model.Internal:          "INTERNAL",
	model.Unavailable:       "UNAVAILABLE",
}

// New explains what becomes of a call, given what is served and what is refused. The tables that say it are those that the
// proxies' configuration is rendered from.
func New(served model.Gateways, refused []status.Refusal, call model.Call) *Explanation {
	trace := matching.Compile(served).Walk(call)
	e := &Explanation{served: served, call: call, trace: trace, Call: Call{Authority: call.Authority, Path: call.Path}}
	if call.Method != "POST" || !call.GRPC() {
		e.Call.Method = call.Method
	}
	for _, h := range call.Headers {
		e.Call.Headers = append(e.Call.Headers, h.Name+": "+h.Value)
	}
	if trace.Port != nil && trace.Port.Protocol == model.HTTPS {
		e.Call.SNI = call.SNI
	}
	if l := trace.Listener; l != nil {
		e.Listener = &Listener{Gateway: l.Gateway, Protocol: trace.Port.Protocol, Port: trace.Port.Port, Hostname: l.Hostname,
			Clients: trace.Port.Clients.Describe(), Connections: trace.Port.Connections.Describe()}
		var namespace, set string
		if namespace, set, e.Listener.Name = model.CutListener(l.Name); set != "" {
			e.Listener.ListenerSet = namespace + "/" + set
		}
	}
	for _, s := range trace.Steps {
		e.Candidates = append(e.Candidates, Candidate{
			Rule:     s.Rule.Source.String(),
			Match:    s.Candidate.Match,
			Wants:    s.Rule.Matches[s.Candidate.Match].Describe(),
			Hostname: s.Scope.Hostname,
			Serves:   s.Failed == nil,
			Why:      s.Why,
		})
	}
	e.addOthers(served, trace, call)
	e.Answer = newAnswer(served, trace, call)
	e.addRefused(refused)
	return e
}

func (e *Explanation) addRefused(refused []status.Refusal) {
	for _, r := range refused {
		e.Refused = append(e.Refused, Refusal{r.Object, r.Where, r.Condition, r.Reason, r.Message})
	}
}

// addOthers lists the matches of the listener's rules that no lookup has found, each with the reason: in order of
// precedence, those first that a person is most likely to look for.
func (e *Explanation) addOthers(m model.Gateways, trace matching.Trace, call model.Call) {
	if trace.Class == nil {
		return
	}
	type place struct {
		hostname string
		rule     *model.Rule
		match    int
	}
	seen := map[place]bool{}
	for _, s := range trace.Steps {
		seen[place{s.Scope.Hostname, s.Rule, s.Candidate.Match}] = true
	}
	places := map[reason][]place{}
	why := map[place]string{}
	for _, scope := range listenerOf(m, trace.Listener).Scopes {
		for _, rule := range scope.Rules {
			for i, match := range rule.Matches {
				if p := (place{scope.Hostname, rule, i}); !seen[p] {
					var r reason
					r, why[p] = whyNot(&scope, match, call, trace.Kind)
					places[r] = append(places[r], p)
				}
			}
		}
	}
	for _, r := range []reason{comesAfter, otherCall, otherHostname} {
		slices.SortStableFunc(places[r], func(a, b place) int {
			return cmp.Or(model.CompareHostnames(a.hostname, b.hostname), matching.CompareMatches(a.rule, a.match, b.rule, b.match))
		})
		for _, p := range places[r] {
			e.Others = append(e.Others, Candidate{
				Rule: p.rule.Source.String(), Match: p.match, Wants: p.rule.Matches[p.match].Describe(), Hostname: p.hostname, Why: why[p],
			})
		}
	}
}

// reason is a kind of reason why a match was not looked at.
type reason int

const (
	comesAfter reason = iota
	otherCall
	otherHostname
)

// whyNot says why a match was not looked at: by itself it would match the call or not.
func whyNot(scope *model.Scope, match model.Match, call model.Call, kind model.RouteKind) (reason, string) {
	switch {
	case !model.HostnameCovers(scope.Hostname, call.Host()):
		return otherHostname, "its hostname doesn't match"
	case scope.Kind() != kind:
		return otherCall, fmt.Sprintf("the request is one for %ss", kind)
	}
	if why := matching.Miss(&match, call); why != "" {
		return otherCall, why
	}
	return comesAfter, "it comes after the one that serves"
}

func listenerOf(m model.Gateways, want *matching.Listener) *model.Listener {
	for i := range m.Gateways {
		g := &m.Gateways[i]
		if g.Namespace+"/"+g.Name != want.Gateway {
			continue
		}
		for j := range g.Listeners {
			if g.Listeners[j].Name == want.Name {
				return &g.Listeners[j]
			}
		}
	}
	return &model.Listener{}
}

// newAnswer is what the client gets.
func newAnswer(m model.Gateways, trace matching.Trace, call model.Call) Answer {
	switch {
	case trace.Port == nil:
		return Answer{Proxy: "nothing: no accepted listener has that port, so the connection is refused"}
	case trace.Port.Protocol == model.HTTPS && trace.Handshake == nil:
		return Answer{Proxy: fmt.Sprintf("nothing: no listener of the port has the server name %q, so TLS is refused", call.SNI)}
	case trace.Misdirected:
		return Answer{Proxy: fmt.Sprintf("HTTP 421: the server name %q belongs to listener %s, the host to listener %s",
			call.SNI, model.ListenerText(trace.Handshake.Name), model.ListenerText(trace.Listener.Name))}
	case trace.Ambiguous:
		return Answer{Proxy: "HTTP 400: the path may be read as another one too"}
	case trace.Listener == nil:
		return Answer{Proxy: codeText(model.Unimplemented, trace.Kind) + ": no listener of the port is for this host"}
	case trace.Rule == nil:
		return Answer{Proxy: codeText(model.Unimplemented, trace.Kind) + ": no rule matches"}
	}
	a := Answer{Rule: trace.Rule.Source.String()}
	if s := trace.Rule.Status; s != nil {
		a.Proxy = statusText(s, trace.Kind)
		return a
	}
	var total int64
	for _, b := range trace.Rule.Backends {
		total += int64(b.Weight)
	}
	for _, b := range trace.Rule.Backends {
		a.Backends = append(a.Backends, newShare(m, b, total, trace.Kind))
	}
	return a
}

func newShare(m model.Gateways, b model.Backend, total int64, kind model.RouteKind) Share {
	s := Share{Percent: 100 * float64(b.Weight) / float64(total), Handling: b.Handling}
	if b.Status != nil {
		s.Proxy = statusText(b.Status, kind)
		return s
	}
	if b.Redirect != nil {
		s.Proxy = b.Redirect.Describe()
		return s
	}
	i := slices.IndexFunc(m.Clusters, func(c model.Cluster) bool { return c.Name == b.Cluster })
	c := &m.Clusters[i]
	s.Service = fmt.Sprintf("%s/%s:%d", c.Namespace, c.Service, c.Port)
	if c.TLS != nil {
		s.TLS = c.TLS.Describe()
	}
	s.Policy = c.Describe(&b)
	for _, ep := range c.Endpoints {
		s.Endpoints = append(s.Endpoints, net.JoinHostPort(ep.Address, strconv.Itoa(int(ep.Port))))
	}
	if len(s.Endpoints) == 0 {
		s.Proxy = codeText(model.Unavailable, kind) + ": the Service has no ready endpoint"
	}
	return s
}

func statusText(s *model.Status, kind model.RouteKind) string {
	return codeText(s.Code, kind) + ": " + s.Message
}

// codeText is a status as clients of routes of a kind get it.
func codeText(code model.Code, kind model.RouteKind) string {
	if kind == model.HTTPRoute {
		return fmt.Sprintf("HTTP %d", (&model.Status{Code: code}).HTTPStatus())
	}
	return cmp.Or(codeNames[code], strconv.Itoa(int(code)))
}

// ReachesBackend says whether any call like this one gets to a backend.
func (e *Explanation) ReachesBackend() bool {
	return slices.ContainsFunc(e.Answer.Backends, func(s Share) bool { return s.Proxy == "" })
}
