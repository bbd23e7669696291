package nginx

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewright/gatewright/generators"
	"github.com/gatewright/gatewright/generators/answers"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/relay"
)

// actions turns rules into what answers a call: a cluster with header changes, or a status.
type actions struct {
	blocks   *blocks
	clusters map[string]*Upstream
	// known are the actions; every one has an entry in the maps below.
	known    map[string]bool
	profiles profiles
	// http are the actions of HTTPRoutes.
	http httpActions

	route, action, target, upstream, service, status, why *block
	shares, shared                                        *block
	// bridge is the token of the bridge's address, or ""; relay is the map of what it is told, nil where it is told nothing.
	bridge string
	relay  *block
	// bridged are the upstreams that calls reach through the bridge, by name.
	bridged map[string]*Upstream
	// sessions are the variables of sessions that exist, bySessions the upstreams with an endpoint for each session, by name.
	sessions map[string]bool
	// limited are the variables of body limits that exist.
	limited    map[string]bool
	bySessions map[string]*Upstream
	// web are the maps of what browsers are told of calls of gRPC-Web; none where no rule takes those.
	web     []*block
	splits  []Split
	bySplit map[string]string
}

// newActions starts the maps that follow $gw_rule.
func newActions(bs *blocks, clusters map[string]*Upstream, tls *backendTLS) *actions {
	a := &actions{profiles: profiles{tls: tls}, blocks: bs, clusters: clusters, known: map[string]bool{}, bySplit: map[string]string{},
		bridged: map[string]*Upstream{}, sessions: map[string]bool{}, limited: map[string]bool{}, bySessions: map[string]*Upstream{}}
	a.action = bs.add(Map{Comment: "What answers the calls of a rule.", Source: "$gw_rule", Name: "gw_action"})
	a.shared = bs.add(Map{Comment: "The same where weights share them: by rule and share.", Source: `"$gw_rule:$gw_share"`,
		Name: "gw_shared_action"})
	a.shares = bs.add(Map{Comment: "The share that a call falls in.", Source: "$gw_rule", Name: "gw_share"})
	a.target = bs.add(Map{Comment: "The location that an action goes to,", Source: "$gw_action", Name: "gw_target", Default: "@gw_status"})
	a.target.entry(`""`, "$gw_unmatched", "")
	a.upstream = bs.add(Map{Comment: "its upstream,", Source: "$gw_action", Name: "gw_upstream"})
	a.service = bs.add(Map{Comment: "whose endpoints these are,", Source: "$gw_action", Name: "gw_backend"})
	a.status = bs.add(Map{Comment: "or the gRPC status that answers,", Source: "$gw_action", Name: "gw_status",
		Default: strconv.Itoa(int(answers.NoRule.Code))})
	a.why = bs.add(Map{Comment: "with its message.", Source: "$gw_action", Name: "gw_message", Default: `"` + answers.NoRule.Message + `"`})
	a.route = bs.add(Map{Comment: "The names of the rules.", Source: "$gw_rule", Name: "gw_route"})
	for _, b := range []*block{a.target, a.upstream, a.service, a.status, a.why} {
		b.byKey = true
	}
	return a
}

// rule adds a rule under its id; source names it.
func (a *actions) rule(id string, r *model.Rule, source string) error {
	name, err := a.blocks.value(answers.Encode(source))
	if err != nil {
		return err
	}
	a.route.entry(id, name, "")
	if err := a.webRule(id, r); err != nil {
		return err
	}
	if len(r.Backends) == 0 {
		status := r.Status
		if status == nil {
			status = &answers.NoBackends
		}
		n, err := a.statusAction(status, r)
		a.action.entry(id, n, source)
		return err
	}
	shares := r.Shares()
	if len(shares) == 1 {
		n, err := a.backend(r, &shares[0])
		a.action.entry(id, n, source)
		return err
	}
	key := "request_id"
	// A session stays with its share.
	s, err := a.session(r.Persistence())
	if err != nil {
		return err
	}
	if s != nil {
		key = s.token
	}
	split, err := a.split(shares, key)
	if err != nil {
		return err
	}
	a.action.entry(id, "$gw_shared_action", source)
	a.shares.entry(id, "$"+split, "")
	for i := range shares {
		n, err := a.backend(r, &shares[i])
		if err != nil {
			return err
		}
		a.shared.entry(id+":"+strconv.Itoa(i), n, fmt.Sprintf("%s backend %d, weight %d", source, i, shares[i].Weight))
	}
	return nil
}

// backend returns the action of one share of a rule.
func (a *actions) backend(r *model.Rule, b *model.Backend) (string, error) {
	kind := r.Source.Kind
	switch {
	case b.Status != nil:
		return a.statusAction(b.Status, r)
	case b.Redirect != nil:
		return a.redirectAction(b.Redirect)
	}
	u := a.clusters[b.Cluster]
	if u == nil {
		return "", fmt.Errorf("cluster %q isn't in the model", b.Cluster)
	}
	if !u.serves() {
		return a.statusAction(&u.Empty, r)
	}
	relayed := relay.ID(r, b, u.TLS)
	if relayed != "" {
		if a.bridge == "" {
			return "", errNoBridge
		}
		u = a.throughBridge(u, relay.Required(b, u.TLS))
	}
	s, err := a.session(persistence(b, u))
	if err != nil {
		return "", err
	}
	if u = a.bySession(u, s); !u.serves() {
		return a.statusAction(&u.Empty, r)
	}
	w := &way{session: s, relayed: relayed}
	if w.limit, err = a.bodyLimit(u); err != nil {
		return "", err
	}
	if kind == model.HTTPRoute {
		return a.httpAction(b, u, w)
	}
	own, err := a.webLines(r, w.lines("grpc"))
	if err != nil {
		return "", err
	}
	profile, err := a.profiles.of(b, u.TLS, a.blocks, own)
	if err != nil {
		return "", err
	}
	target, err := a.answering(r.Web, profile)
	if err != nil {
		return "", err
	}
	id, known := a.id(strings.TrimSpace("c " + u.Name + " " + profile + " " + relayed))
	if known {
		return id, nil
	}
	a.tellBridge(id, relayed)
	return id, a.send(id, target, u)
}

// send fills in an action that passes calls on: in a location, to an upstream.
func (a *actions) send(id, target string, u *Upstream) error {
	service, err := Value(answers.Encode(u.Service))
	if err != nil {
		return err
	}
	a.target.entry(id, target, "")
	a.upstream.entry(id, u.Name, "")
	a.service.entry(id, service, "")
	if u.TLS != nil {
		return a.profiles.tls.name(a.blocks, id, u.TLS)
	}
	return nil
}

// statusAction returns the action that answers a status; its message names the rule too.
func (a *actions) statusAction(s *model.Status, r *model.Rule) (string, error) {
	if r.Source.Kind == model.HTTPRoute {
		return a.httpStatus(s)
	}
	key, target := fmt.Sprintf("s %d %s", s.Code, s.Message), ""
	if r.Web != nil {
		var err error
		if target, err = a.answering(r.Web, "@gw_status"); err != nil {
			return "", err
		}
		key += " " + target
	}
	id, known := a.id(key)
	if known {
		return id, nil
	}
	if target != "" {
		a.target.entry(id, target, "")
	}
	a.status.entry(id, strconv.Itoa(int(s.Code)), "")
	return id, a.message(id, answers.Encode(s.Message))
}

// message fills in what an action says, with the rule's name in front.
func (a *actions) message(id, text string) error {
	token, err := a.blocks.pieces(": " + text)
	if err != nil {
		return fmt.Errorf("the message %.60q: %w", text, err)
	}
	if !strings.HasPrefix(token, `"`) {
		token = `"` + token + `"`
	}
	a.why.entry(id, `"$gw_route`+token[1:], "")
	return nil
}

// id is that of an action, and whether it was there.
func (a *actions) id(key string) (id string, known bool) {
	known = a.known[key]
	a.known[key] = true
	return a.blocks.ids.Of(key), known
}

// Upstream is an upstream{} block.
type Upstream struct {
	Name string
	// Service is for people: "Service ns/name port 80". Empty answers where it has no endpoints.
	Service string
	Empty   model.Status
	// Protocol is the cluster's.
	Protocol model.BackendProtocol
	// TLS is the cluster's too.
	TLS *model.BackendTLS
	// Tries is how often the servers stand there, none of which is left alone; 0 where failures count.
	Tries int
	// Persistence is the cluster's as well, and Hash the variable with what decides on the endpoint, or "".
	Persistence *model.Persistence
	Hash        string
	// Fails says when a server is left alone for its failures, and for how long: of several that the same client may have made.
	Fails string
	// MaxRequestBytes is the cluster's.
	MaxRequestBytes int64
	// Servers are "address:port".
	Servers []string
	// Resolve is the name that a resolver is asked for; "" when Servers are all. Beside it there are Servers only of an
	// upstream that is new.
	Resolve string
	// Backup says that the servers stand there once more, for when all are left alone for their failures: a client can
	// make endpoints fail its own calls. Balancing that takes no backup servers does without.
	Backup bool
	// Bridge is the token of the bridge's address, where calls go that reach the endpoints through it; "" for none. The
	// endpoints stand behind it as backup servers, for when it isn't there, unless Required says that nothing else will do.
	Bridge   string
	Required bool
	// named says that some server is a name, which may have many addresses; all are the servers where none is left to a resolver.
	named bool
	all   []string
}

// serves says whether calls can be sent to the upstream. What a resolver tells may be nothing at any time.
func (u *Upstream) serves() bool { return u.Resolve != "" || len(u.Servers) > 0 }

// Bridges is how often the bridge stands there: where nothing else is tried, it is asked again.
func (u *Upstream) Bridges() int {
	if u.Required {
		return max(1, u.Tries)
	}
	return 1
}

// Backups is how often the servers stand there as backup servers. What passes the bridge is tried again without it.
func (u *Upstream) Backups() int {
	switch {
	case u.Required:
		return 0
	case u.Bridge != "":
		return max(1, u.Tries-1)
	case u.Backup:
		return 1
	}
	return 0
}

// upstreamDigits are how many digits of a hash the name of an upstream begins with.
const upstreamDigits = 8

// upstreams names the upstream of each cluster, apart from those of a team's own configuration. resolve leaves
// their endpoints to a resolver where it can.
func upstreams(clusters []model.Cluster, resolve bool, refused *generators.Refusals) (map[string]*Upstream, []Upstream) {
	byName, used := map[string]*Upstream{}, map[string]bool{}
	list := make([]*Upstream, 0, len(clusters))
	for i := range clusters {
		c := &clusters[i]
		// For each call nginx compares the name that it wants with those of all upstreams until it finds it: a hash in front
		// has it see by their first letters that others are others. By the hash and not by a number, for an upstream that is
		// renamed loses what it knows.
		hash, text := hashOf(c.Name), strings.Map(upstreamRune, c.Name)
		u := &Upstream{
			Name: "gw_" + hash[:upstreamDigits] + "_" + text, Service: answers.Service(c), Empty: answers.NoEndpoints(c), Protocol: c.Protocol,
			TLS: c.TLS, Persistence: c.Persistence, Fails: failsOf(c.Outliers, "max_fails=5 fail_timeout=1s"), MaxRequestBytes: c.MaxRequestBytes,
		}
		if used[u.Name] {
			u.Name = "gw_" + hash + "_" + text
		}
		used[u.Name] = true
		byName[c.Name] = u
		list = append(list, u)
		for _, e := range c.Endpoints {
			s, err := server(e)
			if err != nil {
				refused.Cluster(c.Name, err)
				break
			}
			u.all = append(u.all, s)
			_, err = netip.ParseAddr(e.Address)
			u.named = u.named || err != nil
		}
		u.Servers = u.all
		if resolve && Resolved(c) {
			u.Resolve = EndpointsName(c)
			if !c.Unlearnt {
				u.Servers = nil
			}
		}
	}
	var filled []Upstream
	for _, u := range list {
		if u.serves() {
			// One address by itself is never left alone.
			u.Backup = u.Resolve != "" || len(u.Servers) > 1 || u.named
			filled = append(filled, *u)
		}
	}
	return byName, filled
}

// failsOf is what a cluster says of servers that fail, or what holds without that. nginx counts whole seconds.
func failsOf(o *model.Outliers, normal string) string {
	if o == nil {
		return normal
	}
	return fmt.Sprintf("max_fails=%d fail_timeout=%ds", o.Failures, (o.Time+time.Second-1)/time.Second)
}

// special are the upstreams with endpoints of a cluster for some of the calls: through the bridge, and tried again.
func (a *actions) special() []Upstream {
	var list []Upstream
	for _, some := range []map[string]*Upstream{a.bridged, a.bySessions, a.http.retried} {
		for _, name := range slices.Sorted(maps.Keys(some)) {
			list = append(list, *some[name])
		}
	}
	return list
}

func upstreamRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '.':
		return r
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	}
	return '_'
}
