package matching

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/gatewright/gatewright/generators/model"
)

// Compile works out the tables of a model. Equal models give equal tables, whatever the order of the rules
// in a scope.
func Compile(m model.Gateways) *Tables {
	c := &compiler{
		tables: &Tables{},
		index:  map[*model.Rule]int{},
		equal:  map[string]int{},
	}
	c.collectRules(m)
	for i := range m.Gateways {
		c.gateway(&m.Gateways[i])
	}
	slices.SortStableFunc(c.tables.Ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), slices.Compare(a.Addresses, b.Addresses))
	})
	c.levels()
	return c.tables
}

type compiler struct {
	tables *Tables
	index  map[*model.Rule]int
	// order holds each rule's place among rules that match equally well.
	order []int
	// ranks holds the rank of each match of each rule, from the rule's place in firstRank on.
	ranks     []rank
	firstRank []int
	// equal finds the scope that another listener had with the same content.
	equal map[string]int
}

// collectRules lists all rules by source, and works out once what their order depends on.
func (c *compiler) collectRules(m model.Gateways) {
	rules := c.tables.Rules
	for i := range m.Gateways {
		for j := range m.Gateways[i].Listeners {
			for _, s := range m.Gateways[i].Listeners[j].Scopes {
				for _, r := range s.Rules {
					if _, ok := c.index[r]; !ok {
						c.index[r] = 0
						rules = append(rules, r)
					}
				}
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b *model.Rule) int {
		return cmp.Or(strings.Compare(string(a.Source.Kind), string(b.Source.Kind)),
			model.CompareNames(a.Source.Namespace, a.Source.Name, b.Source.Namespace, b.Source.Name), cmp.Compare(a.Source.Rule, b.Source.Rule),
			strings.Compare(a.Gateway, b.Gateway))
	})
	byAge := make([]int, len(rules))
	c.order, c.ranks, c.firstRank = make([]int, len(rules)), make([]rank, 0, len(rules)), make([]int, len(rules))
	for i, r := range rules {
		c.index[r], byAge[i], c.firstRank[i] = i, i, len(c.ranks)
		for k := range r.Matches {
			c.ranks = append(c.ranks, rankOf(&r.Matches[k]))
		}
	}
	slices.SortStableFunc(byAge, func(a, b int) int { return compareRules(rules[a], rules[b]) })
	for place, i := range byAge {
		c.order[i] = place
	}
	c.tables.Rules = rules
}

// gateway adds the ports of one Gateway.
func (c *compiler) gateway(g *model.Gateway) {
	ports := map[int32]*Port{}
	sources := map[int32][]*model.Listener{}
	for i := range g.Listeners {
		l := &g.Listeners[i]
		if ports[l.Port] == nil {
			ports[l.Port] = &Port{Addresses: g.Binds(), Port: l.Port, Protocol: l.Protocol, Connections: g.Connections}
		}
		if p := ports[l.Port]; p.Clients == nil {
			p.Clients = l.Clients
		}
		sources[l.Port] = append(sources[l.Port], l)
	}
	for _, number := range slices.Sorted(maps.Keys(ports)) {
		p, listeners := ports[number], sources[number]
		slices.SortStableFunc(listeners, func(a, b *model.Listener) int {
			return model.CompareHostnames(a.Hostname, b.Hostname)
		})
		for _, l := range listeners {
			p.Listeners = append(p.Listeners, Listener{
				Gateway: g.Namespace + "/" + g.Name, Name: l.Name, Hostname: l.Hostname, KeyPairs: l.KeyPairs,
			})
		}
		for i, l := range listeners {
			c.listener(p, i, l)
		}
		slices.SortFunc(p.Classes, func(a, b Class) int { return model.CompareHostnames(a.Hostname, b.Hostname) })
		c.tables.Ports = append(c.tables.Ports, *p)
	}
}

// listener adds the classes of hosts that one listener of a port owns, and the scopes they lead to.
func (c *compiler) listener(p *Port, index int, l *model.Listener) {
	grpc, http := kindScopes{}, kindScopes{}
	patterns := map[string]bool{l.Hostname: true}
	for i := range l.Scopes {
		s := &l.Scopes[i]
		if s.Kind() == model.HTTPRoute {
			http[s.Hostname] = &kindScope{Scope: s, index: -1}
		} else {
			grpc[s.Hostname] = &kindScope{Scope: s, index: -1}
		}
		if both, ok := model.HostnameIntersection(s.Hostname, l.Hostname); ok {
			patterns[both] = true
		}
	}
	for _, pattern := range slices.SortedFunc(maps.Keys(patterns), model.CompareHostnames) {
		if !ownedBy(p.Listeners, index, pattern) {
			continue
		}
		p.Classes = append(p.Classes, Class{
			Hostname: pattern, Listener: index, GRPC: c.scopeFor(pattern, grpc), HTTP: c.scopeFor(pattern, http),
		})
	}
}

// ownedBy says whether a listener owns any host of a pattern that it covers: not so when a listener with a
// narrower hostname covers the pattern too (R7).
func ownedBy(listeners []Listener, index int, pattern string) bool {
	own := listeners[index].Hostname
	for i, other := range listeners {
		if i != index && other.Hostname != own &&
			model.HostnameCovers(own, other.Hostname) && model.HostnameCovers(other.Hostname, pattern) {
			return false
		}
	}
	return true
}

// kindScopes are the scopes of a listener of one kind, by hostname.
type kindScopes map[string]*kindScope

// kindScope is a scope and its index, -1 until it is built.
type kindScope struct {
	*model.Scope
	index int
}

// scopeFor returns the first scope for the hosts of a pattern: the most specific of those that cover it, or -1.
func (c *compiler) scopeFor(pattern string, scopes kindScopes) int {
	if s, ok := scopes[pattern]; ok {
		return c.scope(s, scopes)
	}
	return c.parentOf(pattern, scopes)
}

// parentOf returns the most specific scope that covers more hosts than a pattern, or -1.
func (c *compiler) parentOf(pattern string, scopes kindScopes) int {
	for wider := range model.HostnameParents(pattern) {
		if s, ok := scopes[wider]; ok {
			return c.scope(s, scopes)
		}
	}
	return -1
}

// scope returns the index of a scope, building it and its parents at the first call.
func (c *compiler) scope(s *kindScope, scopes kindScopes) int {
	if s.index < 0 {
		parent := c.parentOf(s.Hostname, scopes)
		s.index = c.compile(s.Scope, parent)
	}
	return s.index
}

// compile compiles a scope, unless an equal one is there.
func (c *compiler) compile(s *model.Scope, parent int) int {
	rules := make([]int, len(s.Rules))
	for i, r := range s.Rules {
		rules[i] = c.index[r]
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	content := append([]byte(s.Kind()+" "+model.RouteKind(s.Hostname)), 0)
	content = binary.AppendVarint(content, int64(parent))
	for _, r := range rules {
		content = binary.AppendUvarint(content, uint64(r))
	}
	if i, ok := c.equal[string(content)]; ok {
		return i
	}
	scope := Scope{Hostname: s.Hostname, Kind: s.Kind(), Parent: parent, Web: s.TakesWeb()}
	var refs []ref
	for _, r := range rules {
		for k := range c.tables.Rules[r].Matches {
			refs = append(refs, ref{r, k})
		}
	}
	scope.Stages = c.stages(refs)
	i := len(c.tables.Scopes)
	c.tables.Scopes = append(c.tables.Scopes, scope)
	c.equal[string(content)] = i
	return i
}

// compare orders the matches of a scope by precedence (R12).
func (c *compiler) compare(a, b ref) int {
	x, y := &c.ranks[c.firstRank[a.rule]+a.match], &c.ranks[c.firstRank[b.rule]+b.match]
	return cmp.Or(x.compare(y), cmp.Compare(c.order[a.rule], c.order[b.rule]), cmp.Compare(a.match, b.match))
}

// levels works out every scope's level. Parents stand before their children.
func (c *compiler) levels() {
	scopes := c.tables.Scopes
	for i := len(scopes) - 1; i >= 0; i-- {
		if p := scopes[i].Parent; p >= 0 {
			scopes[p].Level = max(scopes[p].Level, scopes[i].Level+1)
		}
	}
	longPatterns(scopes)
}

// longPatterns counts the expressions of every way through scopes. Parents stand before their children.
func longPatterns(scopes []Scope) {
	own, below := make([]int, len(scopes)), make([]int, len(scopes))
	for i := len(scopes) - 1; i >= 0; i-- {
		own[i] = scopes[i].longPatterns()
		if p := scopes[i].Parent; p >= 0 {
			below[p] = max(below[p], own[i]+below[i])
		}
	}
	above := make([]int, len(scopes))
	for i := range scopes {
		if p := scopes[i].Parent; p >= 0 {
			above[i] = above[p] + own[p]
		}
		scopes[i].LongPatterns = above[i] + own[i] + below[i]
	}
}

// longPatterns counts the expressions that aren't plain: one entry of each stage is asked.
func (s *Scope) longPatterns() int {
	sum := 0
	for i := range s.Stages {
		most := 0
		for _, e := range s.Stages[i].Entries {
			n := 0
			for j := range e.Candidates {
				for _, c := range e.Candidates[j].Conditions {
					if c.Regex != nil && !c.Regex.Plain() {
						n++
					}
				}
			}
			most = max(most, n)
		}
		sum += most
	}
	return sum
}
