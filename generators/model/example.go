package model

import (
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/pattern"
)

// Examples are models that between them have something of everything that a template may be asked to write, alone or beside
// the rest: one with GRPCRoutes and HTTPRoutes, one without HTTPRoutes, one without anything, and one with a condition on a header that
// endpoints get from the proxy. Whoever has templates of his
// own learns from it at the start, and not when a user's object is the first to need a line, that one is broken. With a
// bridge they have what takes one too.
func Examples(bridge bool) []Gateways {
	both := example("x-a")
	grpc := both
	grpc.Gateways = both.Gateways[:2]
	list := []Gateways{both, grpc, {}, example("x-forwarded-proto")}
	if bridge {
		list = append(list, exampleMirrors(), exampleWeb())
	}
	return list
}

// exampleMirrors has rules whose calls pass the bridge.
func exampleMirrors() Gateways {
	m := example("x-a")
	l := &m.Gateways[2].Listeners[1]
	l.Scopes = nil
	for _, kind := range []RouteKind{GRPCRoute, HTTPRoute} {
		cluster := map[RouteKind]string{GRPCRoute: "ns/one:80", HTTPRoute: "ns/one:80/http"}[kind]
		b := Backend{Weight: 1, Cluster: cluster, Handling: Handling{Mirrors: []Mirror{{cluster, 1, 1}, {cluster, 1, 4}}}}
		l.Scopes = append(l.Scopes, Scope{Rules: []*Rule{{Source: Source{Kind: kind, Namespace: "ns", Name: "mirrored"}, Matches: []Match{{}},
			Backends: []Backend{b}}}})
	}
	return m
}

// exampleWeb has a rule that takes calls of gRPC-Web.
func exampleWeb() Gateways {
	m := example("x-a")
	web := &CORS{AllowOrigins: []string{"https://one.test"}, AllowMethods: []string{"POST"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"*"}}
	scopes := m.Gateways[2].Listeners[1].Scopes
	scopes[0].Rules = append(scopes[0].Rules, &Rule{Source: Source{Kind: GRPCRoute, Namespace: "ns", Name: "web"}, Web: web,
		Matches:  []Match{{Path: Path{Kind: ExactPath, Value: "/a.B/Web", Service: "a.B", Method: "Web"}}},
		Backends: []Backend{{Weight: 1, Cluster: "ns/one:80", Handling: Handling{Web: true, CORS: web}}}})
	return m
}

// example has a condition of an HTTPRoute on a header.
func example(header string) Gateways {
	rules, httpRules := exampleRules(), exampleHTTPRules(header)
	scopes := []Scope{{Rules: rules}}
	// Nested so deep that nginx needs help to find the widest.
	for depth := 60; depth > 0; depth-- {
		scopes = append(scopes, Scope{Hostname: "*." + strings.Repeat("a.", depth) + "test", Rules: rules[:1]})
	}
	clients := map[int32]*ClientValidation{
		443: {CAs: []string{"ConfigMap ns/ca"}, Certificates: []byte("ca\n")}, 445: {InsecureFallback: true, Certificates: []byte("ca\n")},
	}
	listener := func(name string, port int32, hostname string, pairs ...string) Listener {
		l := Listener{Name: name, Port: port, Protocol: HTTP, Hostname: hostname, KeyPairs: pairs, Clients: clients[port], Scopes: scopes[:1]}
		if len(pairs) > 0 {
			l.Protocol = HTTPS
		}
		return l
	}
	nested := listener("http", 80, "")
	nested.Scopes = scopes
	return Gateways{
		Gateways: []Gateway{
			{Namespace: "ns", Name: "example", Addresses: []string{"192.0.2.1", "2001:db8::1"}, Listeners: []Listener{
				nested, listener("one", 443, "one.test", "one"), listener("all", 443, "", "one"),
				listener("only", 444, "one.test", "one"), listener("some", 445, "*.one.test", "one"), listener("others", 445, "*.two.test", "two"),
				listener("any", 446, "", "one"), listener("few", 446, "*.two.test", "two"),
			}},
			{Namespace: "ns", Name: "wide", Connections: &Connections{MaxAge: time.Hour, IdleTimeout: time.Minute, MaxStreams: 100}, Listeners: []Listener{listener("http", 81, "one.test")}},
			{Namespace: "ns", Name: "web", Listeners: []Listener{
				{Name: "web", Port: 82, Protocol: HTTP, Scopes: []Scope{{Rules: httpRules}}},
				{Name: "both", Port: 83, Protocol: HTTP, Scopes: []Scope{{Rules: rules}, {Rules: httpRules}}},
			}},
		},
		Clusters: []Cluster{
			{Name: "ns/dns:80", Namespace: "ns", Service: "dns", Port: 80, Endpoints: []Endpoint{{Address: "dns.ns.svc.cluster.local", Port: 80}}},
			{Name: "ns/none:80", Namespace: "ns", Service: "none", Port: 80},
			{Name: "ns/one:80", Namespace: "ns", Service: "one", Port: 80,
				Endpoints: []Endpoint{{Address: "192.0.2.2", Port: 80}, {Address: "2001:db8::2", Port: 80}}},
			{Name: "ns/one:80/http", Namespace: "ns", Service: "one", Port: 80, Protocol: BackendHTTP1,
				Endpoints: []Endpoint{{Address: "192.0.2.2", Port: 80}, {Address: "2001:db8::2", Port: 80}}},
			{Name: "ns/two:80/h2c", Namespace: "ns", Service: "two", Port: 80, Protocol: BackendH2C,
				Endpoints: []Endpoint{{Address: "192.0.2.3", Port: 80}}},
			{Name: "ns/two:80", Namespace: "ns", Service: "two", Port: 80, Unlearnt: true, CallOnce: true,
				Endpoints: []Endpoint{{Address: "192.0.2.3", Port: 80}}},
			exampleSecure("ns/three:80/tls", BackendGRPC), exampleSecure("ns/three:80/h2c/tls", BackendH2C), exampleSecure("ns/three:80/http/tls", BackendHTTP1),
		},
		Bundles: []Bundle{{Name: "0123", Certificates: []byte("certificate\n")}},
		KeyPairs: []KeyPair{
			{Name: "one", Certificate: []byte("certificate\n"), Key: []byte("key\n"), Hostnames: []string{"one.test", "*.one.test"}},
			{Name: "two", Certificate: []byte("certificate\n"), Key: []byte("key\n"), Hostnames: []string{"*.two.test"}},
		},
	}
}

// exampleSecure is a cluster with TLS.
func exampleSecure(name string, protocol BackendProtocol) Cluster {
	return Cluster{Name: name, Namespace: "ns", Service: "three", Port: 80, Protocol: protocol,
		Endpoints: []Endpoint{{Address: "192.0.2.4", Port: 80}},
		TLS:       &BackendTLS{Policy: "ns/three", Hostname: "three.test", Bundle: "0123", KeyPair: "two"}}
}

// exampleHTTPRules have every kind of match, of filter and of answer of HTTPRoutes.
func exampleHTTPRules(header string) []*Rule {
	share := func(cluster string, h Handling) Backend { return Backend{Weight: 1, Cluster: cluster, Handling: h} }
	whole, prefix := &PathChange{Whole: true, Value: "/b"}, &PathChange{Prefix: "/a", Value: "/b/"}
	cors := &CORS{AllowOrigins: []string{"https://one.test", "https://*.two.test", "*"}, AllowCredentials: true,
		AllowMethods: []string{"GET"}, AllowHeaders: []string{"*"}, ExposeHeaders: []string{"x-a"}, MaxAge: 5}
	limits := Timeouts{Request: 3 * time.Second, Backend: time.Second}
	rules := []*Rule{
		{Matches: []Match{{}}, Backends: []Backend{share("ns/one:80/http", Handling{})}},
		{Matches: []Match{{Path: Path{Kind: PrefixPath, Value: "/a"}, Method: "GET", Query: []ValueMatch{{Name: "a", Value: "1"}}}},
			Backends: []Backend{share("ns/one:80/http", Handling{Rewrite: &Rewrite{Hostname: "one.test", Path: prefix}, CORS: cors})}},
		{Matches: []Match{{Path: Path{Kind: PrefixPath, Value: "/a/b"}, Query: []ValueMatch{{Name: "a", Regex: exampleRegex("[0-9]+")}}}},
			Backends: []Backend{share("ns/two:80/h2c", Handling{Timeouts: limits, Retry: &Retry{Attempts: 2, Codes: []int{503}}})}},
		{Matches: []Match{{Path: Path{Kind: RegexPath, Regex: exampleRegex("/r.*")}, Headers: []ValueMatch{{Name: header, Value: "1"}}}},
			Backends: []Backend{share("ns/one:80/http", Handling{Timeouts: limits, Retry: &Retry{Attempts: 2, Codes: []int{500, 503}},
				RequestHeaders: []HeaderChange{{Name: "x-add", Keep: true, Values: []string{"1"}}}})}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/c"}}}, Backends: []Backend{
			{Weight: 1, Redirect: &Redirect{Code: 301, Scheme: "https", Hostname: "one.test", Port: 8443, Path: whole}},
			{Weight: 1, Redirect: &Redirect{Code: 302, Path: prefix}}}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/d"}}}, Status: &Status{Code: Internal, Message: "an example"}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/e"}}},
			Backends: []Backend{share("ns/three:80/h2c/tls", Handling{}), share("ns/three:80/http/tls", Handling{})}},
	}
	for i, r := range rules {
		r.Source = Source{Kind: HTTPRoute, Namespace: "ns", Name: "example", Rule: i}
	}
	return rules
}

func exampleRegex(text string) *pattern.Pattern {
	p, err := pattern.Parse(text)
	if err != nil {
		panic(err) // It is one of the texts here.
	}
	return p
}

// exampleRules have every kind of match and of answer.
func exampleRules() []*Rule {
	share := func(cluster string) Backend { return Backend{Weight: 1, Cluster: cluster} }
	changed := share("ns/two:80")
	changed.RequestHeaders = []HeaderChange{{Name: "host", Values: []string{"one.test"}}, {Name: "x-add", Keep: true, Values: []string{"1"}},
		{Name: "x-remove"}}
	changed.ResponseHeaders = []HeaderChange{{Name: "x-long", Values: []string{strings.Repeat("$", 1000)}}}
	stays := func(cluster string) Backend {
		b := share(cluster)
		b.Persistence = &Persistence{Cookie: &Cookie{Name: "session", Path: "/", MaxAge: time.Hour}}
		return b
	}
	refused := Backend{Weight: 1, Status: &Status{Code: Unavailable, Message: "an example"}}
	exact := []ValueMatch{{Name: "x-a", Value: "1"}, {Name: "x-b", Value: "2"}}
	mixed := []ValueMatch{{Name: "x-a", Value: "1"}, {Name: "x-c", Regex: exampleRegex("[0-9]+")}}
	segments := Path{Kind: SegmentsPath, ServiceRegex: exampleRegex("a.*"), MethodRegex: exampleRegex("G.*")}
	rules := []*Rule{
		{Matches: []Match{{}}, Backends: []Backend{share("ns/one:80")}},
		{Matches: []Match{{Headers: exact}, {Headers: mixed}, {Path: segments}}, Backends: []Backend{changed}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/a.B/Get", Service: "a.B", Method: "Get"}}},
			Backends: []Backend{share("ns/one:80"), changed, refused}},
		{Matches: []Match{{Path: Path{Kind: ServicePath, Service: "a.B"}}}, Backends: []Backend{share("ns/dns:80")}},
		{Matches: []Match{{Path: Path{Kind: MethodPath, Method: "Get"}}}, Backends: []Backend{share("ns/none:80")}},
		{Matches: []Match{{Path: Path{Kind: PrefixPath, Value: "/a"}}}, Status: &Status{Code: Internal, Message: "an example"}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/a.B/Put", Service: "a.B", Method: "Put"}}},
			Backends: []Backend{share("ns/three:80/tls")}},
		{Matches: []Match{{Path: Path{Kind: ExactPath, Value: "/a.B/Stay", Service: "a.B", Method: "Stay"}}},
			Backends: []Backend{stays("ns/one:80"), stays("ns/two:80")}},
	}
	for i, r := range rules {
		r.Source = Source{Kind: GRPCRoute, Namespace: "ns", Name: "example", Rule: i}
	}
	return rules
}
