package model

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators/pattern"
)

// Gateways is everything that one proxy serves. What the resources ask for and can't have is not in it: it
// is in their status.
type Gateways struct {
	// Gateways are sorted by namespace and name.
	Gateways []Gateway `json:"gateways,omitempty"`
	// Clusters are what rules send calls to, sorted by name.
	Clusters []Cluster `json:"clusters,omitempty"`
	// KeyPairs are the certificates of the listeners, and those that Gateways show to endpoints, sorted by name.
	KeyPairs []KeyPair `json:"keyPairs,omitempty"`
	// Bundles are what endpoints are verified with, sorted by name.
	Bundles []Bundle `json:"bundles,omitempty"`
}

// Gateway is one Gateway with the listeners that are accepted.
type Gateway struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Addresses are the IP addresses to bind. None means every address of the host.
	Addresses []string `json:"addresses,omitempty"`
	// Connections say how those of clients are kept; nil is the proxy's own way.
	Connections *Connections `json:"connections,omitempty"`
	// Listeners are in the order of the Gateway, those of its ListenerSets after its own.
	Listeners []Listener `json:"listeners,omitempty"`
}

// Protocol is a listener's protocol: HTTP or HTTPS.
type Protocol string

// The protocols that listeners are served with (R1). Any other is refused in status (R3).
const (
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
)

// Listener is a port, a protocol and a hostname. Listeners of one address and port are isolated from each
// other (R7): no two of them have the same hostname.
type Listener struct {
	// Name tells it from the Gateway's others: for a listener of a ListenerSet it is a SetListener.
	Name     string   `json:"name"`
	Port     int32    `json:"port"`
	Protocol Protocol `json:"protocol"`
	// Hostname is lower case; "" is every host.
	Hostname string `json:"hostname,omitempty"`
	// KeyPairs name the certificates of an HTTPS listener, in order; never empty there.
	KeyPairs []string `json:"keyPairs,omitempty"`
	// Clients is what is asked of the certificates of the clients of an HTTPS listener: the same of all listeners of a port;
	// nil for nothing.
	Clients *ClientValidation `json:"clients,omitempty"`
	// Scopes hold the rules of the attached routes, a scope for each hostname that a route of a kind has written,
	// sorted by hostname, then by kind. A rule of a route with two hostnames is in two scopes.
	Scopes []Scope `json:"scopes,omitempty"`
}

// ClientValidation says which clients may connect.
type ClientValidation struct {
	// InsecureFallback lets in all clients, also without a certificate or with one that no CA vouches for; the others have to
	// have one that is valid.
	InsecureFallback bool `json:"insecureFallback,omitempty"`
	// CAs say where the certificates come from, for a person to read.
	CAs []string `json:"cas"`
	// Certificates are those of the CAs: PEM, checked, each once.
	Certificates []byte `json:"-"`
}

// Scope is the rules of one kind of routes under one hostname of one listener.
type Scope struct {
	// Hostname is the route's own as written, in lower case, not its intersection with the listener's: it
	// counts for precedence (R12). "" is a route without hostnames.
	Hostname string `json:"hostname,omitempty"`
	// Rules are those of routes of one kind, in no particular order: generators/matching knows the precedence.
	Rules []*Rule `json:"rules,omitempty"`
}

// Kind is the kind of the scope's rules.
func (s *Scope) Kind() RouteKind {
	if len(s.Rules) > 0 && s.Rules[0].Source.Kind == HTTPRoute {
		return HTTPRoute
	}
	return GRPCRoute
}

// RouteKind is the kind of a route.
type RouteKind string

// The kinds of routes. Their rules are never merged (R25): a request is matched against those of one kind.
const (
	GRPCRoute RouteKind = "GRPCRoute"
	HTTPRoute RouteKind = "HTTPRoute"
)

// Source says where a rule came from.
type Source struct {
	Kind      RouteKind `json:"kind"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	// Rule is the rule's index in the route.
	Rule int `json:"rule"`
	// RuleName is the rule's own name, when it has one.
	RuleName string `json:"ruleName,omitempty"`
	// Created is the route's creation time; the zero time when it isn't known.
	Created time.Time `json:"created,omitzero"`
}

// String is the source as comments and messages name it: "GRPCRoute ns/name rule 0", with the rule's own name behind it in
// parentheses when it has one.
func (s Source) String() string {
	text := string(s.Kind) + " " + s.Namespace + "/" + s.Name + " rule " + strconv.Itoa(s.Rule)
	if s.RuleName != "" {
		text += " (" + s.RuleName + ")"
	}
	return text
}

// Rule is one rule of a route: calls that one of its matches matches are answered by its backends.
type Rule struct {
	Source Source `json:"source"`
	// Gateway is the one that has a copy of the rule for itself, "namespace/name"; "" for one that all Gateways share.
	Gateway string `json:"gateway,omitempty"`
	// Matches are ORed (R11); never empty: a rule without matches has one that matches everything.
	Matches []Match `json:"matches"`
	// Backends share the calls by weight (R14). Those of weight 0 are left out.
	Backends []Backend `json:"backends,omitempty"`
	// Web has the rule take calls of gRPC-Web too, from pages of its origins; nil takes none.
	Web *CORS `json:"web,omitempty"`
	// Status answers every call of the rule instead of backends: set when Backends is empty.
	Status *Status `json:"status,omitempty"`
}

// Clusters are the names of the clusters that calls of the rule, or copies of them, may go to, each once.
func (r *Rule) Clusters() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range r.Backends {
		add(r.Backends[i].Cluster)
		for _, m := range r.Backends[i].Mirrors {
			add(m.Cluster)
		}
	}
	return names
}

// Backend is one share of a rule's calls.
type Backend struct {
	// Weight is the share over the sum of the rule's weights; 1 to 1,000,000.
	Weight int32 `json:"weight"`
	// Cluster names the cluster that the share goes to; "" when Status or Redirect answers it.
	Cluster string `json:"cluster,omitempty"`
	// Status answers the share of an invalid backendRef (R15).
	Status *Status `json:"status,omitempty"`
	// Redirect answers the share with another place to ask.
	Redirect *Redirect `json:"redirect,omitempty"`
	// Handling is what the rule's filters do, followed by the backendRef's (R19).
	Handling
}

// Status is an answer of the proxy itself: a gRPC status (R18), or an HTTP status to requests of HTTPRoutes.
type Status struct {
	// Code is the gRPC status, which tells HTTP too: see HTTPStatus.
	Code Code `json:"code"`
	// Message says why, for the person who reads the client's log. Any text: generators encode it.
	Message string `json:"message"`
}

// Code is a gRPC status code.
type Code int

// The codes that a proxy answers with.
const (
	DeadlineExceeded  Code = 4
	ResourceExhausted Code = 8
	Unimplemented     Code = 12
	Internal          Code = 13
	Unavailable       Code = 14
)

// HTTPStatus is what the status is to a request of an HTTPRoute: 503 for what may work in a while, 500 for what has to be
// mended.
func (s *Status) HTTPStatus() int {
	switch s.Code {
	case DeadlineExceeded:
		return 504
	case ResourceExhausted:
		return 413
	case Unimplemented:
		return 404
	case Unavailable:
		return 503
	}
	return 500
}

// Match is one way to match a rule: all its conditions hold.
type Match struct {
	Path Path `json:"path,omitzero"`
	// Method is the HTTP method of an HTTPRoute's match; "" is any.
	Method string `json:"method,omitempty"`
	// Headers are ANDed; at most one for each name (R10).
	Headers []ValueMatch `json:"headers,omitempty"`
	// Query holds the query parameters of an HTTPRoute's match.
	Query []ValueMatch `json:"query,omitempty"`
}

// PathKind says how a path is matched. Path is the request's path without its query, byte for byte as it
// came.
type PathKind string

// The kinds of path matches. gRPC's three shapes are ExactPath, ServicePath and MethodPath (R8); its regular
// expressions are SegmentsPath (R9). A segment is what stands between slashes: /service/method.
const (
	// AnyPath matches every path.
	AnyPath PathKind = ""
	// ExactPath matches the path Value. For gRPC that is "/service/method".
	ExactPath PathKind = "Exact"
	// PrefixPath matches Value and everything below it, by whole segments: an HTTPRoute's PathPrefix. Value
	// has no trailing slash.
	PrefixPath PathKind = "Prefix"
	// RegexPath matches the whole path with Regex: an HTTPRoute's RegularExpression.
	RegexPath PathKind = "Regex"
	// ServicePath matches what starts with "/" + Service + "/".
	ServicePath PathKind = "Service"
	// MethodPath matches paths of two segments, the first not empty, the second Method.
	MethodPath PathKind = "Method"
	// SegmentsPath matches paths of two segments, neither empty, with ServiceRegex and MethodRegex; a nil
	// one matches any segment.
	SegmentsPath PathKind = "Segments"
)

// Path matches a request's path.
type Path struct {
	Kind PathKind `json:"kind,omitempty"`
	// Value is an ExactPath's or a PrefixPath's.
	Value string `json:"value,omitempty"`
	// Regex is a RegexPath's.
	Regex *pattern.Pattern `json:"regex,omitempty"`
	// Service and Method are the exact names of a gRPC match, of an ExactPath too: precedence counts them.
	Service string `json:"service,omitempty"`
	Method  string `json:"method,omitempty"`
	// ServiceRegex and MethodRegex are a SegmentsPath's.
	ServiceRegex *pattern.Pattern `json:"serviceRegex,omitempty"`
	MethodRegex  *pattern.Pattern `json:"methodRegex,omitempty"`
}

// ValueMatch matches a header or a query parameter: exactly, or with a regular expression for the whole
// value. A header that is absent matches nothing, not even "".
type ValueMatch struct {
	// Name is lower case for a header, and as it is written for a query parameter.
	Name string `json:"name"`
	// Value is what the whole value is compared with, when Regex is nil.
	Value string           `json:"value,omitempty"`
	Regex *pattern.Pattern `json:"regex,omitempty"`
}

// Cluster is one port of one Service with its endpoints and the way to speak to them. Connections are
// shared by everything that sends to it.
type Cluster struct {
	// Name is stable: it depends on the Service, the port, the protocol and the TLS only.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Port      int32  `json:"port"`
	// Protocol is what its endpoints are spoken to with.
	Protocol BackendProtocol `json:"protocol,omitempty"`
	// TLS is how its endpoints are verified; nil for cleartext.
	TLS *BackendTLS `json:"tls,omitempty"`
	// Endpoints are sorted by address and port. A cluster without any answers UNAVAILABLE (R16).
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Persistence keeps sessions at one endpoint, where the rule says nothing of them.
	Persistence *Persistence `json:"persistence,omitempty"`
	// Health asks its endpoints how they are; nil asks nobody.
	Health *HealthCheck `json:"health,omitempty"`
	// Outliers says when an endpoint is left alone; nil is the proxy's own way.
	Outliers *Outliers `json:"outliers,omitempty"`
	// MaxRequestBytes is how long the body of a request may be; 0 is no limit. A proxy with FeatureBodyLimit keeps it.
	MaxRequestBytes int64 `json:"maxRequestBytes,omitempty"`
	// CallOnce says that no call may run twice because an endpoint fails (R40), at whatever price. A proxy with
	// FeatureCallOnce keeps it.
	CallOnce bool `json:"callOnce,omitempty"`
	// Unlearnt says that the proxy has yet to learn the endpoints of the cluster, so that they are in its files even
	// where it is told of them in another way.
	Unlearnt bool `json:"-"`
}

// BackendProtocol is a protocol that endpoints are spoken to with, in cleartext or by TLS. Connections of two protocols are
// never mixed: a Service port that is asked by both has two clusters.
type BackendProtocol string

// The protocols of backends.
const (
	// BackendGRPC is gRPC by HTTP/2: what GRPCRoutes send (R17).
	BackendGRPC BackendProtocol = ""
	// BackendHTTP1 is HTTP/1.1, WebSocket included: what HTTPRoutes send unless a Service says more.
	BackendHTTP1 BackendProtocol = "HTTP/1.1"
	// BackendH2C is HTTP/2: what HTTPRoutes send to a Service port with appProtocol kubernetes.io/h2c.
	BackendH2C BackendProtocol = "h2c"
)

// Endpoint is where a backend listens.
type Endpoint struct {
	// Address is an IP address, or a DNS name with `--backends dns`.
	Address string `json:"address"`
	Port    int32  `json:"port"`
}

// KeyPair is a certificate chain and its key, both checked: they parse and fit.
type KeyPair struct {
	// Name is stable and fit for a file name.
	Name string `json:"name"`
	// Certificate and Key are PEM.
	Certificate []byte `json:"-"`
	Key         []byte `json:"-"`
	// Hostnames are the certificate's DNS names, for a person to read.
	Hostnames []string `json:"hostnames,omitempty"`
}

// OnlyIPv4 is the model for a host without IPv6: Gateways without addresses bind all IPv4 addresses.
func (m Gateways) OnlyIPv4() Gateways {
	m.Gateways = slices.Clone(m.Gateways)
	for i := range m.Gateways {
		if len(m.Gateways[i].Addresses) == 0 {
			m.Gateways[i].Addresses = []string{"0.0.0.0"}
		}
	}
	return m
}

// Binds are the Gateway's addresses without those that another one is wider than: of 0.0.0.0 and 127.0.0.1 the first. Two
// sockets for both can't be had. None means every address of the host.
func (g *Gateway) Binds() []string {
	all := func(address string) string {
		if strings.Contains(address, ":") {
			return "::"
		}
		return "0.0.0.0"
	}
	return slices.DeleteFunc(slices.Clone(g.Addresses), func(address string) bool {
		return address != all(address) && slices.Contains(g.Addresses, all(address))
	})
}
