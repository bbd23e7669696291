package translate

import (
	"fmt"
	"maps"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/gatewright/gatewright/generators/limits"
	"github.com/gatewright/gatewright/generators/model"
	"github.com/gatewright/gatewright/generators/pattern"
)

// A call may be asked the regular expressions of every rule that its path finds, of every route that has its host,
// also under wider hostnames. Proxies ask them one after the other and do nothing else meanwhile, so what one call can
// cost is bounded here, by limits.CallSteps (R41).

// lookup is what a call's path finds rules by: for each kind and depth, one value is looked up.
type lookup struct {
	lookupKind
	value string
}

// lookupKind is a kind of path, and the number of segments of a prefix.
type lookupKind struct {
	kind  model.PathKind
	depth int
}

func lookupOf(p *model.Path) lookup {
	l := lookup{lookupKind: lookupKind{kind: p.Kind}}
	switch p.Kind {
	case model.ExactPath:
		l.value = p.Value
	case model.PrefixPath:
		l.value, l.depth = p.Value, strings.Count(p.Value, "/")
	case model.ServicePath:
		l.value = p.Service
	case model.MethodPath:
		l.value = p.Method
	}
	return l
}

// asked is how many steps the expressions under each lookup take.
type asked map[lookup]int

// add takes the expressions of a match in.
func (a asked) add(m *model.Match) {
	steps := 0
	count := func(p *pattern.Pattern) {
		if p != nil {
			steps += p.Steps()
		}
	}
	count(m.Path.ServiceRegex)
	count(m.Path.MethodRegex)
	count(m.Path.Regex)
	for i := range m.Headers {
		count(m.Headers[i].Regex)
	}
	for i := range m.Query {
		if p := m.Query[i].Regex; p != nil {
			// A proxy may see it encoded.
			steps += p.EncodedSteps()
		}
	}
	if steps > 0 {
		a[lookupOf(&m.Path)] += steps
	}
}

// load is how many steps the calls of some rules are asked.
type load struct {
	lookups asked
	// kinds hold the most of any lookup of a kind; one value of each is looked up for a call.
	kinds map[lookupKind]int
	most  int
}

// grown is the load with more expressions. The lookups are changed in place, see shrink.
func (l load) grown(more asked) load {
	l.kinds = maps.Clone(l.kinds)
	if l.lookups == nil {
		l.lookups, l.kinds = asked{}, map[lookupKind]int{}
	}
	for k, steps := range more {
		l.lookups[k] += steps
		if over := l.lookups[k] - l.kinds[k.lookupKind]; over > 0 {
			l.kinds[k.lookupKind] += over
			l.most += over
		}
	}
	return l
}

// shrink takes expressions away from lookups that grew by them.
func (a asked) shrink(by asked) {
	for k, steps := range by {
		a[k] -= steps
	}
}

// ask counts the expressions of a rule, unless they are too many for one call together with those of the route's other
// rules.
func (r *routeRules) ask(matches []model.Match, rule int) *problem {
	more := asked{}
	for i := range matches {
		more.add(&matches[i])
	}
	if len(more) == 0 {
		return nil
	}
	grown := r.load.grown(more)
	if grown.most > limits.CallSteps {
		grown.lookups.shrink(more)
		return unsupported(ruleField(rule)+".matches", fmt.Errorf(": with the rules before it, a call could be asked %s; %s", tooMany, fewer))
	}
	r.load = grown
	return nil
}

// What is wrong, and what to do.
var (
	tooMany = fmt.Sprintf("more regular expressions than the proxy has time for: %d that may match one text in many ways are the most",
		limits.CallSteps/limits.LongSteps)
	fewer = "use exact values, or expressions that can match a text in one way only"
)

// hostLoad is what calls to the hosts of one hostname are asked.
type hostLoad struct {
	load
	// below is the most on any way to here from narrower hostnames.
	below int
}

// leaveFull drops the listeners where a call would be asked too much with the route.
func (p *parent) leaveFull(r *route) {
	if r.load.most == 0 {
		return
	}
	var kept []*listener
	var full []string
	for _, l := range p.listeners {
		if host, ok := l.take(r); ok {
			kept = append(kept, l)
		} else {
			full = append(full, fmt.Sprintf("listener %q: with older routes, a call to %s could be asked %s", l.spec.Name, orAny(host), tooMany))
		}
	}
	if p.listeners = kept; len(kept) == 0 {
		p.refuse(gatewayv1.RouteReasonUnsupportedValue, strings.Join(full, "; ")+"; "+fewer)
		return
	}
	p.lost = append(p.lost, full...)
}

// take counts a route's expressions under its hostnames on a listener, or names the hostname where they are too many.
func (l *listener) take(r *route) (host string, ok bool) {
	if l.last == r {
		return "", true // by another parentRef already
	}
	if l.loads == nil {
		l.loads = map[string]hostLoad{}
	}
	before := map[string]hostLoad{}
	for i, h := range r.hostnames {
		if _, ok := model.HostnameIntersection(l.hostname, h); !ok {
			continue
		}
		if l.grow(h, r.load.lookups, before) <= limits.CallSteps {
			continue
		}
		maps.Copy(l.loads, before)
		for _, grown := range r.hostnames[:i+1] {
			if _, ok := model.HostnameIntersection(l.hostname, grown); ok {
				l.loads[grown].lookups.shrink(r.load.lookups)
			}
		}
		return h, false
	}
	return "", true
}

// grow adds to what calls of a hostname are asked and returns the most that any call is which it concerns. What it
// changes is kept as it was before.
func (l *listener) grow(hostname string, more asked, before map[string]hostLoad) int {
	at := func(name string) hostLoad {
		if _, ok := before[name]; !ok {
			before[name] = l.loads[name]
		}
		return l.loads[name]
	}
	own := at(hostname)
	if own.lookups == nil {
		own.lookups, own.kinds = asked{}, map[lookupKind]int{}
		unchanged := before[hostname]
		unchanged.lookups, unchanged.kinds = own.lookups, own.kinds
		before[hostname] = unchanged
	}
	own.load = own.grown(more)
	l.loads[hostname] = own
	sum := own.most + own.below
	for wider := range model.HostnameParents(hostname) {
		parent := at(wider)
		parent.below = max(parent.below, sum)
		l.loads[wider] = parent
		sum = parent.most + parent.below
	}
	return sum
}

func orAny(hostname string) string {
	if hostname == "" {
		return "any host"
	}
	return hostname
}
