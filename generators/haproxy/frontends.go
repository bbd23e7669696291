package haproxy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/matching"
	"github.com/gatewright/gatewright/generators/model"
)

// Frontend is a frontend section: one port of one Gateway.
type Frontend struct {
	Name    string
	Comment string
	// ServerNames stands before the port's binds, or is nil.
	ServerNames *ServerNames
	// Binds are what stands behind "bind".
	Binds []string
	// KeepAlive is how long connections stay without a request where the Gateway says, or "".
	KeepAlive string
	// Asked is what the binds ask of the certificates of clients, or "".
	Asked string
	// Asks says that some port asks for certificates, so that endpoints get them from HAProxy alone.
	Asks bool
	// AccessLog is where each call has a line, or nil.
	AccessLog *AccessLog
	// Session are rules for a TLS connection, Hosts those that find a request's scope.
	Session, Hosts []string
	Blocks         []Block
	// Weights says that targets may be drawn, Sessions by what besides in turn.
	Weights  bool
	Sessions []Session
	// Side is the converter that makes a key that of the live side, or "". Live says that there are sides, and
	// that a section may have a spare one in its place.
	Side string
	Live bool
	// Folder is what paths begin with.
	Folder string
	// NotTaken, NoAnswer and TooLong are messages for the rule that the call found; Unanswered and TimedOut are those
	// that NoAnswer and TooLong are written over.
	NotTaken, NoAnswer, TooLong, Unanswered, TimedOut string
	// Refused are conditions under which HAProxy's 502 is a connection that was refused: any of them. None where
	// it has another status for that.
	Refused []string
	// Instance tells this gateway from others.
	Instance string
	// Asker is a condition of the lines of CORS, or "".
	Asker string
	// Late says that conditions look at headers that endpoints get from the proxy: it sets them when a target is found.
	Late bool
	// HTTP is what requests of HTTPRoutes take, or nil where there are none. NoRule and Ambiguous then answer those of
	// hosts that nobody has.
	HTTP              *HTTP
	NoRule, Ambiguous string
	// AmbiguousPath is a regular expression for paths that are answered so, and OrdinaryPath one for most of those that aren't.
	AmbiguousPath, OrdinaryPath string
}

// Web is the frontend as the lines of CORS see it that are for gRPC-Web.
func (f *Frontend) Web() *Frontend {
	web := *f
	web.Asker = "grpc "
	return &web
}

// Block is the rules of one step of a scope.
type Block struct {
	Comment string
	Lines   []string
}

// frontends writes the ports.
type frontends struct {
	tables *matching.Tables
	routes *routes
	folder string
	// files are the ports' own.
	files    []generators.File
	keyPairs map[string]*model.KeyPair
	weights  bool
	version  model.Version
	instance string
	// include says that the file stands beside somebody's own, which has the global settings.
	include bool
	// http says that there are HTTPRoutes, or that some may come while HAProxy runs.
	http bool
	// late is Frontend.Late.
	late    bool
	used    used
	trusted []netip.Prefix
	access  *generators.AccessLog
	messages
}

// messages are those of failures whose rule is known, as log-format strings.
type messages struct{ notTaken, noAnswer, tooLong string }

func newMessages() (m messages, err error) {
	for _, f := range []struct {
		text    *string
		message func(rule, service string) string
	}{{&m.notTaken, answers.NotTaken}, {&m.noAnswer, answers.NoAnswer}, {&m.tooLong, answers.TooLong}} {
		if *f.text, err = failureMessage(f.message); err != nil {
			return m, err
		}
	}
	return m, nil
}

func newFrontends(m model.Gateways, t *matching.Tables, r *routes, folder string, weights bool, v model.Version) (*frontends, error) {
	f := &frontends{tables: t, routes: r, folder: folder, weights: weights, version: v, late: r.readsOwn(),
		keyPairs: make(map[string]*model.KeyPair, len(m.KeyPairs))}
	for i := range m.KeyPairs {
		f.keyPairs[m.KeyPairs[i].Name] = &m.KeyPairs[i]
	}
	var err error
	f.messages, err = newMessages()
	return f, err
}

// of returns the sections of a port.
func (f *frontends) of(p *matching.Port) (*Frontend, error) {
	gateway := p.Listeners[0].Gateway
	id := portID(gateway, p.Port)
	listeners := make([]string, len(p.Listeners))
	for i, l := range p.Listeners {
		listeners[i] = l.Name
	}
	fe := &Frontend{
		Name:    sectionName("gateway", gateway, strconv.Itoa(int(p.Port))),
		Comment: Comment(fmt.Sprintf("Gateway %s port %d, %s: listeners %s", gateway, p.Port, p.Protocol, strings.Join(listeners, ", "))),
		Weights: f.weights || f.routes.live(), Side: f.routes.sides.converter, Live: f.routes.live(), Late: f.late, Folder: f.folder,
		Sessions: f.used.sessions,
		NotTaken: f.notTaken, NoAnswer: f.noAnswer, TooLong: f.tooLong, Unanswered: answers.Unanswered.Message,
		TimedOut: answers.TimedOut.Message,
		Refused:  refused(f.version),
		Instance: f.instance, Asks: f.tables.ValidatesClients(),
	}
	h := f.hosts(p, id)
	fe.Hosts = h.requestLines(p)
	if p.Protocol == model.HTTPS {
		f.tls(fe, p, id, h)
		f.clients(fe, p, id)
	} else {
		fe.Binds = binds(p)
	}
	fe.KeepAlive = keepAlive(p.Connections)
	var err error
	if fe.AccessLog, err = accessLog(f.access, gateway); err != nil {
		return nil, err
	}
	if fe.Blocks, _, err = f.blocks(p, model.GRPCRoute); err != nil {
		return nil, err
	}
	fe.NoRule, fe.Ambiguous = bodyOf(answers.HTTPNoRule), bodyOf(answers.HTTPAmbiguous)
	if fe.AmbiguousPath, err = Arg(model.AmbiguousPath); err != nil {
		return nil, err
	}
	if fe.OrdinaryPath, err = Arg(model.OrdinaryPath); err == nil && f.http {
		fe.HTTP, err = f.httpOf(p)
	}
	return fe, err
}

// deadClient ends a client's connection that has taken nothing of what it was sent for so long. Keep-alive, in the
// template of defaults, finds those that are sent nothing.
const deadClient = " tcp-ut 2m"

// binds are what stands behind "bind" for the addresses of a port.
func binds(p *matching.Port) []string {
	list := bindAddresses(p)
	for i := range list {
		list[i] += deadClient
	}
	return list
}

// bindAddresses are the addresses of a port, as "bind" takes them.
func bindAddresses(p *matching.Port) []string {
	port := strconv.Itoa(int(p.Port))
	if len(p.Addresses) == 0 {
		return []string{"ipv4@:" + port, "ipv6@:" + port + " v6only"}
	}
	var list []string
	for _, a := range p.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is6() {
			bind := "ipv6@[" + ip.String() + "]:" + port
			if ip.IsUnspecified() {
				bind += " v6only" // IPv4 is another address.
			}
			list = append(list, bind)
		} else {
			list = append(list, "ipv4@"+a+":"+port)
		}
	}
	return list
}

// blocks writes the steps of a port for one kind of routes: those of the scopes that hosts find first, then of their
// parents, and so on. A step that finds nothing leaves the call to the next one. first is how many are for the scopes that
// hosts find first.
func (f *frontends) blocks(p *matching.Port, kind model.RouteKind) (list []Block, first int, err error) {
	scopes := map[int]bool{}
	for _, c := range p.Classes {
		for _, s := range c.Scopes() {
			if f.tables.Scopes[s].Kind == kind {
				scopes[s] = true
			}
		}
	}
	b := &blockWriter{frontends: f, kind: kind, variables: newVariables(), set: map[string]bool{}}
	for ; len(scopes) > 0 || f.routes.live() && b.position < liveScopes; b.position++ {
		if b.position > 0 {
			b.parent()
		}
		for _, n := range f.union(scopes, kind) {
			if err := b.step(n); err != nil {
				return nil, 0, err
			}
		}
		if b.position == 0 {
			first = len(b.blocks)
		}
		parents := map[int]bool{}
		for s := range scopes {
			if parent := f.tables.Scopes[s].Parent; parent >= 0 {
				parents[parent] = true
			}
		}
		scopes = parents
	}
	return b.blocks, first, nil
}

// always are the steps that a configuration has which is changed while it runs: those without conditions or
// regular expressions.
var always = map[model.RouteKind][]step{
	model.GRPCRoute: {{order: matching.OrderPath, key: matching.KeyPath}, {order: matching.OrderService, key: matching.KeyService},
		{order: matching.OrderMethod, key: matching.KeyMethod}, {order: matching.OrderRest}},
	model.HTTPRoute: {{order: matching.OrderPath, key: matching.KeyPath}, {order: matching.OrderRest, key: matching.KeyPrefix}},
}

// union merges what several scopes of a kind need at each step.
func (f *frontends) union(scopes map[int]bool, kind model.RouteKind) []*needs {
	byOrder := map[int]*needs{}
	if f.routes.live() {
		for _, s := range always[kind] {
			n := newNeeds(s)
			if n.http = kind == model.HTTPRoute; n.http {
				n.sets[f.routes.methods] = methodColumns
			}
			byOrder[s.order] = &n
		}
	}
	for _, s := range slices.Sorted(maps.Keys(scopes)) {
		for _, n := range f.routes.needs[s] {
			u := byOrder[n.order]
			if u == nil {
				fresh := newNeeds(n.step)
				fresh.http = n.http
				u = &fresh
				byOrder[n.order] = u
			}
			maps.Copy(u.sets, n.sets)
			u.all = u.all || n.all
		}
	}
	return slices.SortedFunc(maps.Values(byOrder), func(a, b *needs) int { return cmp.Compare(a.order, b.order) })
}
