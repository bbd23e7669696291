package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The words that random configurations and calls are made of. They are few, so that rules meet: the same
// service under another case, a hostname below another, a value that is a keyword of a proxy.
var (
	someHosts = []string{
		"example.com", "a.example.com", "b.a.example.com", "c.b.a.example.com", "b.example.com", "aexample.com",
		"x.test", "y.x.test", "example.org", "1.2.test",
	}
	someWildcards = []string{
		"*.example.com", "*.a.example.com", "*.b.a.example.com", "*.com", "*.test", "*.x.test", "*.aexample.com",
	}
	someServices = []string{
		"a.B", "A.b", "a.b.C", "a.b", "a", "A", "aB", ".a.B", "_x.Y_z", "grpc.health.v1.Health", "default", "hostnames",
		"include", "volatile", "map", strings.Repeat("long.pkg.", 50) + "Service",
	}
	someMethods     = []string{"Get", "get", "GET", "GetX", "List", "default", "volatile", "_", "G_1", strings.Repeat("M", 300)}
	someHeaderNames = []string{"x-env", "X-Env", "magic", "x-1", "version", "a", "user-id", "content-type", "x-long-name-of-a-header"}
	// oddHeaderNames are valid, but no proxy can be relied on to tell them apart.
	oddHeaderNames = []string{"x_env", "x.dot", "x'quote", "x$y", "x|y", "x`y", "~x"}

	someValues = []string{
		"canary", "Canary", "CANARY", "1", "v2", "", "a b", "a, b", "a,b", "$host", "${request_uri}", "$", "$1", `"quoted"`, `"`, "it's",
		"'", ";", "{", "}", "{}", "};", "#comment", "# x", `\`, `\\`, `\n`, `\"`, `a\`, "~", "~^a", "~*b", "default", "hostnames", "include",
		"volatile", "*", "*.example.com", ".example.com", "%", "%20", "%[src]", "%s", "a:b", "1:0", "0.1", "|", "a|b", "^a$", "(", "[", ")",
		"application/grpc+proto", "`id`", "$(id)", "<a>&b", "=", "a=b", "!", "@", "-", "--", strings.Repeat("long ", 200) + "end",
	}
	// unsentValues can stand in a rule, but no gRPC client sends them.
	unsentValues = []string{"a\nb", "\tx", "é", "\x7f", "x\r\ny: z", "日本"}

	someExpressions = []expression{
		{".*", []string{"anything", "canary"}},
		{"a.*", []string{"a", "a.B", "abc"}},
		{`a\.B`, []string{"a.B"}},
		{`[aA]\.[bB]`, []string{"a.B", "A.b"}},
		{`a|b\.c`, []string{"a", "b.c"}},
		{`(a|canary)`, []string{"a", "canary"}},
		{`(?i)canary|get`, []string{"CANARY", "Get"}},
		{`^Get$`, []string{"Get"}},
		{`Get.?`, []string{"Get", "GetX"}},
		{`[^a]+`, []string{"Get", "1"}},
		{`[[:alpha:]]+`, []string{"Get", "canary"}},
		{`\d+|v\d`, []string{"1", "v2"}},
		{`\w+(\.\w+)*`, []string{"a.b.C", "Get"}},
		{`(?P<name>a)\.b(?P<other>\.C)?`, []string{"a.b", "a.b.C"}},
		{`.*"quoted".*|\$host|\\`, []string{`"quoted"`, "$host", `\`}},
		{`[;{}#"'$]+`, []string{";", "{", "}", `"`, "{}", "$"}},
		{`(a.*)*`, []string{"", "aaa"}},
		{`x{2,3}|G(et){1}`, []string{"xx", "Get"}},
		{`\bGet\b|a b`, []string{"Get", "a b"}},
		{`(?:)`, []string{""}},
		{`a, ?b`, []string{"a, b", "a,b"}},
		{`~.*|\^a\$`, []string{"~", "^a$", "~*b"}},
	}
	// refusedExpressions are no RE2, or mean something else in PCRE: a rule with one is left out.
	refusedExpressions = []string{`(?=a)`, `a**`, `[`, `\p{Greek}+`, `(a)\1`, `é+`}
)

// expression is a regular expression with values that match it.
type expression struct {
	pattern string
	samples []string
}

// random makes configurations and calls from a seed: the same ones each time.
type random struct {
	*rand.Rand
	words
}

// words are the few of each list that one configuration is made of, so that its rules compete.
type words struct {
	hosts, wildcards, services, methods, headerNames, values []string
	expressions                                              []expression
	// paths and parameters are for HTTPRoutes.
	paths, parameters []string
}

func newRandom(seed, number uint64) random {
	r := random{Rand: rand.New(rand.NewPCG(seed, number))}
	r.words = words{
		hosts: few(r, 5, someHosts), wildcards: few(r, 4, someWildcards), services: few(r, 4, someServices), methods: few(r, 3, someMethods),
		headerNames: few(r, 3, someHeaderNames), values: few(r, 8, someValues), expressions: few(r, 6, someExpressions),
	}
	return r
}

// few picks at least two and up to n of a list, in one case of eight all.
func few[E any](r random, n int, from []E) []E {
	if r.chance(12) {
		return from
	}
	picked := make([]E, 0, n)
	for _, i := range r.Perm(len(from))[:2+r.IntN(n-1)] {
		picked = append(picked, from[i])
	}
	return picked
}

func pick[E any](r random, from []E) E { return from[r.IntN(len(from))] }

// chance is true p times of 100.
func (r random) chance(p int) bool { return r.IntN(100) < p }

// objects are a random configuration.
type objects struct {
	Gateways []*gatewayv1.Gateway
	Routes   []*gatewayv1.GRPCRoute
	// HTTPRoutes are those beside them, and Shares says that both kinds may have the same hosts.
	HTTPRoutes []*gatewayv1.HTTPRoute
	Shares     bool
	// Services are those that exist, "default/rN" for the N-th rule; Empty those of them without endpoints.
	Services []string
	Empty    map[string]bool
	// H2C are Services that say that they speak HTTP/2.
	H2C map[string]bool
}

// objects makes a configuration of one or two Gateways and some routes.
func (r random) objects() *objects {
	o := &objects{Empty: map[string]bool{}}
	for i := range 1 + r.IntN(2) {
		o.Gateways = append(o.Gateways, r.gateway(fmt.Sprintf("gw%d", i)))
	}
	for i := range 1 + r.IntN(12) {
		o.Routes = append(o.Routes, r.route(o, i))
	}
	return o
}

func (r random) gateway(name string) *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "Gateway"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       gatewayv1.GatewaySpec{GatewayClassName: "gatewright"},
	}
	all := gatewayv1.NamespacesFromAll
	ports := []gatewayv1.PortNumber{8080, 8443, 8081}[:1+r.IntN(3)]
	for _, port := range ports {
		hosts := map[string]bool{}
		for range 1 + r.IntN(4) {
			host := r.hostnamePattern()
			if hosts[host] {
				continue
			}
			hosts[host] = true
			l := gatewayv1.Listener{
				Name: gatewayv1.SectionName(fmt.Sprintf("l%d", len(g.Spec.Listeners))), Port: port, Protocol: gatewayv1.HTTPProtocolType,
				AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &all}},
			}
			if host != "" {
				l.Hostname = new(gatewayv1.Hostname(host))
			}
			if port == 8443 {
				l.Protocol = gatewayv1.HTTPSProtocolType
				l.TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "certificate"}}}
			}
			g.Spec.Listeners = append(g.Spec.Listeners, l)
		}
	}
	return g
}

// hostnamePattern is a name, a wildcard or "".
func (r random) hostnamePattern() string {
	switch n := r.IntN(10); {
	case n < 2:
		return ""
	case n < 6:
		return pick(r, r.wildcards)
	}
	return pick(r, r.hosts)
}

func (r random) route(o *objects, number int) *gatewayv1.GRPCRoute {
	route := &gatewayv1.GRPCRoute{
		TypeMeta: metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "GRPCRoute"},
		// Names go down while numbers go up, so that the order of the input is not the order of precedence.
		ObjectMeta: metav1.ObjectMeta{Namespace: pick(r, []string{"default", "default", "other"}), Name: fmt.Sprintf("route-%c", 'z'-number)},
	}
	if r.chance(70) {
		route.CreationTimestamp = metav1.NewTime(time.Date(2024, 1, 1+r.IntN(3), 0, 0, 0, 0, time.UTC))
	}
	route.Spec.ParentRefs = r.parentRefs(o)
	route.Spec.Hostnames = r.hostnames()
	for range 1 + r.IntN(5) {
		route.Spec.Rules = append(route.Spec.Rules, r.rule(o))
	}
	return route
}

func (r random) parentRefs(o *objects) []gatewayv1.ParentReference {
	var refs []gatewayv1.ParentReference
	for _, g := range o.Gateways {
		if len(o.Gateways) > 1 && r.chance(40) && len(refs) > 0 {
			continue
		}
		ref := gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("default")), Name: gatewayv1.ObjectName(g.Name)}
		switch l := pick(r, g.Spec.Listeners); r.IntN(6) {
		case 0:
			ref.SectionName = &l.Name
		case 1:
			ref.Port = &l.Port
		}
		refs = append(refs, ref)
	}
	return refs
}

func (r random) hostnames() []gatewayv1.Hostname {
	var names []gatewayv1.Hostname
	for range r.IntN(4) {
		if h := gatewayv1.Hostname(r.hostnamePattern()); h != "" && !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return names
}

func (r random) rule(o *objects) gatewayv1.GRPCRouteRule {
	var rule gatewayv1.GRPCRouteRule
	for range r.IntN(4) {
		rule.Matches = append(rule.Matches, r.match())
	}
	if r.chance(10) {
		// What a filter sets must not change which rule matches.
		rule.Filters = append(rule.Filters, gatewayv1.GRPCRouteFilter{
			Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{
				Name: gatewayv1.HTTPHeaderName(pick(r, someHeaderNames[:6])), Value: r.value(),
			}}},
		})
	}
	if r.chance(4) {
		return rule // No backends: UNIMPLEMENTED.
	}
	rule.BackendRefs = append(rule.BackendRefs, r.backendRef(o))
	if r.chance(10) {
		second := r.backendRef(o)
		if r.chance(50) {
			second.Weight = new(int32(0))
		}
		rule.BackendRefs = append(rule.BackendRefs, second)
	}
	return rule
}

// backendRef is to a Service that only this reference names.
func (r random) backendRef(o *objects) gatewayv1.GRPCBackendRef {
	name := fmt.Sprintf("r%d", len(o.Services))
	o.Services = append(o.Services, "default/"+name)
	if r.chance(4) {
		o.Empty["default/"+name] = true
	}
	ref := gatewayv1.GRPCBackendRef{}
	ref.Name, ref.Namespace, ref.Port = gatewayv1.ObjectName(name), new(gatewayv1.Namespace("default")), new(gatewayv1.PortNumber(50051))
	if r.chance(4) {
		ref.Name = gatewayv1.ObjectName("missing-" + name)
	}
	return ref
}

func (r random) match() gatewayv1.GRPCRouteMatch {
	var m gatewayv1.GRPCRouteMatch
	exact, regex := gatewayv1.GRPCMethodMatchExact, gatewayv1.GRPCMethodMatchRegularExpression
	switch n := r.IntN(100); {
	case n < 40:
		m.Method = &gatewayv1.GRPCMethodMatch{Service: new(pick(r, r.services)), Method: new(pick(r, r.methods))}
	case n < 55:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &exact, Service: new(pick(r, r.services))}
	case n < 65:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &exact, Method: new(pick(r, r.methods))}
	case n < 73:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &regex, Service: new(r.pattern()), Method: new(r.pattern())}
	case n < 81:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &regex, Service: new(r.pattern())}
	case n < 89:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &regex, Method: new(r.pattern())}
	}
	seen := map[string]bool{}
	for range max(0, r.IntN(6)-2) {
		name := pick(r, r.headerNames)
		if r.chance(1) {
			name = pick(r, oddHeaderNames)
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		h := gatewayv1.GRPCHeaderMatch{Name: gatewayv1.GRPCHeaderName(name), Value: r.value()}
		if r.chance(30) {
			h.Type, h.Value = new(gatewayv1.GRPCHeaderMatchRegularExpression), r.pattern()
		}
		m.Headers = append(m.Headers, h)
	}
	return m
}

func (r random) value() string {
	if r.chance(1) {
		return pick(r, unsentValues)
	}
	// A value of a match has at least one character; one that ends in spaces is trimmed on its way.
	if v := strings.TrimSpace(pick(r, r.values)); v != "" {
		return v
	}
	return "v"
}

func (r random) pattern() string {
	if r.chance(1) {
		return pick(r, refusedExpressions)
	}
	return pick(r, r.expressions).pattern
}
