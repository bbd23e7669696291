package matching

import (
	"slices"

	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// Tables decide every request of a model.
type Tables struct {
	// Ports are sorted by port and address.
	Ports []Port
	// Scopes are named by their index. A parent stands before its children.
	Scopes []Scope
	// Rules are all rules that a scope refers to, by index: sorted by source.
	Rules []*model.Rule
}

// HasHTTP says whether there are scopes of HTTPRoutes.
func (t *Tables) HasHTTP() bool {
	return slices.ContainsFunc(t.Scopes, func(s Scope) bool { return s.Kind == model.HTTPRoute })
}

// ValidatesClients says whether clients of any port are asked for certificates.
func (t *Tables) ValidatesClients() bool {
	return slices.ContainsFunc(t.Ports, func(p Port) bool { return p.Clients != nil })
}

// Port is an address and port to bind, with the listeners that share it.
type Port struct {
	// Addresses are IP addresses; none means every address of the host.
	Addresses []string
	Port      int32
	Protocol  model.Protocol
	// Clients is what is asked of the certificates of clients, or nil: the same for all listeners.
	Clients *model.ClientValidation
	// Connections say how those of clients are kept, or nil.
	Connections *model.Connections
	// Listeners are sorted by hostname, the most specific first.
	Listeners []Listener
	// Classes are the hostname patterns that requests of this port are told apart by, the most specific
	// first: exact ones, then wildcards from the longest, then "". Every listener's hostname is one.
	Classes []Class
}

// Listener is a listener of a port.
type Listener struct {
	// Gateway is "namespace/name".
	Gateway  string
	Name     string
	Hostname string
	KeyPairs []string
}

// Class is the hosts that one pattern matches and no more specific one of the port does.
type Class struct {
	// Hostname is a name, "*.suffix" or "" for all others.
	Hostname string
	// Listener owns the requests: an index into the port's listeners.
	Listener int
	// GRPC and HTTP are the scopes that decide first for requests of each kind, indexes into Tables.Scopes; -1 when the
	// listener has no rule of the kind for these hosts.
	GRPC, HTTP int
}

// HasWeb says whether rules take calls of gRPC-Web.
func (t *Tables) HasWeb() bool {
	return slices.ContainsFunc(t.Rules, func(r *model.Rule) bool { return r.Web != nil })
}

// TakesWeb says whether GRPCRoutes that have the hosts of a class take calls of gRPC-Web: then the requests of browsers about those
// are theirs too (model.Call.WebPreflight).
func (t *Tables) TakesWeb(c *Class) bool {
	for s := c.GRPC; s >= 0; s = t.Scopes[s].Parent {
		if t.Scopes[s].Web {
			return true
		}
	}
	return false
}

// Scopes are the scopes that decide first, one or two or none.
func (c *Class) Scopes() []int {
	return slices.DeleteFunc([]int{c.GRPC, c.HTTP}, func(i int) bool { return i < 0 })
}

// Kind is the kind of routes that a request of the class is matched against (R25): the only kind that there are rules of.
// Where there are both, and where there are none, gRPC's content type tells (model.Call.GRPC).
func (c *Class) Kind(grpc bool) model.RouteKind {
	switch {
	case c.GRPC >= 0 && c.HTTP < 0:
		return model.GRPCRoute
	case c.HTTP >= 0 && c.GRPC < 0:
		return model.HTTPRoute
	}
	return kindOf(grpc)
}

// scope is the scope that decides first for requests of a kind.
func (c *Class) scope(kind model.RouteKind) int {
	if kind == model.HTTPRoute {
		return c.HTTP
	}
	return c.GRPC
}

// kindOf is the kind of a request whose host doesn't tell.
func kindOf(grpc bool) model.RouteKind {
	if grpc {
		return model.GRPCRoute
	}
	return model.HTTPRoute
}

// Scope is the rules of one hostname, as the routes wrote it. Equal scopes of several listeners are one.
type Scope struct {
	// Hostname is for comments.
	Hostname string
	// Kind is the kind of all its routes.
	Kind model.RouteKind
	// Parent is the scope that decides when this one doesn't; -1 for none.
	Parent int
	// Web says that rules of it take calls of gRPC-Web.
	Web bool
	// Level is how many scopes can come before this one on any way to it: 0 for one that only classes name.
	Level int
	// Stages are in order; empty ones are left out.
	Stages []Stage
	// LongPatterns is the most expressions that aren't plain which a call is asked that comes through this scope,
	// those of scopes before and behind it included.
	LongPatterns int
}

// Key is what of a request a stage looks up.
type Key string

// The keys. Path is the request's path without its query, byte for byte. A key that a request doesn't have
// finds nothing.
const (
	// KeyPath is the whole path.
	KeyPath Key = "path"
	// KeyService is the first segment, when it isn't empty and a slash follows it.
	KeyService Key = "service"
	// KeyMethod is the second segment, when the path has two segments and neither is empty.
	KeyMethod Key = "method"
	// KeyPrefix is the first Stage.Depth segments with a slash before each, for HTTPRoute's prefixes.
	KeyPrefix Key = "prefix"
	// KeyNone is nothing: every request has it, and its entry's value is "".
	KeyNone Key = ""
)

// Stage is one step of a scope.
type Stage struct {
	// Order is the stage's place among the stages of all scopes: a scope's own are sorted by it. One order has one key,
	// depth included.
	Order int
	Key   Key
	// Depth is the number of segments of a KeyPrefix; at least 1.
	Depth int
	// Entries are sorted by value, which is unique.
	Entries []Entry
}

// Entry is what one value of the key finds.
type Entry struct {
	Value string
	// Candidates are in order of precedence (R12). Only the last may be without conditions: what would come
	// after it can't win and was cut.
	Candidates []Candidate
}

// Candidate is one match of one rule.
type Candidate struct {
	// Rule is an index into Tables.Rules, Match an index into the rule's matches.
	Rule, Match int
	// Conditions are what the lookup hasn't decided, sorted by subject and name.
	Conditions []Condition
}

// Subject is what of a request a condition looks at.
type Subject string

// The subjects. Service and Method are as the keys of these names have them.
const (
	SubjectPath       Subject = "path"
	SubjectService    Subject = "service"
	SubjectMethod     Subject = "method"
	SubjectHTTPMethod Subject = "httpMethod"
	SubjectHeader     Subject = "header"
	SubjectQuery      Subject = "query"
)

// Condition holds when the subject is there and its whole value is Value, or matches Regex where that is set.
type Condition struct {
	Subject Subject
	// Name is the header's, in lower case, or the query parameter's.
	Name  string
	Value string
	Regex *pattern.Pattern
}
