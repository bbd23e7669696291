package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// table is a configuration that calls can be looked up in.
type table struct {
	hash, generation string
	// config has what it was made of, with actions that are gone, and gone says since when.
	config Config
	gone   map[string]time.Time

	actions   map[string]*action
	endpoints map[place]*endpoint
}

// place is an address, and how it is spoken to.
type place struct {
	address netip.AddrPort
	tls     string
	http1   bool
}

// action is an Action, ready to use.
type action struct {
	id, source string
	up         *upstream
	mirrors    []*upstream
	timeout    time.Duration
	retry      *retry // nil for never
	web        bool
}

// upstream is an Upstream, ready to use.
type upstream struct {
	id, source string
	endpoints  []*endpoint
	next       atomic.Uint32
	copies     atomic.Int64 // those that are on their way there
}

// hashOf names a configuration by its text.
func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Actions that a configuration no longer has go on for a while: the proxy's old workers, and calls that are on their way, still ask
// for them.
const (
	goneTime = 5 * time.Minute
	goneMost = 10000
)

// keepGone adds to a configuration the actions that went from the one before a short while ago, and says since when. Where an
// upstream is there still, they send to it as it is now.
func keepGone(c *Config, old *table, now time.Time) map[string]time.Time {
	gone := map[string]time.Time{}
	for id := range old.config.Actions {
		if _, ok := c.Actions[id]; ok {
			continue
		}
		since, ok := old.gone[id]
		if !ok {
			since = now
		}
		if now.Sub(since) < goneTime {
			gone[id] = since
		}
	}
	newest := slices.SortedFunc(maps.Keys(gone), func(a, b string) int { return gone[b].Compare(gone[a]) })
	for _, id := range newest[min(len(newest), goneMost):] {
		delete(gone, id)
	}
	if len(gone) == 0 {
		return gone
	}
	actions, upstreams := maps.Clone(c.Actions), maps.Clone(c.Upstreams)
	for id := range gone {
		a := old.config.Actions[id]
		actions[id] = a
		for _, name := range append([]string{a.Upstream}, a.Mirrors...) {
			if _, ok := upstreams[name]; !ok {
				upstreams[name] = old.config.Upstreams[name]
			}
		}
	}
	c.Actions, c.Upstreams = actions, upstreams
	return gone
}

// newTable makes a table. Endpoints and budgets that the old one has too go on as they are.
func (b *Bridge) newTable(c Config, hash string, old *table) *table {
	t := &table{hash: hash, generation: c.Generation, actions: map[string]*action{}, endpoints: map[place]*endpoint{}}
	upstreams := map[string]*upstream{}
	for id, u := range c.Upstreams {
		up := &upstream{id: id, source: u.Source}
		if up.source == "" {
			up.source = "upstream " + id
		}
		secured := tlsID(u.TLS)
		for _, address := range u.Endpoints {
			up.endpoints = append(up.endpoints, b.endpointAt(t, old, place{address, secured, u.Protocol == HTTP1}, u))
		}
		upstreams[id] = up
	}
	for id, a := range c.Actions {
		act := &action{id: id, source: a.Source, up: upstreams[a.Upstream], timeout: time.Duration(a.Timeout), web: a.Web}
		if act.source == "" {
			act.source = "action " + id
		}
		for _, m := range a.Mirrors {
			act.mirrors = append(act.mirrors, upstreams[m])
		}
		if a.Retry != nil {
			act.retry = newRetry(*a.Retry)
			if before := old.actions[id]; before != nil && before.retry != nil {
				act.retry.spent = before.retry.spent
			}
		}
		t.actions[id] = act
	}
	return t
}

// endpointAt is the one endpoint of a place, whoever names it.
func (b *Bridge) endpointAt(t, old *table, at place, u Upstream) *endpoint {
	e := t.endpoints[at]
	if e == nil {
		if e = old.endpoints[at]; e == nil {
			e = &endpoint{b: b, address: at.address, http1: at.http1, number: numberOf([]byte(at.address.String()))}
			if u.TLS != nil {
				e.tls, _ = tlsConfig(u.TLS, u.Protocol) // Parse has refused what is wrong.
			}
		}
		t.endpoints[at] = e
	}
	return e
}

// pick is the endpoint that gets a call: of a few in turn the one that has least to do, those first that are known to take
// connections. avoid are those that were tried; nil when there is none else. A call of a session goes to the session's own.
func (u *upstream) pick(avoid []*endpoint, session string) *endpoint {
	n := len(u.endpoints)
	if n == 0 {
		return nil
	}
	if session != "" {
		return u.pickFor(session, avoid)
	}
	now := time.Now()
	start := int(u.next.Add(1))
	var best *endpoint
	var bestLoad int64
	looked := 0
	for i := 0; i < n && looked < maxLooked; i++ {
		e := u.endpoints[(start+i)%n]
		if contains(avoid, e) {
			continue
		}
		load := e.load.Load()
		if e.doubtful(now) {
			load += doubt
		} else {
			looked++
		}
		if best == nil || load < bestLoad {
			best, bestLoad = e, load
		}
	}
	return best
}

// pickFor is the endpoint of a session: each has a number for each session, and the greatest counts, so that an endpoint that comes
// or goes moves no other's sessions. Those that take no connections are left while there are others.
func (u *upstream) pickFor(session string, avoid []*endpoint) *endpoint {
	now := time.Now()
	var best *endpoint
	var most uint64
	sure := false
	own := numberOf([]byte(session))
	for _, e := range u.endpoints {
		if contains(avoid, e) {
			continue
		}
		number, taken := spread(own^e.number), !e.doubtful(now)
		if best == nil || taken && !sure || taken == sure && number > most {
			best, most, sure = e, number, taken
		}
	}
	return best
}

// numberOf is the same in every process.
func numberOf(text []byte) uint64 {
	h := fnv.New64a()
	h.Write(text)
	return h.Sum64()
}

// spread has each bit of a number depend on all others.
func spread(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

const (
	// maxLooked is how many endpoints are compared for a call.
	maxLooked = 8
	// doubt is what it counts that an endpoint didn't take the last connection: more than any load.
	doubt = 1 << 40
)

func contains(list []*endpoint, e *endpoint) bool {
	for _, x := range list {
		if x == e {
			return true
		}
	}
	return false
}
